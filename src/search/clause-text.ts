/** What a query was understood as, in words: a line for each clause and each sort key. */
import { instantText } from '../fhir/date-time.ts';
import { referenceText } from '../fhir/reference.ts';
import type { Clause, NearValue, Prefix, QuantityValue, RangeValue, SortKey, TokenValue } from './search-query.ts';

/** Of more values only so many are told, and of each so many characters. */
const SHOWN_VALUES = 10;
const SHOWN_LENGTH = 100;

/** In quotes; what no R4 string may contain is written as its number. */
const quoted = (text: string): string => {
  const cut = text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH).toWellFormed()}…` : text.toWellFormed();
  const plain = cut.replace(/[^\S ]|\p{Cc}/gu, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return `'${plain}'`;
};

const listed = (values: readonly string[]): string => {
  const shown = values.slice(0, SHOWN_VALUES).join(', or ');
  return values.length > SHOWN_VALUES ? `${shown}, or one of ${values.length - SHOWN_VALUES} more` : shown;
};

/** The entries of components and modifiers have names such as `code-value-quantity#1` and `subject:identifier`. */
const paramText = (param: string): string => {
  const [code = '', component] = param.split('#');
  if (component === undefined) return code;
  const [position, ...other] = component.split(':');
  return [`component ${Number(position) + 1} of ${code}`, ...other].join(':');
};

const tokenText = ({ system, code }: TokenValue): string => {
  const ofSystem =
    system === undefined ? 'of any system' : system === '' ? 'without a system' : `of the system ${quoted(system)}`;
  return `${code === undefined ? 'any code' : quoted(code)} ${ofSystem}`;
};

type Words = Readonly<Record<Prefix, (lo: string, hi: string) => string>>;

/** Stored dates have a beginning and an end. @see https://hl7.org/fhir/R4/search.html#prefix */
const DATE_WORDS: Words = {
  eq: (lo, hi) => `lies within [${lo}, ${hi})`,
  ne: (lo, hi) => `does not lie within [${lo}, ${hi})`,
  gt: (_, hi) => `ends after ${hi}`,
  lt: (lo) => `begins before ${lo}`,
  ge: (lo, hi) => `ends after ${hi} or lies within [${lo}, ${hi})`,
  le: (lo, hi) => `begins before ${lo} or lies within [${lo}, ${hi})`,
  sa: (_, hi) => `begins at ${hi} or later`,
  eb: (lo) => `ends at ${lo} or earlier`,
  ap: (lo, hi) => `overlaps [${lo}, ${hi})`,
};

const INSTANT_WORDS: Words = {
  ...DATE_WORDS,
  gt: (_, hi) => `is ${hi} or later`,
  lt: (lo) => `is before ${lo}`,
  ge: (lo) => `is ${lo} or later`,
  le: (_, hi) => `is before ${hi}`,
  sa: (_, hi) => `is ${hi} or later`,
  eb: (lo) => `is before ${lo}`,
  ap: (lo, hi) => `lies within [${lo}, ${hi})`,
};

const NUMBER_WORDS: Words = {
  eq: (lo, hi) => `lies within [${lo}, ${hi})`,
  ne: (lo, hi) => `does not lie within [${lo}, ${hi})`,
  gt: (_, hi) => `reaches above ${hi}`,
  lt: (lo) => `reaches below ${lo}`,
  ge: (lo) => `reaches ${lo} or above`,
  le: (_, hi) => `reaches ${hi} or below`,
  sa: (_, hi) => `lies above ${hi}`,
  eb: (lo) => `lies below ${lo}`,
  ap: (lo, hi) => `overlaps [${lo}, ${hi})`,
};

/** The most milliseconds that a date of JavaScript can have. */
const LAST_INSTANT = 8.64e15;

const timeText = (milliseconds: number): string =>
  Math.abs(milliseconds) <= LAST_INSTANT ? instantText(milliseconds) : `${milliseconds} ms since 1970`;

const dateText = (words: Words, { prefix, lo, hi }: RangeValue): string => words[prefix](timeText(lo), timeText(hi));

const numberText = ({ prefix, lo, hi }: RangeValue): string => NUMBER_WORDS[prefix](`${lo}`, `${hi}`);

const quantityText = ({ system, code, ...range }: QuantityValue): string => {
  const ofSystem = system === undefined || system === '' ? '' : ` of the system ${quoted(system)}`;
  if (code === undefined) return `${numberText(range)} in any unit${ofSystem}`;
  const asWritten = ofSystem === '' ? ', as code or as written' : '';
  return `${numberText(range)} in the unit ${quoted(code)}${ofSystem}${asWritten}`;
};

const nearText = ({ latitude, longitude, kilometres }: NearValue): string =>
  `within ${kilometres} km of latitude ${latitude}, longitude ${longitude}`;

const STRING_WORDS = { starts: 'begins with', contains: 'contains', exact: 'is exactly' } as const;

const stringText = ({ param, match, values }: Extract<Clause, { kind: 'string' }>): string => {
  const folded = match === 'exact' ? '' : ', without regard to case and marks';
  return `${paramText(param)} ${STRING_WORDS[match]} ${listed(values.map(quoted))}${folded}`;
};

const withArticle = (type: string): string => `${/^[AEIO]/.test(type) ? 'an' : 'a'} ${type}`;

/** What a resource must fulfil, in a line such as `code is '8480-6' of the system 'http://loinc.org'`. */
export const clauseText = (clause: Clause): string => {
  switch (clause.kind) {
    case 'token':
      return `${paramText(clause.param)} is ${listed(clause.values.map(tokenText))}`;
    case 'string':
      return stringText(clause);
    case 'date':
      return `${paramText(clause.param)} ${listed(clause.values.map((value) => dateText(DATE_WORDS, value)))}`;
    case 'number':
      return `${paramText(clause.param)} ${listed(clause.values.map(numberText))}`;
    case 'quantity':
      return `${paramText(clause.param)} ${listed(clause.values.map(quantityText))}`;
    case 'reference':
      return `${paramText(clause.param)} refers to ${listed(clause.values.map((value) => quoted(value.type === '' ? value.id : referenceText(value))))}`;
    case 'uri':
      return `${paramText(clause.param)} is ${listed(clause.values.map(quoted))}${clause.match === 'below' ? ', or below it' : ''}`;
    case 'id':
      return `the id is ${listed(clause.values.map(quoted))}`;
    case 'lastUpdated':
      return `the time of the last update ${listed(clause.values.map((value) => dateText(INSTANT_WORDS, value)))}`;
    case 'source':
      return `it was pushed by ${clause.values.length === 0 ? 'nobody' : listed(clause.values.map(quoted))}`;
    case 'missing':
      return `${paramText(clause.param)} has ${clause.isMissing ? 'no' : 'a'} value`;
    case 'composite':
      return listed(clause.values.map((parts) => `in one element: ${parts.map(clauseText).join('; and ')}`));
    case 'text':
      return `the ${clause.param === '_text' ? 'narrative' : 'whole text'} has all words of ${listed(clause.values.map(quoted))}`;
    case 'near':
      return `${paramText(clause.param)} is ${listed(clause.values.map(nearText))}`;
    case 'not':
      return `not: (${clauseText(clause.clause)})`;
    case 'any':
      return clause.clauses.length === 0
        ? 'nothing'
        : clause.clauses.length === 1
          ? clause.clauses.map(clauseText).join()
          : `one of: ${listed(clause.clauses.map((each) => `(${clauseText(each)})`))}`;
    case 'all':
      return clause.clauses.length === 0
        ? 'anything'
        : clause.clauses.map((each) => `(${clauseText(each)})`).join(' and ');
    case 'chain':
      return `${paramText(clause.param)} refers to ${withArticle(clause.type)} of which (${clauseText(clause.clause)})`;
    case 'hierarchy':
      return `${paramText(clause.param)} refers to ${listed(clause.values.map((value) => quoted(referenceText(value))))}, or to what is ${clause.direction} by ${clause.parent}`;
    case 'has':
      return `${withArticle(clause.type)} refers to it by ${paramText(clause.param)}, of which (${clauseText(clause.clause)})`;
  }
};

/** What a key sorts by and which way, such as `date, the largest first`. */
export const sortText = (key: SortKey): string => {
  const name = key.by === 'param' ? key.param : key.by === 'id' ? '_id' : '_lastUpdated';
  return `${name}, ${key.isDescending ? 'the largest first' : 'the smallest first'}`;
};

/**
 * A query string as a SearchQuery. What the server does not know is refused, unless the client asks to be lenient: then
 * it is named in a warning, and left out of the self link.
 *
 * @see https://hl7.org/fhir/R4/search.html
 * @see https://hl7.org/fhir/R4/search.html#errors
 */
import type { SearchParameter, SearchParameters } from '../definitions/search-parameters.ts';
import { FhirError, type Issue, invalid, notSupported } from '../fhir/fhir-error.ts';
import { foldString, STRING_LIMIT } from './index-entry.ts';
import { parseDate, parseNumber, parseQuantity, parseReferenceValue, parseToken } from './parse-value.ts';
import type { Clause, SearchQuery, Sort, StringMatch } from './search-query.ts';
import { splitEscaped, unescaped } from './split-value.ts';

export interface SearchContext {
  readonly parameters: SearchParameters;
  readonly resourceTypes: readonly string[];
  readonly baseUrl: string;
  readonly defaultCount: number;
  readonly maximumCount: number;
  /** The most values of one parameter. */
  readonly maximumValues: number;
  readonly isLenient: boolean;
  now(): number;
}

export interface ParsedSearch {
  readonly query: SearchQuery;
  /** What was used, in the order given, as the self link shows it. */
  readonly used: readonly (readonly [string, string])[];
  readonly warnings: readonly Issue[];
  /** Whether only the total is asked for. */
  readonly isCount: boolean;
}

type Pair = readonly [name: string, value: string];

/** Parameters that shape the answer and do not select; those that HTTP handles are taken out before. */
interface Shape {
  count: number;
  sort?: Sort;
  isCount: boolean;
}

const STRING_MODIFIERS: Readonly<Record<string, StringMatch>> = { exact: 'exact', contains: 'contains' };
/** These say one thing about the whole answer, so they stand once. */
const SHAPING = new Set(['_count', '_sort', '_summary']);
/** The most values of one parameter whose values are ranges or parts of texts: each is compared with every candidate. */
const COMPARED_VALUES = 20;
const COMPARED = new Set(['string', 'date', 'number', 'quantity']);
/** The most parameters that select, and the most values of all together: a statement has only so many conditions. */
const TOTAL_PARAMETERS = 30;
const TOTAL_VALUES = 1000;
/** Kinds of parameters that can be searched. */
const SEARCHABLE = new Set(['token', 'string', 'date', 'number', 'quantity', 'reference', 'uri']);

/** Whether the server can search by this parameter, as the CapabilityStatement says. */
export const isSearchable = ({ type, expression, code }: SearchParameter): boolean =>
  SEARCHABLE.has(type) && (expression !== '' || code === '_id' || code === '_lastUpdated');

const parseCount = (value: string, context: SearchContext): number => {
  if (!/^\d+$/.test(value)) throw invalid(`_count: '${value}' is not a whole number`);
  return Math.min(Number(value), context.maximumCount);
};

const parseSort = (value: string): Sort => {
  const match = /^(-?)(_lastUpdated|_id)$/.exec(value);
  if (match === null)
    throw notSupported(`_sort: '${value}' is not possible here; possible: _lastUpdated, -_lastUpdated, _id, -_id`);
  return { by: match[2] === '_id' ? 'id' : 'lastUpdated', descending: match[1] === '-' };
};

const parseSummary = (value: string): boolean => {
  if (value === 'count' || value === 'false') return value === 'count';
  throw notSupported(`_summary: '${value}' is not possible here; possible: count, false`);
};

const clauseOf = (
  { code, type, targets }: SearchParameter,
  modifier: string,
  name: string,
  values: readonly string[],
  context: SearchContext,
): Clause => {
  const noModifier = (): void => {
    if (modifier !== '') throw notSupported(`${name}: the modifier ':${modifier}' is not possible for this parameter`);
  };
  if (type === 'string') {
    const match = modifier === '' ? 'starts' : STRING_MODIFIERS[modifier];
    if (match === undefined) noModifier();
    const texts = values.map(unescaped);
    const folded = texts.map(foldString);
    // A lone accent folds to nothing, and everything begins with nothing.
    if (folded.includes('')) throw invalid(`${name}: a value has no character to search for`);
    return {
      kind: 'string',
      param: code,
      match: match ?? 'starts',
      values: match === 'exact' ? texts.map((text) => text.slice(0, STRING_LIMIT)) : folded,
    };
  }
  if (type === 'reference') {
    const isType = context.resourceTypes.includes(modifier);
    if (!isType) noModifier();
    const allowed = targets.length === 0 ? context.resourceTypes : targets;
    const types = isType ? [modifier] : allowed;
    const references = values.flatMap((value) =>
      parseReferenceValue(value, name, {
        baseUrl: context.baseUrl,
        targets: types,
        ...(isType ? { type: modifier } : {}),
      }),
    );
    return { kind: 'reference', param: code, values: references };
  }
  noModifier();
  if (code === '_id') return { kind: 'id', values: values.map(unescaped) };
  if (code === '_lastUpdated')
    return { kind: 'lastUpdated', values: values.map((value) => parseDate(value, name, context.now())) };
  switch (type) {
    case 'token':
      return { kind: 'token', param: code, values: values.map((value) => parseToken(value, name)) };
    case 'date':
      return { kind: 'date', param: code, values: values.map((value) => parseDate(value, name, context.now())) };
    case 'number':
      return { kind: 'number', param: code, values: values.map((value) => parseNumber(value, name)) };
    case 'quantity':
      return { kind: 'quantity', param: code, values: values.map((value) => parseQuantity(value, name)) };
    default:
      return { kind: 'uri', param: code, values: values.map(unescaped) };
  }
};

const selection = (type: string, [name, text]: Pair, context: SearchContext): Clause => {
  const [code = '', ...modifiers] = name.split(':');
  const modifier = modifiers.join(':');
  const parameter = context.parameters.of(type).get(code);
  if (parameter === undefined || !isSearchable(parameter)) {
    const reason = parameter === undefined ? `has no search parameter` : `cannot be searched by`;
    throw notSupported(`${type} ${reason} '${code}'; GET [base]/metadata lists what is possible`);
  }
  const values = splitEscaped(text, ',');
  if (values.some((value) => value.trim() === '')) throw invalid(`${name}: a value is empty`);
  const most = COMPARED.has(parameter.type) ? Math.min(COMPARED_VALUES, context.maximumValues) : context.maximumValues;
  if (values.length > most)
    throw invalid(`${name}: ${values.length} values; at most ${most} are possible in one such parameter`);
  return clauseOf(parameter, modifier, name, values, context);
};

const isUnsupported = (error: unknown): error is FhirError =>
  error instanceof FhirError && error.issues[0]?.code === 'not-supported';

/**
 * Parses the parameters of a search for resources of `type`. Throws a FhirError 400 for what is malformed, and, unless
 * lenient, for what the server does not know.
 */
export const parseSearch = (type: string, pairs: readonly Pair[], context: SearchContext): ParsedSearch => {
  const clauses: Clause[] = [];
  const used: Pair[] = [];
  const warnings: Issue[] = [];
  const shape: Shape = { count: context.defaultCount, isCount: false };
  let total = 0;

  const take = (pair: Pair): Pair => {
    const [name, value] = pair;
    if (SHAPING.has(name) && used.some(([earlier]) => earlier === name)) throw invalid(`${name}: stands twice`);
    switch (name) {
      case '_count':
        shape.count = parseCount(value, context);
        return [name, String(shape.count)];
      case '_sort':
        shape.sort = parseSort(value);
        return pair;
      case '_summary':
        shape.isCount = parseSummary(value);
        return pair;
      default:
        total += splitEscaped(value, ',').length;
        if (total > TOTAL_VALUES) throw invalid(`More than ${TOTAL_VALUES} values in one search; divide it`);
        if (clauses.push(selection(type, pair, context)) > TOTAL_PARAMETERS)
          throw invalid(`More than ${TOTAL_PARAMETERS} parameters in one search; divide it`);
        return pair;
    }
  };

  for (const pair of pairs) {
    try {
      used.push(take(pair));
    } catch (error) {
      if (!context.isLenient || !isUnsupported(error)) throw error;
      const diagnostics = `Ignored: ${error.message}`;
      warnings.push({ severity: 'warning', code: 'not-supported', diagnostics });
    }
  }
  const { isCount, ...rest } = shape;
  return { query: { type, clauses, ...rest }, used, warnings, isCount: isCount || shape.count === 0 };
};

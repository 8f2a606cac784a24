/** Clauses about the values of one parameter: conditions on the keys of a resource, or of one of its elements. */
import { BSONRegExp, type Document } from 'mongodb';
import { FhirError, issue } from '../../fhir/fhir-error.ts';
import type { QuantityValue, StringMatch, TokenValue, UriMatch, ValueClause } from '../../search/search-query.ts';
import { dateCondition, numberCondition, type RangeCondition, rangesFilter } from './compile-ranges.ts';
import { anyOf, type CompiledClause, keysClause, NEVER, oneOf } from './compiled-clause.ts';
import {
  anySystemKey,
  escapedPattern,
  exactKey,
  keyName,
  referenceKey,
  startsPattern,
  stringKey,
  systemPrefix,
  tokenKey,
  tokenPrefix,
  uriKey,
} from './keys.ts';

/** A key as it is, or a pattern of keys. */
type Key = string | BSONRegExp;

/** In bytes: the database takes no longer pattern. */
const LONGEST_PATTERN = 32_764;

/** Throws a FhirError 400 if the database would refuse the pattern. */
const patternOf = (pattern: string, flags = ''): BSONRegExp => {
  if (Buffer.byteLength(pattern) > LONGEST_PATTERN)
    throw new FhirError(400, [issue('too-long', `A searched value is longer than ${LONGEST_PATTERN} bytes`)]);
  return new BSONRegExp(pattern, flags);
};

/** MongoDB bounds the scan of an index by the text that such a pattern begins with. */
const startingWith = (text: string): BSONRegExp => patternOf(startsPattern(text));

const tokenKeys = (param: string, { system, code }: TokenValue): Key => {
  if (code !== undefined) return system === undefined ? anySystemKey(param, code) : tokenKey(param, system, code);
  return startingWith(system === undefined ? tokenPrefix(param) : systemPrefix(param, system));
};

const uriKeys = (param: string, match: UriMatch, value: string): Key[] => {
  const exact = uriKey(param, value);
  return match === 'exact' ? [exact] : [exact, startingWith(uriKey(param, `${value.replace(/\/$/, '')}/`))];
};

/** The keys of a clause about tokens, references or uris; undefined for other clauses. */
const pointKeys = (clause: ValueClause): Key[] | undefined => {
  const { param } = clause;
  switch (clause.kind) {
    case 'token':
      return clause.values.map((value) => tokenKeys(param, value));
    case 'reference':
      return clause.values.map((value) => referenceKey(param, value));
    case 'uri':
      return clause.values.flatMap((value) => uriKeys(param, clause.match, value));
    default:
      return undefined;
  }
};

const isExact = (keys: readonly Key[]): keys is string[] => keys.every((key) => typeof key === 'string');

/** The keys that a value has if the clause matches it, if that can be said; to be looked for in an index. */
export const exactKeys = (clause: ValueClause): string[] | undefined => {
  const keys = pointKeys(clause);
  return keys !== undefined && isExact(keys) ? keys : undefined;
};

const stringKeys = (param: string, match: StringMatch, value: string): Key => {
  switch (match) {
    case 'starts':
      return startingWith(stringKey(param, value));
    case 'exact':
      return exactKey(param, value);
    case 'contains':
      return patternOf(`${startsPattern(stringKey(param, ''))}.*${escapedPattern(value)}`, 's');
  }
};

const unitCondition = ({ system, code }: QuantityValue): Document[] => {
  if (system !== undefined && system !== '') return [{ s: system }, ...(code === undefined ? [] : [{ c: code }])];
  return code === undefined ? [] : [{ $or: [{ c: code }, { u: code }] }];
};

const rangeCondition = (clause: Extract<ValueClause, { kind: 'date' | 'number' | 'quantity' }>): RangeCondition => {
  const { param, values } = clause;
  const p = keyName(param);
  switch (clause.kind) {
    case 'date':
      return { field: 'd', p, values, matches: anyOf(clause.values.map(dateCondition)) };
    case 'number':
      return { field: 'n', p, values, matches: anyOf(clause.values.map(numberCondition)) };
    case 'quantity': {
      const conditions = clause.values.map((value) => ({ $and: [numberCondition(value), ...unitCondition(value)] }));
      return { field: 'n', p, values, matches: anyOf(conditions) };
    }
  }
};

/** A clause about a value, as a condition on the keys of one element. */
export const elementCondition = (clause: ValueClause): Document => {
  switch (clause.kind) {
    case 'string':
      return { s: oneOf(clause.values.map((value) => stringKeys(clause.param, clause.match, value))) };
    case 'date':
    case 'number':
    case 'quantity': {
      const { field, p, matches } = rangeCondition(clause);
      return { [field]: { $elemMatch: { p, $and: [matches] } } };
    }
    default:
      return { k: oneOf(pointKeys(clause) ?? []) };
  }
};

const compileString = (param: string, match: StringMatch, values: readonly string[]): CompiledClause => {
  const keys = [...new Set(values)].map((value) => stringKeys(param, match, value));
  const filter = { s: oneOf(keys) };
  // An exact string is a point of the index; what is contained is looked for in all strings of the parameter.
  return { filter, lead: { index: 's_1', filter, ...(match === 'exact' ? { points: keys.length } : {}) } };
};

/** Compiles a clause about the values of a resource. */
export const compileValue = (clause: ValueClause): CompiledClause => {
  switch (clause.kind) {
    case 'string':
      return compileString(clause.param, clause.match, clause.values);
    case 'date':
    case 'number':
    case 'quantity': {
      const range = rangeCondition(clause);
      const filter = clause.values.length === 0 ? NEVER : rangesFilter([range]);
      return { filter, range, lead: { index: range.field === 'd' ? 'd_1' : 'n_1', filter } };
    }
    default: {
      const keys = pointKeys(clause) ?? [];
      if (isExact(keys)) return keysClause(keys);
      const filter = { k: oneOf(keys) };
      return { filter, lead: { index: 'k_1', filter } };
    }
  }
};

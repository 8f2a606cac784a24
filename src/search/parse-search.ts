/**
 * A query string as a SearchQuery. What the server does not know is refused, unless the client asks to be lenient: then
 * it is named in a warning, and left out of the self link.
 *
 * @see https://hl7.org/fhir/R4/search.html
 * @see https://hl7.org/fhir/R4/search.html#errors
 */
import { FhirError, type Issue, invalid, notSupported } from '../fhir/fhir-error.ts';
import { parseClause } from './parse-clause.ts';
import { parseInclude } from './parse-include.ts';
import { parameterOf, type SearchContext } from './search-context.ts';
import type { Clause, Include, SearchQuery, SortKey } from './search-query.ts';
import { splitEscaped } from './split-value.ts';

export type Pair = readonly [name: string, value: string];

export const SUMMARIES = ['true', 'text', 'data', 'count', 'false'] as const;
export type Summary = (typeof SUMMARIES)[number];

const TOTALS = ['none', 'estimate', 'accurate'] as const;
type Total = (typeof TOTALS)[number];

export interface ParsedSearch {
  readonly query: SearchQuery;
  readonly includes: readonly Include[];
  readonly total: Total;
  readonly summary: Summary;
  /** Top-level elements to show; undefined for all. */
  readonly elements: readonly string[] | undefined;
  /** What was used, in the order given, as the self link shows it. */
  readonly used: readonly Pair[];
  readonly warnings: readonly Issue[];
}

/** Where a search is asked: in one type, in all, or in a compartment. */
export interface SearchScope {
  /** The types that are searched, in order. */
  readonly types: readonly string[];
  /** What every match of a type must fulfil beside the parameters, such as being in the compartment. */
  clausesOf(type: string): readonly Clause[];
}

interface Shape {
  types: readonly string[];
  count: number;
  sort: readonly SortKey[];
  includes: Include[];
  total: Total;
  summary: Summary;
  elements: readonly string[] | undefined;
}

/** These say one thing about the whole answer, so they stand once. */
const SHAPING = new Set(['_count', '_sort', '_summary', '_total', '_elements', '_type']);

/** A database takes only so many conditions in one statement. */
const checkSize = (parameters: number, values: number, context: SearchContext): void => {
  const { maximumParameters, maximumTotalValues } = context;
  if (parameters > maximumParameters)
    throw invalid(`More than ${maximumParameters} parameters in one search (CONSILIUM_SEARCH_PARAMETERS)`);
  if (values > maximumTotalValues)
    throw invalid(`More than ${maximumTotalValues} values in one search (CONSILIUM_SEARCH_TOTAL_VALUES)`);
};

const oneOf = <T extends string>(name: string, value: string, options: readonly T[]): T => {
  const option = options.find((candidate) => candidate === value);
  if (option === undefined) throw invalid(`${name}: '${value}' is none of ${options.join(', ')}`);
  return option;
};

const parseCount = (value: string, context: SearchContext): number => {
  if (!/^\d+$/.test(value)) throw invalid(`_count: '${value}' is not a whole number`);
  return Math.min(Number(value), context.maximumCount);
};

/** These have no values to sort by. */
const NO_VALUES = new Set(['_list', '_has', '_type', '_text', '_content']);

const sortKey = (text: string, types: readonly string[], context: SearchContext): SortKey => {
  const isDescending = text.startsWith('-');
  const code = isDescending ? text.slice(1) : text;
  if (code === '_lastUpdated') return { by: 'lastUpdated', isDescending };
  if (code === '_id') return { by: 'id', isDescending };
  const kinds = types.map((type) => parameterOf(type, code, context).type);
  const [kind] = kinds;
  const isOneKind = kinds.every((other) => other === kind);
  if (kind === undefined || !isOneKind || kind === 'composite' || kind === 'special' || NO_VALUES.has(code))
    throw notSupported(`_sort: nothing can be sorted by '${code}'`);
  return { by: 'param', param: code, entries: kind, isDescending };
};

const parseTypes = (value: string, { types }: Shape): readonly string[] => {
  const wanted = value.split(',');
  const unknown = wanted.find((type) => !types.includes(type));
  if (unknown !== undefined) throw invalid(`_type: '${unknown}' is no resource type that can be searched here`);
  return types.filter((type) => wanted.includes(type));
};

const parseElements = (value: string): string[] => {
  const names = value.split(',').map((name) => name.trim().replace(/^[A-Z][A-Za-z]*\./, ''));
  if (names.some((name) => !/^[a-z][A-Za-z]*$/.test(name)))
    throw invalid(`_elements: '${value}' is no list of elements`);
  return names;
};

/** Parameters that shape the answer and do not select; false if `name` is none of them. */
const takeShape = (shape: Shape, name: string, value: string, context: SearchContext): boolean => {
  const [base = '', ...modifiers] = name.split(':');
  switch (base) {
    case '_count':
      shape.count = parseCount(value, context);
      return true;
    case '_sort':
      shape.sort = value.split(',').map((key) => sortKey(key, shape.types, context));
      return true;
    case '_summary':
      shape.summary = oneOf('_summary', value, SUMMARIES);
      return true;
    case '_total':
      shape.total = oneOf('_total', value, TOTALS);
      return true;
    case '_elements':
      shape.elements = parseElements(value);
      return true;
    case '_include':
    case '_revinclude':
      shape.includes.push(parseInclude(base, modifiers, value, shape.types, context));
      return true;
    case '_contained':
    case '_containedType':
      throw notSupported(`${base}: contained resources are not searched`);
    case '_filter':
      throw notSupported('_filter: filter expressions are not supported; use parameters, chains and _has');
    case '_query':
      throw notSupported('_query: named queries are not supported; use parameters or an operation');
    default:
      return false;
  }
};

const isUnknown = (error: unknown): error is FhirError =>
  error instanceof FhirError && error.issues[0]?.code === 'not-supported';

/** `_type` decides what the others mean, so it is read first. */
const typesFirst = (pairs: readonly Pair[]): Pair[] => [
  ...pairs.filter(([name]) => name === '_type'),
  ...pairs.filter(([name]) => name !== '_type'),
];

/**
 * Parses the parameters of a search. Throws a FhirError 400 for what is malformed, and, unless lenient, for what the
 * server does not know.
 */
export const parseSearch = (scope: SearchScope, pairs: readonly Pair[], context: SearchContext): ParsedSearch => {
  let total = 0;
  let parameters = 0;
  const used = new Map<Pair, Pair>();
  const warnings: Issue[] = [];
  const clauses = new Map<string, Clause[]>();
  const isOneType = scope.types.length === 1;
  const shape: Shape = {
    types: scope.types,
    count: context.defaultCount,
    sort: [],
    includes: [],
    total: 'none',
    summary: 'false',
    elements: undefined,
  };

  const take = (pair: Pair): void => {
    const [name, value] = pair;
    if (SHAPING.has(name) && [...used.keys()].some(([earlier]) => earlier === name))
      throw invalid(`${name}: stands twice`);
    if (name === '_type' && !isOneType) {
      shape.types = parseTypes(value, shape);
    } else if (!takeShape(shape, name, value, context)) {
      total += splitEscaped(value, ',').length;
      parameters++;
      checkSize(parameters, total, context);
      const made = shape.types.map((type) => [type, parseClause(type, name, value, context)] as const);
      for (const [type, clause] of made) clauses.set(type, [...(clauses.get(type) ?? []), clause]);
    }
    used.set(pair, name === '_count' ? [name, String(shape.count)] : pair);
  };

  for (const pair of typesFirst(pairs))
    try {
      take(pair);
    } catch (error) {
      if (!context.isLenient || !isUnknown(error)) throw error;
      warnings.push({ severity: 'warning', code: 'not-supported', diagnostics: `Ignored: ${error.message}` });
    }
  if (shape.elements !== undefined && shape.summary !== 'false')
    throw invalid('_elements and _summary cannot be used together');
  const searches = shape.types.map((type) => ({
    type,
    clauses: [...scope.clausesOf(type), ...(clauses.get(type) ?? [])],
  }));
  return {
    query: { searches, sort: shape.sort, count: shape.count },
    includes: shape.includes,
    total: shape.total,
    summary: shape.count === 0 ? 'count' : shape.summary,
    elements: shape.elements,
    used: pairs.flatMap((pair) => (used.has(pair) ? [used.get(pair) as Pair] : [])),
    warnings,
  };
};

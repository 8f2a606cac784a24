/**
 * Which resources a search finds, by walking through all entries of all resources with the words of the specification:
 * what every store is compared with. Slow, and without any index.
 *
 * @see https://hl7.org/fhir/R4/search.html#prefix
 */
import type { IndexEntry } from '../../src/search/index-entry.ts';
import { foldString } from '../../src/search/index-entry.ts';
import type {
  Clause,
  Prefix,
  QuantityValue,
  RangeValue,
  SearchQuery,
  TokenValue,
} from '../../src/search/search-query.ts';

export interface IndexedResource {
  readonly id: string;
  /** Milliseconds since 1970 UTC. */
  readonly lastUpdated: number;
  readonly entries: readonly IndexEntry[];
}

/** From `lo`, included, to `hi`, which is included if `isClosed`. */
interface Span {
  readonly lo: number;
  readonly hi: number;
  readonly isClosed: boolean;
}

const contains = (outer: Span, inner: Span): boolean =>
  inner.lo >= outer.lo && (inner.hi < outer.hi || (inner.hi === outer.hi && (outer.isClosed || !inner.isClosed)));

const reaches = ({ hi, isClosed }: Span, point: number): boolean => hi > point || (hi === point && isClosed);

const overlap = (one: Span, other: Span): boolean => reaches(one, other.lo) && reaches(other, one.lo);

/** "the range above the search value", "the range of the search value fully contains the range of the target value" ... */
const comparesAs = (prefix: Prefix, search: Span, target: Span): boolean => {
  /** Whether something of the target lies above all of the search value; a point is not above itself. */
  const hasAbove = search.isClosed ? target.hi > search.hi : reaches({ ...target, isClosed: false }, search.hi);
  const hasBelow = target.lo < search.lo;
  const isWithin = contains(search, target);
  switch (prefix) {
    case 'eq':
      return isWithin;
    case 'ne':
      return !isWithin;
    case 'gt':
      return hasAbove;
    case 'lt':
      return hasBelow;
    case 'ge':
      return hasAbove || isWithin || (search.isClosed && target.hi === search.hi);
    case 'le':
      return hasBelow || isWithin || (search.isClosed && target.lo === search.lo);
    case 'sa':
      return !overlap(search, target) && target.lo >= search.hi;
    case 'eb':
      return !overlap(search, target) && target.hi <= search.lo;
    case 'ap':
      return overlap(search, target);
  }
};

const matchesDate = ({ prefix, lo, hi }: RangeValue, target: { lo: number; hi: number }): boolean =>
  comparesAs(prefix, { lo, hi, isClosed: false }, { lo: target.lo, hi: target.hi, isClosed: false });

/** `eq`, `ne` and `ap` have the range of the implicit precision; all others compare with exactly the number. */
const matchesNumber = ({ prefix, lo, hi }: RangeValue, target: { lo: number; hi: number }): boolean =>
  comparesAs(prefix, { lo, hi, isClosed: lo === hi }, { lo: target.lo, hi: target.hi, isClosed: true });

const matchesToken = (value: TokenValue, entry: { system: string; code: string }): boolean =>
  (value.system === undefined || value.system === entry.system) &&
  (value.code === undefined || value.code === entry.code);

/** "the unit - either the code (code) or the stated human unit (unit)", if no system is given. */
const matchesUnit = (
  { system, code }: QuantityValue,
  entry: { system: string; code: string; unit: string },
): boolean => {
  if (system !== undefined && system !== '')
    return entry.system === system && (code === undefined || entry.code === code);
  return code === undefined || entry.code === code || entry.unit === code;
};

const matchesText = (
  match: 'starts' | 'contains' | 'exact',
  value: string,
  entry: { value: string; exact: string },
): boolean => {
  if (match === 'exact') return entry.exact === value;
  return match === 'starts' ? foldString(entry.exact).startsWith(value) : foldString(entry.exact).includes(value);
};

const matchesEntry = (clause: Clause, entry: IndexEntry): boolean => {
  if (clause.kind === 'id' || clause.kind === 'lastUpdated' || clause.param !== entry.param) return false;
  switch (clause.kind) {
    case 'token':
      return entry.kind === 'token' && clause.values.some((value) => matchesToken(value, entry));
    case 'string':
      return entry.kind === 'string' && clause.values.some((value) => matchesText(clause.match, value, entry));
    case 'date':
      return entry.kind === 'date' && clause.values.some((value) => matchesDate(value, entry));
    case 'number':
      return entry.kind === 'number' && clause.values.some((value) => matchesNumber(value, entry));
    case 'quantity':
      return (
        entry.kind === 'quantity' &&
        clause.values.some((value) => matchesNumber(value, entry) && matchesUnit(value, entry))
      );
    case 'reference':
      return entry.kind === 'reference' && clause.values.some(({ type, id }) => type === entry.type && id === entry.id);
    case 'uri':
      return entry.kind === 'uri' && clause.values.includes(entry.value);
  }
};

const matchesClause = (clause: Clause, { id, lastUpdated, entries }: IndexedResource): boolean => {
  if (clause.kind === 'id') return clause.values.includes(id);
  if (clause.kind === 'lastUpdated')
    return clause.values.some((value) => matchesDate(value, { lo: lastUpdated, hi: lastUpdated + 1 }));
  return entries.some((entry) => matchesEntry(clause, entry));
};

/** The ids of the resources that match all clauses, in alphabetical order. */
export const matchingIds = (
  resources: readonly IndexedResource[],
  { clauses }: Pick<SearchQuery, 'clauses'>,
): string[] =>
  resources
    .filter((resource) => clauses.every((clause) => matchesClause(clause, resource)))
    .map(({ id }) => id)
    .sort();

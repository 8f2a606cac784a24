/**
 * Which resources a search finds, by walking through all entries of all resources with the words of the specification:
 * what every store is compared with. Slow, and without any index.
 *
 * @see https://hl7.org/fhir/R4/search.html#prefix
 */
import type { Reference } from '../../src/fhir/reference.ts';
import type { IndexEntry } from '../../src/search/index-entry.ts';
import { foldString } from '../../src/search/index-entry.ts';
import type {
  Clause,
  Prefix,
  QuantityValue,
  RangeValue,
  SearchQuery,
  SortKey,
  TokenValue,
  UriMatch,
  ValueClause,
} from '../../src/search/search-query.ts';

export interface IndexedResource extends Reference {
  /** Milliseconds since 1970 UTC. */
  readonly lastUpdated: number;
  readonly source?: string;
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

const matchesEntry = (clause: ValueClause, entry: IndexEntry): boolean => {
  if (clause.param !== entry.param) return false;
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
      return entry.kind === 'reference' && clause.values.some((value) => isSameReference(value, entry));
    case 'uri':
      return entry.kind === 'uri' && clause.values.some((value) => matchesUri(clause.match, value, entry.value));
  }
};

const isSameReference = (one: Reference, other: Reference): boolean => one.type === other.type && one.id === other.id;

const matchesUri = (match: UriMatch, value: string, uri: string): boolean =>
  uri === value || (match === 'below' && uri.startsWith(`${value}/`));

const wordsOf = (text: string): string[] => foldString(text).match(/[\p{L}\p{N}]+/gu) ?? [];

const hasWords = (text: string, searched: string): boolean => {
  const words = new Set(wordsOf(text));
  const asked = wordsOf(searched);
  return asked.length > 0 && asked.every((word) => words.has(word));
};

/** All components match entries of one element. */
const hasElement = (components: readonly ValueClause[], entries: readonly IndexEntry[]): boolean =>
  [...new Set(entries.map(({ element }) => element))].some(
    (element) =>
      element !== undefined &&
      components.every((component) =>
        entries.some((entry) => entry.element === element && matchesEntry(component, entry)),
      ),
  );

const radians = (degrees: number): number => (degrees * Math.PI) / 180;

/** The angle between two points of a sphere, by their vectors; the radius is that of the earth. */
const kilometresBetween = (one: readonly [number, number], other: readonly [number, number]): number => {
  const [a, b, c, d] = [...one, ...other].map(radians) as [number, number, number, number];
  const cosine = Math.sin(a) * Math.sin(c) + Math.cos(a) * Math.cos(c) * Math.cos(b - d);
  return 6371 * Math.acos(Math.min(1, Math.max(-1, cosine)));
};

const isNear = ({ param, values }: Extract<Clause, { kind: 'near' }>, entries: readonly IndexEntry[]): boolean => {
  const degrees = [0, 1].map((at) => entries.find((entry) => entry.param === `${param}#${at}`));
  const [latitude, longitude] = degrees.map((entry) => (entry?.kind === 'number' ? entry.lo : undefined));
  if (latitude === undefined || longitude === undefined) return false;
  return values.some(
    (value) => kilometresBetween([latitude, longitude], [value.latitude, value.longitude]) <= value.kilometres,
  );
};

/** Whether a resource refers to another by a parameter; undefined is any. */
export const refersTo = (source: IndexedResource, param: string | undefined, target: Reference): boolean =>
  source.entries.some(
    (entry) =>
      entry.kind === 'reference' &&
      (param === undefined ? entry.element === undefined : entry.param === param) &&
      isSameReference(entry, target),
  );

/** The values themselves, and round by round the parents or children of what was found before. */
const relativesOf = (
  { type, parent, direction, values }: Extract<Clause, { kind: 'hierarchy' }>,
  all: readonly IndexedResource[],
): readonly Reference[] => {
  const links = all
    .filter((resource) => resource.type === type)
    .flatMap((resource) =>
      resource.entries.flatMap((entry) =>
        entry.kind === 'reference' && entry.param === parent ? [{ child: resource, parent: entry }] : [],
      ),
    );
  const found = [...values];
  for (const reached of found)
    for (const link of links) {
      const [near, far] = direction === 'above' ? [link.child, link.parent] : [link.parent, link.child];
      if (isSameReference(near, reached) && !found.some((known) => isSameReference(known, far))) found.push(far);
    }
  return found;
};

/** `all` are the resources of all types. */
const matchesClause = (clause: Clause, resource: IndexedResource, all: readonly IndexedResource[]): boolean => {
  const { id, lastUpdated, source, entries } = resource;
  switch (clause.kind) {
    case 'id':
      return clause.values.includes(id);
    case 'lastUpdated':
      return clause.values.some((value) => matchesDate(value, { lo: lastUpdated, hi: lastUpdated + 1 }));
    case 'source':
      return source !== undefined && clause.values.includes(source);
    case 'missing':
      return clause.isMissing === entries.every(({ kind, param }) => kind !== clause.entries || param !== clause.param);
    case 'composite':
      return clause.values.some((components) => hasElement(components, entries));
    case 'text':
      return entries.some(
        (entry) =>
          entry.kind === 'text' &&
          entry.param === clause.param &&
          clause.values.some((value) => hasWords(entry.text, value)),
      );
    case 'near':
      return isNear(clause, entries);
    case 'not':
      return !matchesClause(clause.clause, resource, all);
    case 'any':
      return clause.clauses.some((each) => matchesClause(each, resource, all));
    case 'all':
      return clause.clauses.every((each) => matchesClause(each, resource, all));
    case 'chain':
      return all.some(
        (target) =>
          target.type === clause.type &&
          refersTo(resource, clause.param, target) &&
          matchesClause(clause.clause, target, all),
      );
    case 'hierarchy':
      return relativesOf(clause, all).some((relative) => refersTo(resource, clause.param, relative));
    case 'has':
      return all.some(
        (source) =>
          source.type === clause.type &&
          refersTo(source, clause.param, resource) &&
          matchesClause(clause.clause, source, all),
      );
    default:
      return entries.some((entry) => matchesEntry(clause, entry));
  }
};

type SortValue = string | number | undefined;

const valueToSortBy = (entry: IndexEntry): string | number => {
  switch (entry.kind) {
    case 'token':
      return entry.code;
    case 'reference':
      return entry.id;
    case 'string':
    case 'uri':
      return entry.value;
    case 'text':
      return entry.text;
    default:
      return entry.lo;
  }
};

/** "the smallest value" if ascending, the largest if descending; undefined if there is none. */
const sortValue = (key: SortKey, { id, lastUpdated, entries }: IndexedResource): SortValue => {
  if (key.by !== 'param') return key.by === 'id' ? id : lastUpdated;
  const values = entries
    .filter(({ kind, param }) => kind === key.entries && param === key.param)
    .map(valueToSortBy)
    .sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  return key.isDescending ? values.at(-1) : values[0];
};

const compareBy = (key: SortKey, one: IndexedResource, other: IndexedResource): number => {
  const [a, b] = [sortValue(key, one), sortValue(key, other)];
  if (a === b) return 0;
  if (a === undefined) return 1;
  if (b === undefined) return -1;
  return a < b === key.isDescending ? 1 : -1;
};

/** As `Patient/1`. */
export const nameOf = ({ type, id }: Reference): string => `${type}/${id}`;

/**
 * The matches of all types: one type behind the other, or in the order of the sort keys. `rank` is the store's own order
 * of equals, which goes in the direction of the first key.
 */
export const matchesOf = (
  all: readonly IndexedResource[],
  { searches, sort }: Pick<SearchQuery, 'searches' | 'sort'>,
  rank: ReadonlyMap<string, number>,
): IndexedResource[] => {
  const found = searches.flatMap(({ type, clauses }) =>
    all.filter((resource) => resource.type === type && clauses.every((clause) => matchesClause(clause, resource, all))),
  );
  const [first] = sort;
  if (first === undefined) return found;
  const rankOf = (resource: IndexedResource): number => rank.get(nameOf(resource)) ?? -1;
  const direction = first.isDescending ? -1 : 1;
  return found.sort((one, other) => {
    const decisive = sort.map((key) => compareBy(key, one, other)).find((order) => order !== 0);
    return decisive ?? direction * (rankOf(one) - rankOf(other));
  });
};

/**
 * Whether one resource fulfils a clause, judged by its index entries alone, without a store: for a version that is not
 * current any more, and for what is yet to be written.
 *
 * @see https://hl7.org/fhir/R4/search.html
 */
import type { Reference } from '../fhir/reference.ts';
import { foldString, type IndexEntry } from './index-entry.ts';
import type { Clause, QuantityValue, RangeValue, StringMatch, TokenValue, ValueClause } from './search-query.ts';

/** What a clause is asked of. */
export interface Candidate extends Reference {
  /** Milliseconds since 1970 UTC. */
  readonly lastUpdated: number;
  /** Like `Organization/abc`; undefined if it is unknown who pushed it. */
  readonly source?: string | undefined;
  readonly entries: readonly IndexEntry[];
}

/** Whether a clause is about the resource alone, so that no other needs to be known. */
export const isAboutItself = (clause: Clause): boolean => {
  switch (clause.kind) {
    case 'chain':
    case 'has':
    case 'hierarchy':
    case 'text':
    case 'near':
      return false;
    case 'not':
      return isAboutItself(clause.clause);
    case 'any':
    case 'all':
      return clause.clauses.every(isAboutItself);
    default:
      return true;
  }
};

interface Span {
  readonly lo: number;
  readonly hi: number;
}

/** Stored dates are [lo, hi). @see https://hl7.org/fhir/R4/search.html#prefix */
const matchesDate = ({ prefix, lo, hi }: RangeValue, stored: Span): boolean => {
  const isWithin = stored.lo >= lo && stored.hi <= hi;
  switch (prefix) {
    case 'eq':
      return isWithin;
    case 'ne':
      return !isWithin;
    case 'gt':
      return stored.hi > hi;
    case 'lt':
      return stored.lo < lo;
    case 'ge':
      return stored.hi > hi || isWithin;
    case 'le':
      return stored.lo < lo || isWithin;
    case 'sa':
      return stored.lo >= hi;
    case 'eb':
      return stored.hi <= lo;
    case 'ap':
      return stored.lo < hi && stored.hi > lo;
  }
};

/** Stored numbers are [lo, hi]; a searched one is [lo, hi) for `eq`, `ne` and `ap`, and else a point. */
const matchesNumber = ({ prefix, lo, hi }: RangeValue, stored: Span): boolean => {
  const isWithin = stored.lo >= lo && stored.hi < hi;
  switch (prefix) {
    case 'eq':
      return isWithin;
    case 'ne':
      return !isWithin;
    case 'gt':
      return stored.hi > hi;
    case 'lt':
      return stored.lo < lo;
    case 'ge':
      return stored.hi >= lo;
    case 'le':
      return stored.lo <= hi;
    case 'sa':
      return stored.lo > hi;
    case 'eb':
      return stored.hi < lo;
    case 'ap':
      return stored.lo < hi && stored.hi >= lo;
  }
};

const matchesInstant = (value: RangeValue, instant: number): boolean =>
  matchesDate(value, { lo: instant, hi: instant + 1 });

const matchesToken = ({ system, code }: TokenValue, entry: { system: string; code: string }): boolean =>
  (system === undefined || system === entry.system) && (code === undefined || code === entry.code);

const matchesUnit = (
  { system, code }: QuantityValue,
  entry: { system: string; code: string; unit: string },
): boolean => {
  if (system) return entry.system === system && (code === undefined || entry.code === code);
  return code === undefined || entry.code === code || entry.unit === code;
};

const matchesString = (match: StringMatch, value: string, entry: { value: string; exact: string }): boolean => {
  switch (match) {
    case 'exact':
      return entry.exact === value;
    case 'starts':
      return entry.value.startsWith(foldString(value));
    case 'contains':
      return entry.value.includes(foldString(value));
  }
};

const isBelow = (value: string, uri: string): boolean => uri.startsWith(`${value.replace(/\/$/, '')}/`);

const matchesEntry = (clause: ValueClause, entry: IndexEntry): boolean => {
  if (clause.param !== entry.param) return false;
  switch (clause.kind) {
    case 'token':
      return entry.kind === 'token' && clause.values.some((value) => matchesToken(value, entry));
    case 'string':
      return entry.kind === 'string' && clause.values.some((value) => matchesString(clause.match, value, entry));
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
      return (
        entry.kind === 'uri' &&
        clause.values.some(
          (value) => value === entry.value || (clause.match === 'below' && isBelow(value, entry.value)),
        )
      );
  }
};

/** All component clauses match entries of the same element. */
const hasElement = (components: readonly ValueClause[], entries: readonly IndexEntry[]): boolean => {
  const elements = new Set(entries.map(({ element }) => element));
  elements.delete(undefined);
  return [...elements].some((element) => {
    const own = entries.filter((entry) => entry.element === element);
    return components.every((component) => own.some((entry) => matchesEntry(component, entry)));
  });
};

/** Whether a resource fulfils a clause that is about itself. Throws an Error for another clause. */
export const matchesClause = (clause: Clause, candidate: Candidate): boolean => {
  switch (clause.kind) {
    case 'id':
      return clause.values.includes(candidate.id);
    case 'source':
      return candidate.source !== undefined && clause.values.includes(candidate.source);
    case 'lastUpdated':
      return clause.values.some((value) => matchesInstant(value, candidate.lastUpdated));
    case 'missing': {
      const { param, entries, isMissing } = clause;
      return isMissing !== candidate.entries.some((entry) => entry.param === param && entry.kind === entries);
    }
    case 'composite':
      return clause.values.some((components) => hasElement(components, candidate.entries));
    case 'not':
      return !matchesClause(clause.clause, candidate);
    case 'any':
      return clause.clauses.some((each) => matchesClause(each, candidate));
    case 'all':
      return clause.clauses.every((each) => matchesClause(each, candidate));
    case 'chain':
    case 'has':
    case 'hierarchy':
    case 'text':
    case 'near':
      throw new Error(`A clause of kind ${clause.kind} cannot be judged by one resource alone`);
    default:
      return candidate.entries.some((entry) => matchesEntry(clause, entry));
  }
};

/**
 * A search made ready: its clauses compiled, and the index chosen by which documents are found. A clause leads that finds
 * few; what it finds may be sorted. Where all find many, an index is read that has the order of the page, and the clauses
 * are asked of each document.
 */
import type { Document } from 'mongodb';
import type { TypeSearch } from '../../search/search-query.ts';
import type { Commands, Hint } from './commands.ts';
import type { ClauseCompiler } from './compile-clause.ts';
import { rangesFilter } from './compile-ranges.ts';
import { allOf, type CompiledClause, type Lead, ofTypes, oneOf } from './compiled-clause.ts';
import { anyReferenceKey, namedReferenceOf } from './keys.ts';

/** What is known to find no more than this leads without counting what others find. */
const UNCOUNTED = 20;

/** From so many points of an index on the database no longer merges them in order, but sorts. */
const MERGED_POINTS = 200;

/** A clause, or several about the same range, and the positions of the clauses in the search. */
interface Part extends CompiledClause {
  readonly positions: readonly number[];
}

/** A part that leads, or might have. */
interface Candidate {
  readonly positions: readonly number[];
  readonly lead: Lead;
  /** How many documents it finds, counted up to one more than are few; undefined if they were not counted. */
  readonly rows?: number;
}

/** Searches of types that ask the same, or of one. */
export interface Plan {
  /** In the order of the query, which is also that of the index. */
  readonly types: readonly string[];
  readonly parts: readonly Part[];
  readonly candidates: readonly Candidate[];
  /** Undefined if no clause leads. */
  readonly leader: Candidate | undefined;
}

/** What the page wants of an index. */
export interface Wish {
  /** Whether an index gives the order of the page, so that it need not be sorted if many match. */
  readonly isWalkable: boolean;
  /** Whether what a clause finds by points is in the order of the page. */
  readonly isByRid: boolean;
  /** Whether documents may be counted in order to choose; else what has points leads. */
  readonly isCounted: boolean;
}

/** Conditions on one parameter's range are one condition: an index that bounds a range from both sides reads less. */
const partsOf = (clauses: readonly CompiledClause[]): Part[] => {
  const ranges = new Map<string, number[]>();
  for (const [position, { range }] of clauses.entries())
    if (range !== undefined) {
      const name = `${range.field} ${range.p}`;
      ranges.set(name, [...(ranges.get(name) ?? []), position]);
    }
  return clauses.flatMap((clause, position): Part[] => {
    const { range, lead } = clause;
    const positions = range === undefined ? [position] : (ranges.get(`${range.field} ${range.p}`) ?? [position]);
    if (positions[0] !== position) return [];
    if (positions.length === 1 || lead === undefined) return [{ ...clause, positions }];
    const filter = rangesFilter(positions.flatMap((at) => clauses[at]?.range ?? []));
    return [{ positions, filter, lead: { index: lead.index, filter } }];
  });
};

const isOrdered = ({ lead }: Candidate): boolean => lead.points !== undefined && lead.points <= MERGED_POINTS;

/** Less is better. Strings that contain a text, and all of a system, are ranges in which every key is looked at. */
const reluctance = ({ lead }: Candidate): number => (lead.points === undefined && lead.most === undefined ? 1 : 0);

const better = (one: Candidate, other: Candidate): Candidate => {
  const [a, b] = [one.rows ?? Number.POSITIVE_INFINITY, other.rows ?? Number.POSITIVE_INFINITY];
  return b < a || (b === a && reluctance(other) < reluctance(one)) ? other : one;
};

const counted = async (
  types: readonly string[],
  candidates: readonly Candidate[],
  commands: Commands,
): Promise<readonly Candidate[]> => {
  const unknown = candidates.filter(({ rows }) => rows === undefined);
  if (unknown.length === 0) return candidates;
  const counts = await commands.countEach(
    unknown.map(({ lead }) => ({ filter: ofTypes(types, lead.filter), hint: lead.index })),
    commands.few + 1,
  );
  return candidates.map((candidate) => {
    const at = unknown.indexOf(candidate);
    return at < 0 ? candidate : { ...candidate, rows: counts[at] ?? 0 };
  });
};

const candidatesOf = (parts: readonly Part[], { few }: Commands): Candidate[] =>
  parts.flatMap(({ positions, lead }) => {
    if (lead === undefined) return [];
    return [{ positions, lead, ...(lead.most === undefined ? {} : { rows: Math.min(lead.most, few + 1) }) }];
  });

/** Whether it is clear without counting that the only candidate leads. */
const leadsAnyhow = (candidate: Candidate, { isWalkable, isByRid, isCounted }: Wish, { few }: Commands): boolean =>
  (candidate.rows !== undefined && candidate.rows <= few) ||
  (isCounted && !isWalkable) ||
  (isByRid && isOrdered(candidate));

/** Plans searches of `types` that all ask `search.clauses`. */
export const planOf = async (
  types: readonly string[],
  { type, clauses }: TypeSearch,
  wish: Wish,
  compile: ClauseCompiler,
  commands: Commands,
): Promise<Plan> => {
  const compiled: CompiledClause[] = [];
  for (const clause of clauses) compiled.push(await compile(clause, type));
  const parts = partsOf(compiled);
  const possible = candidatesOf(parts, commands);
  const [first, ...others] = possible;
  if (first === undefined) return { types, parts, candidates: [], leader: undefined };
  const evident =
    possible.find(({ rows }) => rows !== undefined && rows <= Math.min(UNCOUNTED, commands.few)) ??
    (others.length === 0 && leadsAnyhow(first, wish, commands) ? first : undefined);
  if (evident !== undefined) return { types, parts, candidates: possible, leader: evident };
  if (!wish.isCounted) {
    const pointed = possible.filter((candidate) => reluctance(candidate) === 0);
    return { types, parts, candidates: possible, leader: wish.isWalkable ? undefined : pointed[0] };
  }
  const candidates = await counted(types, possible, commands);
  const best = candidates.reduce(better);
  return { types, parts, candidates, leader: leadsAnyhow(best, wish, commands) ? best : undefined };
};

/** Exactly the documents that match, in a form in which the leader's index is read. */
export const filterOf = ({ types, parts, leader }: Plan): Document => {
  const conditions = parts.map((part): Document => {
    if (part.positions === leader?.positions) return ofTypes(types, part.filter);
    return (leader?.lead.index === 'k_1' ? part.probe : undefined) ?? part.filter;
  });
  return allOf([ofTypes(types, { live: true }), ...conditions]);
};

/** The index that the leader is read by, or `otherwise`. */
export const hintOf = <Other extends Hint | undefined>({ leader }: Plan, otherwise: Other): Hint | Other =>
  leader?.lead.index ?? otherwise;

/** Exactly the documents that match, in a form that is asked of what was found otherwise. */
export const probeOf = ({ types, parts }: Plan): Document =>
  allOf([{ type: oneOf(types) }, ...parts.map(({ probe, filter }) => probe ?? filter)]);

/**
 * The key that all documents of some plans have, if each looks for references, by whatever parameter, to the same resource,
 * as a search of a compartment does.
 */
export const commonReference = (plans: readonly Plan[]): string | undefined => {
  const keys = plans.flatMap(({ parts, leader }): readonly (string | undefined)[] => {
    // A clause without keys is about something else; one with none of them finds nothing.
    return parts.find(({ positions }) => positions === leader?.positions)?.keys ?? [undefined];
  });
  const targets = new Set(
    keys.map((key) => {
      const named = key === undefined ? undefined : namedReferenceOf(key);
      return named === undefined ? undefined : anyReferenceKey(named.target);
    }),
  );
  const [target] = targets;
  return targets.size === 1 ? target : undefined;
};

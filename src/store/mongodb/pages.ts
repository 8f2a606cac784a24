/**
 * Pages of a search. Without a sort, types come one behind the other and each in the order of rid, whichever index is
 * read, so that the pages stay the same while others write. A page key is `[position of the type, rid, bound]`; `bound`
 * is a rid: what is made later than that is on no page.
 */
import type { Document } from 'mongodb';
import type { Clause, PageKey, SearchQuery, TypeSearch } from '../../search/search-query.ts';
import type { Commands, Hint } from './commands.ts';
import type { ClauseCompiler } from './compile-clause.ts';
import { allOf, anyOf, ofTypes } from './compiled-clause.ts';
import { bytesBeside, fitting, isFirstOver, isOverBytes } from './fitting.ts';
import { FOUND_FIELDS, type FoundDocument } from './found.ts';
import { commonReference, filterOf, hintOf, type Plan, planOf, probeOf, type Wish } from './plan.ts';
import { firstRidOf } from './rid.ts';
import { sortedPage, walkedPage, walkOf } from './sorted.ts';

/** So far, in milliseconds, the clocks of instances may be apart. */
const CLOCK_SKEW = 600_000;

/** What one search is made with. */
export interface Searching {
  readonly commands: Commands;
  readonly compile: ClauseCompiler;
  readonly now: () => number;
  /** What is read of each document of an unsorted page; by default all that a version is made of. */
  readonly fields?: Readonly<Record<string, 1>>;
  /** Is told of each plan. */
  planned(plan: Plan): void;
}

export interface FoundPage {
  readonly documents: readonly FoundDocument[];
  readonly next?: PageKey;
}

/** Whether a clause is another one for each type: ids and what `_has` leads to are of a type. */
const isOfType = (clause: Clause): boolean => {
  switch (clause.kind) {
    case 'id':
    case 'has':
      return true;
    case 'not':
      return isOfType(clause.clause);
    case 'any':
      return clause.clauses.some(isOfType);
    default:
      return false;
  }
};

/** Searches that can be one command, and where they stand in the query. */
interface Group {
  readonly start: number;
  readonly searches: readonly TypeSearch[];
}

/** Types that follow each other in the order of an index are one group. */
const groupsOf = (searches: readonly TypeSearch[], start: number): Group[] => {
  const groups: { start: number; searches: TypeSearch[] }[] = [];
  for (const [at, search] of searches.entries()) {
    if (at < start) continue;
    const last = groups.at(-1);
    const before = last?.searches.at(-1);
    if (last !== undefined && before !== undefined && before.type < search.type) last.searches.push(search);
    else groups.push({ start: at, searches: [search] });
  }
  return groups;
};

/** Whether several searches ask the same, so that they have one plan. */
const asksOne = (searches: readonly TypeSearch[]): boolean => {
  const [first, ...others] = searches;
  if (first === undefined || others.length === 0) return true;
  if (first.clauses.some(isOfType)) return false;
  const asked = JSON.stringify(first.clauses);
  return others.every(({ clauses }) => JSON.stringify(clauses) === asked);
};

/** A filter of several searches, and the index that is read, if all are read by one. */
interface Planned {
  readonly filter: Document;
  readonly hint: Hint | undefined;
  /** Whether a clause leads. */
  readonly isLed: boolean;
}

/** `otherwise` is the index that is read where no clause leads. */
const plannedFor = async (
  searches: readonly TypeSearch[],
  wish: Wish,
  otherwise: Hint,
  { compile, commands, planned }: Searching,
): Promise<Planned> => {
  const [first] = searches;
  if (first !== undefined && asksOne(searches)) {
    const types = searches.map(({ type }) => type);
    const plan = await planOf(types, first, wish, compile, commands);
    planned(plan);
    return { filter: filterOf(plan), hint: hintOf(plan, otherwise), isLed: plan.leader !== undefined };
  }
  const plans: Plan[] = [];
  // Each is one alternative of a command: nothing is counted for it.
  const asPart: Wish = { isWalkable: false, isByRid: false, isCounted: false };
  for (const search of searches) plans.push(await planOf([search.type], search, asPart, compile, commands));
  for (const plan of plans) planned(plan);
  const common = commonReference(plans);
  if (common !== undefined) {
    // One scan of what refers to the resource at all, in place of one for each type and parameter.
    const found = ofTypes(
      plans.flatMap(({ types }) => types),
      { live: true, k: common },
    );
    return { filter: allOf([found, anyOf(plans.map(probeOf))]), hint: 'k_1', isLed: true };
  }
  const hints = new Set(plans.map((plan) => hintOf(plan, otherwise)));
  const [hint] = hints;
  return {
    filter: anyOf(plans.map(filterOf)),
    hint: hints.size === 1 ? hint : undefined,
    isLed: plans.every(({ leader }) => leader !== undefined),
  };
};

/** What comes behind the last of the page before. */
const behind = (searches: readonly TypeSearch[], start: number, after: PageKey | undefined): Document[] => {
  if (after === undefined) return [];
  const [position, rid, bound] = after;
  const isNew = { rid: { $lte: bound } };
  if (position !== start) return [isNew];
  return searches.length === 1
    ? [{ rid: { $gt: rid, $lte: bound } }]
    : [isNew, { $nor: [{ type: searches[0]?.type, rid: { $lte: rid } }] }];
};

const unsortedGroup = async (
  { start, searches }: Group,
  after: PageKey | undefined,
  limit: number,
  bytes: number | undefined,
  searching: Searching,
): Promise<FoundDocument[]> => {
  const wish: Wish = { isWalkable: true, isByRid: true, isCounted: true };
  const { filter, hint } = await plannedFor(searches, wish, 'rid_1', searching);
  const isSingle = searches.length === 1;
  const command = {
    filter: allOf([filter, ...behind(searches, start, after)]),
    projection: searching.fields ?? FOUND_FIELDS,
    sort: isSingle ? ({ rid: 1 } as const) : ({ type: 1, rid: 1 } as const),
    limit,
    ...(hint === undefined ? {} : { hint }),
  } as const;
  return searching.commands.find<FoundDocument>('search', command, isFirstOver(bytes));
};

const unsortedPage = async (
  { searches, after, bytes }: SearchQuery,
  limit: number,
  bound: number,
  searching: Searching,
): Promise<{ documents: FoundDocument[]; keyOf: (document: FoundDocument) => PageKey }> => {
  const documents: FoundDocument[] = [];
  for (const group of groupsOf(searches, Number(after?.[0] ?? 0))) {
    const left = bytesBeside(documents, bytes);
    documents.push(...(await unsortedGroup(group, after, limit - documents.length, left, searching)));
    if (documents.length >= limit || isOverBytes(documents, bytes)) break;
  }
  return {
    documents,
    keyOf: ({ type, rid }) => [searches.findIndex((search) => search.type === type), rid, bound],
  };
};

const sortedPageOf = async (query: SearchQuery, limit: number, bound: number, searching: Searching) => {
  const walk = walkOf(query);
  const { commands } = searching;
  // A patient's resources are read in their order without counting: there are not many beside those that match.
  if (walk?.index === 'patient_1') {
    const wish: Wish = { isWalkable: true, isByRid: false, isCounted: false };
    const { filter } = await plannedFor(query.searches, wish, walk.index, searching);
    return walkedPage(walk, filter, query, limit, bound, commands);
  }
  const wish: Wish = { isWalkable: walk !== undefined, isByRid: false, isCounted: true };
  const { filter, hint, isLed } = await plannedFor(query.searches, wish, 'rid_1', searching);
  if (walk !== undefined && !isLed) return walkedPage(walk, filter, query, limit, bound, commands);
  return sortedPage(filter, hint, query, limit, bound, commands);
};

/** One page, at most `query.count` documents, that end early if their texts have too many bytes. */
export const foundPage = async (query: SearchQuery, searching: Searching): Promise<FoundPage> => {
  if (query.count === 0) return { documents: [] };
  const limit = query.count + 1;
  const bound = Number(query.after?.at(-1) ?? firstRidOf(searching.now() + CLOCK_SKEW));
  const { documents, keyOf } = await (query.sort.length === 0 ? unsortedPage : sortedPageOf)(
    query,
    limit,
    bound,
    searching,
  );
  const shown = fitting(documents.slice(0, query.count), query.bytes, 1);
  const last = shown.at(-1);
  return documents.length > shown.length && last !== undefined
    ? { documents: shown, next: keyOf(last) }
    : { documents: shown };
};

/** The exact number of matches. */
export const foundCount = async ({ searches }: SearchQuery, searching: Searching): Promise<number> => {
  let total = 0;
  for (const { searches: group } of groupsOf(searches, 0)) {
    const wish: Wish = { isWalkable: false, isByRid: false, isCounted: true };
    const { filter, hint } = await plannedFor(group, wish, 'rid_1', searching);
    total += await searching.commands.count(filter, hint === undefined ? {} : { hint });
  }
  return total;
};

/**
 * `_include` and `_revinclude` for a caller who may not see everything. Each step goes over resources that may be seen
 * alone, so that nothing is reached through a hidden one, and nothing hidden takes the place of what may be shown.
 *
 * @see https://hl7.org/fhir/R4/search.html#include
 */
import { type Reference, referenceText } from '../fhir/reference.ts';
import type { Clause, Include, TypeSearch } from '../search/search-query.ts';
import type { Related, Version } from '../store/store.ts';
import type { Visit } from './access-server.ts';
import { judgedVersion } from './candidate.ts';
import { limitsOf } from './limits.ts';
import { narrowedQuery } from './narrow-query.ts';

/** How many resources are looked for in one search. */
const CHUNK = 500;

const idSearches = (references: readonly Reference[]): TypeSearch[] =>
  [...Map.groupBy(references, ({ type }) => type)].map(([type, list]) => ({
    type,
    clauses: [{ kind: 'id', values: list.map(({ id }) => id) }],
  }));

const unique = (references: readonly Reference[]): Reference[] => [
  ...new Map(references.map(({ type, id }) => [referenceText({ type, id }), { type, id }])).values(),
];

/** What some resources refer to by an include. */
const targetsOf = ({ server }: Visit, from: readonly Version[], include: Include): Reference[] => {
  const { type, param, target } = include;
  return unique(
    from
      .filter((version) => type === undefined || version.type === type)
      .flatMap((version) => judgedVersion(server, version).entries)
      .flatMap((entry) =>
        entry.kind === 'reference' &&
        entry.type !== '' &&
        (param === undefined ? entry.element === undefined : entry.param === param) &&
        (target === undefined || entry.type === target)
          ? [{ type: entry.type, id: entry.id }]
          : [],
      ),
  );
};

/** The reference parameters by which resources of a type may refer to others. */
const paramsOf = ({ server }: Visit, type: string, param: string | undefined): string[] =>
  param !== undefined
    ? [param]
    : [...server.parameters.of(type).values()].filter((each) => each.type === 'reference').map(({ code }) => code);

/** What refers to some resources by a reverse include. */
const sourceSearches = (visit: Visit, from: readonly Reference[], include: Include): TypeSearch[] => {
  const { type, param, target } = include;
  const values = unique(from).filter((each) => target === undefined || each.type === target);
  if (values.length === 0) return [];
  return (type === undefined ? visit.server.resourceTypes : [type]).map((name) => ({
    type: name,
    clauses: [
      {
        kind: 'any',
        clauses: paramsOf(visit, name, param).map((code): Clause => ({ kind: 'reference', param: code, values })),
      },
    ],
  }));
};

interface Walk {
  readonly visit: Visit;
  readonly limit: number;
  readonly seen: Set<string>;
  readonly items: Version[];
  bytesLeft: number;
}

/** Takes what some searches find; answers what of it is new, or undefined if there is no room for all. */
const taken = async (
  { visit, limit, seen, items }: Walk,
  searches: readonly TypeSearch[],
  letter: 'r' | 's',
  useBytes: (bytes: number) => boolean,
): Promise<Version[] | undefined> => {
  const query = await narrowedQuery(visit, { searches, sort: [], count: CHUNK }, [letter], true);
  const fresh: Version[] = [];
  if (query === undefined) return fresh;
  const { store, limits } = visit.server;
  const paged = { ...query, bytes: limits.answerBytes };
  for (let page = await store.search(paged); ; ) {
    for (const version of page.items) {
      if (seen.has(referenceText(version))) continue;
      if (items.length === limit || !useBytes(version.text.length)) return undefined;
      seen.add(referenceText(version));
      items.push(version);
      fresh.push(version);
    }
    if (page.next === undefined) return fresh;
    page = await store.search({ ...paged, after: page.next });
  }
};

/** Whether the caller may see all that includes could lead to, so that nothing needs to be narrowed. */
export const isUnlimited = (visit: Visit, includes: readonly Include[]): boolean => {
  const { resourceTypes } = visit.server;
  const isAll = (types: readonly string[], letter: 'r' | 's'): boolean =>
    types.every((type) => limitsOf(visit, type, [letter]) === 'everything');
  return includes.every(({ direction, type, target }) =>
    direction === 'forward'
      ? isAll(target === undefined ? resourceTypes : [target], 'r')
      : isAll(type === undefined ? resourceTypes : [type], 's'),
  );
};

/** The current versions of matches; those that the caller has at hand are not read again. */
const matchedVersions = async ({ server }: Visit, matches: readonly Reference[]): Promise<readonly Version[]> => {
  const isVersion = (match: Reference): match is Version => 'text' in match;
  if (matches.every(isVersion)) return matches;
  const found: Version[] = [];
  for (const match of matches) {
    const version = await server.store.read({ type: match.type, id: match.id });
    if (version !== undefined && !version.isDeleted) found.push(version);
  }
  return found;
};

/** As `Store.related`, over what the caller may see. */
export const narrowedRelated = async (
  visit: Visit,
  matches: readonly Reference[],
  includes: readonly Include[],
  limit: number,
  bytes = Number.POSITIVE_INFINITY,
): Promise<Related> => {
  const walk: Walk = { visit, limit, seen: new Set(matches.map(referenceText)), items: [], bytesLeft: bytes };
  let isOverBytes = false;
  const useBytes = (length: number): boolean => {
    isOverBytes = length > walk.bytesLeft;
    if (!isOverBytes) walk.bytesLeft -= length;
    return !isOverBytes;
  };
  let from = await matchedVersions(visit, matches);
  for (let round = 0; from.length > 0; round++) {
    const next: Version[] = [];
    for (const include of includes.filter(({ iterates }) => round === 0 || iterates)) {
      const isForward = include.direction === 'forward';
      const references = isForward
        ? targetsOf(visit, from, include).filter((each) => !walk.seen.has(referenceText(each)))
        : unique(from);
      for (let at = 0; at < references.length; at += CHUNK) {
        const chunk = references.slice(at, at + CHUNK);
        const searches = isForward ? idSearches(chunk) : sourceSearches(visit, chunk, include);
        const fresh = await taken(walk, searches, isForward ? 'r' : 's', useBytes);
        if (fresh === undefined) return { items: walk.items, isCut: true, isOverBytes };
        next.push(...fresh);
      }
    }
    from = next;
  }
  return { items: walk.items, isCut: false, isOverBytes: false };
};

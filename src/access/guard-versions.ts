/** Reads and histories for a caller who may not see everything: each version is judged, and the resource as it is now. */
import type { Letter } from '../auth/scopes.ts';
import { tooCostly } from '../fhir/fhir-error.ts';
import type { PageKey } from '../search/search-query.ts';
import type { HistoryPage, HistoryScope, HistoryTimes, Store, Version } from '../store/store.ts';
import { remembered, type Visit } from './access-server.ts';
import { judgedVersion } from './candidate.ts';
import { isOfPermittedSource, type Limits, limitsOf } from './limits.ts';
import { type Beside, isWithin } from './visible.ts';

type HistoryVersions = Awaited<ReturnType<Store['history']>>;

/** How many versions are looked through at once where they are only counted. */
const COUNTED_AT_ONCE = 500;

/** A deletion has no content to be judged by: it is seen by who may see what was deleted. */
const contentOf = async ({ server }: Visit, version: Version): Promise<Version | undefined> => {
  let content: Version | undefined = version;
  while (content?.isDeleted)
    content =
      content.version === 1
        ? undefined
        : await server.store.read({ type: content.type, id: content.id }, content.version - 1);
  return content;
};

/** Whether the limits let a version be seen; `beside` is what is written in its place, or together with that. */
export const isVersionWithin = async (
  visit: Visit,
  limits: Limits,
  version: Version,
  beside?: Beside,
): Promise<boolean> => {
  if (typeof limits === 'string') return limits === 'everything';
  if (isOfPermittedSource(limits, version.source)) return true;
  const content = await contentOf(visit, version);
  if (content === undefined) return false;
  const { source } = version;
  const sourced = source === undefined ? content : { ...content, source };
  return isWithin(visit, limits, judgedVersion(visit.server, sourced), beside);
};

/** Whether the resource is within the limits as it is now, or as it was when it was deleted. */
const isSeenNow = (visit: Visit, letters: readonly Letter[], { type, id }: Version): Promise<boolean> =>
  remembered(visit, `now ${letters.join('')} ${type}/${id}`, async () => {
    const current = await visit.server.store.read({ type, id });
    return current !== undefined && isVersionWithin(visit, limitsOf(visit, type, letters), current);
  });

/**
 * Whether a version of a history is seen: it must be within the limits, and so must the resource as it is now. What was
 * filed under the wrong patient is shown to that one no longer once it is put right.
 */
export const isVersionSeen = async (visit: Visit, letters: readonly Letter[], version: Version): Promise<boolean> => {
  const limits = limitsOf(visit, version.type, letters);
  if (!(await isVersionWithin(visit, limits, version))) return false;
  // A source stays.
  return limits === 'everything' || isOfPermittedSource(limits, version.source) || isSeenNow(visit, letters, version);
};

/** What only the organizations of the caller's reach have pushed is left to the store. */
const sourcedScope = ({ actor }: Visit, scope: HistoryScope): HistoryScope =>
  actor.reach.kind === 'sources' ? { ...scope, sources: actor.reach.organizations } : scope;

/** Whether all versions that the scope has are seen, or none. */
const wholeOf = ({ server, ...visit }: Visit, { type }: HistoryScope, letters: readonly Letter[]) => {
  const types = type === undefined ? server.resourceTypes : [type];
  const limits = types.map((each) => limitsOf({ server, ...visit }, each, letters));
  if (limits.every((each) => each === 'everything')) return 'all';
  return limits.every((each) => each === 'unscoped' || each.length === 0) ? 'none' : 'some';
};

/**
 * As `Store.history`. A page looks through as many versions as the limit says, and may then have fewer than were asked
 * for, or none, and still a next one.
 */
export const narrowedHistory = async (
  visit: Visit,
  scope: HistoryScope,
  page: HistoryPage,
  letters: readonly Letter[],
): Promise<HistoryVersions> => {
  const { store, limits } = visit.server;
  const whole = wholeOf(visit, scope, letters);
  if (whole === 'all') return store.history(scope, page);
  if (whole === 'none') return { items: [] };
  const items: Version[] = [];
  let { after, bytes } = page;
  let first: HistoryVersions | undefined;
  for (let looked = 0; ; ) {
    const found = await store.history(sourcedScope(visit, scope), {
      ...page,
      count: page.count - items.length,
      ...(bytes === undefined ? {} : { bytes }),
      ...(after === undefined ? {} : { after }),
    });
    first ??= found;
    for (const version of found.items)
      if (await isVersionSeen(visit, letters, version)) {
        items.push(version);
        if (bytes !== undefined) bytes = Math.max(0, bytes - version.text.length);
      }
    looked += found.items.length;
    after = found.next;
    const isFull = items.length >= page.count || (bytes === 0 && items.length > 0);
    if (after === undefined || isFull || looked >= limits.accessResources) break;
  }
  const asOf = first.asOf === undefined ? {} : { asOf: first.asOf };
  return after === undefined ? { items, ...asOf } : { items, next: after, ...asOf };
};

/** As `Store.countHistory`. Throws a FhirError 422 if more versions would have to be looked through than the limit says. */
export const narrowedHistoryCount = async (
  visit: Visit,
  scope: HistoryScope,
  times: HistoryTimes,
  letters: readonly Letter[],
): Promise<number> => {
  const { store, limits } = visit.server;
  const whole = wholeOf(visit, scope, letters);
  if (whole === 'all') return store.countHistory(scope, times);
  if (whole === 'none') return 0;
  let total = 0;
  let looked = 0;
  for (let after: PageKey | undefined; ; ) {
    const more = after === undefined ? {} : { after };
    const page = { ...times, count: COUNTED_AT_ONCE, bytes: limits.answerBytes, ...more };
    const found = await store.history(sourcedScope(visit, scope), page);
    looked += found.items.length;
    if (looked > limits.accessResources)
      throw tooCostly(
        `More than ${limits.accessResources} versions would have to be looked through for this total (CONSILIUM_ACCESS_RESOURCES); narrow it by _since`,
      );
    for (const version of found.items) if (await isVersionSeen(visit, letters, version)) total++;
    after = found.next;
    if (after === undefined) return total;
  }
};

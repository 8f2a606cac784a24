/**
 * A page of a search while others write. Where the values of resources decide the order, one that was shown may be
 * changed and stand behind the page: it is left out there, so that no resource comes twice. What has the values that it
 * had when the first page was read is always shown.
 */
import type { PageKey, SearchQuery } from '../search/search-query.ts';
import type { Page, Version } from '../store/store.ts';
import type { FhirServer } from './fhir-request.ts';

/** The entries of a version under some parameters, as one text. */
const valuesOf = (server: FhirServer, { text }: Version, params: ReadonlySet<string>): string =>
  server
    .indexEntries(JSON.parse(text.toString()) as { resourceType: string })
    .filter(({ param }) => params.has(param))
    .map((entry) => JSON.stringify(entry))
    .sort()
    .join('\n');

/** Whether a match had the same values at an instant. */
const isUnchanged = async (server: FhirServer, match: Version, instant: number, params: readonly string[]) => {
  if (match.lastUpdated <= instant) return true;
  // Any update changes this one.
  if (params.includes('_lastUpdated')) return false;
  const { type, id } = match;
  const at = { lo: instant, hi: instant + 1 };
  const [then] = (await server.store.history({ type, id }, { count: 1, at })).items;
  if (then === undefined || then.isDeleted) return false;
  const names = new Set(params);
  return valuesOf(server, then, names) === valuesOf(server, match, names);
};

/** The page behind `after`, which begins with the instant of the first page; null if nothing changes the order. */
export const stablePage = async (
  server: FhirServer,
  query: SearchQuery,
  after: PageKey | undefined,
): Promise<Page<Version>> => {
  const [first = null, ...key] = after ?? [];
  const page = await server.store.search(after === undefined ? query : { ...query, after: key });
  const instant = after === undefined ? (page.asOf ?? null) : first;
  const mayMove = after !== undefined && instant !== null && page.orderedBy.length > 0;
  const items: Version[] = [];
  for (const match of page.items)
    if (!mayMove || (await isUnchanged(server, match, Number(instant), page.orderedBy))) items.push(match);
  return page.next === undefined ? { items } : { items, next: [instant, ...page.next] };
};

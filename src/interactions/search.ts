/**
 * Searches one type, all types, or a compartment, by GET or by `POST _search`, a page at a time.
 *
 * @see https://hl7.org/fhir/R4/http.html#search
 */
import type { Issue } from '../fhir/fhir-error.ts';
import { operationOutcome } from '../fhir/operation-outcome.ts';
import { referenceText } from '../fhir/reference.ts';
import type { ParsedSearch, SearchScope } from '../search/parse-search.ts';
import type { Version } from '../store/store.ts';
import { bytesBeside, cutIssues, pageBytes } from './answer-bytes.ts';
import { type BundleEntry, bundleText } from './bundle-text.ts';
import type { FhirRequest, FhirResponse, FhirServer, Interaction } from './fhir-request.ts';
import { PAGE, pagingOf } from './page-links.ts';
import { ofType, type Pair, pairsOf, parsedSearch } from './parse-request.ts';
import { preferencesOf } from './preferences.ts';
import { shownText } from './shown-part.ts';
import { stablePage } from './stable-page.ts';

/** Parameters that HTTP handles. */
const OF_HTTP = new Set([PAGE, '_format', '_pretty']);

const givenPairs = ({ method, query, body }: FhirRequest): Pair[] => [
  ...pairsOf(query),
  ...(method === 'POST' ? pairsOf(body ?? '') : []),
];

const entryOf = (
  server: FhirServer,
  version: Version,
  parsed: ParsedSearch,
  mode: 'match' | 'include',
): BundleEntry => ({
  fullUrl: `${server.baseUrl}/${referenceText(version)}`,
  resource: shownText(server, version, parsed),
  search: { mode },
});

const outcomeEntries = (issues: readonly Issue[]): BundleEntry[] =>
  issues.length === 0 ? [] : [{ resource: JSON.stringify(operationOutcome(issues)), search: { mode: 'outcome' } }];

const answer = (body: string): FhirResponse => ({ status: 200, headers: {}, body });

/** Answers a search of `scope`, whose url below the base is `path`. */
export const searchIn = async (
  server: FhirServer,
  request: FhirRequest,
  scope: SearchScope,
  path: string,
): Promise<FhirResponse> => {
  const { handling } = preferencesOf(request);
  const pairs = givenPairs(request);
  const selecting = pairs.filter(([name]) => !OF_HTTP.has(name));
  const parsed = parsedSearch(server, scope, selecting, handling === 'lenient');
  const { query, includes, used, summary } = parsed;
  const url = path === '' ? server.baseUrl : `${server.baseUrl}/${path}`;

  const { after, self, links } = pagingOf(server.pageTokens, url, used, pairs);
  if (summary === 'count') {
    const total = await server.store.count(query);
    return answer(bundleText({ type: 'searchset', total, links: [self], entries: outcomeEntries(parsed.warnings) }));
  }
  const bytes = pageBytes(server, includes.length > 0);
  const { items, next } = await stablePage(server, { ...query, bytes }, after);
  const isAll = after === undefined && next === undefined;
  const total = parsed.total === 'none' ? {} : { total: isAll ? items.length : await server.store.count(query) };
  const related =
    includes.length === 0 || items.length === 0
      ? { items: [], isCut: false, isOverBytes: false }
      : await server.store.related(items, includes, server.limits.searchIncludes, bytesBeside(server, items));
  const entries = [
    ...items.map((version) => entryOf(server, version, parsed, 'match')),
    ...related.items.map((version) => entryOf(server, version, parsed, 'include')),
    ...outcomeEntries([...parsed.warnings, ...cutIssues(server, related, 'are included')]),
  ];
  return answer(bundleText({ type: 'searchset', ...total, links: links(next), entries }));
};

/** `GET [type]`, `POST [type]/_search`. */
export const search: Interaction<{ type: string }> = (server, request, { type }) =>
  searchIn(server, request, ofType(type), type);

/** `GET [base]?_type=...`, `POST _search`. */
export const searchSystem: Interaction = (server, request) =>
  searchIn(server, request, { types: server.resourceTypes, clausesOf: () => [] }, '');

/**
 * Searches one type, all types, or a compartment, by GET or by `POST _search`, a page at a time.
 *
 * @see https://hl7.org/fhir/R4/http.html#search
 */
import { invalid } from '../fhir/fhir-error.ts';
import { operationOutcome } from '../fhir/operation-outcome.ts';
import { referenceText } from '../fhir/reference.ts';
import type { ParsedSearch, SearchScope } from '../search/parse-search.ts';
import type { PageKey } from '../search/search-query.ts';
import type { Version } from '../store/store.ts';
import { type BundleEntry, bundleText, type Link } from './bundle-text.ts';
import type { FhirRequest, FhirResponse, FhirServer, Interaction } from './fhir-request.ts';
import { ofType, type Pair, pairsOf, parsedSearch, queryOf } from './parse-request.ts';
import { preferencesOf } from './preferences.ts';
import { subsetRule, subsetText } from './subset-text.ts';

/** The parameter of page links. */
const PAGE = '_page';
/** Parameters that HTTP handles. */
const OF_HTTP = new Set([PAGE, '_format', '_pretty']);

const givenPairs = ({ method, query, body }: FhirRequest): Pair[] => [
  ...pairsOf(query),
  ...(method === 'POST' ? pairsOf(body ?? '') : []),
];

const afterOf = (server: FhirServer, pairs: readonly Pair[], scope: string): { after?: PageKey } => {
  const tokens = pairs.filter(([name]) => name === PAGE);
  if (tokens.length > 1) throw invalid(`${PAGE}: stands twice`);
  const [token] = tokens;
  return token === undefined ? {} : { after: server.pageTokens.read(token[1], scope) };
};

const shownText = (server: FhirServer, version: Version, { summary, elements }: ParsedSearch): string => {
  const text = version.text.toString();
  const keeps = subsetRule(summary, elements);
  const structure = server.structureOf(version.type);
  return keeps === undefined || structure === undefined ? text : subsetText(text, structure, summary, keeps);
};

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

const outcomeEntries = (parsed: ParsedSearch, isCut: boolean, limit: number): BundleEntry[] => {
  const text = `More than ${limit} resources are included; the rest is left out (CONSILIUM_SEARCH_INCLUDES)`;
  const issues = [
    ...parsed.warnings,
    ...(isCut ? [{ severity: 'warning', code: 'too-costly', diagnostics: text } as const] : []),
  ];
  return issues.length === 0
    ? []
    : [{ resource: JSON.stringify(operationOutcome(issues)), search: { mode: 'outcome' } }];
};

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
  const linkOf = (relation: Link['relation'], more: readonly Pair[] = []): Link => {
    const parameters = queryOf([...used, ...more]);
    return { relation, url: parameters === '' ? url : `${url}?${parameters}` };
  };
  const tokenScope = linkOf('self').url;

  const isCount = summary === 'count';
  const total = isCount || parsed.total !== 'none' ? { total: await server.store.count(query) } : {};
  if (isCount)
    return answer(
      bundleText({ type: 'searchset', ...total, links: [linkOf('self')], entries: outcomeEntries(parsed, false, 0) }),
    );
  const { items, next } = await server.store.search({ ...query, ...afterOf(server, pairs, tokenScope) });
  const limit = server.limits.searchIncludes;
  const related =
    includes.length === 0 || items.length === 0
      ? { items: [], isCut: false }
      : await server.store.related(items, includes, limit);
  const links = [
    linkOf(
      'self',
      pairs.filter(([name]) => name === PAGE),
    ),
    linkOf('first'),
    ...(next === undefined ? [] : [linkOf('next', [[PAGE, server.pageTokens.write(next, tokenScope)]])]),
  ];
  const entries = [
    ...items.map((version) => entryOf(server, version, parsed, 'match')),
    ...related.items.map((version) => entryOf(server, version, parsed, 'include')),
    ...outcomeEntries(parsed, related.isCut, limit),
  ];
  return answer(bundleText({ type: 'searchset', ...total, links, entries }));
};

/** `GET [type]`, `POST [type]/_search`. */
export const search: Interaction<{ type: string }> = (server, request, { type }) =>
  searchIn(server, request, ofType(type), type);

/** `GET [base]?_type=...`, `POST _search`. */
export const searchSystem: Interaction = (server, request) =>
  searchIn(server, request, { types: server.resourceTypes, clausesOf: () => [] }, '');

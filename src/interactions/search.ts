/**
 * Searches the resources of one type, by GET or by `POST _search`, a page at a time.
 *
 * @see https://hl7.org/fhir/R4/http.html#search
 */
import { invalid } from '../fhir/fhir-error.ts';
import { operationOutcome } from '../fhir/operation-outcome.ts';
import { referenceText } from '../fhir/reference.ts';
import { type BundleEntry, bundleText, type Link } from './bundle-text.ts';
import type { FhirRequest, FhirResponse, FhirServer, Interaction } from './fhir-request.ts';
import { type Pair, pairsOf, parsedSearch, queryOf } from './parse-request.ts';
import { preferencesOf } from './preferences.ts';

/** The parameter of page links. */
const PAGE = '_page';

const givenPairs = ({ method, query, body }: FhirRequest): Pair[] => [
  ...pairsOf(query),
  ...(method === 'POST' ? pairsOf(body ?? '') : []),
];

const answer = (body: string): FhirResponse => ({ status: 200, headers: {}, body });

const outcomeEntry = (warnings: Parameters<typeof operationOutcome>[0]): BundleEntry[] =>
  warnings.length === 0 ? [] : [{ resource: JSON.stringify(operationOutcome(warnings)), search: { mode: 'outcome' } }];

const pageOf = (server: FhirServer, pairs: readonly Pair[], scope: string) => {
  const tokens = pairs.filter(([name]) => name === PAGE);
  if (tokens.length > 1) throw invalid(`${PAGE}: stands twice`);
  const [token] = tokens;
  return token === undefined ? {} : { after: server.pageTokens.read(token[1], scope) };
};

export const search: Interaction<{ type: string }> = async (server, request, { type }) => {
  const { handling } = preferencesOf(request);
  const pairs = givenPairs(request);
  const selecting = pairs.filter(([name]) => name !== PAGE && name !== '_format');
  const { query, used, warnings, isCount } = parsedSearch(server, type, selecting, handling === 'lenient');
  const url = `${server.baseUrl}/${type}`;
  const linkOf = (relation: Link['relation'], more: readonly Pair[] = []): Link => {
    const parameters = queryOf([...used, ...more]);
    return { relation, url: parameters === '' ? url : `${url}?${parameters}` };
  };
  const scope = linkOf('self').url;

  if (isCount) {
    const total = await server.store.count(query);
    const links = [linkOf('self')];
    return answer(bundleText({ type: 'searchset', total, links, entries: outcomeEntry(warnings) }));
  }
  const { items, next } = await server.store.search({ ...query, ...pageOf(server, pairs, scope) });
  const matches = items.map(
    (version): BundleEntry => ({
      fullUrl: `${server.baseUrl}/${referenceText(version)}`,
      resource: version.text.toString(),
      search: { mode: 'match' },
    }),
  );
  const page = pairs.filter(([name]) => name === PAGE);
  const links = [
    linkOf('self', page),
    ...(next === undefined ? [] : [linkOf('next', [[PAGE, server.pageTokens.write(next, scope)]])]),
  ];
  return answer(bundleText({ type: 'searchset', links, entries: [...matches, ...outcomeEntry(warnings)] }));
};

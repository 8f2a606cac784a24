/** Query strings of requests: of searches, and of the criteria of conditional writes. */
import { invalid } from '../fhir/fhir-error.ts';
import { type ParsedSearch, parseSearch } from '../search/parse-search.ts';
import type { SearchQuery } from '../search/search-query.ts';
import type { FhirServer } from './fhir-request.ts';

export type Pair = readonly [name: string, value: string];

/** The pairs of a query string or form, decoded. */
export const pairsOf = (query: string): Pair[] => [...new URLSearchParams(query)];

/** Encodes pairs for a link; `,` `|` `:` and `/` stay readable. */
export const queryOf = (pairs: readonly Pair[]): string =>
  pairs
    .map((pair) =>
      pair.map((part) => encodeURIComponent(part).replace(/%(2C|7C|3A|2F|24)/g, decodeURIComponent)).join('='),
    )
    .join('&');

export const parsedSearch = (
  server: FhirServer,
  type: string,
  pairs: readonly Pair[],
  isLenient: boolean,
): ParsedSearch =>
  parseSearch(type, pairs, {
    parameters: server.parameters,
    resourceTypes: server.resourceTypes,
    baseUrl: server.baseUrl,
    defaultCount: server.limits.searchDefaultCount,
    maximumCount: server.limits.searchMaximumCount,
    maximumValues: server.limits.searchValues,
    isLenient,
    now: server.now,
  });

/** The query of a conditional write; `name` is where it stands, for messages. At least one parameter must select. */
export const parseCriteria = (server: FhirServer, type: string, criteria: string, name: string): SearchQuery => {
  const { query } = parsedSearch(server, type, pairsOf(criteria), false);
  if (query.clauses.length === 0) throw invalid(`${name}: no search criteria`);
  return query;
};

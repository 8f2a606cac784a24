/** Query strings of requests: of searches, and of the criteria of conditional writes. */
import { invalid } from '../fhir/fhir-error.ts';
import { type ParsedSearch, parseSearch, type SearchScope } from '../search/parse-search.ts';
import { searchContext } from '../search/search-limits.ts';
import type { SearchQuery } from '../search/search-query.ts';
import type { FhirServer } from './fhir-request.ts';

/** The most characters of a faulty query that a message repeats. */
const SHOWN_LENGTH = 200;

export type Pair = readonly [name: string, value: string];

/** The pairs of a query string or form, decoded. Throws a FhirError 400 if that is not possible, or gives a NUL. */
export const pairsOf = (query: string): Pair[] => {
  if (query === '') return [];
  let decoded: string;
  try {
    decoded = decodeURIComponent(query);
  } catch {
    throw invalid(`The query '${query.slice(0, SHOWN_LENGTH)}' is not percent-encoded UTF-8; a % itself is %25`);
  }
  if (decoded.includes('\0')) throw invalid('The query contains the character NUL');
  return [...new URLSearchParams(query)];
};

/** Encodes pairs for a link; `,` `|` `:` and `/` stay readable. */
export const queryOf = (pairs: readonly Pair[]): string =>
  pairs
    .map((pair) =>
      pair.map((part) => encodeURIComponent(part).replace(/%(2C|7C|3A|2F|24)/g, decodeURIComponent)).join('='),
    )
    .join('&');

export const parsedSearch = (
  server: FhirServer,
  scope: SearchScope,
  pairs: readonly Pair[],
  isLenient: boolean,
): ParsedSearch => parseSearch(scope, pairs, searchContext(server, isLenient));

/** All resources of one type. */
export const ofType = (type: string): SearchScope => ({ types: [type], clausesOf: () => [] });

/** The query of a conditional write; `name` is where it stands, for messages. At least one parameter must select. */
export const parseCriteria = (server: FhirServer, type: string, criteria: string, name: string): SearchQuery => {
  const { query } = parsedSearch(server, ofType(type), pairsOf(criteria), false);
  if (query.searches.every(({ clauses }) => clauses.length === 0)) throw invalid(`${name}: no search criteria`);
  return query;
};

/** Parses query strings as a small server does. */
import { loadSearchParameters } from '../../src/definitions/search-parameters.ts';
import { loadStructures } from '../../src/definitions/structures.ts';
import { createElementTypes } from '../../src/search/element-types.ts';
import { parseSearch, type SearchScope } from '../../src/search/parse-search.ts';
import type { SearchContext } from '../../src/search/search-context.ts';

const parameters = loadSearchParameters();
const context: SearchContext = {
  parameters,
  resourceTypes: ['Patient', 'Group', 'Device', 'Location', 'Observation', 'Practitioner'],
  baseUrl: 'http://localhost/fhir',
  defaultCount: 50,
  maximumCount: 1000,
  maximumValues: 200,
  maximumComparedValues: 20,
  maximumParameters: 30,
  maximumTotalValues: 1000,
  maximumChain: 3,
  zoneOffsetMinutes: 0,
  approximateShare: 0.1,
  impliedSystems: () => new Set(),
  elementTypes: createElementTypes(loadStructures()),
  codes: {
    expansion: (valueSet) => (valueSet === 'urn:vs' ? [{ system: 'urn:s', code: 'a' }] : undefined),
    descendants: (system, code) => (system === 'urn:s' ? [code, `${code}.1`] : undefined),
    ancestors: (system, code) => (system === 'urn:s' ? [code, 'root'] : undefined),
  },
  isLenient: false,
  now: () => Date.UTC(2024, 0, 1),
};

export const scopeOf = (...types: string[]): SearchScope => ({ types, clausesOf: () => [] });

/** As a server decodes it. */
export const parseIn = (scope: SearchScope, query: string, more: Partial<SearchContext> = {}) =>
  parseSearch(scope, [...new URLSearchParams(query)], { ...context, ...more });
export const parse = (type: string, query: string, more: Partial<SearchContext> = {}) =>
  parseIn(scopeOf(type), query, more);
export const clausesOf = (type: string, query: string) => parse(type, query).query.searches[0]?.clauses ?? [];
export const refused = (message: RegExp, code = 'invalid') => ({
  name: 'FhirError',
  status: 400,
  issues: [{ severity: 'error', code, diagnostics: message }],
});

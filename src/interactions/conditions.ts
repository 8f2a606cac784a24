/**
 * The preconditions of requests: `If-Match`, `If-None-Match`, `If-Modified-Since`, and the criteria of conditional
 * writes.
 *
 * @see https://hl7.org/fhir/R4/http.html#concurrency
 * @see https://hl7.org/fhir/R4/http.html#cond-update
 */
import { gone, invalid, multipleMatches, notFound, preconditionFailed } from '../fhir/fhir-error.ts';
import { type Reference, referenceText } from '../fhir/reference.ts';
import type { SearchQuery } from '../search/search-query.ts';
import type { Expectation, IfMatch, Store, Version } from '../store/store.ts';
import type { FhirServer } from './fhir-request.ts';
import { pairsOf, parseCriteria, queryOf } from './parse-request.ts';

/**
 * The version that an `If-Match` header names, or `*` for any. Throws a FhirError 400 if it is not `W/"[number]"`.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-13.1.1
 */
export const matchedVersion = (header: string | undefined): IfMatch | undefined => {
  if (header === undefined) return undefined;
  if (header.trim() === '*') return '*';
  const match = /^(?:W\/)?"([1-9]\d{0,14})"$/.exec(header.trim());
  if (match === null) throw invalid(`If-Match: '${header}' is neither a version such as W/"1" nor *`);
  return Number(match[1]);
};

/** Whether a write is only for what is not there: `If-None-Match: *`. Throws a FhirError 400 for another value. */
export const isForAbsent = (header: string | undefined): boolean => {
  if (header === undefined) return false;
  if (header.trim() === '*') return true;
  throw invalid(`If-None-Match: '${header}'; a write takes only *`);
};

/** That there is no such resource, to be committed with the write that depends on it. */
export const absence = ({ type, id }: Reference): Expectation => ({
  query: { searches: [{ type, clauses: [{ kind: 'id', values: [id] }] }], sort: [], count: 1 },
  found: [],
});

/** Throws a FhirError 412 if the resource is there. */
export const checkAbsent = async (store: Store, reference: Reference): Promise<void> => {
  const current = await store.read(reference);
  if (current !== undefined && !current.isDeleted)
    throw preconditionFailed(`If-None-Match: ${referenceText(reference)} is there, at version ${current.version}`);
};

/**
 * Whether a client has this version already, by `If-None-Match`, or else by `If-Modified-Since`. What is malformed is
 * passed over, as HTTP asks.
 *
 * @see https://hl7.org/fhir/R4/http.html#cread
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-13.1.3
 */
export const isUnmodified = (
  headers: Readonly<Record<string, string | undefined>>,
  version: number,
  lastUpdated: number,
): boolean => {
  const tags = headers['if-none-match'];
  if (tags !== undefined)
    return tags.split(',').some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === `"${version}"`);
  const since = headers['if-modified-since'];
  if (since === undefined) return false;
  // The header of HTTP has whole seconds; the instant in a Bundle has milliseconds.
  const precision = /T/.test(since) && /^\d{4}-/.test(since) ? 1 : 1000;
  return Math.floor(lastUpdated / precision) * precision <= Date.parse(since);
};

/** The same text for criteria that mean the same: decoded, and in an order that does not depend on how they were written. */
export const normalizedCriteria = (type: string, criteria: string): string => {
  const pairs = pairsOf(criteria).map((pair) => queryOf([pair]));
  return `${type}?${pairs.sort().join('&')}`;
};

export interface Resolved {
  readonly match: Reference | undefined;
  readonly expectation: Expectation;
}

/** What a search finds, up to its count. */
export type Find = (query: SearchQuery) => Promise<readonly Reference[]>;

/** Each search by itself. */
export const findIn =
  (store: Store): Find =>
  async (query) =>
    (await store.findEach([query]))[0] ?? [];

/** The search for the one match of criteria, and for another one. Throws a FhirError 400 for unusable criteria. */
export const criteriaQuery = (server: FhirServer, type: string, criteria: string, name: string): SearchQuery => ({
  ...parseCriteria(server, type, criteria, name),
  count: 2,
});

/**
 * Finds the one resource of `type` that matches search criteria, if there is one. What was found is to be committed
 * with the write that depends on it. Throws a FhirError 412 for several matches, 400 for unusable criteria.
 */
export const resolvedCriteria = async (
  server: FhirServer,
  type: string,
  criteria: string,
  name: string,
  find: Find = findIn(server.store),
): Promise<Resolved> => {
  const query = criteriaQuery(server, type, criteria, name);
  const found = await find(query);
  if (found.length > 1) throw multipleMatches(`${name}: several ${type} resources match '${criteria}'`);
  return { match: found[0], expectation: { query, found } };
};

/** How many resources a conditional delete may delete. */
const deleteLimit = ({ limits: { conditionalDelete, conditionalDeleteLimit } }: FhirServer): number =>
  conditionalDelete === 'multiple' ? conditionalDeleteLimit : 1;

/** The search of a conditional delete, for one more than it may delete. Throws a FhirError 400 for unusable criteria. */
export const deletesQuery = (server: FhirServer, type: string, criteria: string): SearchQuery => ({
  ...parseCriteria(server, type, criteria, 'DELETE'),
  count: deleteLimit(server) + 1,
});

/**
 * Finds what a conditional delete is about: one resource, or, if the server is configured so, several up to a limit.
 * Throws a FhirError 412 for more, 400 for unusable criteria.
 *
 * @see https://hl7.org/fhir/R4/http.html#3.1.0.7.1
 */
export const resolvedDeletes = async (
  server: FhirServer,
  type: string,
  criteria: string,
  find: Find = findIn(server.store),
): Promise<{ matches: readonly Reference[]; expectation: Expectation }> => {
  const limit = deleteLimit(server);
  const query = deletesQuery(server, type, criteria);
  const matches = await find(query);
  if (matches.length > limit) {
    const variable = limit === 1 ? 'CONSILIUM_CONDITIONAL_DELETE' : 'CONSILIUM_CONDITIONAL_DELETE_LIMIT';
    throw multipleMatches(`DELETE: more than ${limit} ${type} resources match '${criteria}' (${variable})`);
  }
  return { matches, expectation: { query, found: matches } };
};

/** The current version of a resource that is to be changed. Throws a FhirError 404, 410, or 412 if it is another than `ifMatch`. */
export const versionToChange = async (
  { store }: FhirServer,
  reference: Reference,
  ifMatch: IfMatch | undefined,
): Promise<Version> => {
  const current = await store.read(reference);
  const name = referenceText(reference);
  if (current === undefined) throw notFound(`There is no ${name}`);
  if (current.isDeleted) throw gone(`${name} is deleted`);
  if (typeof ifMatch === 'number' && ifMatch !== current.version)
    throw preconditionFailed(`If-Match asks for version ${ifMatch}, but ${name} is at version ${current.version}`);
  return current;
};

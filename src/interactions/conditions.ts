/**
 * The preconditions of writes: `If-Match`, and the criteria of conditional creates.
 *
 * @see https://hl7.org/fhir/R4/http.html#concurrency
 * @see https://hl7.org/fhir/R4/http.html#ccreate
 */
import { invalid, multipleMatches } from '../fhir/fhir-error.ts';
import type { Reference } from '../fhir/reference.ts';
import type { Expectation } from '../store/store.ts';
import type { FhirServer } from './fhir-request.ts';
import { parseCriteria } from './parse-request.ts';

/** The version that an `If-Match` header names. Throws a FhirError 400 if it is not `W/"[number]"`. */
export const matchedVersion = (header: string | undefined): number | undefined => {
  if (header === undefined) return undefined;
  const match = /^(?:W\/)?"([1-9]\d{0,14})"$/.exec(header.trim());
  if (match === null) throw invalid(`If-Match: '${header}' is not a version such as W/"1"`);
  return Number(match[1]);
};

export interface Resolved {
  readonly match: Reference | undefined;
  readonly expectation: Expectation;
}

/**
 * Finds the one resource of `type` that matches search criteria, if there is one. What was found is to be committed
 * with the write that depends on it. Throws a FhirError 412 for several matches, 400 for unusable criteria.
 */
export const resolvedCriteria = async (
  server: FhirServer,
  type: string,
  criteria: string,
  name: string,
): Promise<Resolved> => {
  const query = { ...parseCriteria(server, type, criteria, name), count: 2 };
  const { items } = await server.store.search(query);
  if (items.length > 1) throw multipleMatches(`${name}: several ${type} resources match '${criteria}'`);
  const found = items.map(({ type, id }) => ({ type, id }));
  return { match: found[0], expectation: { query, found } };
};

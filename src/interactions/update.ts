/**
 * Replaces a resource, or creates it under the id that the client chose. What is the same already makes no new version.
 * Which resource it is may also be said by search criteria.
 *
 * @see https://hl7.org/fhir/R4/http.html#update
 * @see https://hl7.org/fhir/R4/http.html#upsert
 * @see https://hl7.org/fhir/R4/http.html#cond-update
 */
import { conflict, preconditionFailed } from '../fhir/fhir-error.ts';
import { type Reference, referenceText } from '../fhir/reference.ts';
import type { ResourceText } from '../fhir/resource-text.ts';
import type { Expectation, Store } from '../store/store.ts';
import { commitResolved, type Resolution } from './commit-resolved.ts';
import { absence, checkAbsent, isForAbsent, matchedVersion, resolvedCriteria } from './conditions.ts';
import { criteriaOf } from './criteria-of.ts';
import type { FhirRequest, FhirResponse, FhirServer, Interaction } from './fhir-request.ts';
import { preferencesOf } from './preferences.ts';
import { otherId, type Received, receivedResource } from './prepare-write.ts';
import { checkProvenance, withProvenance } from './provenance.ts';
import { writtenResponse } from './respond.ts';

export interface UpdateTarget {
  readonly reference: Reference;
  readonly expected: readonly Expectation[];
}

/** Throws a FhirError 409 if the id under which a conditional update would create is taken by what does not match. */
const checkFree = async (store: Store, reference: Reference): Promise<void> => {
  const there = await store.read(reference);
  if (there !== undefined && !there.isDeleted)
    throw conflict(`Nothing matches the criteria, and ${referenceText(reference)}, the id in the body, is taken`);
};

/**
 * What a conditional update is about: `match`, or else a new resource, under the id in the body if it has one. Throws a
 * FhirError 400 if the body is another one than the match, 409 if nothing matches and its id is taken.
 */
export const conditionalTarget = async (
  store: Store,
  type: string,
  match: Reference | undefined,
  bodyId: string | undefined,
  newId: string,
): Promise<UpdateTarget> => {
  if (match === undefined) {
    const reference = { type, id: bodyId ?? newId };
    if (bodyId !== undefined) await checkFree(store, reference);
    return { reference, expected: [absence(reference)] };
  }
  if (bodyId !== undefined && bodyId !== match.id) throw otherId(type, bodyId, `the criteria match '${match.id}'`);
  return { reference: match, expected: [] };
};

const updated = async (
  server: FhirServer,
  request: FhirRequest,
  received: Received,
  target: () => Promise<UpdateTarget>,
): Promise<FhirResponse> => {
  const preferences = preferencesOf(request);
  const ifMatch = matchedVersion(request.headers['if-match']);
  checkProvenance(server, request);
  const provenanceId = server.newId();
  const resolve = async (): Promise<Resolution<ResourceText>> => {
    const { reference, expected } = await target();
    const prepared = received.prepared(reference.id);
    const write = { kind: 'update', ...prepared, ...(ifMatch === undefined ? {} : { ifMatch }) } as const;
    return withProvenance(server, request, { writes: [write], expected, plan: prepared.resource }, provenanceId);
  };
  const { plan, written } = await commitResolved(server.store, resolve);
  const [first] = written;
  if (first === undefined) throw new Error('A commit of one write answered none');
  return writtenResponse(server, first, plan, preferences.return);
};

export const update: Interaction<Reference> = async (server, request, { type, id }) => {
  const reference = { type, id };
  const mustBeAbsent = isForAbsent(request.headers['if-none-match']);
  return updated(server, request, receivedResource(server, request, type, id), async () => {
    if (!mustBeAbsent) return { reference, expected: [] };
    await checkAbsent(server.store, reference);
    return { reference, expected: [absence(reference)] };
  });
};

/** `PUT [type]?[criteria]`. */
export const conditionalUpdate: Interaction<{ type: string }> = async (server, request, { type }) => {
  const criteria = criteriaOf(request);
  const mustBeAbsent = isForAbsent(request.headers['if-none-match']);
  const received = receivedResource(server, request, type);
  const newId = server.newId();
  return updated(server, request, received, async () => {
    const { match, expectation } = await resolvedCriteria(server, type, criteria, 'PUT');
    if (mustBeAbsent && match !== undefined)
      throw preconditionFailed(`If-None-Match: ${referenceText(match)} is there, and matches '${criteria}'`);
    const { reference, expected } = await conditionalTarget(server.store, type, match, received.id, newId);
    return { reference, expected: [expectation, ...expected] };
  });
};

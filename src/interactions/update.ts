/**
 * Replaces a resource, or creates it under the id that the client chose. What is the same already makes no new version.
 *
 * @see https://hl7.org/fhir/R4/http.html#update
 * @see https://hl7.org/fhir/R4/http.html#upsert
 */
import type { Reference } from '../fhir/reference.ts';
import { matchedVersion } from './conditions.ts';
import type { Interaction } from './fhir-request.ts';
import { preferencesOf } from './preferences.ts';
import { parsedBody, preparedResource, validResource } from './prepare-write.ts';
import { writtenResponse } from './respond.ts';

export const update: Interaction<Reference> = async (server, request, { type, id }) => {
  const preferences = preferencesOf(request);
  const ifMatch = matchedVersion(request.headers['if-match']);
  const json = parsedBody(server, request);
  const value = validResource(server, json, type, id);
  const prepared = preparedResource(server, json, value, id);
  const [written] = await server.store.commit([
    { kind: 'update', ...prepared, ...(ifMatch === undefined ? {} : { ifMatch }) },
  ]);
  if (written === undefined) throw new Error('A commit of one write answered none');
  return writtenResponse(server, written, prepared.resource, preferences.return);
};

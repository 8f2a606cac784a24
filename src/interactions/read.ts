/**
 * Reads the current version of a resource, unless the client has it already.
 *
 * @see https://hl7.org/fhir/R4/http.html#read
 * @see https://hl7.org/fhir/R4/http.html#cread
 */
import { gone, notFound } from '../fhir/fhir-error.ts';
import { type Reference, referenceText } from '../fhir/reference.ts';
import type { Interaction } from './fhir-request.ts';
import { shownVersion } from './shown-version.ts';

export const read: Interaction<Reference> = async (server, request, reference) => {
  const version = await server.store.read(reference);
  if (version === undefined) throw notFound(`There is no ${referenceText(reference)}`);
  if (version.isDeleted) throw gone(`${referenceText(reference)} is deleted`);
  return shownVersion(server, request, version);
};

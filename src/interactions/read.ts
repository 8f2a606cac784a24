/**
 * Reads the current version of a resource.
 *
 * @see https://hl7.org/fhir/R4/http.html#read
 */
import { gone, notFound } from '../fhir/fhir-error.ts';
import { type Reference, referenceText } from '../fhir/reference.ts';
import type { Interaction } from './fhir-request.ts';
import { versionResponse } from './respond.ts';

export const read: Interaction<Reference> = async ({ store }, _request, reference) => {
  const version = await store.read(reference);
  if (version === undefined) throw notFound(`There is no ${referenceText(reference)}`);
  if (version.isDeleted) throw gone(`${referenceText(reference)} is deleted`);
  return versionResponse(version);
};

/**
 * Deletes a resource: it is gone from reads and searches, and stays in its history. Deleting what is not there succeeds.
 *
 * @see https://hl7.org/fhir/R4/http.html#delete
 */
import type { Reference } from '../fhir/reference.ts';
import { matchedVersion } from './conditions.ts';
import type { Interaction } from './fhir-request.ts';
import { entityTag } from './respond.ts';

export const deleteResource: Interaction<Reference> = async ({ store }, request, reference) => {
  const ifMatch = matchedVersion(request.headers['if-match']);
  const [written] = await store.commit([{ kind: 'delete', reference, ...(ifMatch === undefined ? {} : { ifMatch }) }]);
  const version = written?.version ?? 0;
  return { status: 204, headers: version === 0 ? {} : { etag: entityTag(version) } };
};

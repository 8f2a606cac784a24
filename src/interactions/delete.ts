/**
 * Deletes a resource: it is gone from reads and searches, and stays in its history. Deleting what is not there succeeds.
 *
 * @see https://hl7.org/fhir/R4/http.html#delete
 */
import type { Reference } from '../fhir/reference.ts';
import type { Written } from '../store/store.ts';
import { commitResolved } from './commit-resolved.ts';
import { matchedVersion, resolvedDeletes } from './conditions.ts';
import { criteriaOf } from './criteria-of.ts';
import type { FhirResponse, Interaction } from './fhir-request.ts';
import { withoutReferrers } from './referrers.ts';
import { entityTag } from './respond.ts';

/** The answer to a deletion; several have no version in common. */
export const deletedResponse = (written: readonly Written[]): FhirResponse => {
  const [version = 0, ...more] = written.map((one) => one.version);
  return { status: 204, headers: version === 0 || more.length > 0 ? {} : { etag: entityTag(version) } };
};

export const deleteResource: Interaction<Reference> = async (server, request, reference) => {
  const ifMatch = matchedVersion(request.headers['if-match']);
  const write = { kind: 'delete', reference, ...(ifMatch === undefined ? {} : { ifMatch }) } as const;
  const { written } = await commitResolved(server.store, () =>
    withoutReferrers(server, { writes: [write], expected: [], plan: undefined }),
  );
  return deletedResponse(written);
};

/** `DELETE [type]?[criteria]`. */
export const conditionalDelete: Interaction<{ type: string }> = async (server, request, { type }) => {
  const criteria = criteriaOf(request);
  const ifMatch = matchedVersion(request.headers['if-match']);
  const { written } = await commitResolved(server.store, async () => {
    const { matches, expectation } = await resolvedDeletes(server, type, criteria);
    const writes = matches.map(
      (reference) => ({ kind: 'delete', reference, ...(ifMatch === undefined ? {} : { ifMatch }) }) as const,
    );
    return withoutReferrers(server, { writes, expected: [expectation], plan: undefined });
  });
  return deletedResponse(written);
};

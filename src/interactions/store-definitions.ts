/**
 * Writes the server's own OperationDefinitions to its store when it starts, so that they are read and searched like any
 * other resource. What is there already makes no new version, so several servers may start at once.
 */
import type { OperationDefinitions } from '../definitions/operation-definitions.ts';
import { parseJson } from '../fhir/json-text.ts';
import type { Reference } from '../fhir/reference.ts';
import type { Store, Write } from '../store/store.ts';
import type { FhirServer } from './fhir-request.ts';
import { preparedResource } from './prepare-write.ts';

/** Which resources these are. */
export const definitionReferences = (definitions: OperationDefinitions): Reference[] =>
  [...definitions.values()].map(({ resourceType, id }) => ({ type: resourceType, id }));

/** Writes them to `store`. Fails with a FhirError 503 if the disk refuses. */
export const storeDefinitions = async (
  server: FhirServer,
  store: Store,
  definitions: OperationDefinitions,
): Promise<void> => {
  const writes = [...definitions.values()].map((definition): Write => {
    const json = parseJson(JSON.stringify(definition), server.limits.jsonDepth);
    return { kind: 'update', ...preparedResource(server, json, definition, definition.id), requires: [] };
  });
  await store.commit(writes);
};

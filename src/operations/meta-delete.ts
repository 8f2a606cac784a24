/**
 * Takes profiles, tags and security labels from a resource. What it has not makes no new version.
 *
 * @see https://hl7.org/fhir/R4/resource-operation-meta-delete.html
 */
import type { Interaction } from '../interactions/fhir-request.ts';
import type { OperationTarget } from '../interactions/route.ts';
import { changeMeta, type SetChange } from './change-meta.ts';

const withoutGiven: SetChange = (current, given, keyOf) => {
  const unwanted = new Set(given.map(keyOf));
  return current.filter((item) => !unwanted.has(keyOf(item)));
};

export const metaDelete: Interaction<OperationTarget> = (server, request, { type = '', id = '' }) =>
  changeMeta(server, request, { type, id }, withoutGiven);

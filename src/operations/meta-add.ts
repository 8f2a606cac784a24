/**
 * Adds profiles, tags and security labels to a resource. What it has already makes no new version.
 *
 * @see https://hl7.org/fhir/R4/resource-operation-meta-add.html
 */
import type { Interaction } from '../interactions/fhir-request.ts';
import type { OperationTarget } from '../interactions/route.ts';
import { changeMeta, type SetChange } from './change-meta.ts';

const withGiven: SetChange = (current, given, keyOf) => {
  const known = new Set(current.map(keyOf));
  const added = given.filter((item) => {
    const key = keyOf(item);
    if (known.has(key)) return false;
    known.add(key);
    return true;
  });
  return [...current, ...added];
};

export const metaAdd: Interaction<OperationTarget> = (server, request, { type = '', id = '' }) =>
  changeMeta(server, request, { type, id }, withGiven);

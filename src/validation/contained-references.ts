/**
 * Which contained resources nothing refers to: each must be the target of a reference from elsewhere in the resource, or
 * refer to its container.
 *
 * @see https://hl7.org/fhir/R4/domainresource.html#invs (dom-3)
 */
import type { Structure, Structures } from '../definitions/structures.ts';
import { isObject, type JsonObject } from './walk.ts';

/** The types whose values may be a reference; `uri` has the others as its kinds. */
const URI_TYPES: ReadonlySet<string> = new Set(['uri', 'url', 'canonical', 'oid', 'uuid']);

interface Found {
  /** All values that are a reference, or may be one. */
  readonly references: Set<string>;
  /** Whether there is a reference `#`, to the container. */
  refersToContainer: boolean;
}

const structureOf = (value: JsonObject, declared: Structure, structures: Structures): Structure => {
  const { resourceType: type } = value;
  return (typeof type === 'string' ? structures.structure(type) : undefined) ?? declared;
};

const collect = (value: JsonObject, declared: Structure, structures: Structures, found: Found): void => {
  const { elements } = structureOf(value, declared, structures);
  for (const key in value) {
    const isTwin = key.startsWith('_');
    const rule = elements.get(isTwin ? key.slice(1) : key);
    if (rule === undefined) continue;
    const given = value[key];
    for (const each of Array.isArray(given) ? given : [given]) {
      if (typeof each === 'string') {
        const isReference = rule.name === 'reference';
        if (!each.startsWith('#') || !(isReference || URI_TYPES.has(rule.type))) continue;
        found.references.add(each);
        if (each === '#' && (isReference || rule.type === 'canonical')) found.refersToContainer = true;
      } else if (isObject(each)) {
        const structure = isTwin ? structures.structure('Element') : rule.structure;
        if (structure !== undefined) collect(each, structure, structures, found);
      }
    }
  }
};

const referencesIn = (resource: JsonObject, structures: Structures): Found => {
  const found: Found = { references: new Set(), refersToContainer: false };
  const structure = structures.structure(String(resource['resourceType']));
  if (structure !== undefined) collect(resource, structure, structures, found);
  return found;
};

/** The contained resources that are not referred to and do not refer to their container; one without an id cannot be. */
export const strayContained = (resource: JsonObject, structures: Structures): JsonObject[] => {
  const { contained } = resource;
  if (!Array.isArray(contained)) return [];
  const { references } = referencesIn(resource, structures);
  return contained
    .filter(isObject)
    .filter(({ id }) => id !== undefined && !references.has(`#${id}`))
    .filter((each) => !referencesIn(each, structures).refersToContainer);
};

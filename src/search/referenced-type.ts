/**
 * The resource type that a Reference points to, as far as the Reference itself and its resource tell. This stands for
 * FHIRPath's `resolve() is X` in search expressions: nothing is looked up.
 *
 * @see https://hl7.org/fhir/R4/references.html#literal
 */
import type { Reference } from '@medplum/fhirtypes';
import type { JsonObject } from './value-path.ts';

const HASH = 35;

const containedType = (id: string, resource: JsonObject): string | undefined => {
  if (id === '') return resource['resourceType'] as string;
  const { contained } = resource;
  if (!Array.isArray(contained)) return undefined;
  return (contained as JsonObject[]).find((inner) => inner['id'] === id)?.['resourceType'] as string | undefined;
};

/** `Patient` of `Patient/1`, `http://host/fhir/Patient/1` and `Patient/1/_history/2`. */
const literalType = (text: string): string => {
  const history = text.indexOf('/_history/');
  const end = text.lastIndexOf('/', history < 0 ? text.length : history - 1);
  return end < 0 ? '' : text.slice(text.lastIndexOf('/', end - 1) + 1, end);
};

/** Undefined where nothing tells, as for a `urn:uuid:` without `Reference.type`. */
export const referencedType = (
  { reference, type }: Reference,
  resource: JsonObject,
  isResourceType: (name: string) => boolean,
): string | undefined => {
  if (typeof reference === 'string') {
    if (reference.charCodeAt(0) === HASH) return containedType(reference.slice(1), resource);
    const literal = literalType(reference);
    if (isResourceType(literal)) return literal;
  }
  return typeof type === 'string' ? type.slice(type.lastIndexOf('/') + 1) : undefined;
};

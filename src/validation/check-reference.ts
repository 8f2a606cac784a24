/**
 * References: their syntax, the types that they may point to, and that a `#` reference finds its contained resource.
 *
 * @see https://hl7.org/fhir/R4/references.html
 */
import type { ElementRule } from '../definitions/structures.ts';
import { parseReference } from '../fhir/reference.ts';
import { quoted } from './primitives.ts';
import { isObject, type JsonObject, report, type Walk } from './walk.ts';

/** A base url that no reference has: which urls are the server's own is not the validator's concern. */
const NO_BASE_URL = 'none:';

/** An absolute url of a resource on a RESTful server. @see https://hl7.org/fhir/R4/references.html#regex */
const RESTFUL_URL =
  /^https?:\/\/[^?#\s]*\/([A-Z][A-Za-z]+)\/[A-Za-z0-9\-.]{1,64}(?:\/_history\/[A-Za-z0-9\-.]{1,64})?$/;

/** @see https://hl7.org/fhir/R4/datatypes.html#uuid */
const URN = /^urn:(?:uuid:[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|oid:[0-2](?:\.(?:0|[1-9][0-9]*))+)$/;

/** The types of the contained resources by id. */
const typesContained = ({ contained }: JsonObject): ReadonlyMap<unknown, unknown> =>
  new Map(Array.isArray(contained) ? contained.filter(isObject).map((each) => [each['id'], each['resourceType']]) : []);

/** The type that a literal reference plainly names, or undefined after reporting a fault, or if it names none. */
const referencedType = (walk: Walk, text: string): string | undefined => {
  const reference = parseReference(text, NO_BASE_URL);
  if (reference === undefined) {
    report(
      walk,
      'value',
      `${quoted(text)} is not a reference, such as Patient/1, #contained or an absolute url`,
      '.reference',
    );
    return undefined;
  }
  if (reference.kind === 'contained') {
    if (reference.id === '') return undefined;
    walk.typesContained ??= typesContained(walk.container);
    const type = walk.typesContained.get(reference.id);
    if (!walk.typesContained.has(reference.id)) {
      report(walk, 'value', `${quoted(text)}: no contained resource has this id`, '.reference');
    }
    return typeof type === 'string' ? type : undefined;
  }
  if (reference.kind === 'absolute') {
    if (/^urn:(uuid|oid):/.test(text) && !URN.test(text))
      report(walk, 'value', `${quoted(text)} is not a UUID or OID`, '.reference');
    const type = RESTFUL_URL.exec(reference.url)?.[1] ?? '';
    return walk.structures.isResourceType(type) ? type : undefined;
  }
  if (walk.structures.isResourceType(reference.type)) return reference.type;
  report(walk, 'value', `${quoted(text)}: R4 has no resource type ${quoted(reference.type)}`, '.reference');
  return undefined;
};

/** Checks the literal of a Reference; `rule` is that of the element which holds it. */
export const checkReference = (walk: Walk, value: JsonObject, rule: ElementRule): void => {
  const { reference } = value;
  if (typeof reference !== 'string' || reference === '') return;
  const type = referencedType(walk, reference);
  if (type === undefined || rule.targets.length === 0 || rule.targets.includes(type)) return;
  const allowed = rule.targets.join(', ');
  report(walk, 'value', `${quoted(reference)} is a reference to ${type}; possible here: ${allowed}`, '.reference');
};

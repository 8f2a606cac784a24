/**
 * The value that a FHIRPath Patch puts into a resource, from the part that carries it: a `value[x]`, a resource, or, for
 * what neither can be (`Patient.contact`, `Timing.repeat`), one part an element.
 *
 * @see https://hl7.org/fhir/R4/fhirpatch.html
 */
import type { ElementRule, Structure, Structures } from '../definitions/structures.ts';
import { type JsonNode, type JsonObject, jsonNode, jsonText } from '../fhir/exact-json.ts';
import { type FhirError, unprocessable } from '../fhir/fhir-error.ts';
import { isPrimitive, type Pair, rulesNamed, setPairs } from './patch-element.ts';
import { partName, partsIn } from './patch-operation.ts';

export interface BuiltValue extends Pair {
  /** The one of the rules that the value's type goes with. */
  readonly rule: ElementRule;
}

/** The types that a type is a special case of. @see https://hl7.org/fhir/R4/datatypes.html */
const GENERAL_TYPES: Readonly<Record<string, string>> = {
  code: 'string',
  id: 'string',
  markdown: 'string',
  url: 'uri',
  canonical: 'uri',
  uuid: 'uri',
  oid: 'uri',
  positiveInt: 'integer',
  unsignedInt: 'integer',
  Age: 'Quantity',
  Count: 'Quantity',
  Distance: 'Quantity',
  Duration: 'Quantity',
};

/** Types that no `value[x]` has, with the one that stands for them. */
const STAND_INS: Readonly<Record<string, string>> = { xhtml: 'string' };

/** The rule for a value of a type: the same type before one that is more general. */
const ruleFor = (rules: readonly ElementRule[], type: string): ElementRule | undefined =>
  rules.find((rule) => rule.type === type) ??
  rules.find((rule) => rule.type === GENERAL_TYPES[type] || STAND_INS[rule.type] === type);

const typesOf = (rules: readonly ElementRule[]): string => rules.map(({ type }) => type).join(', ');

/** A copy, so that the patch can be applied again. */
const copied = (node: JsonNode | undefined): JsonNode | undefined => node && jsonNode(jsonText(node));

const wrong = (label: string, reason: string): FhirError => unprocessable(`${label}: ${reason}`);

const fromResource = (rules: readonly ElementRule[], node: JsonNode, label: string): BuiltValue => {
  const rule = rules.find(({ type }) => type === 'Resource');
  if (rule === undefined) throw wrong(label, `a resource is given where ${typesOf(rules)} is expected`);
  return { rule, value: jsonNode(jsonText(node)) };
};

const fromParts = (
  structures: Structures,
  rules: readonly ElementRule[],
  parts: readonly JsonObject[],
  label: string,
): BuiltValue => {
  const [rule, another] = rules;
  if (rule === undefined || another !== undefined)
    throw wrong(label, `parts do not tell which of ${typesOf(rules)} it is`);
  if (isPrimitive(rule)) throw wrong(label, `parts are given where ${rule.type} is expected`);
  return { rule, value: { content: membersFrom(structures, rule.structure, parts, label) } };
};

/** The members of an object, from one part an element. */
const membersFrom = (
  structures: Structures,
  structure: Structure,
  parts: readonly JsonObject[],
  label: string,
): JsonObject => {
  const members: JsonObject = new Map();
  const names = new Map<string, BuiltValue[]>();
  for (const part of parts) {
    const name = partName(part);
    const inside = `${label}.${name}`;
    const rules = rulesNamed(structure, name);
    if (rules.length === 0) throw wrong(inside, `R4 has no such element in ${structure.path}`);
    const built = builtValue(structures, rules, part, inside);
    const values = names.get(built.rule.name) ?? [];
    if (values.length > 0 && !built.rule.isArray)
      throw wrong(inside, 'the element does not repeat, and is given twice');
    names.set(built.rule.name, [...values, built]);
  }
  for (const values of names.values()) if (values[0] !== undefined) setPairs({ members }, values[0].rule, values);
  return members;
};

/**
 * Builds the value of an element that `rules` allow, from the members of a part. Throws a FhirError 422 if it is of
 * another type; `label` begins its sentence.
 */
export const builtValue = (
  structures: Structures,
  rules: readonly ElementRule[],
  part: JsonObject,
  label: string,
): BuiltValue => {
  const key = [...part.keys()].find((name) => /^_?value/.test(name))?.replace('_', '');
  if (key === undefined) {
    const resource = part.get('resource');
    if (resource !== undefined) return fromResource(rules, resource.node, label);
    const parts = partsIn(part);
    if (parts.length === 0) throw wrong(label, 'the part has neither a value nor parts');
    return fromParts(structures, rules, parts, label);
  }
  const type = structures.structure('Parameters.parameter')?.elements.get(key)?.type ?? '';
  const rule = ruleFor(rules, type);
  if (rule === undefined) throw wrong(label, `a ${type} is given where ${typesOf(rules)} is expected`);
  const value = copied(part.get(key)?.node);
  const twin = copied(part.get(`_${key}`)?.node);
  return { rule, ...(value === undefined ? {} : { value }), ...(twin === undefined ? {} : { twin }) };
};

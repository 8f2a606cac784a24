/**
 * Elements of a resource under patch. A primitive element is two members of its object, the value and its `_` twin, and
 * a list of primitives two arrays in step; here they are pairs, so that an edit cannot part them.
 *
 * @see https://hl7.org/fhir/R4/json.html#primitive
 */
import type { ElementRule, Structure, Structures } from '../definitions/structures.ts';
import {
  type JsonNode,
  type JsonObject,
  jsonNode,
  jsonText,
  openedArray,
  openedObject,
  setMember,
} from '../fhir/exact-json.ts';
import type { Steps } from './patch-path.ts';

/** An element, or an item of a list: its value, and for a primitive its id and extensions. */
export interface Pair {
  readonly value?: JsonNode;
  readonly twin?: JsonNode;
}

/** An object that holds elements; the resource itself hangs nowhere. */
export interface Holder {
  readonly members: JsonObject;
  readonly structure: Structure;
  readonly hangsAt: ElementPlace | undefined;
}

export interface ElementPlace {
  readonly holder: Holder;
  readonly rule: ElementRule;
  /** Where it stands in a list; 0 where there is none. */
  readonly index: number;
}

/** The rules of an element by its name: those of a choice for `value`, one for `valueQuantity`. */
export const rulesNamed = ({ elements }: Structure, name: string): ElementRule[] =>
  [...elements.values()].filter((rule) => rule.name === name || rule.key === name);

export const isPrimitive = ({ structure }: ElementRule): boolean => structure.kind === 'primitive-type';

const twinKey = ({ key }: ElementRule): string => `_${key}`;

export const isPresent = ({ members }: Holder, rule: ElementRule): boolean =>
  members.has(rule.key) || (isPrimitive(rule) && members.has(twinKey(rule)));

const unlessNull = (node: JsonNode | undefined): JsonNode | undefined =>
  node === undefined || node.content === 'null' ? undefined : node;

const pairOf = (value: JsonNode | undefined, twin: JsonNode | undefined): Pair => ({
  ...(unlessNull(value) === undefined ? {} : { value: value as JsonNode }),
  ...(unlessNull(twin) === undefined ? {} : { twin: twin as JsonNode }),
});

/** The items of a list; none or one for an element that does not repeat. */
export const pairsAt = (holder: Holder, rule: ElementRule): Pair[] => {
  if (!isPresent(holder, rule)) return [];
  const value = holder.members.get(rule.key)?.node;
  const twin = isPrimitive(rule) ? holder.members.get(twinKey(rule))?.node : undefined;
  if (!rule.isArray) return [pairOf(value, twin)];
  const values = value === undefined ? [] : (openedArray(value) ?? []);
  const twins = twin === undefined ? [] : (openedArray(twin) ?? []);
  return Array.from({ length: Math.max(values.length, twins.length) }, (_, index) =>
    pairOf(values[index], twins[index]),
  );
};

const setNodes = (
  members: JsonObject,
  key: string,
  nodes: readonly (JsonNode | undefined)[],
  isArray: boolean,
): void => {
  const [first] = nodes;
  if (nodes.every((node) => node === undefined)) members.delete(key);
  else if (isArray) setMember(members, key, { content: nodes.map((node) => node ?? jsonNode('null')) });
  else if (first !== undefined) setMember(members, key, first);
};

/** Puts the items in place of those that were there. */
export const setPairs = ({ members }: Pick<Holder, 'members'>, rule: ElementRule, pairs: readonly Pair[]): void => {
  const values = pairs.map(({ value }) => value);
  const twins = pairs.map(({ twin }) => twin);
  setNodes(members, rule.key, values, rule.isArray);
  if (isPrimitive(rule)) setNodes(members, twinKey(rule), twins, rule.isArray);
};

/** Takes an element out; what it leaves empty goes with it, as R4 has no empty objects and arrays. */
export const removeElement = ({ holder, rule, index }: ElementPlace): void => {
  setPairs(
    holder,
    rule,
    pairsAt(holder, rule).filter((_, position) => position !== index),
  );
  const { hangsAt, members } = holder;
  if (members.size > 0 || hangsAt === undefined) return;
  const pairs = pairsAt(hangsAt.holder, hangsAt.rule);
  const value = isPrimitive(hangsAt.rule) ? pairs[hangsAt.index]?.value : undefined;
  if (value === undefined) removeElement(hangsAt);
  else setPairs(hangsAt.holder, hangsAt.rule, pairs.with(hangsAt.index, { value }));
};

const structureOf = (structures: Structures, members: JsonObject, rule: ElementRule): Structure => {
  if (isPrimitive(rule)) return structures.structure('Element') ?? rule.structure;
  const type = members.get('resourceType');
  if (rule.type !== 'Resource' || type === undefined) return rule.structure;
  return structures.structure(JSON.parse(jsonText(type.node))) ?? rule.structure;
};

/** The object with the children of an element. A primitive that has none yet gets one. */
export const holderAt = (structures: Structures, place: ElementPlace): Holder | undefined => {
  const { holder, rule, index } = place;
  const pairs = pairsAt(holder, rule);
  let { value, twin } = pairs[index] ?? {};
  if (isPrimitive(rule) && twin === undefined) {
    twin = { content: new Map() };
    setPairs(holder, rule, pairs.with(index, { ...pairs[index], twin }));
  }
  const node = isPrimitive(rule) ? twin : value;
  const members = node === undefined ? undefined : openedObject(node);
  return members && { members, structure: structureOf(structures, members, rule), hangsAt: place };
};

/** The element at the end of `steps`, which are not none; undefined for a member that is no element of R4. */
export const elementAt = (structures: Structures, root: Holder, steps: Steps): ElementPlace | undefined => {
  let holder: Holder | undefined = root;
  let place: ElementPlace | undefined;
  for (const { name, index = 0 } of steps) {
    if (place !== undefined) holder = holderAt(structures, place);
    if (holder === undefined) return undefined;
    const within: Holder = holder;
    const rule = rulesNamed(within.structure, name).find((candidate) => isPresent(within, candidate));
    if (rule === undefined) return undefined;
    place = { holder: within, rule, index };
  }
  return place;
};

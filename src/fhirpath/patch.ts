/**
 * FHIRPath Patch, on text: what a patch does not touch keeps its digits and its order. The `fhirpath` package tells where
 * the elements are that a path selects; the edit is made in the text, at that place.
 *
 * @see https://hl7.org/fhir/R4/fhirpatch.html
 */
import type { ElementRule, Structures } from '../definitions/structures.ts';
import { jsonNode, jsonText, openedObject } from '../fhir/exact-json.ts';
import { FhirError, tooCostly, unprocessable } from '../fhir/fhir-error.ts';
import {
  type ElementPlace,
  elementAt,
  type Holder,
  holderAt,
  isPresent,
  pairsAt,
  removeElement,
  rulesNamed,
  setPairs,
} from './patch-element.ts';
import { type PatchOperation, patchOperations } from './patch-operation.ts';
import { compilePatchPath, type PatchPath, type Steps } from './patch-path.ts';
import { builtValue } from './patch-value.ts';

/**
 * The text of a resource with a patch applied; `patch` is a Parameters resource, both are valid and compact, as `parseJson`
 * returns them. Throws a FhirError 400 for an operation that is wrong in itself, 422 for one that cannot be applied.
 */
export type FhirPathPatch = (text: string, patch: string) => string;

/** Limits of a patch: how many operations it has, and how many steps their paths may take. */
interface PatchLimits {
  readonly patchOperations: number;
  /** A step is one part of a path at one element of the resource: some 5 million take a second. */
  readonly patchSteps: number;
}

/** Texts cost less than elements: so many characters count as an element. */
const ELEMENT_CHARACTERS = 40;

/** How many values there are in parsed JSON. */
const sizeOf = (value: unknown): number => {
  if (typeof value !== 'object' || value === null) return 1;
  let sum = 1;
  for (const each of Object.values(value)) sum += sizeOf(each);
  return sum;
};

/** What a path of `weight` costs on a resource of so many values. */
const stepsFor = (text: string, size: number, weight: number): number =>
  size * weight + Math.ceil(text.length / ELEMENT_CHARACTERS);

/** A resource between two operations. */
interface Patched {
  readonly structures: Structures;
  readonly root: Holder;
  /** Evaluates a path on the resource as it is now. */
  select(path: PatchPath): Steps[];
}

const refused = ({ label }: PatchOperation, reason: string): FhirError => unprocessable(`${label}: ${reason}`);

const selectedBy = (patched: Patched, operation: PatchOperation, path: PatchPath, text: string): Steps[] => {
  try {
    return patched.select(path);
  } catch (error) {
    if (error instanceof FhirError) throw error;
    throw refused(operation, `the path '${text}' cannot be followed: ${(error as Error).message}`);
  }
};

const placeOf = ({ structures, root }: Patched, operation: PatchOperation, steps: Steps): ElementPlace => {
  if (steps.length === 0) throw refused(operation, `'${operation.path}' is the resource itself`);
  const place = elementAt(structures, root, steps);
  if (place === undefined) throw refused(operation, `'${operation.path}' is no element of R4`);
  return place;
};

/** The one element that `text` selects. */
const single = (patched: Patched, operation: PatchOperation, path: PatchPath, text: string): Steps => {
  const [steps, ...more] = selectedBy(patched, operation, path, text);
  if (steps === undefined) throw refused(operation, `there is nothing at '${text}'`);
  if (more.length > 0) throw refused(operation, `'${text}' selects ${more.length + 1} elements; it must be one`);
  return steps;
};

const parentAt = (patched: Patched, operation: PatchOperation, path: PatchPath, text: string): Holder => {
  const steps = single(patched, operation, path, text);
  if (steps.length === 0) return patched.root;
  const holder = holderAt(patched.structures, placeOf(patched, operation, steps));
  if (holder === undefined) throw refused(operation, `'${text}' holds no elements`);
  return holder;
};

const rulesIn = (holder: Holder, operation: PatchOperation, name: string): ElementRule[] => {
  const rules = rulesNamed(holder.structure, name);
  if (rules.length === 0) throw refused(operation, `R4 has no element '${name}' in ${holder.structure.path}`);
  return rules;
};

/** All rules of the choice that a rule is of. */
const choiceOf = ({ structure }: Holder, { name }: ElementRule): ElementRule[] =>
  [...structure.elements.values()].filter((rule) => rule.name === name);

const add = (patched: Patched, operation: PatchOperation): void => {
  const { name, path, selected, value, label } = operation;
  const holder = parentAt(patched, operation, selected, path);
  const rules = rulesIn(holder, operation, name);
  const { rule, ...pair } = builtValue(patched.structures, rules, value, `${label}: value`);
  const isThere = choiceOf(holder, rule).some((candidate) => isPresent(holder, candidate));
  if (isThere && !rule.isArray) throw refused(operation, `'${name}' is there already, and does not repeat`);
  setPairs(holder, rule, [...pairsAt(holder, rule), pair]);
};

interface List {
  readonly holder: Holder;
  readonly rule: ElementRule;
}

const LAST_NAME = /^(?:(.*)\.)?\s*`?([A-Za-z_]\w*)`?\s*$/s;

/** A piece cut from a path need not be one. */
const pathOrNothing = (text: string): PatchPath | undefined => {
  try {
    return compilePatchPath(text);
  } catch {
    return undefined;
  }
};

/** The list at a path that selects nothing yet, by the path of its parent. */
const emptyList = (patched: Patched, operation: PatchOperation): List => {
  const { path } = operation;
  const [, parent, name] = LAST_NAME.exec(path) ?? [];
  const parentPath = parent === undefined ? undefined : pathOrNothing(parent);
  if (name === undefined || (parent !== undefined && parentPath === undefined))
    throw refused(operation, `there is nothing at '${path}'`);
  const holder = parentPath === undefined ? patched.root : parentAt(patched, operation, parentPath, parent ?? '');
  const [rule] = rulesIn(holder, operation, name);
  return { holder, rule: rule as ElementRule };
};

/** The list whose items a path selects, all of them. */
const listAt = (patched: Patched, operation: PatchOperation): List => {
  const { path, selected } = operation;
  const items = selectedBy(patched, operation, selected, path);
  const [first] = items;
  const { holder, rule } = first === undefined ? emptyList(patched, operation) : placeOf(patched, operation, first);
  if (!rule.isArray) throw refused(operation, `'${path}' is no list`);
  const ways = new Set(items.map((steps) => JSON.stringify([...steps.slice(0, -1), steps.at(-1)?.name])));
  if (ways.size > 1) throw refused(operation, `'${path}' selects items of several lists`);
  const { length } = pairsAt(holder, rule);
  if (items.length !== length)
    throw refused(operation, `'${path}' selects ${items.length} of the ${length} items of a list; it must be the list`);
  return { holder, rule };
};

const insert = (patched: Patched, operation: PatchOperation): void => {
  const { index, value, label } = operation;
  const { holder, rule } = listAt(patched, operation);
  const { rule: _rule, ...pair } = builtValue(patched.structures, [rule], value, `${label}: value`);
  const pairs = pairsAt(holder, rule);
  if (index > pairs.length)
    throw refused(operation, `the index ${index} is beyond the ${pairs.length} items of the list`);
  setPairs(holder, rule, pairs.toSpliced(index, 0, pair));
};

const move = (patched: Patched, operation: PatchOperation): void => {
  const { source, destination } = operation;
  const { holder, rule } = listAt(patched, operation);
  const pairs = pairsAt(holder, rule);
  for (const [name, index] of Object.entries({ source, destination }))
    if (index >= pairs.length)
      throw refused(operation, `the ${name} ${index} is beyond the ${pairs.length} items of the list`);
  setPairs(holder, rule, pairs.toSpliced(source, 1).toSpliced(destination, 0, ...pairs.slice(source, source + 1)));
};

const replace = (patched: Patched, operation: PatchOperation): void => {
  const { path, selected, value, label } = operation;
  const place = placeOf(patched, operation, single(patched, operation, selected, path));
  const { holder, rule, index } = place;
  const { rule: newRule, ...pair } = builtValue(patched.structures, choiceOf(holder, rule), value, `${label}: value`);
  if (newRule.key === rule.key) {
    setPairs(holder, rule, pairsAt(holder, rule).with(index, pair));
    return;
  }
  setPairs(holder, rule, []);
  setPairs(holder, newRule, [pair]);
};

const remove = (patched: Patched, operation: PatchOperation): void => {
  const { path, selected } = operation;
  const found = selectedBy(patched, operation, selected, path);
  if (found.length === 0) return;
  if (found.length > 1) throw refused(operation, `'${path}' selects ${found.length} elements; only one can be deleted`);
  removeElement(placeOf(patched, operation, found[0] ?? []));
};

const APPLIED = { add, insert, delete: remove, replace, move } as const;

/** Makes the function that applies patches. */
export const createFhirPathPatch =
  (structures: Structures, limits: PatchLimits): FhirPathPatch =>
  (text, patch) => {
    const node = jsonNode(text);
    const members = openedObject(node);
    const type = members?.get('resourceType');
    const structure = type === undefined ? undefined : structures.structure(JSON.parse(jsonText(type.node)));
    if (members === undefined || structure === undefined) throw new Error('Only a resource can be patched');
    const { patchSteps } = limits;
    const checkSteps = (steps: number): void => {
      if (steps <= patchSteps) return;
      const reason = `for a resource of this size: ${steps} steps, and the limit is ${patchSteps} (CONSILIUM_PATCH_STEPS)`;
      throw tooCostly(`This patch has too many operations, or too long paths, ${reason}`);
    };
    const operations = patchOperations(patch, limits.patchOperations);
    // Before any work is done; what the operations add is counted as they go.
    const size = sizeOf(JSON.parse(text));
    checkSteps(operations.reduce((steps, { selected }) => steps + stepsFor(text, size, selected.weight), 0));
    let taken = 0;
    const select: Patched['select'] = ({ weight, places }) => {
      const current = jsonText(node);
      const resource = JSON.parse(current);
      taken += stepsFor(current, sizeOf(resource), weight);
      checkSteps(taken);
      return places(resource);
    };
    const patched = { structures, root: { members, structure, hangsAt: undefined }, select };
    for (const operation of operations) APPLIED[operation.type](patched, operation);
    return jsonText(node);
  };

/**
 * Reads the operations of a FHIRPath Patch from their Parameters resource.
 *
 * @see https://hl7.org/fhir/R4/fhirpatch.html
 */
import { type JsonNode, type JsonObject, jsonNode, jsonText, openedArray, openedObject } from '../fhir/exact-json.ts';
import { invalid, tooCostly } from '../fhir/fhir-error.ts';
import { compilePatchPath, type PatchPath } from './patch-path.ts';

/** The parts that each type of operation has, all of them required. */
const PARTS = {
  add: ['path', 'name', 'value'],
  insert: ['path', 'index', 'value'],
  delete: ['path'],
  replace: ['path', 'value'],
  move: ['path', 'source', 'destination'],
} as const;

type PartName = (typeof PARTS)[keyof typeof PARTS][number];

/** Where the value of a part stands; a `value` may be of any type, or be made of parts. */
const MEMBERS: Readonly<Record<Exclude<PartName, 'value'> | 'type', string>> = {
  type: 'valueCode',
  path: 'valueString',
  name: 'valueString',
  index: 'valueInteger',
  source: 'valueInteger',
  destination: 'valueInteger',
};

export interface PatchOperation {
  readonly type: keyof typeof PARTS;
  readonly path: string;
  readonly selected: PatchPath;
  /** Of `add`: the element to add. */
  readonly name: string;
  /** Of `add`, `insert` and `replace`: the members of the part. */
  readonly value: JsonObject;
  /** Of `insert`. */
  readonly index: number;
  /** Of `move`. */
  readonly source: number;
  /** Of `move`: where the item stands once it is taken out and put in again. */
  readonly destination: number;
  /** Begins a sentence about this operation. */
  readonly label: string;
}

export const partName = (part: JsonObject): string => String(scalarIn(part, 'name') ?? '');

export const partsIn = (part: JsonObject): JsonObject[] =>
  itemsIn(part, 'part').flatMap((node) => openedObject(node) ?? []);

const itemsIn = (members: JsonObject, key: string): JsonNode[] => {
  const member = members.get(key);
  return member === undefined ? [] : (openedArray(member.node) ?? []);
};

const scalarIn = (members: JsonObject, key: string): unknown => {
  const member = members.get(key);
  return member === undefined ? undefined : JSON.parse(jsonText(member.node));
};

/** The parts of an operation by their names. */
const namedParts = (parameter: JsonObject, label: string): Map<string, JsonObject> => {
  const parts = new Map<string, JsonObject>();
  for (const part of partsIn(parameter)) {
    const name = partName(part);
    if (name !== 'value' && !Object.hasOwn(MEMBERS, name)) throw invalid(`${label}: a patch has no part '${name}'`);
    if (parts.has(name)) throw invalid(`${label}: the part '${name}' stands twice`);
    parts.set(name, part);
  }
  return parts;
};

const partValue = (parts: ReadonlyMap<string, JsonObject>, name: keyof typeof MEMBERS, label: string): unknown => {
  const part = parts.get(name);
  if (part === undefined) throw invalid(`${label}: the part '${name}' is missing`);
  const value = scalarIn(part, MEMBERS[name]);
  if (value === undefined) throw invalid(`${label}: the part '${name}' needs a ${MEMBERS[name]}`);
  return value;
};

const isType = (text: unknown): text is keyof typeof PARTS => typeof text === 'string' && Object.hasOwn(PARTS, text);

const compiledPath = (path: string, label: string): PatchPath => {
  try {
    return compilePatchPath(path);
  } catch (error) {
    throw invalid(`${label}: the path '${path}' cannot be used: ${(error as Error).message}`);
  }
};

const parsedOperation = (parameter: JsonObject, position: number): PatchOperation => {
  const unnamed = `Operation ${position}`;
  if (partName(parameter) !== 'operation')
    throw invalid(`${unnamed}: the parameters of a patch are named 'operation', not '${partName(parameter)}'`);
  const parts = namedParts(parameter, unnamed);
  const type = partValue(parts, 'type', unnamed);
  if (!isType(type)) throw invalid(`${unnamed}: the type '${type}' is none of ${Object.keys(PARTS).join(', ')}`);
  const label = `${unnamed} (${type})`;
  const expected: readonly PartName[] = PARTS[type];
  for (const name of parts.keys())
    if (name !== 'type' && !expected.includes(name as PartName))
      throw invalid(`${label}: ${type} has no part '${name}'; it has ${expected.join(', ')}`);
  const text = (name: 'path' | 'name'): string => String(partValue(parts, name, label));
  const count = (name: 'index' | 'source' | 'destination'): number => {
    if (!expected.includes(name)) return 0;
    const value = Number(partValue(parts, name, label));
    if (value < 0) throw invalid(`${label}: the part '${name}' is ${value}; positions count from 0`);
    return value;
  };
  const path = text('path');
  const value = parts.get('value');
  if (expected.includes('value') && value === undefined) throw invalid(`${label}: the part 'value' is missing`);
  return {
    type,
    path,
    selected: compiledPath(path, label),
    name: type === 'add' ? text('name') : '',
    value: value ?? new Map(),
    index: count('index'),
    source: count('source'),
    destination: count('destination'),
    label,
  };
};

/**
 * The operations in a Parameters resource, given as compact text and known to be valid. Throws a FhirError 400 that names
 * the operation and the part at fault, 422 if there are more than `limit`.
 */
export const patchOperations = (text: string, limit: number): PatchOperation[] => {
  const parameters = itemsIn(openedObject(jsonNode(text)) ?? new Map(), 'parameter');
  if (parameters.length > limit)
    throw tooCostly(`${parameters.length} operations; the limit of a patch is ${limit} (CONSILIUM_PATCH_OPERATIONS)`);
  return parameters.map((node, position) => parsedOperation(openedObject(node) ?? new Map(), position));
};

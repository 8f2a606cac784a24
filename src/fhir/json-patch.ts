/**
 * JSON Patch, on text: what a patch does not touch keeps its digits and its order. The packages for it (fast-json-patch,
 * rfc6902) work on parsed values, in which `1.10` is 1.1.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6902
 * @see https://www.rfc-editor.org/rfc/rfc5789#section-2.2 for the statuses of errors
 */
import { isEqualJson, type JsonNode, jsonNode, jsonText, openedArray, openedObject, setMember } from './exact-json.ts';
import { FhirError, invalid, issue, unprocessable } from './fhir-error.ts';

/** The most operations of a patch: each may move a whole list. */
export const PATCH_OPERATIONS_LIMIT = 1000;
/** The most characters that the `copy` operations of a patch may write: each can double the document. */
const COPIED_CHARACTERS_LIMIT = 10_000_000;

const OPERATIONS = ['add', 'remove', 'replace', 'move', 'copy', 'test'] as const;

/** Keys and indexes, unescaped; none is the whole document. */
type Pointer = readonly string[];

interface Operation {
  readonly op: (typeof OPERATIONS)[number];
  readonly path: Pointer;
  readonly from: Pointer;
  /** JSON; empty where the operation has none. */
  readonly value: string;
  /** Begins a sentence about this operation. */
  readonly name: string;
}

const parsedPointer = (text: unknown, name: string): Pointer => {
  if (typeof text !== 'string') throw invalid(`${name} must be a JSON Pointer, a string`);
  if (text === '') return [];
  if (!text.startsWith('/')) throw invalid(`${name}: '${text}' is not a JSON Pointer, which begins with a slash`);
  if (/~(?![01])/.test(text)) throw invalid(`${name}: '${text}' is not a JSON Pointer: after ~ comes 0 or 1`);
  const unescaped = (token: string): string => token.replaceAll('~1', '/').replaceAll('~0', '~');
  return text.slice(1).split('/').map(unescaped);
};

const isWithin = (inner: Pointer, outer: Pointer): boolean =>
  inner.length > outer.length && outer.every((token, index) => inner[index] === token);

const parsedOperation = (node: JsonNode, index: number): Operation => {
  const members = openedObject(node);
  if (members === undefined) throw invalid(`Operation ${index} is not an object`);
  const scalar = (key: string): unknown => {
    const member = members.get(key);
    return member === undefined ? undefined : JSON.parse(jsonText(member.node));
  };
  const given = scalar('op');
  const op = OPERATIONS.find((known) => known === given);
  if (op === undefined) {
    const what = typeof given === 'string' ? `'${given}' is none of` : 'must be one of';
    throw invalid(`Operation ${index}: op ${what} ${OPERATIONS.join(', ')}`);
  }
  const name = `Operation ${index} (${op})`;
  const path = parsedPointer(scalar('path'), `${name}: path`);
  const from = op === 'move' || op === 'copy' ? parsedPointer(scalar('from'), `${name}: from`) : [];
  if (op === 'move' && isWithin(path, from)) throw invalid(`${name}: a value cannot be moved into itself`);
  const value = members.get('value');
  if (value === undefined && ['add', 'replace', 'test'].includes(op)) throw invalid(`${name}: value is missing`);
  return { op, path, from, value: value === undefined ? '' : jsonText(value.node), name };
};

const parsedPatch = (text: string): Operation[] => {
  const operations = openedArray(jsonNode(text));
  if (operations === undefined) throw invalid('A JSON Patch is an array of operations');
  if (operations.length > PATCH_OPERATIONS_LIMIT) {
    const reason = `A patch of ${operations.length} operations; the limit of this server is ${PATCH_OPERATIONS_LIMIT}`;
    throw new FhirError(422, [issue('too-costly', reason)]);
  }
  return operations.map(parsedOperation);
};

const pointerText = (pointer: Pointer): string =>
  pointer.map((token) => `/${token.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');

const nothingAt = (name: string, pointer: Pointer): FhirError =>
  unprocessable(`${name}: there is nothing at '${pointerText(pointer)}'`);

const INDEX = /^(?:0|[1-9]\d{0,9})$/;

/** The value at a pointer. Throws a FhirError 422 if there is none. */
const valueAt = (root: JsonNode, pointer: Pointer, name: string): JsonNode => {
  let node: JsonNode | undefined = root;
  for (const [depth, token] of pointer.entries()) {
    const items: JsonNode[] | undefined = openedArray(node);
    if (items === undefined) node = openedObject(node)?.get(token)?.node;
    else node = INDEX.test(token) ? items[Number(token)] : undefined;
    if (node === undefined) throw nothingAt(name, pointer.slice(0, depth + 1));
  }
  return node;
};

/** Splits a pointer that is not empty into its container and its last token. */
const placeOf = (root: JsonNode, pointer: Pointer, name: string): { container: JsonNode; token: string } => ({
  container: valueAt(root, pointer.slice(0, -1), name),
  token: pointer.at(-1) ?? '',
});

const add = (root: JsonNode, pointer: Pointer, value: JsonNode, name: string): void => {
  if (pointer.length === 0) {
    root.content = value.content;
    return;
  }
  const { container, token } = placeOf(root, pointer, name);
  const items = openedArray(container);
  if (items !== undefined) {
    const index = token === '-' ? items.length : INDEX.test(token) ? Number(token) : Number.NaN;
    if (!(index <= items.length))
      throw unprocessable(`${name}: '${token}' in '${pointerText(pointer)}' is no index up to ${items.length}`);
    items.splice(index, 0, value);
    return;
  }
  const members = openedObject(container);
  if (members === undefined) throw nothingAt(name, pointer);
  setMember(members, token, value);
};

const remove = (root: JsonNode, pointer: Pointer, name: string): JsonNode => {
  if (pointer.length === 0) throw unprocessable(`${name}: the whole document cannot be removed`);
  const removed = valueAt(root, pointer, name);
  const { container, token } = placeOf(root, pointer, name);
  openedArray(container)?.splice(Number(token), 1);
  openedObject(container)?.delete(token);
  return removed;
};

const copied = (root: JsonNode, { from, name }: Operation, budget: { characters: number }): JsonNode => {
  const text = jsonText(valueAt(root, from, name));
  budget.characters -= text.length;
  if (budget.characters < 0) {
    const reason = `${name}: the patch copies more than ${COPIED_CHARACTERS_LIMIT} characters, the limit of this server`;
    throw new FhirError(422, [issue('too-costly', reason)]);
  }
  return jsonNode(text);
};

const apply = (root: JsonNode, operation: Operation, budget: { characters: number }): void => {
  const { op, path, from, value, name } = operation;
  switch (op) {
    case 'add':
      add(root, path, jsonNode(value), name);
      return;
    case 'remove':
      remove(root, path, name);
      return;
    case 'replace':
      valueAt(root, path, name).content = value;
      return;
    case 'move':
      // A value that is moved to where it stands stays there, also if it is the whole document.
      if (pointerText(from) === pointerText(path)) valueAt(root, from, name);
      else add(root, path, remove(root, from, name), name);
      return;
    case 'copy':
      add(root, path, copied(root, operation, budget), name);
      return;
    case 'test':
      if (isEqualJson(valueAt(root, path, name), jsonNode(value))) return;
      throw unprocessable(`${name}: the value at '${pointerText(path)}' is another`);
  }
};

/**
 * The text of a document with a patch applied; both are compact, as `parseJson` returns them. Throws a FhirError 400 for
 * a patch that is malformed, 422 for one that cannot be applied: a path that is not there, a test that fails, a limit.
 *
 * @example
 * jsonPatched('{"a":1.10,"b":2}', '[{"op":"replace","path":"/b","value":3.0}]'); // '{"a":1.10,"b":3.0}'
 */
export const jsonPatched = (text: string, patch: string): string => {
  const root = jsonNode(text);
  const budget = { characters: COPIED_CHARACTERS_LIMIT };
  const operations = parsedPatch(patch);
  try {
    for (const operation of operations) apply(root, operation, budget);
    return jsonText(root);
  } catch (error) {
    // Operations can put values into values, until the stack is too small to print them.
    if (error instanceof RangeError) throw unprocessable('The result of the patch is nested too deeply');
    throw error;
  }
};

/**
 * JSON as a tree that is opened only where it is edited. What is never opened stays the text that it was, so that an edit
 * keeps all else as it was written: the digits of numbers, the escapes of strings, the order of keys. (A reviver with
 * `JSON.rawJSON` would keep the digits, but not the keys and escapes, and would build all of the tree.)
 */
import { elementsOf, membersOf } from './json-members.ts';

/** A member of an object; its key is written as `keyText`, quotes included. */
interface JsonMember {
  readonly keyText: string;
  node: JsonNode;
}

/** By key. A Map has no prototype that a key could reach. */
export type JsonObject = Map<string, JsonMember>;

/** A value: compact text as `parseJson` returns it, or the parts that it was opened into. */
export interface JsonNode {
  content: string | JsonNode[] | JsonObject;
}

export const jsonNode = (text: string): JsonNode => ({ content: text });

const memberText = ({ keyText, node }: JsonMember): string => `${keyText}:${jsonText(node)}`;

/** The compact text of a value. */
export const jsonText = ({ content }: JsonNode): string => {
  if (typeof content === 'string') return content;
  if (Array.isArray(content)) return `[${content.map(jsonText).join(',')}]`;
  return `{${[...content.values()].map(memberText).join(',')}}`;
};

/** The members of an object, to be read and edited; undefined if the value is none. */
export const openedObject = (node: JsonNode): JsonObject | undefined => {
  const { content } = node;
  if (content instanceof Map) return content;
  if (typeof content !== 'string' || !content.startsWith('{')) return undefined;
  const members: JsonObject = new Map(
    membersOf(content).map(({ key, whole, value }) => [
      key,
      { keyText: content.slice(whole.start, value.start - 1), node: jsonNode(content.slice(value.start, value.end)) },
    ]),
  );
  node.content = members;
  return members;
};

/** The elements of an array, to be read and edited; undefined if the value is none. */
export const openedArray = (node: JsonNode): JsonNode[] | undefined => {
  const { content } = node;
  if (Array.isArray(content)) return content;
  if (typeof content !== 'string' || !content.startsWith('[')) return undefined;
  const items = elementsOf(content, 0).map(({ start, end }) => jsonNode(content.slice(start, end)));
  node.content = items;
  return items;
};

/** Puts a value in its key's place, or behind the other members. */
export const setMember = (members: JsonObject, key: string, node: JsonNode): void => {
  const member = members.get(key);
  if (member === undefined) members.set(key, { keyText: JSON.stringify(key), node });
  else member.node = node;
};

const NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

/** The same text for the same number: `1.0`, `1` and `10e-1` are all `1e0`. Undefined if it is no number. */
const numberValue = (text: string): string | undefined => {
  const match = NUMBER.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = '', fraction = '', exponent = '0'] = match;
  const digits = (whole + fraction).replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return '0';
  return `${sign}${significant}e${Number(exponent) - fraction.length + digits.length - significant.length}`;
};

const isEqualScalar = (one: string, other: string): boolean => {
  if (one === other) return true;
  if (one.startsWith('"') && other.startsWith('"')) return JSON.parse(one) === JSON.parse(other);
  const value = numberValue(one);
  return value !== undefined && value === numberValue(other);
};

/**
 * Whether two values are the same: numbers by what they are worth, exactly, and members in any order.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6902#section-4.6
 */
export const isEqualJson = (one: JsonNode, other: JsonNode): boolean => {
  const members = openedObject(one);
  const otherMembers = openedObject(other);
  if (members !== undefined || otherMembers !== undefined) {
    if (members?.size !== otherMembers?.size) return false;
    return [...(members ?? [])].every(([key, { node }]) => {
      const counterpart = otherMembers?.get(key);
      return counterpart !== undefined && isEqualJson(node, counterpart.node);
    });
  }
  const items = openedArray(one);
  const otherItems = openedArray(other);
  if (items === undefined || otherItems === undefined) {
    return items === otherItems && isEqualScalar(jsonText(one), jsonText(other));
  }
  if (items.length !== otherItems.length) return false;
  return items.every((item, index) => isEqualJson(item, otherItems[index] as JsonNode));
};

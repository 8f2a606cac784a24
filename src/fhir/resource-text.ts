/**
 * The JSON text of a resource, cut at the one place where the store writes `meta.versionId` and `meta.lastUpdated`.
 * All else stays as the client wrote it: digits, key order, `_` twins.
 */
import { instantText } from './date-time.ts';
import { type Member, membersOf } from './json-members.ts';
import type { Reference } from './reference.ts';

export interface ResourceText extends Reference {
  /** Up to and with `"meta":{`. */
  readonly head: string;
  /** From the first member of `meta` that is not the server's. */
  readonly tail: string | LargeText;
}

/** UTF-8 that is never put together. */
export interface LargeText {
  /** Not there while the text is being stored, as a store may take them elsewhere; it brings them back. */
  parts: readonly Uint8Array[];
}

/** Tails from this size on, in bytes, are left in parts. */
const LARGE_TAIL = 256 * 1024;

/** One text of several parts; a large one is not put together. */
export const joinedText = (parts: readonly (string | Uint8Array)[]): ResourceText['tail'] => {
  const bytes = parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part));
  return lengthOf(bytes) < LARGE_TAIL ? Buffer.concat(bytes).toString() : { parts: bytes };
};

const lengthOf = (parts: readonly Uint8Array[]): number => parts.reduce((sum, { length }) => sum + length, 0);

/** What the server writes into `meta`: versions count from 1, `lastUpdated` in milliseconds since 1970 UTC. */
export interface Stamp {
  readonly version: number;
  readonly lastUpdated: number;
}

const SERVER_META = new Set(['versionId', '_versionId', 'lastUpdated', '_lastUpdated']);

const restOfMeta = (text: string, meta: Member): string =>
  membersOf(text, meta.value.start)
    .filter(({ key }) => !SERVER_META.has(key))
    .map(({ whole }) => text.slice(whole.start, whole.end))
    .join(',');

/**
 * Prepares compact text of a valid resource for storage under `id`: its own `id` and version are replaced. `id` comes
 * behind `resourceType` and `meta` behind `id` where the text has none.
 */
export const resourceText = (text: string, type: string, id: string): ResourceText => {
  const members = membersOf(text);
  const meta = members.find(({ key }) => key === 'meta');
  const hasId = members.some(({ key }) => key === 'id');
  const idMember = `"id":${JSON.stringify(id)}`;
  const parts: string[] = [];
  let head = '';
  const cut = (): void => {
    head = `{${[...parts, '"meta":{'].join(',')}`;
    parts.length = 0;
  };
  for (const { key, whole } of members) {
    if (key === 'meta') {
      cut();
      continue;
    }
    parts.push(key === 'id' ? idMember : text.slice(whole.start, whole.end));
    if (key === 'resourceType' && !hasId) parts.push(idMember);
    if (meta === undefined && (key === 'id' || (key === 'resourceType' && !hasId))) cut();
  }
  const rest = meta === undefined ? '' : restOfMeta(text, meta);
  const after = parts.length === 0 ? '' : `,${parts.join(',')}`;
  return { type, id, head, tail: `${rest === '' ? '' : `,${rest}`}}${after}}` };
};

const stampText = ({ version, lastUpdated }: Stamp): string =>
  `"versionId":"${version}","lastUpdated":"${instantText(lastUpdated)}"`;

type Stamped = Pick<ResourceText, 'head' | 'tail'>;

const stampedParts = ({ head, tail }: Stamped, stamp: Stamp): readonly Uint8Array[] =>
  typeof tail === 'string'
    ? [Buffer.from(`${head}${stampText(stamp)}${tail}`)]
    : [Buffer.from(`${head}${stampText(stamp)}`), ...tail.parts];

/** The whole text of one version. */
export const stampedText = (resource: Stamped, stamp: Stamp): string =>
  typeof resource.tail === 'string'
    ? `${resource.head}${stampText(stamp)}${resource.tail}`
    : stampedBytes(resource, stamp).toString();

/** The same in UTF-8. */
export const stampedBytes = (resource: Stamped, stamp: Stamp): Buffer => {
  const parts = stampedParts(resource, stamp);
  const [first] = parts;
  return parts.length === 1 && Buffer.isBuffer(first) ? first : Buffer.concat(parts);
};

/** The length in bytes, without what the server writes into `meta`. */
export const textLength = ({ head, tail }: Stamped): number =>
  Buffer.byteLength(head) + (typeof tail === 'string' ? Buffer.byteLength(tail) : lengthOf(tail.parts));

/** The length of the whole text of one version, in bytes. */
export const stampedLength = (resource: Stamped, stamp: Stamp): number =>
  textLength(resource) + stampText(stamp).length;

/** Whether `text` is the text of that version. A large one is compared part by part. */
export const isStamped = (text: Buffer, resource: Stamped, stamp: Stamp): boolean => {
  const parts = stampedParts(resource, stamp);
  if (lengthOf(parts) !== text.length) return false;
  let at = 0;
  return parts.every((part) => {
    const from = at;
    at += part.length;
    return text.compare(part, 0, part.length, from, at) === 0;
  });
};

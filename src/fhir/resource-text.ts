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
  readonly tail: string;
}

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

/** The whole text of one version. */
export const stampedText = ({ head, tail }: Pick<ResourceText, 'head' | 'tail'>, stamp: Stamp): string =>
  `${head}"versionId":"${stamp.version}","lastUpdated":"${instantText(stamp.lastUpdated)}"${tail}`;

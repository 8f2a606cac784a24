/** A version as it is read from the database. */
import type { Action, Version } from '../store.ts';
import { unpackedBody } from './body.ts';

export interface VersionRow {
  readonly type: string;
  readonly id: string;
  readonly version: number;
  readonly updated: number;
  readonly live: number;
  /** An index of `ACTIONS`. */
  readonly action: number;
  readonly source: string | null;
  readonly body: Buffer;
}

/** As they are numbered in the database. */
const ACTIONS: readonly Action[] = ['delete', 'create', 'update-as-create', 'update'];

/** The source of the version in the table `row`, as text. */
export const sourceText = (row: string): string => `(SELECT text FROM symbol WHERE id = ${row}.source) AS source`;

/** What stands in a row for an action and the symbol of a source, 0 for none: the second migration says why. */
export const originOf = (action: Action, source: number | null): number => 4 * (source ?? 0) + ACTIONS.indexOf(action);

export const versionOf = ({ type, id, version, updated, live, action, source, body }: VersionRow): Version => ({
  type,
  id,
  version,
  lastUpdated: updated,
  isDeleted: live === 0,
  action: ACTIONS[action] ?? 'update',
  text: unpackedBody(body),
  ...(source === null ? {} : { source }),
});

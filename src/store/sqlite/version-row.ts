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
  readonly body: Buffer;
}

/** As they are numbered in the database. */
export const ACTIONS: readonly Action[] = ['delete', 'create', 'update-as-create', 'update'];

export const versionOf = ({ type, id, version, updated, live, action, body }: VersionRow): Version => ({
  type,
  id,
  version,
  lastUpdated: updated,
  isDeleted: live === 0,
  action: ACTIONS[action] ?? 'update',
  text: unpackedBody(body),
});

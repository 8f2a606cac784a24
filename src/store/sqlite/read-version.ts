/** Reads a version by its id, where it is asked; only a large text comes from another thread. */
import type { Reference } from '../../fhir/reference.ts';
import type { Store } from '../store.ts';
import { LARGE } from './body.ts';
import type { Connection } from './database.ts';
import type { LargeTexts } from './large-texts.ts';
import { openNames } from './names.ts';
import { sourceText, type VersionRow, versionOf } from './version-row.ts';

type Row = Omit<VersionRow, 'type' | 'id' | 'body'> & {
  readonly rid: number;
  /** Null for a large one. */
  readonly body: Buffer | null;
};

const columns = (table: string): string =>
  `rid, version, updated, live, action, ${sourceText(table)}, CASE WHEN length(body) < ${LARGE} THEN body END AS body`;
const NOT_READ = Buffer.alloc(0);

export const createReadVersion = (connection: Connection, { textOf }: LargeTexts): Store['read'] => {
  const names = openNames(connection);
  const current = connection.prepare<[number, string], Row>(
    `SELECT ${columns('resource')} FROM resource WHERE type = ? AND id = ? AND version > 0`,
  );
  const superseded = connection.prepare<[number, number], Row>(
    `SELECT ${columns('history')} FROM history WHERE rid = ? AND version = ?`,
  );
  const rowOf = ({ type, id }: Reference, version: number | undefined): Row | undefined => {
    const symbol = names.symbol(type);
    const newest = symbol === undefined ? undefined : current.get(symbol, id);
    if (version === undefined || newest === undefined || newest.version === version) return newest;
    return superseded.get(newest.rid, version);
  };
  return async ({ type, id }, version) => {
    const row = rowOf({ type, id }, version);
    if (row === undefined) return undefined;
    const found = versionOf({ ...row, type, id, body: row.body ?? NOT_READ });
    return row.body === null ? { ...found, text: await textOf(row) } : found;
  };
};

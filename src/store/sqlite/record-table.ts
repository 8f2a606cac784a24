/** Records in their table: read on any connection, changed in the writing thread. */
import type { StoredRecord } from '../store.ts';
import type { Connection } from './database.ts';

/** A record to be written (`value`) or deleted, if the revision that is there is the given one. */
export interface RecordChange {
  readonly key: string;
  readonly value?: string;
  /** 0 for one that is not there; undefined for whatever is there. */
  readonly revision?: number;
  /** Milliseconds since 1970 UTC. */
  readonly expires?: number;
}

interface RecordRow {
  readonly key: string;
  readonly value: string;
  readonly revision: number;
  readonly expires: number | null;
}

const recordOf = ({ expires, ...record }: RecordRow): StoredRecord =>
  expires === null ? record : { ...record, expires };

export const openRecords = (connection: Connection, now: () => number) => {
  const select = connection.prepare<[string, number], RecordRow>(
    'SELECT key, value, revision, expires FROM record WHERE key = ? AND (expires IS NULL OR expires > ?)',
  );
  const selectMany = connection.prepare<[string, string, string, number, number], RecordRow>(
    'SELECT key, value, revision, expires FROM record WHERE key >= ? AND key < ? AND key > ? AND (expires IS NULL OR expires > ?) ORDER BY key LIMIT ?',
  );
  return {
    get: (key: string): StoredRecord | undefined => {
      const row = select.get(key, now());
      return row === undefined ? undefined : recordOf(row);
    },
    list: (prefix: string, limit: number, after = ''): StoredRecord[] =>
      selectMany.all(prefix, `${prefix}\u{10FFFF}`, after, now(), limit).map(recordOf),
  };
};

/** How many expired records a change clears away with it. */
const CLEARED = 20;

export interface RecordTable {
  /** The new revision (0 after a deletion), or undefined if another revision is there. */
  change(change: RecordChange, at: number): number | undefined;
}

export const openRecordTable = (connection: Connection): RecordTable => {
  const revisionOf = connection
    .prepare('SELECT revision FROM record WHERE key = ? AND (expires IS NULL OR expires > ?)')
    .pluck();
  const save = connection.prepare('INSERT OR REPLACE INTO record (key, value, revision, expires) VALUES (?, ?, ?, ?)');
  const remove = connection.prepare('DELETE FROM record WHERE key = ?');
  const clear = connection.prepare(
    `DELETE FROM record WHERE key IN (SELECT key FROM record WHERE expires <= ? LIMIT ${CLEARED})`,
  );
  return {
    change: ({ key, value, revision, expires }, at) => {
      clear.run(at);
      const current = (revisionOf.get(key, at) as number | undefined) ?? 0;
      if (revision !== undefined && revision !== current) return undefined;
      if (value === undefined) {
        remove.run(key);
        return 0;
      }
      save.run(key, value, current + 1, expires ?? null);
      return current + 1;
    },
  };
};

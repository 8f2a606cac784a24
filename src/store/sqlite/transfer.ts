/** Everything as it is stored, for a copy into another store, and from one: numbers, versions and times stay. */
import type { IndexEntry } from '../../search/index-entry.ts';
import type { NumberedReference, StoredHistory, Version } from '../store.ts';
import { linesOf, type WriteTarget } from './apply-write.ts';
import { packedBody } from './body.ts';
import type { Connection } from './database.ts';
import { indexLines, openIndexTables } from './index-rows.ts';
import { originOf, sourceText, type VersionRow, versionOf } from './version-row.ts';

export type RestoredHistory = StoredHistory & { readonly entries: readonly IndexEntry[] };

/** What the writing thread is asked in order to take a copy. */
export type TransferRequest =
  | { readonly reserve: readonly NumberedReference[] }
  | { readonly restore: readonly RestoredHistory[] };

const REFERENCES = `SELECT r.rid, s.text AS type, r.id FROM resource r JOIN symbol s ON s.id = r.type
  WHERE r.rid > ? AND r.version > 0 ORDER BY r.rid LIMIT ?`;
const version = (table: string): string => `version, updated, live, action, ${sourceText(table)}, body`;

/** What a copy reads. */
export const openTransferReads = (connection: Connection) => {
  const references = connection.prepare<[number, number], NumberedReference>(REFERENCES);
  const superseded = connection.prepare<[number], Omit<VersionRow, 'type' | 'id'>>(
    `SELECT ${version('history')} FROM history WHERE rid = ? ORDER BY version`,
  );
  const current = connection.prepare<[number], Omit<VersionRow, 'type' | 'id'>>(
    `SELECT ${version('resource')} FROM resource WHERE rid = ?`,
  );
  const historyOf = ({ rid, type, id }: NumberedReference): StoredHistory => ({
    ...{ rid, type, id },
    versions: [...superseded.all(rid), ...current.all(rid)].map((row) => versionOf({ type, id, ...row })),
  });
  return {
    references: (after: number, limit: number): NumberedReference[] => references.all(after, limit),
    /** In one snapshot, so that no version is missed or there twice. */
    histories: connection.transaction((after: number, limit: number, bytes?: number): StoredHistory[] => {
      const found: StoredHistory[] = [];
      let room = bytes ?? Number.POSITIVE_INFINITY;
      for (const reference of references.all(after, limit)) {
        const history = historyOf(reference);
        for (const { text } of history.versions) room -= text.length;
        if (room < 0 && found.length > 0) break;
        found.push(history);
      }
      return found;
    }),
  };
};

/** What a copy writes, in the writing thread. */
export const openTransferWrites = ({ connection, symbols, rids, counts }: WriteTarget) => {
  const index = openIndexTables(connection);
  const ridOfId = connection.prepare('SELECT rid FROM resource WHERE type = ? AND id = ?').pluck();
  const stub = connection.prepare(
    `INSERT INTO resource (rid, type, id, version, updated, live, origin, index_rows, body) VALUES (?, ?, ?, 0, 0, 0, 0, '', x'')`,
  );
  const select = connection.prepare<[number], { version: number; live: number; index_rows: string }>(
    'SELECT version, live, index_rows FROM resource WHERE rid = ?',
  );
  const change = connection.prepare(
    'UPDATE resource SET version = ?, updated = ?, live = ?, origin = ?, index_rows = ?, body = ? WHERE rid = ?',
  );
  const archive = connection.prepare(
    'INSERT OR REPLACE INTO history (rid, type, version, updated, live, origin, body) VALUES (?, ?, ?, ?, ?, ?, ?)',
  );

  const reserveOne = ({ rid, type, id }: NumberedReference): void => {
    const symbol = symbols.intern(type);
    const known = ridOfId.get(symbol, id) as number | undefined;
    if (known === undefined) stub.run(rid, symbol, id);
    else if (known !== rid) throw new Error(`${type}/${id} is there already, as number ${known} and not ${rid}`);
  };

  const origin = ({ action, source }: Version): number =>
    originOf(action, source === undefined ? null : symbols.intern(source));

  const restoreOne = ({ rid, type, versions, entries }: RestoredHistory): void => {
    const row = select.get(rid);
    const newest = versions.at(-1);
    if (row === undefined || newest === undefined || row.version === newest.version) return;
    const symbol = symbols.intern(type);
    for (const each of versions.slice(0, -1))
      archive.run(rid, symbol, each.version, each.lastUpdated, each.isDeleted ? 0 : 1, origin(each), packed(each.text));
    const rows = indexLines(type, newest.isDeleted ? [] : entries, symbols, rids.of);
    index.replace(rid, linesOf(row.index_rows), rows);
    const live = newest.isDeleted ? 0 : 1;
    if (live !== row.live) counts.add(symbol, live === 1 ? 1 : -1);
    const { version, lastUpdated, text } = newest;
    change.run(version, lastUpdated, live, origin(newest), rows.lines.join('\n'), packed(text), rid);
  };

  return (request: TransferRequest): void => {
    if ('reserve' in request) request.reserve.forEach(reserveOne);
    else request.restore.forEach(restoreOne);
  };
};

/** Texts come from another thread as plain bytes. */
const packed = ({ buffer, byteOffset, byteLength }: Uint8Array): Buffer =>
  packedBody(Buffer.from(buffer, byteOffset, byteLength));

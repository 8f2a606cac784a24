/**
 * Reads a version by its id, where it is asked; only a large text comes from another thread. What was read lately is not
 * unpacked again: that takes as long as all else in a read.
 */
import { LRUCache } from 'lru-cache';
import { type Reference, referenceText } from '../../fhir/reference.ts';
import type { Store } from '../store.ts';
import { LARGE } from './body.ts';
import type { Connection } from './database.ts';
import type { LargeTexts } from './large-texts.ts';
import { openNames } from './names.ts';
import { sourceText, type VersionRow, versionOf } from './version-row.ts';

type Row = Omit<VersionRow, 'type' | 'id' | 'body'> & {
  readonly rid: number;
  /** Null for a large one, and for the version that is known. */
  readonly body: Buffer | null;
};

/** A version never changes, and so its text is good as long as the row is at this version. */
interface KnownText {
  readonly version: number;
  readonly text: Buffer;
}

const NOT_READ = Buffer.alloc(0);
/** No version has this number. */
const NOTHING_KNOWN = 0;
/** What an entry takes beside its text, roughly. */
const ENTRY_BYTES = 300;

const columns = (table: string, isRead: string): string =>
  `rid, version, updated, live, action, ${sourceText(table)}, CASE WHEN ${isRead} THEN body END AS body`;
const IS_SMALL = `length(body) < ${LARGE}`;

/** The texts of current versions, by type and id. */
const openKnownTexts = (bytes: number) =>
  bytes === 0
    ? { get: () => undefined, set: () => undefined }
    : new LRUCache<string, KnownText>({ maxSize: bytes, sizeCalculation: ({ text }) => text.length + ENTRY_BYTES });

/** `cacheBytes`: how much memory may hold texts that were read lately. */
export const createReadVersion = (
  connection: Connection,
  { textOf }: LargeTexts,
  cacheBytes: number,
): Store['read'] => {
  const names = openNames(connection);
  const texts = openKnownTexts(cacheBytes);
  const current = connection.prepare<[number, number, string], Row>(
    `SELECT ${columns('resource', `version <> ? AND ${IS_SMALL}`)} FROM resource WHERE type = ? AND id = ? AND version > 0`,
  );
  const superseded = connection.prepare<[number, number], Row>(
    `SELECT ${columns('history', IS_SMALL)} FROM history WHERE rid = ? AND version = ?`,
  );
  const loaded = async (row: Row, { type, id }: Reference) => {
    const found = versionOf({ ...row, type, id, body: row.body ?? NOT_READ });
    return row.body === null ? { ...found, text: await textOf(row) } : found;
  };
  return async (reference, version, sources) => {
    const isFrom = ({ source }: Row): boolean => sources === undefined || (source !== null && sources.includes(source));
    const symbol = names.symbol(reference.type);
    if (symbol === undefined) return undefined;
    const name = referenceText(reference);
    const known = texts.get(name);
    const newest = current.get(known?.version ?? NOTHING_KNOWN, symbol, reference.id);
    if (newest === undefined) return undefined;
    if (version !== undefined && newest.version !== version) {
      const row = superseded.get(newest.rid, version);
      return row === undefined || !isFrom(row) ? undefined : loaded(row, reference);
    }
    if (!isFrom(newest)) return undefined;
    if (known?.version === newest.version)
      return { ...versionOf({ ...newest, type: reference.type, id: reference.id, body: NOT_READ }), text: known.text };
    const found = await loaded(newest, reference);
    if (newest.body !== null && !found.isDeleted) texts.set(name, { version: found.version, text: found.text });
    return found;
  };
};

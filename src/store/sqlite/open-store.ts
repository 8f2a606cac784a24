/** The embedded store: one encrypted SQLite file, one writing thread, reads from the calling thread. */
import { Worker } from 'node:worker_threads';
import { FhirError, issue, unavailable } from '../../fhir/fhir-error.ts';
import type { Reference } from '../../fhir/reference.ts';
import type { PageKey } from '../../search/search-query.ts';
import {
  type Page,
  RefusedWrite,
  StaleExpectation,
  type Store,
  type Version,
  type Write,
  type Written,
} from '../store.ts';
import { type DatabaseFile, openConnection, prepareDatabase, StoreUnusable } from './database.ts';
import { openNames } from './names.ts';
import { createSearcher } from './search.ts';
import type { CommitMessage, CommitReply } from './writer-thread.ts';

export interface SqliteStoreOptions extends DatabaseFile {
  /** Files up to this size, in bytes, are verified whole when they are opened. */
  readonly checkBytes: number;
}

interface VersionRow {
  readonly type: string;
  readonly id: string;
  readonly version: number;
  readonly updated: number;
  readonly live: number;
  readonly body: Buffer;
}

const RETRY_AFTER_SECONDS = 5;

const versionOf = ({ type, id, version, updated, live, body }: VersionRow): Version => ({
  type,
  id,
  version,
  lastUpdated: updated,
  isDeleted: live === 0,
  text: body,
});

const errorOf = (reply: Exclude<CommitReply, { written: unknown }>): Error => {
  if ('stale' in reply) return new StaleExpectation('A condition does not hold any more');
  if ('refused' in reply) {
    const { status, issues, headers, position } = reply.refused;
    return new RefusedWrite(new FhirError(status, issues, headers), position);
  }
  const { code, message } = reply.failed;
  if (code === 'SQLITE_FULL')
    return new FhirError(507, [issue('no-store', 'The disk of the store is full; nothing was stored')]);
  if (/^SQLITE_(BUSY|IOERR|READONLY)/.test(code))
    return unavailable(`The store cannot write just now (${code}); nothing was stored`, RETRY_AFTER_SECONDS);
  return new Error(`The store failed: ${message} ${code}`);
};

/** Starts the writing thread; resolves when it can take commits. */
const startWriter = async (file: DatabaseFile) => {
  const worker = new Worker(new URL('./writer-thread.ts', import.meta.url), {
    workerData: { path: file.path, key: file.key },
  });
  const waiting = new Map<number, { resolve(written: readonly Written[]): void; reject(error: Error): void }>();
  let sequence = 0;
  let failure: Error | undefined;
  const fail = (error: Error): void => {
    failure = error;
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  };
  const ready = Promise.withResolvers<void>();
  worker.on('message', (replies: readonly CommitReply[]) => {
    ready.resolve();
    for (const reply of replies) {
      const waiter = waiting.get(reply.sequence);
      waiting.delete(reply.sequence);
      if ('written' in reply) waiter?.resolve(reply.written);
      else waiter?.reject(errorOf(reply));
    }
  });
  worker.on('error', (error) => {
    ready.reject(error);
    fail(error as Error);
  });
  const ended = new Promise<void>((resolve) => {
    worker.on('exit', () => {
      fail(new Error('The store is closed'));
      resolve();
    });
  });
  await ready.promise;
  return {
    commit: (commit: Omit<CommitMessage, 'sequence'>): Promise<readonly Written[]> => {
      if (failure !== undefined) return Promise.reject(failure);
      const { promise, resolve, reject } = Promise.withResolvers<readonly Written[]>();
      waiting.set(++sequence, { resolve, reject });
      worker.postMessage({ ...commit, sequence } satisfies CommitMessage);
      return promise;
    },
    close: (): Promise<void> => {
      if (failure === undefined) worker.postMessage('close');
      return ended;
    },
  };
};

const VERSION_COLUMNS = 's.text AS type, r.id, v.version, v.updated, v.live, v.body';

/** Opens the file, or makes it. Throws StoreUnusable with one line for the operator. */
export const openSqliteStore = async ({ checkBytes, ...file }: SqliteStoreOptions): Promise<Store> => {
  prepareDatabase(file, checkBytes);
  const writer = await startWriter(file).catch((error: Error) => {
    throw new StoreUnusable(`The store ${file.path} cannot be opened: ${error.message}`);
  });
  const connection = openConnection(file, 'read');
  const names = openNames(connection);
  const searcher = createSearcher(connection, names);
  const current = connection.prepare<[number, string], Omit<VersionRow, 'type'>>(
    'SELECT id, version, updated, live, body FROM resource WHERE type = ? AND id = ? AND version > 0',
  );
  const byRid = connection.prepare<[number], VersionRow>(
    `SELECT ${VERSION_COLUMNS} FROM resource r JOIN resource v ON v.rid = r.rid JOIN symbol s ON s.id = r.type WHERE r.rid = ?`,
  );
  const old = connection.prepare<[number, number], VersionRow>(
    `SELECT ${VERSION_COLUMNS} FROM history v JOIN resource r ON r.rid = v.rid JOIN symbol s ON s.id = r.type WHERE v.rid = ? AND v.version = ?`,
  );
  const older = connection.prepare<[number, number, number], VersionRow>(
    `SELECT ${VERSION_COLUMNS} FROM history v JOIN resource r ON r.rid = v.rid JOIN symbol s ON s.id = r.type WHERE v.rid = ? AND v.version < ? ORDER BY v.version DESC LIMIT ?`,
  );

  const readCurrent = ({ type, id }: Reference): Version | undefined => {
    const symbol = names.symbol(type);
    const row = symbol === undefined ? undefined : current.get(symbol, id);
    return row === undefined ? undefined : versionOf({ type, ...row });
  };

  const history = (reference: Reference, count: number, after: PageKey | undefined): Page<Version> => {
    const rid = names.rid(reference);
    const newest = readCurrent(reference);
    if (rid === undefined || newest === undefined) return { items: [] };
    const below = Number(after?.[0] ?? Number.MAX_SAFE_INTEGER);
    const first = newest.version < below ? [newest] : [];
    const rest = older.all(rid, Math.min(below, newest.version), count + 1 - first.length).map(versionOf);
    const found = [...first, ...rest];
    const items = found.slice(0, count);
    const last = items.at(-1);
    return found.length > count && last !== undefined ? { items, next: [last.version] } : { items };
  };

  /** A search reads several statements: they must see one state of the database. */
  const inSnapshot = connection.transaction(<T>(read: () => T): T => read()) as <T>(read: () => T) => T;

  return {
    read: async (reference, version) => {
      const newest = readCurrent(reference);
      if (version === undefined || newest === undefined || newest.version === version) return newest;
      const row = old.get(names.rid(reference) ?? 0, version);
      return row === undefined ? undefined : versionOf(row);
    },
    history: async (reference, { count, after }) => inSnapshot(() => history(reference, count, after)),
    search: async (query) =>
      inSnapshot(() => {
        const { items, ...next } = searcher.page(query);
        return { items: items.map((rid) => versionOf(byRid.get(rid) as VersionRow)), ...next };
      }),
    count: async (query) => inSnapshot(() => searcher.count(query)),
    commit: (writes: readonly Write[], expected = []) => writer.commit({ writes, expected }),
    close: async () => {
      // The last connection to close copies the log into the file, which a reading one cannot do.
      connection.close();
      await writer.close();
    },
  };
};

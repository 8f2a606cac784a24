/**
 * The embedded store: one encrypted SQLite file. Writes go to one thread, searches to a few; a read by id, which costs
 * less than a message to another thread, is answered where it is asked.
 */
import type { Explanation, Page, Records, Store, Transfer, Version, Written } from '../store.ts';
import { StoreUnusable } from '../store-unusable.ts';
import type { SearchLimits } from './budget.ts';
import { type Connection, type DatabaseFile, openConnection, prepareDatabase } from './database.ts';
import { createFindEach } from './find-each.ts';
import { createLargeTexts } from './large-texts.ts';
import { largeTextsOf } from './lent-texts.ts';
import { createReadVersion } from './read-version.ts';
import type { ReadRequest, ReadResult } from './reader.ts';
import { type PoolOptions, startReaderPool } from './reader-pool.ts';
import { openRecords } from './record-table.ts';
import { startThread } from './thread.ts';
import { openTransferReads } from './transfer.ts';
import type { WriteRequest, WriteResult } from './writer.ts';

export interface SqliteStoreOptions extends DatabaseFile {
  /** Files up to this size, in bytes, are verified whole when they are opened. */
  readonly checkBytes: number;
  /** The memory for texts that were read lately; 0 for none. */
  readonly readCacheBytes: number;
  readonly searchPool: PoolOptions;
  readonly searchLimits: SearchLimits;
}

const startThreads = async (file: DatabaseFile, pool: PoolOptions, limits: SearchLimits) => {
  const [writer, readers] = await Promise.allSettled([
    startThread<WriteRequest, WriteResult>(new URL('./writer-thread.ts', import.meta.url), file),
    startReaderPool(file, pool, limits),
  ]);
  if (writer.status === 'fulfilled' && readers.status === 'fulfilled')
    return { writer: writer.value, readers: readers.value };
  if (writer.status === 'fulfilled') await writer.value.end();
  if (readers.status === 'fulfilled') await readers.value.end();
  const { reason } = (writer.status === 'rejected' ? writer : readers) as PromiseRejectedResult;
  throw new StoreUnusable(`The store ${file.path} cannot be opened: ${(reason as Error).message}`);
};

/** Texts come from another thread as plain bytes. */
const withBuffer = (version: Version): Version => {
  const { buffer, byteOffset, byteLength } = version.text;
  return { ...version, text: Buffer.from(buffer, byteOffset, byteLength) };
};

const pageOf = ({ versions }: ReadResult): Page<Version> => {
  const { items, ...next } = versions ?? { items: [] };
  return { items: items.map(withBuffer), ...next };
};

/** Read where they are asked, as a resource is; changed by the writer. */
const recordsOf = (connection: Connection, write: (request: WriteRequest) => Promise<WriteResult>): Records => {
  const { get, list } = openRecords(connection, Date.now);
  return {
    get: async (key) => get(key),
    list: async (prefix, limit, after) => list(prefix, limit, after),
    put: async (key, value, options = {}) => (await write({ key, value, ...options })) as number | undefined,
    delete: async (key, revision) =>
      (await write({ key, ...(revision === undefined ? {} : { revision }) })) !== undefined,
  };
};

const transferOf = (connection: Connection, write: (request: WriteRequest) => Promise<WriteResult>): Transfer => {
  const reads = openTransferReads(connection);
  return {
    histories: async (after, limit, bytes) => reads.histories(after, limit, bytes),
    references: async (after, limit) => reads.references(after, limit),
    reserve: async (references) => {
      await write({ reserve: references });
    },
    restore: async (histories) => {
      await write({ restore: histories });
    },
  };
};

/** Opens the file, or makes it. Throws StoreUnusable with one line for the operator. */
export const openSqliteStore = async (options: SqliteStoreOptions): Promise<Store> => {
  const { path, key, checkBytes, readCacheBytes, searchPool, searchLimits } = options;
  const file: DatabaseFile = { path, key };
  prepareDatabase(file, checkBytes);
  const { writer, readers } = await startThreads(file, searchPool, searchLimits);
  const connection = openConnection(file, 'read');
  const largeTexts = createLargeTexts(file);
  const read = (request: ReadRequest): Promise<ReadResult> => readers.read(request);

  return {
    read: createReadVersion(connection, largeTexts, readCacheBytes),
    history: async (scope, page) => {
      const result = await read({ kind: 'history', scope, page });
      return { ...pageOf(result), ...(result.asOf === undefined ? {} : { asOf: result.asOf }) };
    },
    countHistory: async (scope, times) => (await read({ kind: 'count-history', scope, times })).count ?? 0,
    search: async (query) => {
      const result = await read({ kind: 'search', query });
      const { orderedBy = [], asOf } = result;
      return { ...pageOf(result), orderedBy, ...(asOf === undefined ? {} : { asOf }) };
    },
    related: async (matches, includes, limit, bytes) => {
      const references = matches.map(({ type, id }) => ({ type, id }));
      const result = await read({ kind: 'related', matches: references, includes, limit, bytes });
      const { isCut = false, isOverBytes = false } = result;
      return { items: pageOf(result).items, isCut, isOverBytes };
    },
    findEach: createFindEach(read),
    count: async (query) => (await read({ kind: 'count', query })).count ?? 0,
    explain: async (query) => (await read({ kind: 'explain', query })).explanation as Explanation,
    commit: async (writes, expected = []) =>
      (await writer.ask({ writes, expected }, largeTextsOf(writes))) as readonly Written[],
    records: recordsOf(connection, writer.ask),
    transfer: transferOf(connection, writer.ask),
    close: async () => {
      // The last connection to close copies the log into the file, which a reading one cannot do.
      await readers.end();
      await largeTexts.end();
      connection.close();
      await writer.end();
    },
  };
};

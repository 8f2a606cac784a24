/** SQLite stores in folders of their own, removed when the test ends. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { openSqliteStore, type SqliteStoreOptions } from '../../../src/store/sqlite/open-store.ts';
import type { Store } from '../../../src/store/store.ts';

export const KEY = Buffer.alloc(32, 0xc5);

/** Larger than any file of these tests, so that all are verified whole. */
export const CHECK_BYTES = 2 ** 30;

export const temporaryFolder = (t: Test): string => {
  const folder = mkdtempSync(join(tmpdir(), 'consilium-store-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
};

/** How these tests open a store, beside its path. */
export const OPTIONS = {
  key: KEY,
  checkBytes: CHECK_BYTES,
  readCacheBytes: 2 ** 20,
  searchPool: { quickThreads: 1, slowThreads: 1, quickMilliseconds: 25, queue: 1000 },
  searchLimits: { milliseconds: 30_000, rows: 10_000_000 },
};

export const openTemporaryStore = async (
  t: Test,
  more: Partial<Pick<SqliteStoreOptions, 'searchPool' | 'searchLimits'>> = {},
): Promise<Store> => {
  const folder = temporaryFolder(t);
  const store = await openSqliteStore({ path: join(folder, 'store.db'), ...OPTIONS, ...more });
  t.teardown(() => store.close());
  return store;
};

/** MongoDB stores in databases of their own, dropped when the test ends. */
import { randomUUID } from 'node:crypto';
import { MongoClient } from 'mongodb';
import type { Test } from 'tap';
import { type MongoStoreOptions, openMongoStore } from '../../../src/store/mongodb/open-store.ts';
import type { Store } from '../../../src/store/store.ts';

/** Where a replica set is; undefined if these tests are to be skipped. */
const MONGODB_URL = process.env['MONGODB_URL'];

/** For a test's `skip`. */
export const WITHOUT_MONGODB: string | false = MONGODB_URL === undefined && 'MONGODB_URL is not set';

/** How these tests open a store, beside its url and database. */
export const OPTIONS = {
  searchLimits: { milliseconds: 30_000, rows: 10_000_000 },
  transactionGate: { concurrent: 4, queue: 2000 },
  transactionLimits: { entries: 10_000, bytes: 500_000_000 },
  readQueue: 1000,
  deadlineMilliseconds: 60_000,
  leaseMilliseconds: 600_000,
  now: Date.now,
};

/** The url of a database with a name of its own, dropped when the test ends. */
export const temporaryDatabase = (t: Test): { url: string; database: string } => {
  const url = MONGODB_URL ?? '';
  const database = `consilium_test_${randomUUID().replaceAll('-', '')}`;
  t.teardown(async () => {
    const client = new MongoClient(url);
    await client.db(database).dropDatabase();
    await client.close();
  });
  return { url, database };
};

type More = Partial<Omit<MongoStoreOptions, 'url' | 'database'>>;

/** Another instance on a database. */
export const openInstance = async (
  t: Test,
  place: { url: string; database: string },
  more: More = {},
): Promise<Store> => {
  const store = await openMongoStore({ ...OPTIONS, ...place, ...more });
  t.teardown(() => store.close());
  return store;
};

export const openTemporaryMongoStore = (t: Test, more: More = {}): Promise<Store> =>
  openInstance(t, temporaryDatabase(t), more);

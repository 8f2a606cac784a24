/** Which database there is: the embedded one, or the MongoDB that the configuration names. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Config, derivedKey, STORE_FILE } from './config.ts';
import { checkKey } from './store/key-check.ts';
import { openSqliteStore } from './store/sqlite/open-store.ts';
import type { Store } from './store/store.ts';
import { StoreUnusable } from './store/store-unusable.ts';

type StoreConfig = Pick<
  Config,
  | 'dataFolder'
  | 'storeKey'
  | 'storeCheckBytes'
  | 'storeMilliseconds'
  | 'readCacheBytes'
  | 'searchThreads'
  | 'searchSlowThreads'
  | 'searchQuickMilliseconds'
  | 'searchQueue'
  | 'searchMilliseconds'
  | 'searchRows'
  | 'transactions'
  | 'transactionQueue'
  | 'transactionEntries'
  | 'transactionBytes'
>;

/** The database of a url that names none. */
export const DATABASE = 'consilium';
/** An instance that was killed keeps its number, one of 64, as long. */
const LEASE_MILLISECONDS = 600_000;

const openSqlite = (folder: string, config: StoreConfig): Promise<Store> =>
  openSqliteStore({
    path: join(folder, STORE_FILE),
    key: derivedKey(config.storeKey, 'store'),
    checkBytes: config.storeCheckBytes,
    readCacheBytes: config.readCacheBytes,
    searchPool: {
      quickThreads: config.searchThreads,
      slowThreads: config.searchSlowThreads,
      quickMilliseconds: config.searchQuickMilliseconds,
      queue: config.searchQueue,
    },
    searchLimits: { milliseconds: config.searchMilliseconds, rows: config.searchRows },
  });

/** The url without what it may hold of a user and password. */
export const shownAddress = (url: string): string => url.replace(/\/\/[^@/]*@/, '//');

/** The same without options. */
const nameOf = (url: string): string => shownAddress(url).replace(/\?.*$/, '');

/** `isSource`: nothing is written to it on account of its key. */
const openMongo = async (url: string, config: StoreConfig, isSource = false): Promise<Store> => {
  // Only here, as the driver takes time to load that the embedded store does not need.
  const { openMongoStore } = await import('./store/mongodb/open-store.ts');
  const store = await openMongoStore({
    url,
    database: DATABASE,
    searchLimits: { milliseconds: config.searchMilliseconds, rows: config.searchRows },
    readQueue: config.searchQueue,
    transactionGate: { concurrent: config.transactions, queue: config.transactionQueue },
    transactionLimits: { entries: config.transactionEntries, bytes: config.transactionBytes },
    deadlineMilliseconds: config.storeMilliseconds,
    leaseMilliseconds: LEASE_MILLISECONDS,
    now: Date.now,
  });
  const derived = derivedKey(config.storeKey, 'key check');
  try {
    await checkKey(store.records, { derived, name: nameOf(url), isKept: !isSource });
  } catch (error) {
    await store.close();
    throw error;
  }
  return store;
};

/** The store that the configuration names. Throws StoreUnusable with one line for the operator. */
export const openStore = (config: StoreConfig & Pick<Config, 'store'>): Promise<Store> =>
  config.store === 'sqlite' ? openSqlite(config.dataFolder, config) : openMongo(config.store, config);

/** The folder of `sqlite:FOLDER`, undefined for `mongodb://...`. Throws StoreUnusable for anything else. */
export const folderOf = (address: string): string | undefined => {
  if (/^mongodb(\+srv)?:/.test(address)) return undefined;
  const folder = /^sqlite:(.+)$/.exec(address)?.[1];
  if (folder === undefined) throw new StoreUnusable(`'${address}' is neither sqlite:FOLDER nor mongodb://...`);
  return folder;
};

/** Throws StoreUnusable if the folder has no store. */
export const checkStoreIn = (folder: string): void => {
  if (!existsSync(join(folder, STORE_FILE))) throw new StoreUnusable(`There is no store in ${folder}`);
};

/** The store at `sqlite:FOLDER` or `mongodb://...`. Throws StoreUnusable. */
export const openStoreAt = (address: string, config: StoreConfig, role: 'source' | 'target'): Promise<Store> => {
  const folder = folderOf(address);
  return folder === undefined ? openMongo(address, config, role === 'source') : openSqlite(folder, config);
};

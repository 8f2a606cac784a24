/** Which database there is: the embedded one, or the MongoDB that the configuration names. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Config, derivedKey, STORE_FILE } from './config.ts';
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

const openMongo = async (url: string, config: StoreConfig): Promise<Store> => {
  // Only here, as the driver takes time to load that the embedded store does not need.
  const { openMongoStore } = await import('./store/mongodb/open-store.ts');
  return openMongoStore({
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
};

/** The store that the configuration names. Throws StoreUnusable with one line for the operator. */
export const openStore = (config: StoreConfig & Pick<Config, 'store'>): Promise<Store> =>
  config.store === 'sqlite' ? openSqlite(config.dataFolder, config) : openMongo(config.store, config);

/** The store at `sqlite:FOLDER` or `mongodb://...`. Throws StoreUnusable, also if one that `mustExist` does not. */
export const openStoreAt = (address: string, config: StoreConfig, mustExist: boolean): Promise<Store> => {
  if (/^mongodb(\+srv)?:/.test(address)) return openMongo(address, config);
  const folder = /^sqlite:(.+)$/.exec(address)?.[1];
  if (folder === undefined) throw new StoreUnusable(`'${address}' is neither sqlite:FOLDER nor mongodb://...`);
  if (mustExist && !existsSync(join(folder, STORE_FILE))) throw new StoreUnusable(`There is no store in ${folder}`);
  return openSqlite(folder, config);
};

/** The store that the environment names, for a command that reads or writes records; a server may use it meanwhile. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Config, readConfig, STORE_FILE } from '../config.ts';
import { openStore } from '../open-store.ts';
import type { Store } from '../store/store.ts';

/** Whether a command may begin a store in an empty data folder, as one that registers somebody does. */
export type StoreState = 'new or there' | 'there';

/** Opens the store for `command`, and closes it. Throws StoreUnusable or ConfigurationError. */
export const withStore = async <T>(
  state: StoreState,
  command: (store: Store, config: Config) => Promise<T>,
): Promise<T> => {
  const config = readConfig(undefined, { mustExist: state === 'there' });
  const isNew = config.store === 'sqlite' && !existsSync(join(config.dataFolder, STORE_FILE));
  // One search thread is enough, and what the server checks at its start need not be checked again.
  const store = await openStore({ ...config, searchThreads: 1, searchSlowThreads: 1, storeCheckBytes: 0 });
  if (isNew) process.stderr.write(`A new store was made in ${config.dataFolder} (CONSILIUM_DATA)\n`);
  try {
    return await command(store, config);
  } finally {
    await store.close();
  }
};

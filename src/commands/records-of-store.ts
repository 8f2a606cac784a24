/** The store that the environment names, for a command that reads or writes records; a server may use it meanwhile. */
import { type Config, readConfig } from '../config.ts';
import { openStore } from '../open-store.ts';
import type { Store } from '../store/store.ts';

/** Opens the store for `command`, and closes it. Throws StoreUnusable or ConfigurationError. */
export const withStore = async <T>(command: (store: Store, config: Config) => Promise<T>): Promise<T> => {
  const config = readConfig();
  // One search thread is enough, and what the server checks at its start need not be checked again.
  const store = await openStore({ ...config, searchThreads: 1, searchSlowThreads: 1, storeCheckBytes: 0 });
  try {
    return await command(store, config);
  } finally {
    await store.close();
  }
};

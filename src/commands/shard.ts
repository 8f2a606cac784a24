/** `npx consilium mongodb shard [--apply]`. */
import { ConfigurationError, readConfig } from '../config.ts';
import { DATABASE } from '../open-store.ts';

/** Prints the commands, or runs them. Throws ConfigurationError if the store is no MongoDB, StoreUnusable if it refuses. */
export const shardCommand = async (isApplied: boolean): Promise<void> => {
  const { store } = readConfig();
  if (store === 'sqlite') throw new ConfigurationError('CONSILIUM_STORE must be the url of a MongoDB');
  const { applySharding, databaseOf, shardingCommands } = await import('../store/mongodb/sharding.ts');
  const lines = isApplied ? await applySharding(store, DATABASE) : shardingCommands(databaseOf(store, DATABASE));
  for (const line of lines) process.stdout.write(`${line}\n`);
};

/**
 * How the collections are distributed over the shards of a cluster. No query and no constraint of ours needs a unique
 * index beyond `_id`, so that a hashed `_id` spreads documents and writes evenly.
 *
 * @see https://www.mongodb.com/docs/manual/core/hashed-sharding/
 */
import { MongoClient, MongoError } from 'mongodb';
import { StoreUnusable } from '../store-unusable.ts';

const HASHED = { _id: 'hashed' } as const;

/** By collection. A chunk of a large text stands with the other chunks of its file, under GridFS's own unique index. */
const KEYS: Readonly<Record<string, typeof HASHED | { readonly files_id: 1; readonly n: 1 }>> = {
  resources: HASHED,
  history: HASHED,
  records: HASHED,
  locks: HASHED,
  'bodies.files': HASHED,
  'bodies.chunks': { files_id: 1, n: 1 },
};

/** As mongosh takes them, a line each. A collection that has documents needs the index first. */
export const shardingCommands = (database: string): string[] =>
  Object.entries(KEYS).flatMap(([collection, key]) => {
    const shape = JSON.stringify(key);
    const shard = `sh.shardCollection('${database}.${collection}', ${shape}${'n' in key ? ', true' : ''})`;
    return 'n' in key
      ? [shard]
      : [`db.getSiblingDB('${database}').getCollection('${collection}').createIndex(${shape})`, shard];
  });

/**
 * Runs them. Returns a line for each collection; one that is sharded by this key already stays as it is. Throws
 * StoreUnusable if this is no sharded cluster, or it refuses.
 */
export const applySharding = async (url: string, byDefault: string): Promise<string[]> => {
  const client = new MongoClient(url);
  try {
    const name = databaseOf(url, byDefault);
    const admin = client.db('admin');
    const { msg } = await admin.command({ hello: 1 });
    if (msg !== 'isdbgrid') throw new StoreUnusable('The MongoDB is no sharded cluster: there are no shards to use');
    const lines: string[] = [];
    for (const [collection, key] of Object.entries(KEYS)) {
      if (!('n' in key)) await client.db(name).collection(collection).createIndex(HASHED);
      await admin.command({ shardCollection: `${name}.${collection}`, key, unique: 'n' in key });
      lines.push(`${name}.${collection} is sharded`);
    }
    return lines;
  } catch (error) {
    if (error instanceof MongoError) throw new StoreUnusable(`The MongoDB refuses to shard: ${error.message}`);
    throw error;
  } finally {
    await client.close();
  }
};

/** The database that a url names, or the one by default. */
export const databaseOf = (url: string, byDefault: string): string =>
  /^mongodb(?:\+srv)?:\/\/[^/?]+\/([^?]+)/.exec(url)?.[1] ?? byDefault;

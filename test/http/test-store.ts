/**
 * The store of the tests through HTTP: the embedded one, or, with CONSILIUM_TEST_STORE=mongodb, databases of the MongoDB
 * at MONGODB_URL, one for each data folder.
 */
import { hash } from 'node:crypto';
import { MongoClient } from 'mongodb';
import type { Test } from 'tap';

const MONGODB_URL = process.env['MONGODB_URL'] ?? '';

/** Whether the tests through HTTP run on MongoDB. */
export const IS_MONGODB = process.env['CONSILIUM_TEST_STORE'] === 'mongodb';

/** For the `skip` of a test of what only the embedded store has, such as its file. */
export const EMBEDDED_ONLY: string | false = IS_MONGODB && 'is about the embedded store';

const dropDatabase = async (name: string): Promise<void> => {
  const client = new MongoClient(MONGODB_URL);
  await client.db(name).dropDatabase();
  await client.close();
};

/** The variables that name the store of a data folder. The database is dropped when the test ends. */
export const storeEnvironment = (t: Test, folder: string): Readonly<Record<string, string>> => {
  if (!IS_MONGODB) return {};
  const name = `consilium_http_${hash('sha1', folder).slice(0, 20)}`;
  t.teardown(() => dropDatabase(name));
  const url = new URL(MONGODB_URL);
  url.pathname = `/${name}`;
  return { CONSILIUM_STORE: url.href };
};

/** Connects to a replica set or sharded cluster, and says in one line what is wrong when that cannot be. */
import { MongoClient, type MongoClientOptions, MongoError } from 'mongodb';
import { StoreUnusable } from '../store-unusable.ts';
import { type Collections, openCollections } from './collections.ts';
import { createIndexes } from './indexes.ts';
import { databaseOf } from './sharding.ts';

export interface Connection {
  /** `mongodb://` or `mongodb+srv://`, with user, password and options. */
  readonly url: string;
  /** If the url names none. */
  readonly database: string;
  /** How long a command may take, in milliseconds, before its connection is given up. */
  readonly deadlineMilliseconds: number;
}

/** What a server says of itself. @see https://www.mongodb.com/docs/manual/reference/command/hello/ */
export interface Hello {
  readonly setName?: string;
  /** `isdbgrid` for a router of a sharded cluster. */
  readonly msg?: string;
  readonly maxWireVersion?: number;
}

/** Of MongoDB 6.0. */
const WIRE_VERSION = 17;
const CONNECT_MILLISECONDS = 10_000;

/** Why the server cannot be used, or undefined if it can. */
export const unusableServer = ({ setName, msg, maxWireVersion = 0 }: Hello): string | undefined => {
  if (setName === undefined && msg !== 'isdbgrid')
    return 'it is a standalone server, which has no transactions; make it a replica set (of one member, if need be)';
  return maxWireVersion < WIRE_VERSION ? 'it is older than MongoDB 6.0' : undefined;
};

/** The hosts of the url: it may hold a password. */
const hostsOf = (url: string): string => /^mongodb(?:\+srv)?:\/\/(?:[^@/]*@)?([^/?]*)/.exec(url)?.[1] ?? 'its url';

const clientOf = ({ url, deadlineMilliseconds }: Connection, more: MongoClientOptions): MongoClient => {
  try {
    return new MongoClient(url, {
      appName: 'consilium',
      retryWrites: true,
      retryReads: true,
      connectTimeoutMS: Math.min(CONNECT_MILLISECONDS, deadlineMilliseconds),
      serverSelectionTimeoutMS: deadlineMilliseconds,
      waitQueueTimeoutMS: deadlineMilliseconds,
      ...more,
    });
  } catch (error) {
    throw new StoreUnusable(`The url of the MongoDB store is wrong: ${(error as Error).message}`);
  }
};

const unusable = (connection: Connection, reason: string): StoreUnusable =>
  new StoreUnusable(`The MongoDB at ${hostsOf(connection.url)} cannot be used: ${reason}`);

/** A client without time limits, as an index of much data takes long. */
const prepare = async (connection: Connection, name: string): Promise<void> => {
  const client = clientOf(connection, { socketTimeoutMS: 0 });
  try {
    const reason = unusableServer(await client.db('admin').command({ hello: 1 }));
    if (reason !== undefined) throw unusable(connection, reason);
    await createIndexes(openCollections(client, name).database);
  } catch (error) {
    throw error instanceof MongoError ? unusable(connection, error.message) : error;
  } finally {
    await client.close();
  }
};

/** Opens the database and makes its indexes, as long as that takes. Throws StoreUnusable. */
export const connect = async (connection: Connection): Promise<Collections> => {
  const name = databaseOf(connection.url, connection.database);
  await prepare(connection, name);
  const client = clientOf(connection, { socketTimeoutMS: connection.deadlineMilliseconds });
  await client.connect();
  return openCollections(client, name);
};

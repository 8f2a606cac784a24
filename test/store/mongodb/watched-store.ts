/** A store whose commands to the database are counted. */
import { MongoClient } from 'mongodb';
import type { Test } from 'tap';
import type { Store } from '../../../src/store/store.ts';
import { openTemporaryMongoStore } from './temporary-store.ts';

const UNCOUNTED = new Set(['endSessions', 'ping', 'hello']);

interface WatchedStore {
  readonly store: Store;
  /** The names of the commands that the store sends while it does something. */
  sentBy(action: () => Promise<unknown>): Promise<string[]>;
}

export const openWatchedStore = async (t: Test): Promise<WatchedStore> => {
  const names: string[] = [];
  const original = MongoClient.prototype.connect;
  MongoClient.prototype.connect = function connect(this: MongoClient) {
    Object.assign(this, { monitorCommands: true });
    this.on('commandStarted', ({ commandName }) => {
      if (!UNCOUNTED.has(commandName)) names.push(commandName);
    });
    return original.call(this);
  };
  t.teardown(() => {
    MongoClient.prototype.connect = original;
  });
  const store = await openTemporaryMongoStore(t);
  MongoClient.prototype.connect = original;
  return {
    store,
    sentBy: async (action) => {
      names.length = 0;
      await action();
      return [...names];
    },
  };
};

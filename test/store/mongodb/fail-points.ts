/** The same faults by the fail points of the server itself: they befall whoever uses it, so it must be this test's alone. */
import { MongoClient } from 'mongodb';
import type { Test } from 'tap';
import type { Faults } from './fault-proxy.ts';

const COMMANDS = ['find', 'insert', 'update', 'aggregate', 'commitTransaction'];

export const useFailPoints = (t: Test, url: string): Faults => {
  const client = new MongoClient(url);
  t.teardown(() => client.close());
  const failCommand = (mode: unknown, data = {}) =>
    client.db('admin').command({ configureFailPoint: 'failCommand', mode, data });
  return {
    url,
    inject: async ({ commands = COMMANDS, times, isLost, error }) => {
      const failure =
        error === undefined ? { closeConnection: true } : { errorCode: error.code, errorLabels: error.labels };
      await failCommand({ times }, { failCommands: commands, ...failure, ...(isLost ? { afterExecution: true } : {}) });
    },
    stepDown: async (milliseconds) => {
      await client.db('admin').command({ replSetStepDown: milliseconds / 1000 });
    },
    clear: async () => {
      await failCommand('off');
    },
  };
};

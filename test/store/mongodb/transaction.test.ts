import { type MongoClient, MongoServerError, ObjectId } from 'mongodb';
import { test } from 'tap';
import { deadlineIn } from '../../../src/store/mongodb/deadline.ts';
import { inTransaction } from '../../../src/store/mongodb/transaction.ts';

/** A client whose commits end as told, one after the other; what it was asked is noted. */
const clientOf = (commits: readonly (() => void)[]) => {
  const asked: string[] = [];
  let isOpen = false;
  let next = 0;
  const session = {
    inTransaction: () => isOpen,
    startTransaction: () => {
      asked.push('start');
      isOpen = true;
    },
    commitTransaction: async () => {
      asked.push('commit');
      isOpen = false;
      commits[next++]?.();
    },
    abortTransaction: async () => {
      asked.push('abort');
      isOpen = false;
    },
    endSession: async () => undefined,
  };
  return { client: { startSession: () => session } as unknown as MongoClient, asked };
};

const fails = (label: string) => (): void => {
  throw new MongoServerError({ message: 'failed', code: 251, errorLabels: [label] });
};

test('what an attempt before has stored is answered when a majority has it', async (t) => {
  const { client, asked } = clientOf([fails('TransientTransactionError'), () => undefined]);
  const mark = new ObjectId();
  await inTransaction(client, deadlineIn(5000), async (_, attempts) => ({
    mark,
    results: [],
    isDone: attempts.length > 0,
  }));
  // Within a transaction the database shows what it has itself; the commit waits for the majority.
  t.same(asked, ['start', 'commit', 'start', 'commit']);
});

test('a commit with an unknown result is repeated until it is known', async (t) => {
  const { client, asked } = clientOf([
    fails('UnknownTransactionCommitResult'),
    fails('UnknownTransactionCommitResult'),
    () => undefined,
  ]);
  await inTransaction(client, deadlineIn(5000), async () => ({ mark: new ObjectId(), results: [], isDone: false }));
  t.same(asked, ['start', 'commit', 'commit', 'commit']);
});

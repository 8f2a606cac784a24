/** Which way a commit goes: a single write, new index entries, or a transaction. */
import type { ClientSession } from 'mongodb';
import type { Expectation, Store, Write, Written } from '../store.ts';
import { checkCommit, type TransactionLimits } from './commit-limits.ts';
import { checkExpected, createTransactionCommit, gateKeys } from './commit-many.ts';
import { type CommitContext, createIndexCommit, createSingleCommit } from './commit-one.ts';
import type { Deadline } from './deadline.ts';
import { repeated } from './faults.ts';
import { createGate, type GateLimits } from './gate.ts';

export interface CommitOptions {
  readonly transactionGate: GateLimits;
  readonly transactionLimits: TransactionLimits;
}

export interface Committer {
  commit(writes: readonly Write[], expected: readonly Expectation[], deadline: Deadline): Promise<readonly Written[]>;
  /** Resolves when no commit is under way. */
  drained(): Promise<void>;
}

/** Whether a write depends on another resource than its own. */
const isDependent = (write: Write): boolean => 'requires' in write && (write.requires ?? []).length > 0;

/** @param findEachIn searches of a transaction, or without one. */
export const createCommitter = (
  context: CommitContext,
  findEachIn: (session?: ClientSession) => Store['findEach'],
  { transactionGate, transactionLimits }: CommitOptions,
): Committer => {
  const gate = createGate(transactionGate);
  const findEach = findEachIn();
  const commitOne = createSingleCommit(context);
  const commitIndex = createIndexCommit(context);
  const commitMany = createTransactionCommit(context, findEachIn);

  return {
    commit: async (writes, expected, deadline) => {
      checkCommit(writes, transactionLimits);
      const [first, ...more] = writes;
      if (first === undefined && expected.length === 0) {
        await context.collections.database.command({ ping: 1 });
        return [];
      }
      const admission = { keys: gateKeys(writes, expected), deadline };
      const alone = { ...admission, isTransaction: false };
      if (expected.length === 0 && writes.every(({ kind }) => kind === 'index'))
        return gate.run(alone, () => repeated(deadline, () => commitIndex(writes)));
      if (expected.length === 0 && first !== undefined && more.length === 0 && !isDependent(first))
        return gate.run(alone, async () => [await commitOne(first, deadline)]);
      return gate.run({ ...admission, isTransaction: true }, async (hasWaited) => {
        // Whoever had the condition before has most likely changed what it finds: that is seen without a transaction.
        if (hasWaited) await repeated(deadline, () => checkExpected(expected, findEach));
        return commitMany(writes, expected, deadline);
      });
    },
    drained: gate.drained,
  };
};

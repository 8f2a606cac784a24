/**
 * A transaction with all its attempts. An attempt that meets another transaction begins anew; a commit whose answer was
 * lost is repeated, as often as needed, and if even that says nothing, the next attempt looks for what the one before
 * has written.
 *
 * @see https://www.mongodb.com/docs/manual/core/transactions-in-applications/
 */
import type { ClientSession, MongoClient, ObjectId } from 'mongodb';
import type { Written } from '../store.ts';
import { backOff, type Deadline } from './deadline.ts';
import { hasLabel, isTransient, WriteConflict } from './faults.ts';

/** An attempt whose commit was sent: the mark of its versions, and its results. */
export interface Attempted {
  readonly mark: ObjectId;
  readonly results: readonly Written[];
}

interface Outcome extends Attempted {
  /** Whether an attempt before has done all. */
  readonly isDone: boolean;
}

/** @param attempts those whose commit was sent, with an unknown result. */
type Work = (session: ClientSession, attempts: readonly Attempted[]) => Promise<Outcome>;

const OPTIONS = {
  readConcern: { level: 'snapshot' },
  writeConcern: { w: 'majority', journal: true },
  readPreference: 'primary',
} as const;

const isUnknown = (error: unknown): boolean => hasLabel(error, 'UnknownTransactionCommitResult');

/** Commits; as long as the result is unknown, again: the server commits once. */
const commit = async (session: ClientSession, deadline: Deadline): Promise<void> => {
  for (let attempt = 0; ; attempt++)
    try {
      await session.commitTransaction();
      return;
    } catch (error) {
      if (!isUnknown(error)) throw error;
      await backOff(attempt, deadline);
    }
};

/** Runs `work` in a transaction until it is committed, fails for good, or there is no time left. */
export const inTransaction = async (
  client: MongoClient,
  deadline: Deadline,
  work: Work,
): Promise<readonly Written[]> => {
  const attempts: Attempted[] = [];
  const session = client.startSession({ causalConsistency: false });
  try {
    for (let attempt = 0; ; attempt++)
      try {
        session.startTransaction(OPTIONS);
        const outcome = await work(session, attempts);
        // What was seen of the attempt before is answered when a majority has it: that, too, is what a commit waits for.
        if (!outcome.isDone) attempts.push(outcome);
        await commit(session, deadline);
        return outcome.results;
      } catch (error) {
        if (session.inTransaction()) await session.abortTransaction();
        if (!(error instanceof WriteConflict || isTransient(error))) throw error;
        await backOff(attempt, deadline);
      }
  } finally {
    if (session.inTransaction()) await session.abortTransaction();
    await session.endSession();
  }
};

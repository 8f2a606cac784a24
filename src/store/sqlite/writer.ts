/** Applies commits to the database: the only place that changes it. */
import { FhirError } from '../../fhir/fhir-error.ts';
import { type Expectation, RefusedWrite, StaleExpectation, type Write, type Written } from '../store.ts';
import { openWrites } from './apply-write.ts';
import { createBudget } from './budget.ts';
import type { Connection } from './database.ts';
import { openNames } from './names.ts';
import { createRunner } from './plan.ts';
import { openRecordTable, type RecordChange } from './record-table.ts';
import { openRids } from './rids.ts';
import { createSearcher } from './search.ts';
import { openSymbols } from './symbols.ts';
import { openTransferWrites, type TransferRequest } from './transfer.ts';
import { openTypeCounts } from './type-counts.ts';

interface Commit {
  readonly writes: readonly Write[];
  readonly expected: readonly Expectation[];
}

/** What the writing thread is asked: resources to write, a record, or what another store has given. */
export type WriteRequest = Commit | RecordChange | TransferRequest;
/** For a record: its revision, or undefined if another one was there. */
export type WriteResult = readonly Written[] | number | undefined;

type CommitResult = { readonly result: WriteResult } | { readonly error: unknown };

interface Writer {
  /** Applies all, each whole or not at all, and returns when they are durable. Throws if the database itself fails. */
  commitAll(requests: readonly WriteRequest[]): CommitResult[];
}

const eachWrite = <T>(writes: readonly Write[], action: (write: Write) => T): T[] =>
  writes.map((write, position) => {
    try {
      return action(write);
    } catch (error) {
      throw error instanceof FhirError ? new RefusedWrite(error, position) : error;
    }
  });

/** Throws StaleExpectation if a condition finds something else than it did. */
const openExpectations = (connection: Connection, symbols: ReturnType<typeof openSymbols>) => {
  // A condition within a commit has been searched before, within the limits of a search.
  createBudget(connection, { milliseconds: Number.POSITIVE_INFINITY, rows: Number.POSITIVE_INFINITY });
  const searcher = createSearcher(createRunner(connection, openNames(connection, symbols)));
  const selectId = connection.prepare('SELECT id FROM resource WHERE rid = ?').pluck();
  return ({ query, found }: Expectation): void => {
    const { items } = searcher.page({ ...query, count: found.length + 1 });
    const ids = new Set(found.map(({ id }) => id));
    if (items.length !== found.length || !items.every(({ rid }) => ids.has(selectId.get(rid) as string)))
      throw new StaleExpectation('A condition does not hold any more');
  };
};

export const createWriter = (connection: Connection, now: () => number): Writer => {
  const symbols = openSymbols(connection);
  const rids = openRids(connection, symbols);
  const counts = openTypeCounts(connection);
  const caches = [symbols, rids, counts];
  const { apply, checkRequired } = openWrites({ connection, symbols, rids, counts });
  const transfer = openTransferWrites({ connection, symbols, rids, counts });
  const checkExpected = openExpectations(connection, symbols);
  const records = openRecordTable(connection);
  let clock = 0;

  const written = ({ writes, expected }: Commit): readonly Written[] => {
    for (const expectation of expected) checkExpected(expectation);
    const results = eachWrite(writes, (write) => apply(write, clock));
    eachWrite(writes, checkRequired);
    return results;
  };

  const resultOf = (request: WriteRequest): WriteResult => {
    if ('writes' in request) return written(request);
    if ('key' in request) return records.change(request, clock);
    transfer(request);
    return undefined;
  };

  const commitOne = (request: WriteRequest): CommitResult => {
    connection.exec('SAVEPOINT one');
    try {
      const result = resultOf(request);
      for (const cache of caches) cache.settle('kept');
      connection.exec('RELEASE one');
      return { result };
    } catch (error) {
      if (!connection.inTransaction) throw error;
      connection.exec('ROLLBACK TO one; RELEASE one');
      for (const cache of caches) cache.settle('rolled back');
      if (error instanceof RefusedWrite || error instanceof StaleExpectation) return { error };
      throw error;
    }
  };

  return {
    commitAll: (requests) => {
      connection.exec('BEGIN IMMEDIATE');
      // Behind the lock, so that no commit of any process is of an earlier instant than what a reader has seen.
      clock = Math.max(clock, now());
      try {
        const results = requests.map(commitOne);
        connection.exec('COMMIT');
        return results;
      } catch (error) {
        // What this group had interned is gone with it; the caches must not outlive it.
        counts.settle('rolled back');
        rids.reset();
        symbols.reset();
        if (connection.inTransaction) connection.exec('ROLLBACK');
        throw error;
      }
    },
  };
};

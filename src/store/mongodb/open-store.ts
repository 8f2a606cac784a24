/** The store for more than one machine: a MongoDB replica set or sharded cluster that several servers share. */
import type { ClientSession } from 'mongodb';
import { unavailable } from '../../fhir/fhir-error.ts';
import type { Store } from '../store.ts';
import { StoreUnusable } from '../store-unusable.ts';
import { openBodies } from './bodies.ts';
import { type CommitOptions, createCommitter } from './commit.ts';
import { type Connection, connect } from './connect.ts';
import type { SearchLimits } from './context.ts';
import { type Deadline, deadlineIn, RETRY_AFTER_SECONDS, within } from './deadline.ts';
import { answerOf, repeated } from './faults.ts';
import { createFinds, findEachBy } from './find-each.ts';
import { createRead } from './read.ts';
import { openRecords } from './records.ts';
import { leaseRids } from './rid.ts';
import { createSearches } from './search.ts';
import { openTransfer } from './transfer.ts';

export interface MongoStoreOptions extends Connection, CommitOptions {
  readonly searchLimits: SearchLimits;
  /** How many reads and searches may be under way, most of them waiting for a connection. */
  readonly readQueue: number;
  /** How long an instance number is leased; it is renewed all the while. */
  readonly leaseMilliseconds: number;
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number;
}

const SWEEP_MILLISECONDS = 3_600_000;
/** So far the clocks of servers may be apart. */
const CLOCK_SKEW = 60_000;
/** How long a close waits for a database that is not there. */
const RELEASE_MILLISECONDS = 2000;

/** Runs now and then, without keeping the process alive; a failure waits for the next time. */
const regularly = (milliseconds: number, action: () => Promise<unknown>): NodeJS.Timeout =>
  setInterval(() => void action().catch(() => undefined), milliseconds).unref();

/** Gives each call the time of a request, and the error that says what a client is to know. */
const createCalls = (milliseconds: number) => {
  const call = async <T>(work: (deadline: Deadline) => Promise<T>): Promise<T> => {
    const deadline = deadlineIn(milliseconds);
    try {
      return await within(deadline, work(deadline));
    } catch (error) {
      throw answerOf(error);
    }
  };
  /** For what may be attempted again and again. */
  const calls =
    <Arguments extends unknown[], T>(action: (...given: Arguments) => Promise<T>) =>
    (...given: Arguments): Promise<T> =>
      call((deadline) => repeated(deadline, () => action(...given)));
  return { call, calls };
};

/** Refuses with FhirError 503 what comes while `most` others are under way, so that a slow database fills no memory. */
const createRoom = (most: number) => {
  let underWay = 0;
  return <Arguments extends unknown[], T>(action: (...given: Arguments) => Promise<T>) =>
    async (...given: Arguments): Promise<T> => {
      if (underWay >= most)
        throw unavailable(
          `${most} reads and searches are under way already (CONSILIUM_SEARCH_QUEUE)`,
          RETRY_AFTER_SECONDS,
        );
      underWay++;
      try {
        return await action(...given);
      } finally {
        underWay--;
      }
    };
};

/** Opens the database, or makes it. Throws StoreUnusable with one line for the operator. */
export const openMongoStore = async (options: MongoStoreOptions): Promise<Store> => {
  const { now, deadlineMilliseconds, leaseMilliseconds, searchLimits } = options;
  const collections = await connect(options);
  const { client, resources, history } = collections;
  const { call, calls } = createCalls(deadlineMilliseconds);
  const limited = createRoom(options.readQueue);
  const deadline = (): Deadline => deadlineIn(deadlineMilliseconds);
  const bodies = openBodies({ ...collections, now });
  const records = openRecords(collections.records, now, deadline);
  const transfer = openTransfer(collections, bodies, now);
  const leases = openRecords(collections.instances, now, deadline);
  const rids = await leaseRids({ records: leases, leaseMilliseconds, now }).catch(async (error: Error) => {
    await client.close();
    throw new StoreUnusable(error.message);
  });
  // A commit is dated when it begins, and may still be under way at the database when this server has given it up.
  const lateMilliseconds = CLOCK_SKEW + 2 * deadlineMilliseconds;
  const searchContext = { resources, history, versionsOf: bodies.versionsOf, searchLimits, now, lateMilliseconds };
  const searches = createSearches(searchContext);
  const finds = createFinds(searchContext);
  const findEachIn = (session?: ClientSession) =>
    findEachBy(session === undefined ? finds : createFinds({ ...searchContext, session }));
  const committer = createCommitter({ collections, bodies, rids, now }, findEachIn, options);
  const timers = [regularly(leaseMilliseconds / 3, rids.renew), regularly(SWEEP_MILLISECONDS, bodies.sweep)];
  let closed: Promise<void> | undefined;

  const close = async (): Promise<void> => {
    for (const timer of timers) clearInterval(timer);
    await committer.drained();
    await within(deadlineIn(RELEASE_MILLISECONDS), rids.release()).catch(() => undefined);
    await client.close();
  };

  return {
    records: {
      get: (key) => call(() => records.get(key)),
      list: (prefix, limit, after) => call(() => records.list(prefix, limit, after)),
      put: (key, value, more) => call(() => records.put(key, value, more)),
      delete: (key, revision) => call(() => records.delete(key, revision)),
    },
    transfer: {
      histories: calls(transfer.histories),
      references: calls(transfer.references),
      reserve: calls(transfer.reserve),
      restore: calls(transfer.restore),
    },
    read: limited(calls(createRead(collections, bodies))),
    history: limited(calls(searches.history)),
    countHistory: limited(calls(searches.countHistory)),
    search: limited(calls(searches.search)),
    // A search that is made alone has the time of a request, too.
    findEach: findEachBy({ together: limited(calls(finds.together)), alone: limited(calls(finds.alone)) }),
    related: limited(calls(searches.related)),
    count: limited(calls(searches.count)),
    explain: limited(calls(searches.explain)),
    commit: (writes, expected = []) => {
      if (closed !== undefined) return Promise.reject(new Error('The store is closed'));
      return call((time) => committer.commit(writes, expected, time));
    },
    close: () => {
      closed ??= close();
      return closed;
    },
  };
};

/**
 * The reading threads, in two lanes, so that slow searches do not stop the others: every request runs first on a quick
 * thread, which ends it when its little time is up; it is then run again, with all the time that a search may have, on a
 * thread for slow ones. Nobody can tell beforehand what a search will cost; this way it need not be known.
 */
import { tooCostly } from '../../fhir/fhir-error.ts';
import type { SearchLimits } from './budget.ts';
import type { DatabaseFile } from './database.ts';
import type { ReadRequest, ReadResult } from './reader.ts';
import { createLane, type Reader } from './reader-lane.ts';
import type { ReaderThreadData } from './reader-thread.ts';
import { startThread } from './thread.ts';
import { NotQuick } from './thread-errors.ts';

export interface ReaderPool {
  /** Fails with a FhirError 422 at a limit of the search, and with 503 if too many wait or it waits too long. */
  read(request: ReadRequest): Promise<ReadResult>;
  /** Refuses what waits, answers what has begun, then ends. */
  end(): Promise<void>;
}

export interface PoolOptions {
  readonly quickThreads: number;
  /** Threads for searches that take longer than `quickMilliseconds`; each starts when it is first needed. */
  readonly slowThreads: number;
  readonly quickMilliseconds: number;
  /** Most requests that wait in each lane. */
  readonly queue: number;
}

/** A search ends itself at its limit; only one that is stuck in a single step is ended from outside, this much later. */
const GRACE_MILLISECONDS = 5000;
/** The same of a quick thread, which others wait for; what it was stuck in gets its time on another thread. */
const QUICK_GRACE_MILLISECONDS = 1000;

/**
 * A quick thread is given so many requests at once, as it costs a third more time to wake it up for each. A slow thread
 * gets one after the other.
 */
const QUICK_DEPTH = 8;

/** Resolves when the quick threads are ready, fails if one cannot start. */
export const startReaderPool = async (
  file: DatabaseFile,
  options: PoolOptions,
  limits: SearchLimits,
  graceMilliseconds = GRACE_MILLISECONDS,
): Promise<ReaderPool> => {
  const { quickThreads, slowThreads, queue } = options;
  const quickMilliseconds = Math.min(options.quickMilliseconds, limits.milliseconds);
  const starting = (data: Pick<ReaderThreadData, 'timeIsUp' | 'limits'>) => (): Promise<Reader> =>
    startThread(new URL('./reader-thread.ts', import.meta.url), {
      path: file.path,
      key: file.key,
      ...data,
    } satisfies ReaderThreadData);
  const quick = createLane({
    threads: quickThreads,
    depth: QUICK_DEPTH,
    start: starting({ timeIsUp: 'not quick', limits: { ...limits, milliseconds: quickMilliseconds } }),
    patienceMilliseconds: quickMilliseconds + Math.min(graceMilliseconds, QUICK_GRACE_MILLISECONDS),
    stuck: () => new NotQuick(),
    queue,
    waitMilliseconds: limits.milliseconds,
  });
  const slow = createLane({
    threads: slowThreads,
    depth: 1,
    start: starting({ timeIsUp: 'too costly', limits }),
    patienceMilliseconds: limits.milliseconds + graceMilliseconds,
    stuck: () => tooCostly(`This search takes longer than ${limits.milliseconds} ms (CONSILIUM_SEARCH_MILLISECONDS)`),
    queue,
    waitMilliseconds: limits.milliseconds,
  });
  await quick.warm();

  return {
    read: async (request) => {
      try {
        return await quick.read(request);
      } catch (error) {
        if (!(error instanceof NotQuick)) throw error;
        return await slow.read(request);
      }
    },
    end: async () => {
      await Promise.all([quick.end(), slow.end()]);
    },
  };
};

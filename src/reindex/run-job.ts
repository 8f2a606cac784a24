/** Works on a reindex job in the background: waits until all know of it, walks, and tries again what fails. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Extract, IndexGate } from './index-gate.ts';
import type { Job, JobRecords } from './job.ts';
import { WALK_START, type WalkPosition, walk } from './walk.ts';

/** How often a job that makes no progress is tried: within one process, and by one after the other. */
const ATTEMPTS = 5;

export interface Log {
  info(message: string): void;
  warn(message: string): void;
  error(details: object, message: string): void;
}

export interface JobRunnerOptions {
  readonly gate: IndexGate;
  readonly records: Pick<JobRecords, 'progress'>;
  readonly extract: Extract;
  readonly log: Log;
  /** How long a job waits before its walk, in milliseconds, until every process indexes by the new parameters. */
  readonly waitMilliseconds: number;
  /** How long it waits before it tries again for the first time; then twice as long each time. */
  readonly retryMilliseconds: number;
  /** Records the end. Rejects with `Superseded` if another job has begun. */
  complete(job: Job): Promise<void>;
  fail(job: Job, error: unknown): Promise<void>;
}

export interface JobRunner {
  /** Begins or goes on with a job; one that runs already ends first. */
  run(job: Job): void;
  /** Resolves when nothing runs. */
  ended(): Promise<void>;
  isRunning(): boolean;
  /** Stops after the page under way. */
  stop(): Promise<void>;
}

/** Another process has taken the job over, or has begun another. */
export class Superseded extends Error {
  override readonly name = 'Superseded';
}

/** Processes that began at the same place ended there, one after the other: the next would, too. */
export class Stuck extends Error {
  override readonly name = 'Stuck';
}

export const createJobRunner = (options: JobRunnerOptions): JobRunner => {
  const { gate, records, extract, log, waitMilliseconds, retryMilliseconds, complete, fail } = options;
  const { store } = gate;
  const stopping = new AbortController();
  const { signal } = stopping;
  let running: Promise<void> | undefined;

  /** Counts this process, before it does anything that may end it. Rejects with `Stuck` if there were too many before. */
  const countStart = async (job: Job): Promise<void> => {
    const { value, revision } = await records.progress.read();
    const { starts = 0, ...position } = value?.job === job.id ? value : { ...WALK_START, job: job.id };
    if (starts >= ATTEMPTS)
      throw new Stuck(
        `It was begun ${starts} times after ${position.indexed} resources, and each time the server ended`,
      );
    const written = await records.progress.write({ ...position, starts: starts + 1 }, revision);
    if (written === undefined) throw new Superseded();
  };

  const walkOn = async (job: Job, madeProgress: () => void): Promise<void> => {
    const { value, revision } = await records.progress.read();
    let current = revision;
    const keep = async (position: WalkPosition): Promise<void> => {
      const written = await records.progress.write({ ...position, job: job.id }, current);
      if (written === undefined) throw new Superseded();
      current = written;
      madeProgress();
    };
    await walk(value?.job === job.id ? value : WALK_START, { store, types: job.types, extract, signal, keep });
  };

  const work = async (job: Job): Promise<void> => {
    if (waitMilliseconds > 0) await pause(waitMilliseconds, undefined, { signal });
    let failures = 0;
    let isCounted = false;
    for (;;)
      try {
        await gate.settled();
        if (!isCounted) await countStart(job);
        isCounted = true;
        await walkOn(job, () => {
          failures = 0;
        });
        return await complete(job);
      } catch (error) {
        failures++;
        if (signal.aborted || error instanceof Superseded) return;
        if (failures >= ATTEMPTS || error instanceof Stuck) return await fail(job, error);
        log.warn(`A reindex is interrupted, and will be tried again: ${(error as Error).message}`);
        await pause(retryMilliseconds * 2 ** (failures - 1), undefined, { signal });
      }
  };

  return {
    run: (job) => {
      const before = running;
      const mine = Promise.resolve(before)
        .then(() => work(job))
        .catch((error: Error) => {
          if (!signal.aborted) log.error({ stack: error.stack }, 'A reindex ended unexpectedly');
        })
        .finally(() => {
          if (running === mine) running = undefined;
        });
      running = mine;
    },
    ended: async () => running,
    isRunning: () => running !== undefined,
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
};

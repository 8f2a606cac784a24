/** Runs one kind of request for some seconds, so many in flight, and says how it went. */
import { readFileSync } from 'node:fs';

export interface Figure {
  readonly name: string;
  readonly inFlight: number;
  readonly perSecond: number;
  /** What `perSecond` counts; a Bundle counts as its resources. */
  readonly unit: string;
  /** Milliseconds of one request. */
  readonly median: number;
  readonly percentile95: number;
  /** Processor milliseconds of the server for each of the unit; undefined where the system does not tell. */
  readonly serverMilliseconds: number | undefined;
}

export interface Timing {
  readonly name: string;
  readonly unit: string;
  readonly inFlight: number;
  readonly seconds: number;
  /** The process that serves. */
  readonly pid: number;
}

const WARM_UP_SHARE = 0.2;
/** The unit in which Linux tells a process's time. */
const TICK_MS = 10;

/** Milliseconds of processor time that a process and its threads have used, where Linux tells it. */
const processorMilliseconds = (pid: number): number | undefined => {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  } catch {
    return undefined;
  }
};

const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;

/** `action` makes one request, and says how many of the unit it stands for. */
export const timed = async (timing: Timing, action: () => Promise<number>): Promise<Figure> => {
  const { inFlight, seconds, pid, name, unit } = timing;
  const milliseconds: number[] = [];
  let units = 0;
  const runFor = async (limit: number): Promise<void> => {
    const end = performance.now() + limit * 1000;
    const work = async (): Promise<void> => {
      while (performance.now() < end) {
        const start = performance.now();
        // Not `units += await ...`: that would add to what `units` was before the wait.
        const done = await action();
        units += done;
        milliseconds.push(performance.now() - start);
      }
    };
    await Promise.all(Array.from({ length: inFlight }, work));
  };
  await runFor(seconds * WARM_UP_SHARE);
  milliseconds.length = 0;
  units = 0;
  const before = processorMilliseconds(pid);
  const start = performance.now();
  await runFor(seconds);
  const elapsed = performance.now() - start;
  const after = processorMilliseconds(pid);
  milliseconds.sort((a, b) => a - b);
  return {
    ...{ name, unit, inFlight },
    perSecond: (units * 1000) / elapsed,
    median: percentile(milliseconds, 0.5),
    percentile95: percentile(milliseconds, 0.95),
    serverMilliseconds: before === undefined || after === undefined ? undefined : (after - before) / units,
  };
};

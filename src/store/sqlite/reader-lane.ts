/** Threads of one kind with one queue: what waits goes, in the order of arrival, to the first thread that is free. */
import { FhirError, issue, unavailable } from '../../fhir/fhir-error.ts';
import type { ReadRequest, ReadResult } from './reader.ts';
import type { Thread } from './thread.ts';

export type Reader = Thread<ReadRequest, ReadResult>;

export interface LaneOptions {
  readonly threads: number;
  /** How many requests a thread is given at once; those behind the first one need no message to begin. */
  readonly depth: number;
  start(): Promise<Reader>;
  /** A thread that has not answered a request after this time is stuck, and is replaced. */
  readonly patienceMilliseconds: number;
  /** What became of the request that a thread was stuck in. */
  stuck(): Error;
  /** Most requests that wait for a thread, and the longest time that one waits. */
  readonly queue: number;
  readonly waitMilliseconds: number;
}

export interface Lane {
  /** Starts all threads, which otherwise start when they are needed. Fails if one cannot start. */
  warm(): Promise<void>;
  /** Fails with what the thread throws, with `stuck`, or with a FhirError 503. */
  read(request: ReadRequest): Promise<ReadResult>;
  /** Refuses what waits, answers what has been given to a thread, then ends. */
  end(): Promise<void>;
}

interface Task {
  readonly request: ReadRequest;
  readonly promise: Promise<ReadResult>;
  resolve(result: ReadResult): void;
  reject(error: unknown): void;
}

/** The place of one thread, which may not have been needed yet. */
interface Slot {
  reader: Promise<Reader> | undefined;
  /** What it was given and has not answered, in that order: it works on the first. */
  readonly tasks: Task[];
  /** Runs while it works on one task. */
  timer: NodeJS.Timeout | undefined;
}

/** A thread was ended because it was stuck in a request; what else it had been given is to be asked again. */
class ThreadReplaced extends Error {
  override readonly name = 'ThreadReplaced';
  readonly stuckIn: Task | undefined;

  constructor(stuckIn: Task | undefined) {
    super();
    this.stuckIn = stuckIn;
  }
}

const RETRY_AFTER_SECONDS = 1;

const throttled = (diagnostics: string): FhirError =>
  new FhirError(503, [issue('throttled', diagnostics)], { 'retry-after': String(RETRY_AFTER_SECONDS) });

const queueFull = (queue: number): FhirError =>
  throttled(`${queue} searches are waiting already (CONSILIUM_SEARCH_QUEUE)`);

const waitedTooLong = (milliseconds: number): FhirError =>
  throttled(
    `This search has waited for ${milliseconds} ms (CONSILIUM_SEARCH_MILLISECONDS) for others to end, and was not begun`,
  );

const beingClosed = (): FhirError => unavailable('The store is being closed', RETRY_AFTER_SECONDS);

/** The thread of a slot; a new one if there is none, if it has ended or could not start. */
const readerOf = async (slot: Slot, start: () => Promise<Reader>): Promise<Reader> => {
  const known = slot.reader;
  const reader = await known?.catch(() => undefined);
  if (reader?.hasEnded() === false) return reader;
  if (slot.reader === known) slot.reader = start();
  return slot.reader as Promise<Reader>;
};

/** Forgets what is answered; the thread has all its time for the next one. */
const dropTask = (slot: Slot, task: Task): void => {
  slot.tasks.splice(slot.tasks.indexOf(task), 1);
  if (slot.tasks.length > 0) {
    slot.timer?.refresh();
    return;
  }
  clearTimeout(slot.timer);
  slot.timer = undefined;
};

interface Queue {
  /** The task waits, or is rejected at once if too many do, and later if it waits too long. */
  add(task: Task): void;
  /** The task that waits longest, which then waits no more. */
  take(): Task | undefined;
  isEmpty(): boolean;
  /** Refuses what waits and all that comes. */
  close(): void;
}

const createQueue = (limit: number, waitMilliseconds: number): Queue => {
  /** In the order of arrival, each with the timer of its waiting time. */
  const waiting = new Map<Task, NodeJS.Timeout>();
  let isClosed = false;
  const take = (): Task | undefined => {
    const next = waiting.entries().next().value;
    if (next === undefined) return undefined;
    const [task, timer] = next;
    clearTimeout(timer);
    waiting.delete(task);
    return task;
  };
  return {
    add: (task) => {
      if (isClosed) return task.reject(beingClosed());
      if (waiting.size >= limit) return task.reject(queueFull(limit));
      const giveUp = (): void => {
        waiting.delete(task);
        task.reject(waitedTooLong(waitMilliseconds));
      };
      waiting.set(task, setTimeout(giveUp, waitMilliseconds));
    },
    take,
    isEmpty: () => waiting.size === 0,
    close: () => {
      isClosed = true;
      for (let task = take(); task !== undefined; task = take()) task.reject(beingClosed());
    },
  };
};

export const createLane = (options: LaneOptions): Lane => {
  const { threads, depth, start, patienceMilliseconds, stuck } = options;
  const slots = Array.from({ length: threads }, (): Slot => ({ reader: undefined, tasks: [], timer: undefined }));
  const queue = createQueue(options.queue, options.waitMilliseconds);
  let hasEnded = false;

  const freeSlot = (): Slot | undefined => {
    const least = slots.reduce((best, next) => (next.tasks.length < best.tasks.length ? next : best));
    return least.tasks.length < depth ? least : undefined;
  };

  const replaceThread = async (slot: Slot): Promise<void> => {
    slot.timer = undefined;
    const reader = await slot.reader?.catch(() => undefined);
    reader?.kill(new ThreadReplaced(slot.tasks[0]));
  };

  const run = async (slot: Slot, task: Task): Promise<void> => {
    slot.tasks.push(task);
    try {
      const reader = await readerOf(slot, start);
      slot.timer ??= setTimeout(() => void replaceThread(slot), patienceMilliseconds);
      task.resolve(await reader.ask(task.request));
    } catch (error) {
      if (!(error instanceof ThreadReplaced)) task.reject(error);
      else if (error.stuckIn === task) task.reject(stuck());
      else queue.add(task);
    } finally {
      dropTask(slot, task);
      for (let free = freeSlot(); free !== undefined && !queue.isEmpty(); free = freeSlot())
        void run(free, queue.take() as Task);
    }
  };

  return {
    warm: async () => {
      await Promise.all(slots.map((slot) => readerOf(slot, start)));
    },
    read: (request) => {
      const { promise, resolve, reject } = Promise.withResolvers<ReadResult>();
      const task: Task = { request, promise, resolve, reject };
      const slot = hasEnded || !queue.isEmpty() ? undefined : freeSlot();
      if (slot === undefined) queue.add(task);
      else void run(slot, task);
      return promise;
    },
    end: async () => {
      hasEnded = true;
      queue.close();
      await Promise.allSettled(slots.flatMap(({ tasks }) => tasks.map(({ promise }) => promise)));
      const readers = await Promise.allSettled(slots.map(({ reader }) => reader));
      await Promise.all(readers.map((reader) => (reader.status === 'fulfilled' ? reader.value?.end() : undefined)));
    },
  };
};

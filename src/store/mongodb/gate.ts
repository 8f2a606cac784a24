/**
 * Admits work first come, first served: work on the same keys one after the other, as attempts side by side would only
 * spoil each other, and of transactions only a few at once, because many large ones at once hardly ever commit.
 */
import { unavailable } from '../../fhir/fhir-error.ts';
import { type Deadline, deadlinePassed, RETRY_AFTER_SECONDS } from './deadline.ts';

export interface GateLimits {
  /** How many transactions run at once. */
  readonly concurrent: number;
  /** How many may wait, for their turn or for the database. */
  readonly queue: number;
}

interface Admission {
  readonly keys: Iterable<string>;
  /** Whether it takes one of the places for transactions. */
  readonly isTransaction: boolean;
  readonly deadline: Deadline;
}

export interface Gate {
  /**
   * Runs the work when it is its turn, and tells it whether it had to wait. Throws FhirError 503 if too many wait, or if
   * it waits too long.
   */
  run<T>(admission: Admission, work: (hasWaited: boolean) => Promise<T>): Promise<T>;
  /** Resolves when nothing runs or waits. */
  drained(): Promise<void>;
}

interface Entry {
  /** In the order of arrival. */
  readonly position: number;
  readonly keys: ReadonlySet<string>;
  readonly isTransaction: boolean;
  /** Keys that another entry has, or is to have before. */
  blockedBy: number;
  readonly start: () => void;
}

/** The order of those that want the same key: the first one has it. */
const createTurns = () => {
  const turns = new Map<string, Entry[]>();
  return {
    /** Whether it has all of its keys at once. */
    take: (entry: Entry): boolean => {
      for (const key of entry.keys) {
        const queue = turns.get(key);
        if (queue === undefined) turns.set(key, [entry]);
        else if (queue.push(entry) > 1) entry.blockedBy++;
      }
      return entry.blockedBy === 0;
    },
    /** Those that have all of their keys now, in the order of arrival. */
    give: (entry: Entry): Entry[] => {
      const free = [...entry.keys].flatMap((key) => {
        const queue = turns.get(key) ?? [];
        queue.shift();
        const [next] = queue;
        if (next === undefined) {
          turns.delete(key);
          return [];
        }
        next.blockedBy--;
        return next.blockedBy === 0 ? [next] : [];
      });
      return free.sort((one, other) => one.position - other.position);
    },
  };
};

const queueFull = ({ queue }: GateLimits) =>
  unavailable(`${queue} writes are waiting already (CONSILIUM_TRANSACTION_QUEUE)`, RETRY_AFTER_SECONDS);

export const createGate = (limits: GateLimits): Gate => {
  const turns = createTurns();
  const forPlace: Entry[] = [];
  const idle: (() => void)[] = [];
  let arrived = 0;
  let running = 0;
  let present = 0;
  let waiting = 0;

  const begin = (entry: Entry): void => {
    if (!entry.isTransaction) entry.start();
    else if (running >= limits.concurrent) forPlace.push(entry);
    else {
      running++;
      entry.start();
    }
  };
  const end = (entry: Entry): void => {
    present--;
    if (entry.isTransaction) {
      running--;
      const next = forPlace.shift();
      if (next !== undefined) begin(next);
    }
    for (const next of turns.give(entry)) begin(next);
    if (present === 0) for (const resolve of idle.splice(0)) resolve();
  };
  const turnOf = async (entry: Entry, turn: Promise<void>, deadline: Deadline): Promise<void> => {
    waiting++;
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(deadlinePassed()), deadline.left());
    try {
      await Promise.race([turn, late.promise]);
    } catch (error) {
      // It keeps its place in the queues, and gives it away when it comes.
      void turn.then(() => end(entry));
      throw error;
    } finally {
      clearTimeout(timer);
      waiting--;
    }
  };

  return {
    run: async ({ keys, isTransaction, deadline }, work) => {
      // What runs beside the transactions waits, too: for a connection, if the database is slow.
      if (waiting >= limits.queue || present >= limits.queue + limits.concurrent) throw queueFull(limits);
      const { promise, resolve } = Promise.withResolvers<void>();
      let hasStarted = false;
      const start = (): void => {
        hasStarted = true;
        resolve();
      };
      const entry: Entry = { position: arrived++, keys: new Set(keys), isTransaction, blockedBy: 0, start };
      present++;
      if (turns.take(entry)) begin(entry);
      const mustWait = !hasStarted;
      if (mustWait) await turnOf(entry, promise, deadline);
      try {
        return await work(mustWait);
      } finally {
        end(entry);
      }
    },
    drained: () => (present === 0 ? Promise.resolve() : new Promise((resolve) => idle.push(resolve))),
  };
};

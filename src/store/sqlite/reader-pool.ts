/** The reading threads: a search goes to the one with the least to do; one that does not answer in time is replaced. */
import { tooCostly } from '../../fhir/fhir-error.ts';
import type { SearchLimits } from './budget.ts';
import type { DatabaseFile } from './database.ts';
import type { ReadRequest, ReadResult } from './reader.ts';
import { startThread, type Thread } from './thread.ts';

export interface ReaderPool {
  read(request: ReadRequest): Promise<ReadResult>;
  end(): Promise<void>;
}

type Reader = Thread<ReadRequest, ReadResult>;

/** The place of one thread, which may be starting. */
interface Slot {
  reader: Promise<Reader>;
  waiting: number;
}

/** A search ends itself at its limit; only one that is stuck in a single step is ended from outside, this much later. */
const GRACE_MILLISECONDS = 5000;

/** Resolves when all threads are ready, fails if one cannot start. */
export const startReaderPool = async (
  file: DatabaseFile,
  threads: number,
  limits: SearchLimits,
  graceMilliseconds = GRACE_MILLISECONDS,
): Promise<ReaderPool> => {
  const start = (): Promise<Reader> =>
    startThread(new URL('./reader-thread.ts', import.meta.url), { path: file.path, key: file.key, limits });
  const slots = Array.from({ length: threads }, (): Slot => ({ reader: start(), waiting: 0 }));
  await Promise.all(slots.map(({ reader }) => reader));

  /** The thread of a slot; a new one if it has ended or could not start. */
  const readerOf = async (slot: Slot): Promise<Reader> => {
    const known = slot.reader;
    const reader = await known.catch(() => undefined);
    if (reader?.hasEnded() === false) return reader;
    if (slot.reader === known) slot.reader = start();
    return slot.reader;
  };

  return {
    read: async (request) => {
      const slot = slots.reduce((least, next) => (next.waiting < least.waiting ? next : least));
      slot.waiting++;
      let timer: NodeJS.Timeout | undefined;
      try {
        const reader = await readerOf(slot);
        // What waits before it in the same thread may take its time, too.
        const patience = slot.waiting * limits.milliseconds + graceMilliseconds;
        const reason = `This search takes longer than ${limits.milliseconds} ms (CONSILIUM_SEARCH_MILLISECONDS)`;
        timer = setTimeout(() => reader.kill(tooCostly(reason)), patience);
        return await reader.ask(request);
      } finally {
        clearTimeout(timer);
        slot.waiting--;
      }
    },
    end: async () => {
      const readers = await Promise.allSettled(slots.map(({ reader }) => reader));
      await Promise.all(readers.map((reader) => (reader.status === 'fulfilled' ? reader.value.end() : undefined)));
    },
  };
};

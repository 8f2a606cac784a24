/** Records that are read with every request, such as clients and users, without a read of the store every time. */
import type { Records } from '../store/store.ts';

/**
 * So long another instance may go on with what it has read. A client or user that is disabled is refused on the instance
 * that did it at once, and on all others within this second.
 */
const FRESH_MILLISECONDS = 1000;

/** More records than that are not remembered at once; they are small. */
const REMEMBERED = 10_000;

export interface CachedRecords {
  /** The record as parsed JSON; undefined if it is not there. */
  get<T>(key: string): Promise<T | undefined>;
  /** To be called by whoever has changed a record. */
  forget(key: string): void;
}

interface Remembered {
  readonly value: Promise<unknown>;
  readonly until: number;
}

export const createCachedRecords = (records: Records, now: () => number): CachedRecords => {
  const remembered = new Map<string, Remembered>();

  const read = async (key: string): Promise<unknown> => {
    const record = await records.get(key);
    return record === undefined ? undefined : JSON.parse(record.value);
  };

  return {
    get: async <T>(key: string) => {
      const known = remembered.get(key);
      if (known !== undefined && known.until > now()) return known.value as Promise<T | undefined>;
      if (remembered.size >= REMEMBERED) remembered.clear();
      const value = read(key);
      const entry = { value, until: now() + FRESH_MILLISECONDS };
      remembered.set(key, entry);
      // What failed is tried again by the next one who asks.
      value.catch(() => remembered.get(key) === entry && remembered.delete(key));
      return value as Promise<T | undefined>;
    },
    forget: (key) => remembered.delete(key),
  };
};

/** Records that are read with every request, such as clients and users, without a read of the store every time. */
import type { Records } from '../store/store.ts';

/** So long a record is gone by without a look at the store. */
const FRESH_MILLISECONDS = 500;

/** More than that is not remembered at once; records are small. */
const REMEMBERED = 10_000;

/**
 * What another instance or a command has changed is seen within a second at the latest: a record may be half a second old
 * when something is found out from it, which is then gone by for another half.
 */
export interface CachedRecords {
  /** The record as parsed JSON; undefined if it is not there. */
  get<T>(key: string): Promise<T | undefined>;
  /** What `find` finds out from records that it gets here, or found lately under the same name. */
  derived<T>(name: string, find: () => Promise<T>): Promise<T>;
  /** To be called by whoever has changed a record. */
  forget(key: string): void;
}

interface Remembered {
  readonly value: Promise<unknown>;
  readonly until: number;
}

/** Answers what was found for a key lately, or finds it. */
const createMemory = (now: () => number) => {
  const remembered = new Map<string, Remembered>();
  return {
    find: <T>(key: string, find: () => Promise<T>): Promise<T> => {
      const known = remembered.get(key);
      if (known !== undefined && known.until > now()) return known.value as Promise<T>;
      if (remembered.size >= REMEMBERED) remembered.clear();
      const value = find();
      const entry = { value, until: now() + FRESH_MILLISECONDS };
      remembered.set(key, entry);
      // What failed is tried again by the next one who asks.
      value.catch(() => remembered.get(key) === entry && remembered.delete(key));
      return value;
    },
    forget: (key: string) => remembered.delete(key),
    forgetAll: () => remembered.clear(),
  };
};

export const createCachedRecords = (records: Records, now: () => number): CachedRecords => {
  const found = createMemory(now);
  const derived = createMemory(now);

  const read = async (key: string): Promise<unknown> => {
    const record = await records.get(key);
    return record === undefined ? undefined : JSON.parse(record.value);
  };

  return {
    get: <T>(key: string) => found.find(key, () => read(key)) as Promise<T | undefined>,
    derived: derived.find,
    forget: (key) => {
      found.forget(key);
      derived.forgetAll();
    },
  };
};

/**
 * The key sets of clients that register a url: kept as long as their answers say and not longer, and asked for anew when a
 * token has a key that is not among them, as a client may change its keys at any time.
 */
import type { PublicJwk } from '../keys/jws.ts';
import { type FetchedKeySet, type FetchOptions, fetchedKeySet } from './fetch-key-set.ts';

/** An answer that says nothing about how long it may be kept. */
const UNSAID_MILLISECONDS = 60_000;
/** Nobody may make a key that was withdrawn be valid for longer. */
const LONGEST_MILLISECONDS = 3_600_000;
/** Whoever could not answer is not asked again at once. */
const FAILED_MILLISECONDS = 1000;
/** For the sake of unknown keys a url is not asked more often than so many times in so long. */
const SEEKS = 10;
const SEEKS_MILLISECONDS = 10_000;

/** Sets that are remembered at once. */
const REMEMBERED = 1000;

export interface KeySets {
  /** The keys at a url. Throws KeySetUnavailable. */
  at(url: string): Promise<readonly PublicJwk[]>;
  /** The keys after `known` did not suffice: fetched again, unless that was done too often. Throws KeySetUnavailable. */
  after(url: string, known: readonly PublicJwk[]): Promise<readonly PublicJwk[]>;
}

export interface KeySetsOptions extends FetchOptions {
  now(): number;
}

interface Entry {
  readonly fetched: number;
  readonly set: Promise<FetchedKeySet>;
  /** When the url was lately asked for the sake of unknown keys. */
  readonly seeks: readonly number[];
}

const freshMilliseconds = async ({ set }: Entry): Promise<number> => {
  try {
    return Math.min((await set).freshMilliseconds ?? UNSAID_MILLISECONDS, LONGEST_MILLISECONDS);
  } catch {
    return FAILED_MILLISECONDS;
  }
};

export const createKeySets = ({ now, ...options }: KeySetsOptions): KeySets => {
  const entries = new Map<string, Entry>();

  const fetchNow = (url: string, seeks: readonly number[]): Entry => {
    if (entries.size >= REMEMBERED) entries.clear();
    const entry = { fetched: now(), set: fetchedKeySet(url, options), seeks };
    // Whoever waits for it hears of its failure; nobody may wait any more.
    entry.set.catch(() => undefined);
    entries.set(url, entry);
    return entry;
  };

  const current = async (url: string): Promise<Entry> => {
    const known = entries.get(url);
    if (known === undefined) return fetchNow(url, []);
    const isFresh = known.fetched + (await freshMilliseconds(known)) > now();
    if (isFresh) return known;
    const newest = entries.get(url);
    return newest === undefined || newest === known ? fetchNow(url, known.seeks) : newest;
  };

  return {
    at: async (url) => (await (await current(url)).set).keys,
    after: async (url, known) => {
      const entry = await current(url);
      const { keys } = await entry.set;
      const seeks = entry.seeks.filter((time) => time > now() - SEEKS_MILLISECONDS);
      if (keys !== known || seeks.length >= SEEKS) return keys;
      const newest = entries.get(url) ?? entry;
      return (await (newest === entry ? fetchNow(url, [...seeks, now()]) : newest).set).keys;
    },
  };
};

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
}

const freshMilliseconds = async ({ set }: Entry): Promise<number> => {
  try {
    return Math.min((await set).freshMilliseconds ?? UNSAID_MILLISECONDS, LONGEST_MILLISECONDS);
  } catch {
    return FAILED_MILLISECONDS;
  }
};

/** Adds to a map that holds no more than what is remembered. */
const keep = <T>(map: Map<string, T>, url: string, value: T): void => {
  if (map.size >= REMEMBERED && !map.has(url)) map.clear();
  map.set(url, value);
};

export const createKeySets = ({ now, ...options }: KeySetsOptions): KeySets => {
  const entries = new Map<string, Entry>();
  /** What is fetched for the sake of an unknown key: until it is there, and if it fails, the keys at hand are good. */
  const seeking = new Map<string, Entry>();
  /** When each url was lately asked for that. */
  const seeks = new Map<string, readonly number[]>();

  const begun = (url: string): Entry => {
    const entry = { fetched: now(), set: fetchedKeySet(url, options) };
    // Whoever waits for it hears of its failure; nobody may wait any more.
    entry.set.catch(() => undefined);
    return entry;
  };

  const fetchNow = (url: string): Entry => {
    const entry = begun(url);
    keep(entries, url, entry);
    return entry;
  };

  const current = async (url: string): Promise<Entry> => {
    const known = entries.get(url);
    if (known === undefined) return fetchNow(url);
    const isFresh = known.fetched + (await freshMilliseconds(known)) > now();
    if (isFresh) return known;
    const newest = entries.get(url);
    return newest === undefined || newest === known ? fetchNow(url) : newest;
  };

  /** Undefined if that was done too often. */
  const sought = async (url: string): Promise<FetchedKeySet | undefined> => {
    const pending = seeking.get(url);
    if (pending !== undefined) return pending.set;
    const recent = (seeks.get(url) ?? []).filter((time) => time > now() - SEEKS_MILLISECONDS);
    if (recent.length >= SEEKS) return undefined;
    keep(seeks, url, [...recent, now()]);
    const entry = begun(url);
    seeking.set(url, entry);
    try {
      const set = await entry.set;
      keep(entries, url, entry);
      return set;
    } finally {
      seeking.delete(url);
    }
  };

  const at = async (url: string): Promise<readonly PublicJwk[]> => (await (await current(url)).set).keys;

  return {
    at,
    after: async (url, known) => {
      const entry = entries.get(url);
      if (entry === undefined || (await entry.set).keys !== known) return at(url);
      // What must not be kept was fetched just now.
      if ((await freshMilliseconds(entry)) === 0) return known;
      return (await sought(url))?.keys ?? known;
    },
  };
};

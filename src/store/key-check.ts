/**
 * Whether a key is that of a shared store. The embedded store knows by itself, as its file is encrypted; MongoDB would take
 * any key, and what was sealed under another one would fail long after the start.
 */
import type { Records } from './store.ts';
import { StoreUnusable } from './store-unusable.ts';

/** The record of a store that tells its key; a copy of the store makes its own. */
export const KEY_CHECK = 'store-key';

export interface KeyCheck {
  /** Derived from the key, and says nothing about it. */
  readonly derived: Buffer;
  /** The store, as an operator knows it. */
  readonly name: string;
  /** Whether a store that tells nothing gets to know this key. */
  readonly isKept: boolean;
}

/** Throws StoreUnusable if the store has another key. Several instances may begin with one store at once. */
export const checkKey = async (records: Records, { derived, name, isKept }: KeyCheck): Promise<void> => {
  const value = JSON.stringify(derived.toString('hex'));
  const known = await records.get(KEY_CHECK);
  if (known === undefined && !isKept) return;
  if (known === undefined) await records.put(KEY_CHECK, value, { revision: 0 });
  if ((known ?? (await records.get(KEY_CHECK)))?.value === value) return;
  throw new StoreUnusable(
    `The key is not that of the store ${name}: set CONSILIUM_STORE_KEY or CONSILIUM_STORE_KEY_FILE to the one that it was made with`,
  );
};

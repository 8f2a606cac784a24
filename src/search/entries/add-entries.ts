import type { IndexEntry } from '../index-entry.ts';

/** Adds the index entries of one value of the type that it was made for; a value that says nothing adds none. */
export type AddEntries = (value: unknown, entries: IndexEntry[]) => void;

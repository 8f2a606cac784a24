/**
 * Walks over all current resources of some types and gives each the index entries of the search parameters as they are
 * now. It makes no versions. Page by page, with a rest after each, so that requests get their turn.
 */
import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises';
import type { PageKey } from '../search/search-query.ts';
import type { Store, Version, Write } from '../store/store.ts';
import type { Extract } from './index-gate.ts';

/** Where a walk is; as JSON it can be kept, and gone on from. */
export interface WalkPosition {
  /** Which of the types, counted from 0; their number when all is done. */
  readonly at: number;
  /** Where the page before ended, within the type. */
  readonly after?: PageKey;
  /** How many resources have been indexed. */
  readonly indexed: number;
}

export interface WalkOptions {
  readonly store: Pick<Store, 'search' | 'commit'>;
  readonly types: readonly string[];
  readonly extract: Extract;
  /** Aborts the walk after the page under way. */
  readonly signal: AbortSignal;
  /** Keeps a position, when all before it is durable. */
  keep(position: WalkPosition): Promise<void>;
}

export const WALK_START: WalkPosition = { at: 0, indexed: 0 };

/** The most resources of a page, and about how many bytes they may have together: some resources are megabytes. */
const PAGE_RESOURCES = 200;
const PAGE_BYTES = 4_000_000;
const FIRST_PAGE_RESOURCES = 10;
/** After so many resources, requests get a turn. */
const TURN_RESOURCES = 20;

/** As many as make a page of the right size, if they are like those before. */
const nextCount = (items: readonly Version[]): number => {
  const bytes = items.reduce((sum, { text }) => sum + text.length, 0);
  return Math.max(1, Math.min(PAGE_RESOURCES, Math.floor((PAGE_BYTES * items.length) / Math.max(1, bytes))));
};

const indexWrites = async (items: readonly Version[], extract: Extract): Promise<Write[]> => {
  const writes: Write[] = [];
  for (const { type, id, version, text } of items) {
    const entries = extract(JSON.parse(text.toString()) as { resourceType: string });
    writes.push({ kind: 'index', reference: { type, id }, version, entries });
    if (writes.length % TURN_RESOURCES === 0) await turn();
  }
  return writes;
};

/** Walks from a position to the end. Rejects when it is aborted, or with what the store throws. */
export const walk = async (from: WalkPosition, options: WalkOptions): Promise<void> => {
  const { store, types, extract, signal, keep } = options;
  let position = from;
  let count = FIRST_PAGE_RESOURCES;
  for (let type = types[position.at]; type !== undefined; type = types[position.at]) {
    signal.throwIfAborted();
    const started = performance.now();
    const { at, after, indexed } = position;
    const searches = [{ type, clauses: [] }];
    const { items, next } = await store.search({
      ...{ searches, sort: [], count, bytes: PAGE_BYTES },
      ...(after === undefined ? {} : { after }),
    });
    const writes = await indexWrites(items, extract);
    if (writes.length > 0) await store.commit(writes);
    const sum = indexed + items.length;
    position = next === undefined ? { at: at + 1, indexed: sum } : { at, after: next, indexed: sum };
    await keep(position);
    count = next === undefined ? FIRST_PAGE_RESOURCES : nextCount(items);
    await pause(performance.now() - started, undefined, { signal });
  }
};

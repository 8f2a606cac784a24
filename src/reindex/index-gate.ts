/**
 * Sees to it that every commit carries the index entries of the search parameters as they are when it is handed to the
 * store. A request may have made its entries before the parameters changed, and be committed when the walk of a reindex
 * has passed its resource already: nobody would make them anew.
 */
import { type ResourceText, stampedText } from '../fhir/resource-text.ts';
import type { IndexEntry } from '../search/index-entry.ts';
import type { Store, Write } from '../store/store.ts';

/** From a valid resource to its index entries. */
export type Extract = (resource: { resourceType: string }) => IndexEntry[];

export interface IndexGate {
  /** The store, whose commits have the newest entries. */
  readonly store: Store;
  /** The extractor; its entries are made anew at the commit if the parameters have changed since. */
  watched(extract: Extract): Extract;
  /** Resolves when every commit that is under way now has ended. */
  settled(): Promise<void>;
}

interface Made {
  readonly generation: number;
  readonly extract: Extract;
}

const parsedResource = (resource: ResourceText): { resourceType: string } =>
  JSON.parse(stampedText(resource, { version: 1, lastUpdated: 0 }));

export const createIndexGate = (store: Store, parameters: { readonly generation: number }): IndexGate => {
  const made = new WeakMap<readonly IndexEntry[], Made>();
  const underWay = new Set<Promise<unknown>>();

  const renewed = (write: Write): Write => {
    if (write.kind !== 'create' && write.kind !== 'update') return write;
    const before = made.get(write.entries);
    if (before === undefined || before.generation === parameters.generation) return write;
    return { ...write, entries: before.extract(parsedResource(write.resource)) };
  };

  return {
    store: {
      ...store,
      commit: (writes, expected) => {
        const commit = store.commit(writes.map(renewed), expected);
        const ended: Promise<unknown> = commit.catch(() => undefined).then(() => underWay.delete(ended));
        underWay.add(ended);
        return commit;
      },
    },
    watched: (extract) => (resource) => {
      const entries = extract(resource);
      made.set(entries, { generation: parameters.generation, extract });
      return entries;
    },
    settled: async () => {
      await Promise.all(underWay);
    },
  };
};

/** Many resources by their ids, with few searches. */
import type { Reference } from '../fhir/reference.ts';
import type { Version } from '../store/store.ts';
import type { FhirServer } from './fhir-request.ts';

/** The most ids of one search. */
const IDS = 500;

/** What was found; `isOverBytes` says whether there is more that did not fit into the bytes. */
interface ReadAll {
  readonly items: readonly Version[];
  readonly isOverBytes: boolean;
}

/** The current versions of those that are there, by type, with at most `bytes` together. */
export const readAll = async (
  { store }: FhirServer,
  references: readonly Reference[],
  bytes: number,
): Promise<ReadAll> => {
  const found: Version[] = [];
  let left = bytes;
  for (let at = 0; at < references.length; at += IDS) {
    const chunk = references.slice(at, at + IDS);
    const types = Map.groupBy(chunk, ({ type }) => type);
    const searches = [...types].map(([type, list]) => ({
      type,
      clauses: [{ kind: 'id' as const, values: list.map(({ id }) => id) }],
    }));
    const { items, next } = await store.search({ searches, sort: [], count: chunk.length, bytes: Math.max(0, left) });
    for (const item of items) {
      left -= item.text.length;
      // A page has one resource at least.
      if (left < 0) return { items: found, isOverBytes: true };
      found.push(item);
    }
    if (next !== undefined) return { items: found, isOverBytes: true };
  }
  return { items: found, isOverBytes: false };
};

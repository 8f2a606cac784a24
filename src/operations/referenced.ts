/** The resources that others refer to by literal references, found in their texts. */
import { localReferences } from '../fhir/local-references.ts';
import { type Reference, referenceText } from '../fhir/reference.ts';
import type { FhirServer } from '../interactions/fhir-request.ts';
import type { Related, Version } from '../store/store.ts';

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

/**
 * All that `from` leads to over references to resources that `isWanted`, and over theirs, each once, at most `limit`
 * with at most `bytes` together. `isCut` says whether there may be more, `isOverBytes` whether that did not fit.
 */
export const referencedFrom = async (
  server: FhirServer,
  from: readonly Version[],
  isWanted: (reference: Reference) => boolean,
  limit: number,
  bytes: number,
): Promise<Related> => {
  const asked = new Set<string>(from.map(referenceText));
  const items: Version[] = [];
  let isCut = false;
  let left = bytes;
  for (let next: readonly Version[] = from; next.length > 0; ) {
    const references: Reference[] = [];
    for (const { text } of next)
      for (const reference of localReferences(text.toString(), server.baseUrl)) {
        const name = referenceText(reference);
        if (asked.has(name) || !server.isResourceType(reference.type) || !isWanted(reference)) continue;
        asked.add(name);
        references.push(reference);
      }
    const room = limit - items.length;
    isCut ||= references.length > room;
    const found = await readAll(server, references.slice(0, room), left);
    items.push(...found.items);
    if (found.isOverBytes) return { items, isCut: true, isOverBytes: true };
    left = found.items.reduce((rest, { text }) => rest - text.length, left);
    next = found.items;
  }
  return { items, isCut, isOverBytes: false };
};

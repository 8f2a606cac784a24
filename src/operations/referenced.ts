/** The resources that others refer to by literal references, found in their texts. */
import { stringEnd } from '../fhir/json-text.ts';
import { parseReference, type Reference, referenceText } from '../fhir/reference.ts';
import type { FhirServer } from '../interactions/fhir-request.ts';
import type { Version } from '../store/store.ts';

/** The most ids of one search. */
const IDS = 500;

/** In compact JSON. Inside of a string its quotes would be escaped, so each is a key. */
const KEY = '"reference":"';

/** The resources of this server that a resource refers to, each once. */
export const localReferences = (text: string, baseUrl: string): Reference[] => {
  const found = new Map<string, Reference>();
  for (let at = text.indexOf(KEY); at >= 0; at = text.indexOf(KEY, at)) {
    const start = at + KEY.length - 1;
    at = stringEnd(text, start);
    const parsed = parseReference(JSON.parse(text.slice(start, at)), baseUrl);
    if (parsed?.kind === 'local') {
      const reference = { type: parsed.type, id: parsed.id };
      found.set(referenceText(reference), reference);
    }
  }
  return [...found.values()];
};

/** The current versions of those that are there, by type. */
export const readAll = async ({ store }: FhirServer, references: readonly Reference[]): Promise<Version[]> => {
  const found: Version[] = [];
  for (let at = 0; at < references.length; at += IDS) {
    const chunk = references.slice(at, at + IDS);
    const types = Map.groupBy(chunk, ({ type }) => type);
    const searches = [...types].map(([type, list]) => ({
      type,
      clauses: [{ kind: 'id' as const, values: list.map(({ id }) => id) }],
    }));
    found.push(...(await store.search({ searches, sort: [], count: chunk.length })).items);
  }
  return found;
};

/**
 * All that `from` leads to over references to resources that `isWanted`, and over theirs, each once, at most `limit`.
 * `isCut` says whether there may be more.
 */
export const referencedFrom = async (
  server: FhirServer,
  from: readonly Version[],
  isWanted: (reference: Reference) => boolean,
  limit: number,
): Promise<{ items: readonly Version[]; isCut: boolean }> => {
  const asked = new Set<string>(from.map(referenceText));
  const items: Version[] = [];
  let isCut = false;
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
    next = room === 0 ? [] : await readAll(server, references.slice(0, room));
    items.push(...next);
  }
  return { items, isCut };
};

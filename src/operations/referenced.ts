/** The resources that others refer to by literal references, found in their texts. */
import { localReferences } from '../fhir/local-references.ts';
import { type Reference, referenceText } from '../fhir/reference.ts';
import type { FhirServer } from '../interactions/fhir-request.ts';
import { readAll } from '../interactions/read-all.ts';
import type { Related, Version } from '../store/store.ts';

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

/** From versions that were made to the documents that are written. */
import type { ApplyContext, Draft } from './apply-write.ts';
import type { Bodies } from './bodies.ts';
import type { HistoryDocument, ResourceDocument, StoredVersion } from './document.ts';
import { resourceKey, versionKey } from './keys.ts';

/** The text of a version, stored or not. */
export const textOfKnown =
  (bodies: Bodies): ApplyContext['textOf'] =>
  async (version) =>
    'text' in version ? version.text : bodies.textOf(version);

/** The document of a new current version; a large text is uploaded. */
export const resourceDocument = async (
  { text, keys, ...version }: Draft,
  bodies: Bodies,
): Promise<ResourceDocument> => ({
  _id: resourceKey(version),
  ...version,
  ...(await bodies.stored(version, text)),
  ...keys,
});

/** The document of a superseded version, as it was found. */
export const historyDocument = (version: StoredVersion & { readonly _id?: string }): HistoryDocument => ({
  ...version,
  _id: versionKey(version, version.version),
});

/** The document of a version that its own commit supersedes. */
export const draftedHistory = async (
  { text, keys: _, ...version }: Draft,
  bodies: Bodies,
): Promise<HistoryDocument> => ({
  ...version,
  ...(await bodies.stored(version, text)),
  _id: versionKey(version, version.version),
});

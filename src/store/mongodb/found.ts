/** What a search reads of a document, and the references that an include follows from it. */
import type { Version } from '../store.ts';
import type { SearchContext } from './context.ts';
import { type ResourceDocument, type StoredVersion, VERSION_FIELDS } from './document.ts';

/** With the keys, so that an include needs no command to know where the references lead. */
export const FOUND_FIELDS = { _id: 1, ...VERSION_FIELDS, k: 1 } as const;

/** Enough for a reference and its place in a page, but not for a version. */
export const REFERENCE_FIELDS = { _id: 1, rid: 1, type: 1, id: 1 } as const;

export type FoundDocument = StoredVersion & Pick<ResourceDocument, '_id' | 'k'>;

const keysOfVersions = new WeakMap<object, readonly string[]>();

/** The keys of a version that a search of this process found; they are forgotten with the version. */
export const knownKeys = (version: object): readonly string[] | undefined => keysOfVersions.get(version);

/** The documents as versions. */
export const versionsOfFound = async (
  documents: readonly FoundDocument[],
  { versionsOf }: SearchContext,
): Promise<Version[]> => {
  const versions = await versionsOf(documents);
  for (const [at, version] of versions.entries()) keysOfVersions.set(version, documents[at]?.k ?? []);
  return versions;
};

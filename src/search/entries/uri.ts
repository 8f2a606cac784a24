/**
 * Uri entries, as written: uris are compared exactly, with case and escapes. A canonical with a version is found without
 * it, too.
 *
 * @see https://hl7.org/fhir/R4/search.html#uri
 */
import { type IndexEntry, modifiedParam } from '../index-entry.ts';
import { splitCanonical } from '../split-canonical.ts';
import type { AddEntries } from './add-entries.ts';

const addUri = (param: string, value: unknown, entries: IndexEntry[]): void => {
  if (typeof value === 'string') entries.push({ kind: 'uri', param, value });
};

/** The url of a conformance resource with its business version, so that `url=http://a/b|1.0` finds it. */
export const addVersionedUrl = (
  param: string,
  { url, version }: Readonly<Record<string, unknown>>,
  entries: IndexEntry[],
): void => {
  if (typeof url === 'string' && typeof version === 'string')
    addUri(modifiedParam(param, 'version'), `${url}|${version}`, entries);
};

/** Undefined for types that are no uri. */
export const uriEntries = (param: string, type: string): AddEntries | undefined => {
  switch (type) {
    case 'uri':
    case 'url':
    case 'oid':
    case 'uuid':
      return (value, entries) => addUri(param, value, entries);
    case 'canonical':
      return (value, entries) => {
        addUri(param, value, entries);
        const { url, version } = splitCanonical(String(value));
        if (version !== undefined) addUri(param, url, entries);
      };
    default:
      return undefined;
  }
};

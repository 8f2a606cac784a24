/**
 * Uri entries, as written: uris are compared exactly, with case and escapes.
 *
 * @see https://hl7.org/fhir/R4/search.html#uri
 */
import type { AddEntries } from './add-entries.ts';

/** Undefined for types that are no uri. */
export const uriEntries = (param: string, type: string): AddEntries | undefined => {
  switch (type) {
    case 'uri':
    case 'url':
    case 'canonical':
    case 'oid':
    case 'uuid':
      return (value, entries) => {
        if (typeof value === 'string') entries.push({ kind: 'uri', param, value });
      };
    default:
      return undefined;
  }
};

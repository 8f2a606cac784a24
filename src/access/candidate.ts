/** A version, or what is yet to be written, as rights are judged by: its facts, and its index entries once they are needed. */
import { cutLargeString } from '../fhir/large-string.ts';
import type { Candidate } from '../search/match-clause.ts';
import type { Version } from '../store/store.ts';
import type { AccessServer } from './access-server.ts';

export interface Judged extends Candidate {
  /** Of a Binary: the reference of its securityContext; undefined if it has none. */
  readonly securityContext: string | undefined;
  /** Whether it is yet to be written. */
  readonly isNew?: true;
}

interface Parsed {
  readonly resourceType: string;
  readonly securityContext?: { readonly reference?: unknown; readonly identifier?: unknown };
}

/** A large string, such as the data of a Binary, decides nothing. */
const parsedText = (text: Buffer): Parsed => JSON.parse(cutLargeString(text)?.text ?? text.toString()) as Parsed;

/** The reference, '' for one that is none: it leads to nothing. */
const contextOf = ({ securityContext }: Parsed): string | undefined => {
  if (securityContext === undefined) return undefined;
  return typeof securityContext.reference === 'string' ? securityContext.reference : '';
};

export const judgedVersion = (
  server: AccessServer,
  { type, id, lastUpdated, source, text }: Pick<Version, 'type' | 'id' | 'lastUpdated' | 'source' | 'text'>,
): Judged => {
  let known: Parsed | undefined;
  let made: Candidate['entries'] | undefined;
  const parsed = (): Parsed => {
    known ??= parsedText(text);
    return known;
  };
  return {
    ...{ type, id, lastUpdated, source },
    get entries() {
      made ??= server.indexEntries(parsed());
      return made;
    },
    get securityContext() {
      return contextOf(parsed());
    },
  };
};

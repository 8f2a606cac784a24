/** What judging a caller's rights needs of the server, and one request as far as that is concerned. */
import type { Compartments } from '../definitions/compartments.ts';
import type { IndexEntry } from '../search/index-entry.ts';
import type { SearchFacts, SearchLimits } from '../search/search-limits.ts';
import type { Store } from '../store/store.ts';
import type { Actor } from './actor.ts';

export interface AccessLimits extends SearchLimits {
  /** The most resources, or versions, that are looked through to learn what a caller may see. */
  readonly accessResources: number;
  /** The most bytes of resources in one answer. */
  readonly answerBytes: number;
}

export interface AccessServer extends SearchFacts {
  /** With all that there is. */
  readonly store: Store;
  readonly compartments: Compartments;
  readonly limits: AccessLimits;
  isResourceType(name: string): boolean;
  indexEntries(resource: { resourceType: string }): IndexEntry[];
}

/** One request, or the entries of one batch. What was found out for it is remembered under a name. */
export interface Visit {
  readonly server: AccessServer;
  readonly actor: Actor;
  readonly known: Map<string, unknown>;
}

/** What was found out before in this visit, or is now. */
export const remembered = <T>({ known }: Visit, name: string, find: () => T): T => {
  if (!known.has(name)) known.set(name, find());
  return known.get(name) as T;
};

/** What searches and histories are given: the collections, the limits, and the way from documents to versions. */
import type { ClientSession, Collection } from 'mongodb';
import type { Version } from '../store.ts';
import type { HistoryDocument, ResourceDocument, StoredVersion } from './document.ts';

export interface SearchLimits {
  /** The most time that one search may take, in milliseconds. */
  readonly milliseconds: number;
  /** The most documents that one search may look at where it resolves chains, `_has` and hierarchies. */
  readonly rows: number;
}

export interface SearchContext {
  readonly resources: Collection<ResourceDocument>;
  /**
   * Superseded versions. A single write puts the version that it is about to supersede here before it replaces it, and
   * may then lose: so a version can be here and in `resources` at once, with the same content. Who reads both reads
   * `resources` first, so that no version is missed, and counts a version once.
   */
  readonly history: Collection<HistoryDocument>;
  /** In the same order; the large texts of all come by one command. */
  readonly versionsOf: (documents: readonly StoredVersion[]) => Promise<Version[]>;
  readonly searchLimits: SearchLimits;
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number;
  /** So much earlier than now a version may be dated that is not there yet. */
  readonly lateMilliseconds: number;
  /** The most documents that are sorted without an index; 1,000 by default. */
  readonly few?: number;
  /** Of the transaction that asks, if one does: every command must be given it. */
  readonly session?: ClientSession;
}

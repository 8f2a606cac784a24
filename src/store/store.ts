/**
 * What a database must be able to do for the server. It speaks of resources, versions and searches; nothing above it
 * knows which database is there. Both stores pass one contract suite.
 */
import { FhirError } from '../fhir/fhir-error.ts';
import type { Reference } from '../fhir/reference.ts';
import type { ResourceText } from '../fhir/resource-text.ts';
import type { IndexEntry } from '../search/index-entry.ts';
import type { Include, PageKey, SearchQuery } from '../search/search-query.ts';

/** What made a version: a create, an update of what was not there, an update, a deletion. */
export type Action = 'create' | 'update-as-create' | 'update' | 'delete';

/** One version of a resource. Versions count from 1; a deletion is a version without text. */
export interface Version extends Reference {
  readonly version: number;
  /** Milliseconds since 1970 UTC. */
  readonly lastUpdated: number;
  readonly isDeleted: boolean;
  readonly action: Action;
  /** UTF-8 of the resource's JSON; empty for a deletion. */
  readonly text: Buffer;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** Present if there are more: what `after` must be to go on. */
  readonly next?: PageKey;
}

export type Write =
  | {
      readonly kind: 'create';
      readonly resource: ResourceText;
      readonly entries: readonly IndexEntry[];
      /** Resources that must be there when the write is committed. */
      readonly requires?: readonly Reference[];
    }
  | {
      readonly kind: 'update';
      readonly resource: ResourceText;
      readonly entries: readonly IndexEntry[];
      readonly requires?: readonly Reference[];
      /** The version that must be current. */
      readonly ifMatch?: number;
    }
  | { readonly kind: 'delete'; readonly reference: Reference; readonly ifMatch?: number };

/** What a write made of its resource. */
export interface Written extends Reference {
  /** `unchanged`: the stored text is the same, or what was to be deleted is not there; no new version was made. */
  readonly outcome: 'created' | 'updated' | 'deleted' | 'unchanged';
  readonly version: number;
  readonly lastUpdated: number;
}

/** What a conditional interaction found. The commit fails with `StaleExpectation` if that no longer holds. */
export interface Expectation {
  readonly query: SearchQuery;
  readonly found: readonly Reference[];
}

/** An expectation does not hold any more: resolve the conditions again, and commit again. */
export class StaleExpectation extends Error {
  override readonly name = 'StaleExpectation';
}

/** A write breaks a rule, and nothing of its commit was stored. */
export class RefusedWrite extends FhirError {
  /** Which of the commit's writes. */
  readonly position: number;

  constructor({ status, issues, headers }: FhirError, position: number) {
    super(status, issues, headers);
    this.position = position;
  }
}

/** One resource (type and id), one type, or everything. */
export interface HistoryScope {
  readonly type?: string;
  readonly id?: string;
}

export interface HistoryPage {
  readonly count: number;
  /** Versions made at this instant or later, in milliseconds since 1970 UTC. */
  readonly since?: number;
  /** Versions that were current at some time of this period. */
  readonly at?: { readonly lo: number; readonly hi: number };
  readonly after?: PageKey;
}

export interface Store {
  /** The current version, also if it is a deletion; or version `version`. */
  read(reference: Reference, version?: number): Promise<Version | undefined>;
  /** Versions, newest first; deletions are versions, too. */
  history(scope: HistoryScope, page: HistoryPage): Promise<Page<Version>>;
  search(query: SearchQuery): Promise<Page<Version>>;
  /**
   * What `includes` lead to from the matches, each once and without the matches themselves, at most `limit`. `isCut`
   * says whether there is more.
   */
  related(
    matches: readonly Reference[],
    includes: readonly Include[],
    limit: number,
  ): Promise<{ readonly items: readonly Version[]; readonly isCut: boolean }>;
  /** The exact number of matches. */
  count(query: SearchQuery): Promise<number>;
  /**
   * Writes all or nothing, and answers when it is durable. Throws RefusedWrite (409 for a create of what exists, 412 for
   * a stale `ifMatch`, 422 for a missing required resource), StaleExpectation, or a FhirError 503 if the disk refuses.
   */
  commit(writes: readonly Write[], expected?: readonly Expectation[]): Promise<readonly Written[]>;
  close(): Promise<void>;
}

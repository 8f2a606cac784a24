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
  /** On whose behalf the resource had been pushed when the version was made, like `Organization/abc`; absent if unknown. */
  readonly source?: string;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** Present if there are more: what `after` must be to go on. */
  readonly next?: PageKey;
}

/** A page of a search. */
interface SearchPage extends Page<Version> {
  /**
   * The parameters by whose values the matches come, `_lastUpdated` among them; empty if the order of a resource never
   * changes. A resource whose value has changed may come on a later page again.
   */
  readonly orderedBy: readonly string[];
  /** Of a first page in such an order: what is written later is of this instant or later, in ms since 1970 UTC. */
  readonly asOf?: number;
}

/** What is shown beside the matches of a page. */
export interface Related {
  readonly items: readonly Version[];
  /** Whether there is more. */
  readonly isCut: boolean;
  /** Whether what is left out would not have fit into the bytes. */
  readonly isOverBytes: boolean;
}

/** A page of a history. */
interface HistoryVersions extends Page<Version> {
  /**
   * Versions that were not there yet when the page was read will be of this instant or later, in milliseconds since 1970
   * UTC: a safe next `since`. Absent if nothing is there at all.
   */
  readonly asOf?: number;
}

/** The version that must be current, or `*` for any: there must be a current version that is no deletion. */
export type IfMatch = number | '*';

export type Write =
  | {
      readonly kind: 'create';
      readonly resource: ResourceText;
      readonly entries: readonly IndexEntry[];
      /** Resources that must be there when the write is committed. */
      readonly requires?: readonly Reference[];
      /**
       * On whose behalf it is written, like `Organization/abc`. The new version of a resource without source takes it; a
       * resource that has a source keeps that, whoever writes, also when it is deleted and created anew.
       */
      readonly source?: string;
    }
  | {
      readonly kind: 'update';
      readonly resource: ResourceText;
      readonly entries: readonly IndexEntry[];
      readonly requires?: readonly Reference[];
      readonly source?: string;
      readonly ifMatch?: IfMatch;
    }
  | { readonly kind: 'delete'; readonly reference: Reference; readonly ifMatch?: IfMatch }
  /** New index entries for a version that stays as it is; nothing happens if another version is current. */
  | {
      readonly kind: 'index';
      readonly reference: Reference;
      readonly version: number;
      readonly entries: readonly IndexEntry[];
    };

/** What a write made of its resource. */
export interface Written extends Reference {
  /** `unchanged`: the stored text is the same, or what was to be deleted is not there; no new version was made. */
  readonly outcome: 'created' | 'updated' | 'deleted' | 'unchanged';
  readonly version: number;
  readonly lastUpdated: number;
  /** Whether who has changed it may not read what it is now. */
  readonly isHidden?: true;
}

/** What a conditional interaction found. The commit fails with `StaleExpectation` if that no longer holds. */
export interface Expectation {
  readonly query: SearchQuery;
  readonly found: readonly Reference[];
  /** What was asked for, where `query` is that narrowed to what the writer may see: all who ask the same take turns. */
  readonly asked?: SearchQuery;
  /** Whether it is a condition of the server's own, which holds whatever the writer may see. */
  readonly isOfWholeStore?: boolean;
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
  /** Only versions with one of these sources; none at all if it is empty. */
  readonly sources?: readonly string[];
}

/** What narrows a history. */
export interface HistoryTimes {
  /** Versions made at this instant or later, in milliseconds since 1970 UTC. */
  readonly since?: number;
  /** Versions that were current at some time of this period. */
  readonly at?: { readonly lo: number; readonly hi: number };
}

export interface HistoryPage extends HistoryTimes {
  readonly count: number;
  /** The most bytes of JSON, as of a search. */
  readonly bytes?: number;
  readonly after?: PageKey;
}

/** A small JSON document beside the resources: a job, a client, a grant. */
export interface StoredRecord {
  readonly key: string;
  /** JSON. */
  readonly value: string;
  /** Counts from 1. */
  readonly revision: number;
  /** Milliseconds since 1970 UTC; absent if it does not expire. */
  readonly expires?: number;
}

/** Durable like resources; an expired record is not there. */
export interface Records {
  get(key: string): Promise<StoredRecord | undefined>;
  /** In the order of their keys, those whose key begins with `prefix`, behind the key `after`. */
  list(prefix: string, limit: number, after?: string): Promise<readonly StoredRecord[]>;
  /**
   * Writes a record if the current revision is `revision` (0: it is not there; undefined: whatever is there). Answers the
   * new revision, or undefined if another one is there. `expires` in milliseconds since 1970 UTC.
   */
  put(
    key: string,
    value: string,
    options?: { readonly revision?: number; readonly expires?: number },
  ): Promise<number | undefined>;
  /** Whether the record, if it was there at all, had this revision, and is gone. */
  delete(key: string, revision?: number): Promise<boolean>;
}

/** The stable number of a logical id: it breaks the ties of every order, and is the same in a copy of the store. */
export interface NumberedReference extends Reference {
  readonly rid: number;
}

/** A resource with all its versions, oldest first; the last one is current. */
export interface StoredHistory extends NumberedReference {
  readonly versions: readonly Version[];
}

/** From one store to another: everything as it is, with its numbers, versions and times. */
export interface Transfer {
  /** In the order of rid, those behind `after`, with at most `bytes` of JSON together, but always one. */
  histories(after: number, limit: number, bytes?: number): Promise<readonly StoredHistory[]>;
  /** The numbers alone, likewise. */
  references(after: number, limit: number): Promise<readonly NumberedReference[]>;
  /** Keeps the numbers for resources that `restore` will bring. Fails if a number is another resource's. */
  reserve(references: readonly NumberedReference[]): Promise<void>;
  /**
   * Takes resources whose numbers have been reserved, each with the entries of its current version. One that is there
   * with the same current version is left as it is, so that a copy can be taken up again.
   */
  restore(histories: readonly (StoredHistory & { readonly entries: readonly IndexEntry[] })[]): Promise<void>;
}

/** What became of one clause of a search. */
export interface ExplainedClause {
  /** What it was understood as, in one line. */
  readonly text: string;
  /**
   * `leads`: its index is read to find resources. `probed`: it is asked of each resource that was found otherwise.
   * `unused`: nothing of the type was looked for.
   */
  readonly role: 'leads' | 'probed' | 'unused';
  /** The tables of the store, each with the index that is used. */
  readonly indexes: readonly string[];
  /** How many rows are to be read to find all that it finds; undefined if it cannot lead, or was not counted. */
  readonly rows?: number;
  /** Whether there are more rows than were counted. */
  readonly hasMoreRows?: boolean;
}

/** What became of the search of one type. */
export interface ExplainedSearch {
  readonly type: string;
  /** In the order of the query. At most one leads; none if an index of the type, or of the sort key, is read. */
  readonly clauses: readonly ExplainedClause[];
  /** In which order the matches come, and why, in words. */
  readonly order: string;
}

/** How a search was answered. */
export interface Explanation {
  readonly searches: readonly ExplainedSearch[];
  /** The store's own account of what it did, as lines of text. */
  readonly plan: readonly string[];
  /** The rows that counted against the limits of a search. */
  readonly rowsTouched: number;
  readonly milliseconds: number;
  /** How many matches the first page has; of a query with `count` 0, how many there are. */
  readonly matches: number;
  readonly hasMore: boolean;
}

export interface Store {
  readonly records: Records;
  readonly transfer: Transfer;
  /**
   * The current version, also if it is a deletion; or version `version`. With `sources`, only one whose source is among
   * them: that of another is not loaded, so that a large one takes no longer than one that is not there.
   */
  read(reference: Reference, version?: number, sources?: readonly string[]): Promise<Version | undefined>;
  /** Versions, newest first; deletions are versions, too. */
  history(scope: HistoryScope, page: HistoryPage): Promise<HistoryVersions>;
  /** The exact number of versions that all pages of a history have together. */
  countHistory(scope: HistoryScope, times: HistoryTimes): Promise<number>;
  search(query: SearchQuery): Promise<SearchPage>;
  /**
   * What each of several searches finds, at most its `count`, and no matter which if more match; sort, bytes and `after`
   * are not looked at. It costs far less than as many searches. Fails as one of them would.
   */
  findEach(queries: readonly SearchQuery[]): Promise<readonly (readonly Reference[])[]>;
  /**
   * What `includes` lead to from the matches, each once and without the matches themselves, at most `limit`, with at most
   * `bytes` of JSON together.
   */
  related(matches: readonly Reference[], includes: readonly Include[], limit: number, bytes?: number): Promise<Related>;
  /** The exact number of matches. */
  count(query: SearchQuery): Promise<number>;
  /** Runs a search for its first page, or, with `count` 0, for its total, and tells how. Fails as the search does. */
  explain(query: SearchQuery): Promise<Explanation>;
  /**
   * Writes all or nothing, and answers when it is durable. Throws RefusedWrite (409 for a create of what exists, 412 for
   * a stale `ifMatch`, 422 for a missing required resource), StaleExpectation, or a FhirError 503 if the disk refuses.
   */
  commit(writes: readonly Write[], expected?: readonly Expectation[]): Promise<readonly Written[]>;
  close(): Promise<void>;
}

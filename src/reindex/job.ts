/**
 * What the store remembers of its index beside the resources: for which own search parameters it is whole, the job that
 * makes it so, and how far that is. Three records, as progress is written after every page.
 */
import type { OfferedParameter } from '../search/accept-parameters.ts';
import type { Records, StoredRecord } from '../store/store.ts';
import type { WalkPosition } from './walk.ts';

/** Fingerprints of own parameters by `Patient.race`. */
export type Fingerprints = Readonly<Record<string, string>>;

/** What the current index is made for. */
export interface Indexed {
  /** How all resources are indexed, apart from own parameters. */
  readonly extractor: string;
  /** The definitions from SearchParameter resources that are in use. */
  readonly posted: readonly OfferedParameter[];
  /** The own parameters whose index is whole. */
  readonly fingerprints: Fingerprints;
}

export interface Job {
  readonly id: string;
  readonly status: 'in-progress' | 'completed' | 'failed';
  /** The types whose resources are indexed anew, in this order. */
  readonly types: readonly string[];
  /** The parameters that are ready when it is done. */
  readonly pending: Fingerprints;
  /** The definitions from SearchParameter resources that are in use from now on. */
  readonly posted: readonly OfferedParameter[];
  /** How it indexes, apart from own parameters. */
  readonly extractor: string;
  /** How many resources there were to index when it began. */
  readonly total: number;
  /** Milliseconds since 1970 UTC. */
  readonly started: number;
  readonly finished?: number;
  /** Why it failed, in words for the client. */
  readonly failure?: string;
}

/** A record, and its revision; 0 if there is none. */
interface Kept<Value> {
  readonly value: Value | undefined;
  readonly revision: number;
}

export interface JobRecord<Value> {
  read(): Promise<Kept<Value>>;
  /** Writes over the revision that was read, and returns the new one; undefined if another process was faster. */
  write(value: Value, revision: number): Promise<number | undefined>;
}

/** The position of a walk, and of which job it is. */
export interface Progress extends WalkPosition {
  readonly job: string;
  /** How many processes have begun to walk from here; each was stopped or killed before it got further. */
  readonly starts?: number;
}

export interface JobRecords {
  readonly indexed: JobRecord<Indexed>;
  readonly job: JobRecord<Job>;
  readonly progress: JobRecord<Progress>;
}

const jsonRecord = <Value>(records: Records, key: string): JobRecord<Value> => ({
  read: async () => {
    const record = await records.get(key);
    return record === undefined
      ? { value: undefined, revision: 0 }
      : { value: JSON.parse(record.value) as Value, revision: record.revision };
  },
  write: (value, revision) => records.put(key, JSON.stringify(value), { revision }),
});

const INDEXED = 'reindex/indexed';

/**
 * The value of a record for a copy of the store that is indexed for R4's parameters alone: what it says of the index is
 * taken back, so that the server which opens the copy indexes it anew.
 */
export const withoutIndexState = ({ key, value }: StoredRecord): string => {
  if (key !== INDEXED) return value;
  const indexed: Indexed = { ...(JSON.parse(value) as Indexed), extractor: 'of a copy', fingerprints: {} };
  return JSON.stringify(indexed);
};

export const jobRecords = (records: Records): JobRecords => ({
  indexed: jsonRecord(records, INDEXED),
  job: jsonRecord(records, 'reindex/job'),
  progress: jsonRecord(records, 'reindex/progress'),
});

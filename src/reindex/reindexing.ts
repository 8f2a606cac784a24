/**
 * The server's own search parameters: which it has, which of them are indexed, and the job that indexes the others. The
 * order of a job makes it safe at any moment: it is recorded, then every write is indexed for the new parameters, then
 * all resources are walked over, and only then can be searched by them.
 */
import type { SearchParameter as SearchParameterResource } from '@medplum/fhirtypes';
import type { LiveSearchParameters } from '../definitions/search-parameters.ts';
import type { Structures } from '../definitions/structures.ts';
import { FhirError, issue } from '../fhir/fhir-error.ts';
import { type AcceptedParameter, acceptedParameters, type OfferedParameter } from '../search/accept-parameters.ts';
import type { Extract, IndexGate } from './index-gate.ts';
import { type Fingerprints, type Indexed, type Job, jobRecords } from './job.ts';
import {
  fingerprintsOf,
  ownParameters,
  pendingParameters,
  postedParameters,
  readyFingerprints,
  typesOf,
} from './own-parameters.ts';
import { createJobRunner, type Log, Stuck, Superseded } from './run-job.ts';

/** Seconds after which it is worth asking again for a job of one's own. */
const RETRY_SECONDS = '10';

/** A job that is interrupted, as by a full disk, waits so long first. */
const RETRY_MILLISECONDS = 1000;

export interface ReindexingOptions {
  readonly gate: IndexGate;
  readonly parameters: LiveSearchParameters;
  readonly structures: Structures;
  /** The SearchParameters of packages. */
  readonly offered: readonly OfferedParameter[];
  readonly extract: Extract;
  /** Names what else decides how resources are indexed. If it is another one than before, all are indexed anew. */
  readonly extractor: string;
  readonly log: Log;
  /**
   * How often the records are read again, in milliseconds, where several processes share the store; a job waits for two
   * such periods, until all have heard of it. 0 where this process has the store alone.
   */
  readonly refreshMilliseconds: number;
  now(): number;
  newId(): string;
}

/** A job, and how many resources it has indexed. */
export interface JobStatus extends Job {
  readonly indexed: number;
}

interface ReindexRequest {
  /** Types to index in any case. */
  readonly types: readonly string[];
  /** The one SearchParameter resource that is asked for; else all that are stored. */
  readonly only?: SearchParameterResource;
}

export interface Reindexing {
  /** Takes the parameters of packages and of earlier jobs, and goes on with a job or begins one if need be. */
  start(): Promise<void>;
  /** The running job, or the last. */
  status(): Promise<JobStatus | undefined>;
  /**
   * Begins a job, or answers the running one if it does all that is asked. Throws a FhirError 422 that says which
   * definitions cannot be used and why, 409 if another job is running.
   */
  request(request: ReindexRequest): Promise<JobStatus>;
  /** Stops the walk after the page under way; the next start goes on. */
  close(): Promise<void>;
}

/** What is indexed, with the revision of its record. */
interface IndexedRecord {
  readonly value: Indexed;
  readonly revision: number;
}

const isEqual = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);

const raced = (): FhirError =>
  new FhirError(409, [issue('conflict', 'Another $reindex began in the same moment; try again')]);

const otherRunning = ({ id }: Job): FhirError => {
  const text = `A $reindex for other parameters or types is running (${id}); ask again when it is done`;
  return new FhirError(409, [issue('conflict', text)], { 'retry-after': RETRY_SECONDS });
};

/** One action after the other, whether the one before fails or not. */
const createQueue = (): (<T>(action: () => Promise<T>) => Promise<T>) => {
  let last: Promise<unknown> = Promise.resolve();
  return (action) => {
    const result = last.then(action);
    last = result.catch(() => undefined);
    return result;
  };
};

export const createReindexing = (options: ReindexingOptions): Reindexing => {
  const { gate, parameters, structures, offered, extract, extractor, log, refreshMilliseconds, now, newId } = options;
  const { store } = gate;
  const records = jobRecords(store.records);
  // What changes the records reads them first.
  const exclusively = createQueue();
  let wanted: readonly AcceptedParameter[] = [];

  const accepted = (posted: readonly OfferedParameter[]) =>
    acceptedParameters([...offered, ...posted], { structures, ofR4: parameters.ofR4 });

  const apply = (fingerprints: Fingerprints): void =>
    parameters.replaceOwn(ownParameters(wanted, fingerprints, structures.resourceTypes));

  const indexedNow = async (): Promise<IndexedRecord> => {
    const { value, revision } = await records.indexed.read();
    return { value: value ?? { extractor, posted: [], fingerprints: {} }, revision };
  };

  /** Forgets the parameters that are gone or changed: from now on no write is indexed by them as they were. */
  const pruned = async ({ value, revision }: IndexedRecord): Promise<Indexed> => {
    const kept = { ...value, fingerprints: readyFingerprints(wanted, value.fingerprints) };
    if (revision > 0 && isEqual(kept, value)) return value;
    if ((await records.indexed.write(kept, revision)) === undefined) throw raced();
    return kept;
  };

  const countOf = async (types: readonly string[]): Promise<number> => {
    const counts = types.map((type) => store.count({ searches: [{ type, clauses: [] }], sort: [], count: 0 }));
    return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
  };

  const complete = (job: Job): Promise<void> =>
    exclusively(async () => {
      const current = await records.job.read();
      if (current.value?.id !== job.id) throw new Superseded();
      const { posted, pending } = job;
      const fingerprints = fingerprintsOf(wanted);
      const { revision } = await records.indexed.read();
      if ((await records.indexed.write({ extractor: job.extractor, posted, fingerprints }, revision)) === undefined)
        throw new Superseded();
      // Before the job is seen to be completed, as who waits for that searches at once.
      apply(fingerprints);
      await records.job.write({ ...job, status: 'completed', finished: now() }, current.revision);
      const ready = Object.keys(pending);
      if (ready.length > 0) log.info(`Search parameters are ready: ${ready.join(', ')}`);
    });

  const fail = (job: Job, error: unknown): Promise<void> =>
    exclusively(async () => {
      const current = await records.job.read();
      if (current.value?.id !== job.id) return;
      const isStuck = error instanceof Stuck;
      const reason = error instanceof FhirError || isStuck ? error.message : "the server's log has more";
      const failure = `${reason}; a new $reindex ${isStuck ? 'tries' : 'or a restart tries'} again`;
      await records.job.write({ ...job, status: 'failed', finished: now(), failure }, current.revision);
      log.error({ stack: (error as Error).stack }, 'A reindex failed');
    });

  const waitMilliseconds = 2 * refreshMilliseconds;
  const times = { waitMilliseconds, retryMilliseconds: RETRY_MILLISECONDS };
  const runner = createJobRunner({ gate, records, extract, log, ...times, complete, fail });

  /** Records a job for `wanted`, by which every write is indexed from then on, and begins it. */
  const begin = async (
    indexed: Indexed,
    posted: readonly OfferedParameter[],
    more: readonly string[],
    jobRevision: number,
  ): Promise<Job> => {
    const pending = pendingParameters(wanted, indexed.fingerprints);
    const all = indexed.extractor === extractor ? [] : structures.resourceTypes;
    const types = [...new Set([...typesOf(wanted, pending), ...more, ...all])].sort();
    const job: Job = {
      ...{ id: newId(), status: 'in-progress', types, pending, posted, extractor },
      ...{ total: await countOf(types), started: now() },
    };
    if ((await records.job.write(job, jobRevision)) === undefined) throw raced();
    apply(indexed.fingerprints);
    if (job.total > 0) log.info(`Indexing ${job.total} resources anew: ${types.join(', ')}`);
    runner.run(job);
    return job;
  };

  const statusOf = async (job: Job): Promise<JobStatus> => {
    const { value } = await records.progress.read();
    return { ...job, indexed: value?.job === job.id ? value.indexed : 0 };
  };

  /** Goes on with a job where it was left. */
  const resume = async (job: Job, jobRevision: number): Promise<void> => {
    const { finished: _, failure: __, ...rest } = job;
    const again: Job = { ...rest, status: 'in-progress' };
    if (!isEqual(again, job) && (await records.job.write(again, jobRevision)) === undefined) throw raced();
    log.info(`Going on to index ${job.types.join(', ')}`);
    runner.run(again);
  };

  /** The job that it begins, if there was a reason to. */
  const start = async (): Promise<Job | undefined> => {
    const { value, revision } = await records.job.read();
    const job = value?.status === 'completed' ? undefined : value;
    const before = await indexedNow();
    const posted = job?.posted ?? before.value.posted;
    const { parameters: usable, refusals } = accepted(posted);
    for (const { source, reason } of refusals) log.warn(`${source} is not used for search: ${reason}`);
    wanted = usable;
    // First of all, as every write must be indexed by them, whatever becomes of the records.
    apply(readyFingerprints(wanted, before.value.fingerprints));
    const indexed = await pruned(before);
    const pending = pendingParameters(wanted, indexed.fingerprints);
    if (job !== undefined && isEqual(job.pending, pending) && job.extractor === extractor) {
      await resume(job, revision);
      return undefined;
    }
    const isComplete = Object.keys(pending).length === 0 && indexed.extractor === extractor;
    if (job === undefined && isComplete) return undefined;
    return begin(indexed, posted, job?.types ?? [], revision);
  };

  /** Throws a FhirError 422 if one of these definitions cannot be used. */
  const checkedParameters = (posted: readonly OfferedParameter[], sources: readonly string[]) => {
    const { parameters: usable, refusals } = accepted(posted);
    const faults = refusals.filter(({ source }) => sources.includes(source));
    if (faults.length === 0) return usable;
    const issues = faults.map(({ source, reason }) => issue('business-rule', `${source} cannot be used: ${reason}`));
    throw new FhirError(422, issues);
  };

  const request = async ({ types, only }: ReindexRequest): Promise<JobStatus> => {
    const { value: job, revision } = await records.job.read();
    const before = await indexedNow();
    const isRunning = job?.status === 'in-progress';
    const isFailed = job?.status === 'failed';
    const active = isRunning || isFailed ? job.posted : before.value.posted;
    const posted = await postedParameters(store, active, only);
    const sources = only === undefined ? posted.map(({ source }) => source) : [`SearchParameter/${only.id}`];
    const usable = checkedParameters(posted, sources);
    const isNothingNew = isEqual(posted, active);
    if (isRunning) {
      if (isNothingNew && types.every((type) => job.types.includes(type))) return statusOf(job);
      throw otherRunning(job);
    }
    const isPending = Object.keys(pendingParameters(usable, before.value.fingerprints)).length > 0;
    if (job?.status === 'completed' && isNothingNew && types.length === 0 && !isPending) return statusOf(job);
    wanted = usable;
    const more = isFailed ? [...types, ...job.types] : types;
    return statusOf(await begin(await pruned(before), posted, more, revision));
  };

  let seen = '';
  let seenProgress = 0;
  /** Hears of what other processes began or finished, and takes over what one of them left undone. */
  const refresh = async (): Promise<void> => {
    const current = await records.job.read();
    const indexed = await indexedNow();
    const { revision: progress } = await records.progress.read();
    const state = `${current.revision} ${indexed.revision}`;
    const job = current.value?.status === 'in-progress' ? current.value : undefined;
    if (state !== seen) {
      wanted = accepted(job?.posted ?? indexed.value.posted).parameters;
      apply(readyFingerprints(wanted, indexed.value.fingerprints));
    }
    if (job !== undefined && !runner.isRunning() && state === seen && progress === seenProgress) runner.run(job);
    seen = state;
    seenProgress = progress;
  };

  let timer: NodeJS.Timeout | undefined;
  const startRefreshing = (): void => {
    const onFailure = (error: Error): void => log.warn(`The state of the index cannot be read: ${error.message}`);
    timer = setInterval(() => exclusively(refresh).catch(onFailure), refreshMilliseconds).unref();
  };

  return {
    start: async () => {
      const job = await exclusively(start);
      // In a new store the parameters are ready from the first request on.
      if (job?.total === 0) await runner.ended();
      if (refreshMilliseconds > 0) startRefreshing();
    },
    status: async () => {
      const { value } = await records.job.read();
      return value === undefined ? undefined : statusOf(value);
    },
    request: (asked) => exclusively(() => request(asked)),
    close: async () => {
      clearInterval(timer);
      await runner.stop();
    },
  };
};

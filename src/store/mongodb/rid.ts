/**
 * Resource ids of 51 bits, made without a central counter: 41 bits of milliseconds since 2020, 6 bits of the instance,
 * 4 bits to count within a millisecond. They fit into a JavaScript number and into the embedded store, which multiplies
 * them. An instance leases its number through a record. It makes rids of the leased time only, and who takes the number
 * over begins behind that time: so no two are equal, whatever the clocks say.
 */
import { unavailable } from '../../fhir/fhir-error.ts';
import type { Records } from '../store.ts';
import { RETRY_AFTER_SECONDS } from './deadline.ts';

const EPOCH = Date.UTC(2020, 0, 1);
const INSTANCES = 64;
const COUNTS = 16;

/** The first rid of an instant, whichever instance makes it. */
export const firstRidOf = (instant: number): number => Math.max(0, instant - EPOCH) * INSTANCES * COUNTS;

interface Lease {
  readonly instance: number;
  readonly revision: number;
  /** Rids of the lease are of this instant or later, and before `until`; in milliseconds since 1970 UTC. */
  readonly from: number;
  readonly until: number;
}

export interface RidMaker {
  /** Greater than all that this one made before. Throws FhirError 503 if the lease has ended. */
  next(): number;
  /** Prolongs the lease, or takes another number if somebody else has it now. */
  renew(): Promise<void>;
  /** Renews a lease that has ended, as after a long time without the database. */
  ready(): Promise<void>;
  /** Gives the number back. */
  release(): Promise<void>;
}

const keyOf = (instance: number): string => `instance/${instance}`;

/** What the record says: until when the number is leased. */
const leasedUntil = (value: string | undefined): number =>
  value === undefined ? 0 : (JSON.parse(value) as { until: number }).until;

export interface RidOptions {
  readonly records: Pick<Records, 'get' | 'put'>;
  readonly leaseMilliseconds: number;
  readonly now: () => number;
}

/** Takes the first free number, beginning anywhere, so that instances that start together seldom meet. */
const freshLease = async ({ records, leaseMilliseconds, now }: RidOptions): Promise<Lease> => {
  const first = Math.floor(Math.random() * INSTANCES);
  for (let step = 0; step < INSTANCES; step++) {
    const instance = (first + step) % INSTANCES;
    const record = await records.get(keyOf(instance));
    const before = leasedUntil(record?.value);
    if (before > now()) continue;
    const until = now() + leaseMilliseconds;
    const revision = await records.put(keyOf(instance), JSON.stringify({ until }), {
      revision: record?.revision ?? 0,
    });
    if (revision !== undefined) return { instance, revision, from: before, until };
  }
  throw unavailable(
    `All ${INSTANCES} instance numbers are leased; those of instances that were killed come free with time`,
    RETRY_AFTER_SECONDS,
  );
};

/** Leases an instance number. Throws FhirError 503 if all are taken. */
export const leaseRids = async (options: RidOptions): Promise<RidMaker> => {
  const { records, leaseMilliseconds, now } = options;
  let lease = await freshLease(options);
  let last = { instant: lease.from, count: -1 };

  const use = (fresh: Lease): void => {
    lease = fresh;
    // A number of another instance may sort below the last one within a millisecond.
    last = { instant: Math.max(last.instant + 1, fresh.from), count: -1 };
  };
  const renew = async (): Promise<void> => {
    const until = Math.max(now(), last.instant) + leaseMilliseconds;
    const revision = await records.put(keyOf(lease.instance), JSON.stringify({ until }), { revision: lease.revision });
    if (revision === undefined) use(await freshLease(options));
    else lease = { ...lease, revision, until };
  };
  let renewing: Promise<void> | undefined;
  const renewOnce = (): Promise<void> => {
    renewing ??= renew().finally(() => {
      renewing = undefined;
    });
    return renewing;
  };
  return {
    next: () => {
      const instant = Math.max(now(), last.instant);
      // More than a millisecond has room for are borrowed from those to come.
      const isFull = instant === last.instant && last.count === COUNTS - 1;
      const at = isFull
        ? { instant: instant + 1, count: 0 }
        : { instant, count: instant === last.instant ? last.count + 1 : 0 };
      if (at.instant >= lease.until)
        throw unavailable('The lease of this instance has ended; it is being renewed', RETRY_AFTER_SECONDS);
      last = at;
      return firstRidOf(at.instant) + lease.instance * COUNTS + at.count;
    },
    renew: renewOnce,
    ready: async () => {
      if (Math.max(now(), last.instant) + 1 >= lease.until) await renewOnce();
    },
    release: async () => {
      const value = JSON.stringify({ until: last.instant + 1 });
      await records.put(keyOf(lease.instance), value, { revision: lease.revision });
      lease = { ...lease, until: 0 };
    },
  };
};

import { test } from 'tap';
import { firstRidOf, leaseRids } from '../../../src/store/mongodb/rid.ts';
import type { Records, StoredRecord } from '../../../src/store/store.ts';

/** Records in memory, as a store keeps them. */
const memoryRecords = (): Pick<Records, 'get' | 'put'> & { readonly all: Map<string, StoredRecord> } => {
  const all = new Map<string, StoredRecord>();
  return {
    all,
    get: async (key) => all.get(key),
    put: async (key, value, { revision } = {}) => {
      const current = all.get(key)?.revision ?? 0;
      if (revision !== undefined && revision !== current) return undefined;
      all.set(key, { key, value, revision: current + 1 });
      return current + 1;
    },
  };
};

const NOW = Date.UTC(2026, 0, 1);
const leaseMilliseconds = 60_000;
const isSorted = (numbers: readonly number[]): boolean =>
  numbers.every((n, at) => at === 0 || n > (numbers[at - 1] ?? 0));

test('numbers are below 2^51, and go up, also when the clock stands still or goes back', async (t) => {
  let clock = NOW;
  const rids = await leaseRids({ records: memoryRecords(), leaseMilliseconds, now: () => clock });
  const made = Array.from({ length: 10_000 }, rids.next);
  clock -= 30_000;
  made.push(rids.next());
  clock += 40_000;
  made.push(rids.next());
  t.ok(isSorted(made));
  t.ok(made.every((rid) => Number.isSafeInteger(rid) && rid < 2 ** 51));
  t.ok((made[0] ?? 0) >= firstRidOf(NOW), 'they are ordered by time');
  t.ok((made.at(-1) ?? 0) >= firstRidOf(NOW + 10_000));
  t.ok(firstRidOf(Date.UTC(2089, 0, 1)) < 2 ** 51, 'for some decades');
});

test('the numbers of 64 instances whose clocks differ by a minute are all different', async (t) => {
  const records = memoryRecords();
  const leaseMilliseconds = 600_000;
  const makers = await Promise.all(
    Array.from({ length: 64 }, (_, at) =>
      leaseRids({ records, leaseMilliseconds, now: () => NOW + (at % 3) * 60_000 - 60_000 }),
    ),
  );
  const made = makers.flatMap((rids) => Array.from({ length: 200 }, rids.next));
  t.equal(new Set(made).size, 64 * 200);
  await t.rejects(
    leaseRids({ records, leaseMilliseconds, now: () => NOW - 60_000 }),
    { name: 'FhirError', status: 503 },
    'there are no more than 64',
  );
});

test('whoever takes a number over begins behind the time of the lease before, whatever its clock says', async (t) => {
  const records = memoryRecords();
  let slow = NOW;
  const first = await leaseRids({ records, leaseMilliseconds, now: () => slow });
  // A clock that is far ahead sees all leases as ended.
  const others = await Promise.all(
    Array.from({ length: 64 }, () => leaseRids({ records, leaseMilliseconds, now: () => NOW + 3_600_000 })),
  );
  const made = [first, ...others].flatMap((rids) => Array.from({ length: 50 }, rids.next));
  t.equal(new Set(made).size, made.length);
  slow += leaseMilliseconds;
  t.throws(first.next, { name: 'FhirError', status: 503 }, 'nothing is made after the lease');
  slow = NOW + 3_600_000 + 2 * leaseMilliseconds;
  await first.ready();
  const more = Array.from({ length: 50 }, first.next);
  t.equal(new Set([...made, ...more]).size, made.length + 50, 'it has another number now');
  t.ok(isSorted(made.slice(0, 50).concat(more)));
});

test('a lease is renewed, and a number that was given back is free at once', async (t) => {
  const records = memoryRecords();
  let clock = NOW;
  const now = () => clock;
  const rids = await leaseRids({ records, leaseMilliseconds, now });
  const made = [rids.next()];
  for (let step = 0; step < 10; step++) {
    clock += leaseMilliseconds / 3;
    await rids.renew();
    made.push(rids.next());
  }
  t.equal(records.all.size, 1, 'it is the same number all the time');
  await rids.release();
  t.throws(rids.next, { name: 'FhirError', status: 503 });
  clock += 1;
  const all = await Promise.all(Array.from({ length: 64 }, () => leaseRids({ records, leaseMilliseconds, now })));
  made.push(...all.map((each) => each.next()));
  t.equal(new Set(made).size, made.length);
});

test('a burst borrows from the time to come, and ends with the lease', async (t) => {
  const rids = await leaseRids({ records: memoryRecords(), leaseMilliseconds: 100, now: () => NOW });
  const made = Array.from({ length: 1600 }, rids.next);
  t.ok(isSorted(made));
  t.throws(rids.next, { name: 'FhirError', status: 503 });
  await rids.ready();
  t.ok(rids.next() > (made.at(-1) ?? 0));
});

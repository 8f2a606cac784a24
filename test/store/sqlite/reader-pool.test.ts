import { join } from 'node:path';
import { t as root, type Test, test } from 'tap';
import type { Clause, SearchQuery } from '../../../src/search/search-query.ts';
import { openSqliteStore } from '../../../src/store/sqlite/open-store.ts';
import type { ReadRequest, ReadResult } from '../../../src/store/sqlite/reader.ts';
import { type PoolOptions, type ReaderPool, startReaderPool } from '../../../src/store/sqlite/reader-pool.ts';
import { created, resourceOf, searchOf, token } from '../contract/resources.ts';
import { KEY, OPTIONS, temporaryFolder } from './temporary-store.ts';

const TYPE = 'Observation';
const RESOURCES = 2000;
const LIMITS = { milliseconds: 60_000, rows: 100_000_000 };
/** With so little time a slow search is found out at its first look at the clock. */
const POOL: PoolOptions = { quickThreads: 1, slowThreads: 1, quickMilliseconds: 5, queue: 1000 };
/** With so much time a search is never slow. */
const PATIENT: PoolOptions = { ...POOL, quickMilliseconds: 60_000 };

const holds = (value: string): Clause => ({ kind: 'string', param: 'name', match: 'contains', values: [value] });
const without = (clause: Clause): Clause => ({ kind: 'not', clause });
/** Finds all, and compares each with so many values before: none has an x in its name, and all have an n. */
const costly = (times: number): Clause => ({
  kind: 'any',
  clauses: [...Array.from({ length: times }, (_, at) => holds(`x${at}`)), holds('n')],
});
const SLOW: ReadRequest = { kind: 'count', query: searchOf(TYPE, [without(costly(50))]) };
const CHEAP: ReadRequest = { kind: 'search', query: searchOf(TYPE, [{ kind: 'id', values: ['o1'] }]) };

const path = join(temporaryFolder(root as unknown as Test), 'store.db');
/** A patient, and observations of them; closed, so that only the pools of the tests read it. */
const storeData = async (): Promise<void> => {
  const store = await openSqliteStore({ ...OPTIONS, path });
  await store.commit([
    created(resourceOf('Patient', 'p')),
    ...Array.from({ length: RESOURCES }, (_, at) =>
      created(resourceOf(TYPE, `o${at}`), [
        { kind: 'string', param: 'name', value: `n${at}`, exact: `N${at}` },
        { kind: 'reference', param: 'subject', type: 'Patient', id: 'p' },
        token('status', at % 3 === 0 ? 'final' : 'preliminary'),
      ]),
    ),
  ]);
  await store.close();
};
await storeData();

const startPool = async (t: Test, options: PoolOptions, limits = LIMITS): Promise<ReaderPool> => {
  const pool = await startReaderPool({ path, key: KEY }, options, limits);
  t.teardown(() => pool.end());
  return pool;
};

const millisecondsOf = async (work: () => Promise<unknown>): Promise<number> => {
  const begin = performance.now();
  await work();
  return performance.now() - begin;
};

test('slow searches do not stop quick ones', async (t) => {
  const pool = await startPool(t, POOL);
  const slowAlone = await millisecondsOf(() => pool.read(SLOW));
  let slowAnswers = 0;
  const slow = Array.from({ length: 8 }, async () => {
    const result = await pool.read(SLOW);
    slowAnswers++;
    return result;
  });
  const begin = performance.now();
  for (let at = 0; at < 20; at++) t.match(await pool.read(CHEAP), { versions: { items: [{ id: 'o1' }] } });
  const all = performance.now() - begin;
  const report = `a slow search takes ${slowAlone} ms alone; 20 quick ones took ${all} ms`;
  t.ok(slowAnswers <= 2, `${slowAnswers} of 8 slow searches were answered before: ${report}`);
  for (const result of await Promise.all(slow)) t.same(result, { count: 0 });
});

/** One of each kind that takes longer than the quick threads have time for. */
const slowRequests = (count: number): readonly ReadRequest[] => {
  const query = searchOf(TYPE, [costly(10)], count);
  const sort: SearchQuery['sort'] = [{ by: 'param', param: 'name', entries: 'string', isDescending: true }];
  const include = { type: TYPE, param: 'subject', target: undefined, iterates: false };
  return [
    { kind: 'search', query },
    { kind: 'search', query: { ...query, sort } },
    { kind: 'count', query },
    { kind: 'history', scope: {}, page: { count } },
    { kind: 'count-history', scope: {}, times: { at: { lo: 0, hi: Date.now() } } },
    {
      kind: 'related',
      matches: [{ type: 'Patient', id: 'p' }],
      includes: [{ ...include, direction: 'reverse' }],
      limit: 2 * RESOURCES,
      bytes: undefined,
    },
  ];
};

test('what was begun on a quick thread and done on a slow one has the same answer', async (t) => {
  const pool = await startPool(t, { ...POOL, quickMilliseconds: 1 });
  const patient = await startPool(t, PATIENT);
  for (const request of slowRequests(RESOURCES))
    t.same(await pool.read(request), await patient.read(request), request.kind);

  const pages = async (readers: ReaderPool): Promise<ReadResult[]> => {
    const query = searchOf(TYPE, [costly(50)], 450);
    const results: ReadResult[] = [];
    for (let after = query.after; results.length === 0 || after !== undefined; ) {
      const result = await readers.read({ kind: 'search', query: { ...query, ...(after ? { after } : {}) } });
      results.push(result);
      after = result.versions?.next;
    }
    return results;
  };
  const found = await pages(pool);
  t.same(found, await pages(patient));
  t.equal(new Set(found.flatMap(({ versions }) => versions?.items.map(({ id }) => id) ?? [])).size, RESOURCES);
});

test('an explanation tells the rows and the time of the run that answered', async (t) => {
  const request: ReadRequest = { kind: 'explain', query: searchOf(TYPE, [costly(50)], RESOURCES) };
  const { explanation } = await (await startPool(t, POOL)).read(request);
  const { explanation: whole } = await (await startPool(t, PATIENT)).read(request);
  t.equal(explanation?.rowsTouched, whole?.rowsTouched);
  t.equal(explanation?.matches, RESOURCES);
  t.ok((explanation?.milliseconds ?? 0) > POOL.quickMilliseconds, 'longer than a quick thread would have gone on');
});

const refusal = (status: number, code: string, diagnostics: RegExp) => ({
  name: 'FhirError',
  status,
  issues: [{ code, diagnostics }],
});
const reasonsOf = (results: readonly PromiseSettledResult<unknown>[]): unknown[] =>
  results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));

test('over the limit of what may wait the answer is 503, which names the limit, and later ones are answered', async (t) => {
  const pool = await startPool(t, { ...POOL, queue: 3 });
  const results = await Promise.allSettled(Array.from({ length: 12 }, () => pool.read(SLOW)));
  const reasons = reasonsOf(results);
  t.ok(reasons.length >= 7 && reasons.length < 12, `${reasons.length} of 12`);
  for (const reason of reasons) {
    t.match(reason, refusal(503, 'throttled', /^3 searches are waiting already \(CONSILIUM_SEARCH_QUEUE\)$/));
    t.match(reason, { headers: { 'retry-after': /^[1-9]\d*$/ } });
  }
  t.match(await pool.read(CHEAP), { versions: { items: [{ id: 'o1' }] } });
  t.same(await pool.read(SLOW), { count: 0 });
});

test('the time of a slow search counts from when it begins; one that waits for longer is refused with 503', async (t) => {
  const pool = await startPool(t, POOL, { ...LIMITS, milliseconds: 100 });
  const slower: ReadRequest = { kind: 'count', query: searchOf(TYPE, [without(costly(500))]) };
  const results = await Promise.allSettled(Array.from({ length: 6 }, () => pool.read(slower)));
  const reasons = reasonsOf(results);
  t.equal(reasons.length, 6);
  t.match(reasons[0], refusal(422, 'too-costly', /takes longer than 100 ms \(CONSILIUM_SEARCH_MILLISECONDS\)/));
  t.match(reasons[5], refusal(503, 'throttled', /has waited for 100 ms \(CONSILIUM_SEARCH_MILLISECONDS\)/));
  t.match(await pool.read(CHEAP), { versions: { items: [{ id: 'o1' }] } });
});

test('the limit of rows is the same in both lanes', async (t) => {
  for (const options of [POOL, { ...POOL, quickMilliseconds: 1 }, PATIENT]) {
    const pool = await startPool(t, options, { ...LIMITS, rows: 50_000 });
    await t.rejects(pool.read(SLOW), refusal(422, 'too-costly', /more than 50000 rows \(CONSILIUM_SEARCH_ROWS\)/));
  }
});

test('what waits when the store is closed is refused with 503, and what has begun is answered', async (t) => {
  const pool = await startReaderPool({ path, key: KEY }, PATIENT, LIMITS);
  const all = Promise.allSettled(Array.from({ length: 50 }, () => pool.read(CHEAP)));
  await pool.end();
  const results = await all;
  t.match(results[0], { value: { versions: { items: [{ id: 'o1' }] } } });
  t.match(results.at(-1), { reason: { status: 503 } });
  for (const reason of reasonsOf(results)) t.match(reason, refusal(503, 'transient', /being closed/));
  await t.rejects(pool.read(CHEAP), { name: 'FhirError', status: 503 });
});

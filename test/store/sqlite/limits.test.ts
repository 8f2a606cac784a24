import { join } from 'node:path';
import { test } from 'tap';
import type { IndexEntry } from '../../../src/search/index-entry.ts';
import type { Clause, SearchQuery } from '../../../src/search/search-query.ts';
import { openSqliteStore } from '../../../src/store/sqlite/open-store.ts';
import { startReaderPool } from '../../../src/store/sqlite/reader-pool.ts';
import { created, idsOf, resourceOf, searchOf, token, withToken } from '../contract/resources.ts';
import { KEY, OPTIONS, openTemporaryStore, temporaryFolder } from './temporary-store.ts';

const TYPE = 'Observation';
const tooCostly = (diagnostics: RegExp) => ({
  name: 'FhirError',
  status: 422,
  issues: [{ code: 'too-costly', diagnostics }],
});

const observations = (count: number, entriesOf: (at: number) => IndexEntry[]) =>
  Array.from({ length: count }, (_, at) => created(resourceOf(TYPE, `o${at}`), entriesOf(at)));

const byDate = (query: SearchQuery): SearchQuery => ({
  ...query,
  sort: [
    { by: 'param', param: 'date', entries: 'date', isDescending: true },
    { by: 'id', isDescending: false },
  ],
});

test('a search that touches too many rows is refused, and the store goes on answering', async (t) => {
  const store = await openTemporaryStore(t, { searchLimits: { milliseconds: 30_000, rows: 100 } });
  await store.commit(observations(300, (at) => [token('code', at < 20 ? 'rare' : 'common'), token('status', 'final')]));
  const rare: Clause = { kind: 'not', clause: withToken('code', 'common') };
  const none: Clause = { kind: 'not', clause: withToken('status', 'final') };
  const costly = tooCostly(/more than 100 rows \(CONSILIUM_SEARCH_ROWS\)/);
  const refused: readonly (readonly [name: string, ask: () => Promise<unknown>])[] = [
    ['two keys', () => store.search(byDate(searchOf(TYPE, [], 10)))],
    ['an explanation', () => store.explain(byDate(searchOf(TYPE, [], 10)))],
    ['a total', () => store.count(searchOf(TYPE, [withToken('status', 'final')]))],
    ['a probe of each resource', () => store.search(searchOf(TYPE, [rare], 50))],
    ['a negation that nothing fulfils', () => store.search(searchOf(TYPE, [none], 10))],
    ['a long page of a history', () => store.history({ type: TYPE }, { count: 200 })],
  ];
  for (const [name, ask] of refused) {
    await t.rejects(ask(), costly, name);
    t.equal((await store.search(searchOf(TYPE, [withToken('code', 'rare')], 10))).items.length, 10, `after ${name}`);
  }
  t.same(await idsOf(store, TYPE, withToken('code', 'none')), []);
  t.equal((await store.search(searchOf(TYPE, [], 50))).items.length, 50, 'a page costs what it shows');
});

test('searches made together have the limits of one each', async (t) => {
  const store = await openTemporaryStore(t, { searchLimits: { milliseconds: 30_000, rows: 100 } });
  await store.commit(observations(300, (at) => [token('code', at < 20 ? 'rare' : 'common'), token('status', 'final')]));
  const rare = searchOf(TYPE, [withToken('code', 'rare')], 15);
  const found = await store.findEach(Array.from({ length: 130 }, () => rare));
  t.same(
    found.map(({ length }) => length),
    Array.from({ length: 130 }, () => 15),
  );
  const none = searchOf(TYPE, [{ kind: 'not', clause: withToken('status', 'final') }], 2);
  await t.rejects(store.findEach([rare, none, rare]), tooCostly(/more than 100 rows \(CONSILIUM_SEARCH_ROWS\)/));
  await t.rejects(store.findEach([none]), tooCostly(/more than 100 rows/));
});

test('a search that takes too long is refused while others are answered', async (t) => {
  const store = await openTemporaryStore(t, {
    searchPool: { ...OPTIONS.searchPool, quickThreads: 2, slowThreads: 2 },
    searchLimits: { milliseconds: 1, rows: 10_000_000 },
  });
  await store.commit(observations(3000, (at) => [{ kind: 'string', param: 'name', value: `n${at}`, exact: `N${at}` }]));
  const values = Array.from({ length: 20 }, (_, at) => `x${at}`);
  const slow: Clause = { kind: 'not', clause: { kind: 'string', param: 'name', match: 'contains', values: ['n'] } };
  const slower: Clause = {
    kind: 'any',
    clauses: values.map((value) => ({ ...slow.clause, values: [value] }) as Clause),
  };
  const results = await Promise.allSettled([
    store.count(searchOf(TYPE, [slow, slower])),
    store.search(searchOf(TYPE, [{ kind: 'id', values: ['o1'] }])),
    store.count(searchOf(TYPE, [slow, slower])),
    store.search(searchOf(TYPE, [{ kind: 'id', values: ['o2'] }])),
    store.read({ type: TYPE, id: 'o3' }),
  ]);
  t.same(
    results.map(({ status }) => status),
    ['rejected', 'fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
  );
  for (const at of [0, 2])
    t.match(results[at], { reason: tooCostly(/longer than 1 ms \(CONSILIUM_SEARCH_MILLISECONDS\)/) });
});

test('a condition within a commit has no limits, as its search had them before', async (t) => {
  const store = await openTemporaryStore(t, { searchLimits: { milliseconds: 30_000, rows: 100 } });
  await store.commit(observations(1000, () => [token('status', 'final')]));
  const query = searchOf(TYPE, [{ kind: 'not', clause: withToken('status', 'final') }], 2);
  for (let at = 0; at < 3; at++)
    t.match(await store.commit([created(resourceOf('Patient', `p${at}`))], [{ query, found: [] }]), [
      { outcome: 'created' },
    ]);
});

test('a thread that is stuck in one step is replaced', async (t) => {
  const path = join(temporaryFolder(t), 'store.db');
  const store = await openSqliteStore({ ...OPTIONS, path });
  t.teardown(() => store.close());
  // Few rows, so that the search itself does not look at the clock, and each of them takes long to sort by.
  const tokens = Array.from({ length: 4000 }, (_, at) => token('code', `c${at}`));
  await store.commit(observations(30, () => tokens));
  const limits = { milliseconds: 500, rows: 1_000_000 };
  const pool = await startReaderPool({ path, key: KEY }, OPTIONS.searchPool, limits, 250);
  t.teardown(() => pool.end());
  const stuck = searchOf(TYPE, []);
  const query: SearchQuery = {
    ...stuck,
    sort: Array.from({ length: 20 }, (_, at) => ({
      by: 'param' as const,
      param: at < 16 ? 'code' : `other${at}`,
      entries: 'token' as const,
      isDescending: at % 2 === 1,
    })),
  };
  const quick = { kind: 'search', query: searchOf(TYPE, [{ kind: 'id', values: ['o1'] }]) } as const;
  t.match(await pool.read(quick), { versions: { items: [{ id: 'o1' }] } });
  for (let round = 0; round < 2; round++) {
    const refused = t.rejects(pool.read({ kind: 'search', query }), tooCostly(/longer than 500 ms/));
    // They have been given to the thread that is replaced.
    const answers = await Promise.all([pool.read(quick), pool.read(quick), pool.read(quick)]);
    for (const answer of answers) t.match(answer, { versions: { items: [{ id: 'o1' }] } });
    await refused;
  }
});

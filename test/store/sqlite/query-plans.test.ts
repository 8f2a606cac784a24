import { join } from 'node:path';
import { type Test, test } from 'tap';
import type { IndexEntry } from '../../../src/search/index-entry.ts';
import { type Clause, PREFIXES, type SearchQuery } from '../../../src/search/search-query.ts';
import { type Connection, openConnection } from '../../../src/store/sqlite/database.ts';
import { openNames } from '../../../src/store/sqlite/names.ts';
import { openSqliteStore } from '../../../src/store/sqlite/open-store.ts';
import { createSearcher } from '../../../src/store/sqlite/search.ts';
import { created, resourceOf, token, withToken } from '../contract/resources.ts';
import { CHECK_BYTES, KEY, temporaryFolder } from './temporary-store.ts';

const TYPE = 'Observation';

const entriesOf = (at: number): IndexEntry[] => [
  token('code', `c${at % 5}`, 'urn:s'),
  token('status', 'final'),
  { kind: 'reference', param: 'subject', type: 'Patient', id: `p${at % 3}` },
  { kind: 'date', param: 'date', lo: at * 1000, hi: at * 1000 + 1 },
  { kind: 'date', param: 'date', lo: 0, hi: at === 7 ? Number.POSITIVE_INFINITY : 1 },
  { kind: 'quantity', param: 'value', lo: at, hi: at, system: 'urn:u', code: 'mg', unit: '' },
  { kind: 'number', param: 'number', lo: at, hi: at },
  { kind: 'string', param: 'name', value: `name ${at % 9}`, exact: `Name ${at % 9}` },
  { kind: 'uri', param: 'url', value: `urn:${at % 9}` },
];

interface Planned {
  /** The plans of the statements that make pages, a line a step. */
  readonly pages: readonly (readonly string[])[];
}

/** Runs searches on a connection that notes each statement, and asks SQLite for its plan. */
const openPlanner = async (t: Test) => {
  const path = join(temporaryFolder(t), 'store.db');
  const store = await openSqliteStore({ path, key: KEY, checkBytes: CHECK_BYTES });
  await store.commit(Array.from({ length: 60 }, (_, at) => created(resourceOf(TYPE, `o${at}`), entriesOf(at))));
  await store.close();
  const connection = openConnection({ path, key: KEY }, 'read');
  t.teardown(() => connection.close());
  const statements: string[] = [];
  const noting = new Proxy(connection, {
    get: (target, name) => {
      if (name !== 'prepare') return Reflect.get(target, name, target);
      return (text: string) => {
        statements.push(text);
        return target.prepare(text);
      };
    },
  }) as Connection;
  const searcher = createSearcher(noting, openNames(connection));
  const planOf = (text: string): string[] =>
    connection
      .prepare<unknown[], { detail: string }>(`EXPLAIN QUERY PLAN ${text}`)
      .all(...(text.match(/\?/g) ?? []).map(() => 1))
      .map(({ detail }) => detail);

  return (query: Omit<SearchQuery, 'type' | 'count'>): Planned => {
    statements.length = 0;
    const first = searcher.page({ type: TYPE, count: 2, ...query });
    if (first.next !== undefined) searcher.page({ type: TYPE, count: 2, ...query, after: first.next });
    // The others count the rows of each clause, up to a limit.
    return { pages: [...new Set(statements)].filter((text) => !text.includes('count(*)')).map(planOf) };
  };
};

const ranged = (kind: 'date' | 'number' | 'quantity', param: string, prefix: (typeof PREFIXES)[number]): Clause => ({
  kind,
  param,
  values: [{ prefix, lo: 5, hi: 6 }],
});

const CLAUSES: readonly (readonly [name: string, clause: Clause])[] = [
  ['code', withToken('code', 'c1')],
  ['system|code', withToken('code', 'c1', 'urn:s')],
  ['|code', withToken('status', 'final', '')],
  ['two codes', { kind: 'token', param: 'code', values: [{ code: 'c1' }, { system: 'urn:s', code: 'c2' }] }],
  ['reference', { kind: 'reference', param: 'subject', values: [{ type: 'Patient', id: 'p1' }] }],
  ['uri', { kind: 'uri', param: 'url', values: ['urn:1', 'urn:2'] }],
  ['string', { kind: 'string', param: 'name', match: 'starts', values: ['name'] }],
  ['two strings', { kind: 'string', param: 'name', match: 'starts', values: ['name 1', 'name'] }],
  ['string:exact', { kind: 'string', param: 'name', match: 'exact', values: ['Name 1'] }],
  ['_lastUpdated', { kind: 'lastUpdated', values: [{ prefix: 'ge', lo: 5, hi: 6 }] }],
  ...PREFIXES.flatMap((prefix): [string, Clause][] => [
    [`date ${prefix}`, ranged('date', 'date', prefix)],
    [`number ${prefix}`, ranged('number', 'number', prefix)],
    [`quantity ${prefix}`, ranged('quantity', 'value', prefix)],
  ]),
];

/** The leader is read first and by its index; all the rest is sought for each of its rows. */
const isSought = (t: Test, { pages }: Planned, name: string): void => {
  t.ok(pages.length > 0);
  for (const steps of pages) {
    t.match(steps[0], /^SEARCH o USING (PRIMARY KEY|COVERING INDEX|INDEX) .*=\?/, `${name}: the leader`);
    const others = steps.slice(1).filter((step) => !/^(CORRELATED|MULTI-INDEX OR|INDEX \d)/.test(step));
    t.ok(
      others.every((step) => /^SEARCH i (EXISTS )?USING .*\br(ow)?id=\?/.test(step)),
      `${name}: the others are sought by resource: ${others.join('; ')}`,
    );
  }
};

test('a page of each kind of clause is sought by an index, in the order of that index', async (t) => {
  const planned = await openPlanner(t);
  for (const [name, clause] of CLAUSES) isSought(t, planned({ clauses: [clause] }), name);
  isSought(t, planned({ clauses: [] }), 'no clause');
});

test('a page of two clauses is sought by one and probes the other for each resource', async (t) => {
  const planned = await openPlanner(t);
  for (const [name, clause] of CLAUSES)
    for (const [otherName, other] of CLAUSES)
      if (name < otherName) isSought(t, planned({ clauses: [clause, other] }), `${name} and ${otherName}`);
});

test('several conditions on one date bound one scan from both sides', async (t) => {
  const planned = await openPlanner(t);
  const clauses = [
    ranged('date', 'date', 'ge'),
    { ...ranged('date', 'date', 'le'), values: [{ prefix: 'le', lo: 9, hi: 10 }] } as Clause,
  ];
  const { pages } = planned({ clauses });
  t.match(pages[0]?.[0], /^SEARCH o USING PRIMARY KEY \(param=\? AND form=\? AND lo>\? AND lo<\?\)/);
});

test('a comparison with a number seeks only what lies on its side', async (t) => {
  const planned = await openPlanner(t);
  for (const [prefix, bounds] of [
    ['gt', 'lo>\\?'],
    ['sa', 'lo>\\?'],
    ['lt', 'lo<\\?'],
    ['eb', 'lo<\\?'],
    ['eq', 'lo>\\? AND lo<\\?'],
    ['ap', 'lo>\\? AND lo<\\?'],
  ] as const)
    t.match(
      planned({ clauses: [ranged('quantity', 'value', prefix)] }).pages[0]?.[0],
      new RegExp(`form=\\? AND ${bounds}\\)`),
    );
});

test('_id is sought by the number of the resource', async (t) => {
  const planned = await openPlanner(t);
  const { pages } = planned({ clauses: [{ kind: 'id', values: ['o1', 'o2', 'absent'] }] });
  // One row needs no order, though SQLite names a step for it.
  t.same(pages, [['SEARCH o USING INTEGER PRIMARY KEY (rowid=?)', 'USE TEMP B-TREE FOR ORDER BY']]);
});

test('a sorted page scans the index of its key, or sorts a few resources', async (t) => {
  const planned = await openPlanner(t);
  for (const by of ['lastUpdated', 'id'] as const)
    for (const descending of [false, true]) {
      const { pages } = planned({ clauses: [], sort: { by, descending } });
      for (const steps of pages) {
        t.equal(steps.length, 1);
        t.match(
          steps[0],
          /^SEARCH r USING (COVERING )?INDEX (resource_by_updated|sqlite_autoindex_resource_1) \(type=\?/,
        );
      }
      for (const [name, clause] of CLAUSES) {
        if (clause.kind === 'lastUpdated') continue;
        const few = planned({ clauses: [clause], sort: { by, descending } });
        for (const steps of few.pages) {
          t.ok(steps.includes('SEARCH r USING INTEGER PRIMARY KEY (rowid=?)'), `${name}: ${steps.join('; ')}`);
          t.ok(
            steps.some((step) => /^SEARCH i USING (PRIMARY KEY|.*INDEX) /.test(step)),
            name,
          );
          t.notOk(
            steps.some((step) => /^SCAN (i|r|[a-z]+ i)$/.test(step)),
            name,
          );
        }
      }
    }
});

test('a system without a code, and :contains, read all values of their parameter and no other', async (t) => {
  const planned = await openPlanner(t);
  const system = planned({ clauses: [{ kind: 'token', param: 'code', values: [{ system: 'urn:s' }] }] });
  for (const steps of system.pages) t.match(steps[0], /^SEARCH o USING PRIMARY KEY \(param=\?\)/);
  const contains = planned({ clauses: [{ kind: 'string', param: 'name', match: 'contains', values: ['ame'] }] });
  for (const steps of contains.pages) t.match(steps[0], /^SEARCH o USING PRIMARY KEY \(param=\?/);
});

import { join } from 'node:path';
import { type Test, test } from 'tap';
import type { IndexEntry } from '../../../src/search/index-entry.ts';
import {
  type Clause,
  type Include,
  PREFIXES,
  type SearchQuery,
  type SortKey,
} from '../../../src/search/search-query.ts';
import { createBudget } from '../../../src/store/sqlite/budget.ts';
import { type Connection, openConnection } from '../../../src/store/sqlite/database.ts';
import { openNames } from '../../../src/store/sqlite/names.ts';
import { openSqliteStore } from '../../../src/store/sqlite/open-store.ts';
import { createRunner } from '../../../src/store/sqlite/plan.ts';
import { relatedRids } from '../../../src/store/sqlite/related.ts';
import { createSearcher } from '../../../src/store/sqlite/search.ts';
import type { Write } from '../../../src/store/store.ts';
import { created, resourceOf, token, withToken } from '../contract/resources.ts';
import { KEY, OPTIONS, temporaryFolder } from './temporary-store.ts';

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
  { ...token('code-value#0', `c${at % 5}`), element: 0 },
  { kind: 'quantity', param: 'code-value#1', lo: at, hi: at, system: '', code: '', unit: '', element: 0 },
];

interface Asked {
  readonly clauses?: readonly Clause[];
  readonly sort?: readonly SortKey[];
  readonly type?: string;
}

interface Planned {
  /** The plans of the statements that make pages, a line a step. */
  readonly pages: readonly (readonly string[])[];
}

/** Runs searches on a connection that notes each statement, and asks SQLite for its plan. */
const openPlanner = async (t: Test) => {
  const path = join(temporaryFolder(t), 'store.db');
  const store = await openSqliteStore({ ...OPTIONS, path });
  await store.commit(
    Array.from({ length: 60 }, (_, at) => ({
      ...(created(resourceOf(TYPE, `o${at}`), entriesOf(at)) as Extract<Write, { kind: 'create' }>),
      source: `Organization/${at % 3}`,
    })),
  );
  await store.commit(
    [0, 1, 2].map((at) =>
      created(resourceOf('Patient', `p${at}`), [
        token('gender', 'female'),
        { kind: 'reference', param: 'organization', type: 'Organization', id: 'o' },
      ]),
    ),
  );
  await store.commit([created(resourceOf('Organization', 'o'), [token('name', 'n')])]);
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
  createBudget(connection, OPTIONS.searchLimits);
  const planOf = (text: string): string[] =>
    connection
      .prepare<unknown[], { detail: string }>(`EXPLAIN QUERY PLAN ${text}`)
      .all(...(text.match(/\?/g) ?? []).map(() => 1))
      .map(({ detail }) => detail);

  /** The plans of a page and the next one of it. */
  const planned = ({ clauses = [], sort = [], type = TYPE }: Asked): Planned => {
    const query: SearchQuery = { searches: [{ type, clauses }], sort, count: 2 };
    statements.length = 0;
    // Prepared statements of earlier searches would not be noted again.
    const { page } = createSearcher(createRunner(noting, openNames(connection)));
    const first = page(query);
    if (first.next !== undefined) page({ ...query, after: first.next });
    // The others count the type, the rows of each clause, or find what a chain leads to, up to a limit.
    const isPage = (text: string): boolean => !/count\(\*\)|^SELECT DISTINCT rid FROM|FROM type_count/.test(text);
    return {
      pages: [...new Set(statements)].filter((text) => !text.includes('FROM symbol') && isPage(text)).map(planOf),
    };
  };
  const plannedIncludes = (includes: readonly Include[]): Planned => {
    statements.length = 0;
    relatedRids([1, 2], includes, 10, noting, createRunner(noting, openNames(connection)));
    return { pages: [...new Set(statements)].filter((text) => text.includes('CROSS JOIN')).map(planOf) };
  };
  return { planned, plannedIncludes };
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
  ['uri', { kind: 'uri', param: 'url', match: 'exact', values: ['urn:1', 'urn:2'] }],
  ['string', { kind: 'string', param: 'name', match: 'starts', values: ['name'] }],
  ['two strings', { kind: 'string', param: 'name', match: 'starts', values: ['name 1', 'name'] }],
  ['string:exact', { kind: 'string', param: 'name', match: 'exact', values: ['Name 1'] }],
  ['source', { kind: 'source', values: ['Organization/1'] }],
  ['two sources', { kind: 'source', values: ['Organization/1', 'Organization/2'] }],
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
      others.every((step) => /^SEARCH (e|i\d+) (EXISTS )?USING .*\br(ow)?id=\?/.test(step)),
      `${name}: the others are sought by resource: ${others.join('; ')}`,
    );
  }
};

test('a page of each kind of clause is sought by an index, in the order of that index', async (t) => {
  const { planned } = await openPlanner(t);
  for (const [name, clause] of CLAUSES) isSought(t, planned({ clauses: [clause] }), name);
  isSought(t, planned({ clauses: [] }), 'no clause');
});

test('a page of two clauses is sought by one and probes the other for each resource', async (t) => {
  const { planned } = await openPlanner(t);
  for (const [name, clause] of CLAUSES)
    for (const [otherName, other] of CLAUSES)
      if (name < otherName) isSought(t, planned({ clauses: [clause, other] }), `${name} and ${otherName}`);
});

test('several conditions on one date bound one scan from both sides', async (t) => {
  const { planned } = await openPlanner(t);
  const clauses = [
    ranged('date', 'date', 'ge'),
    { ...ranged('date', 'date', 'le'), values: [{ prefix: 'le', lo: 9, hi: 10 }] } as Clause,
  ];
  const { pages } = planned({ clauses });
  t.match(pages[0]?.[0], /^SEARCH o USING PRIMARY KEY \(param=\? AND form=\? AND lo>\? AND lo<\?\)/);
});

test('a comparison with a number seeks only what lies on its side', async (t) => {
  const { planned } = await openPlanner(t);
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
  const { planned } = await openPlanner(t);
  const { pages } = planned({ clauses: [{ kind: 'id', values: ['o1', 'o2', 'absent'] }] });
  // One row needs no order, though SQLite names a step for it.
  t.same(pages, [['SEARCH o USING INTEGER PRIMARY KEY (rowid=?)', 'USE TEMP B-TREE FOR ORDER BY']]);
});

test('a sorted page scans the index of its key, or sorts a few resources', async (t) => {
  const { planned } = await openPlanner(t);
  for (const by of ['lastUpdated', 'id'] as const)
    for (const isDescending of [false, true]) {
      const { pages } = planned({ sort: [{ by, isDescending }] });
      for (const steps of pages) {
        t.equal(steps.length, 1);
        t.match(
          steps[0],
          /^SEARCH r USING (COVERING )?INDEX (resource_by_updated|sqlite_autoindex_resource_1) \(type=\?/,
        );
      }
      for (const [name, clause] of CLAUSES) {
        if (clause.kind === 'lastUpdated') continue;
        const few = planned({ clauses: [clause], sort: [{ by, isDescending }] });
        for (const steps of few.pages) {
          t.ok(
            steps.some((step) => /^SEARCH r USING .*\browid=\?/.test(step)),
            `${name}: ${steps.join('; ')}`,
          );
          t.ok(
            steps.some((step) => /^SEARCH i\d+ USING (PRIMARY KEY|.*INDEX) /.test(step)),
            name,
          );
          t.notOk(
            steps.some((step) => /^SCAN (i\d+|r|e)\b/.test(step)),
            name,
          );
        }
      }
    }
});

test('a system without a code, and :contains, read all values of their parameter and no other', async (t) => {
  const { planned } = await openPlanner(t);
  const system = planned({ clauses: [{ kind: 'token', param: 'code', values: [{ system: 'urn:s' }] }] });
  for (const steps of system.pages) t.match(steps[0], /^SEARCH o USING PRIMARY KEY \(param=\?\)/);
  const contains = planned({ clauses: [{ kind: 'string', param: 'name', match: 'contains', values: ['ame'] }] });
  for (const steps of contains.pages) t.match(steps[0], /^SEARCH o USING PRIMARY KEY \(param=\?/);
});

const composite: Clause = {
  kind: 'composite',
  values: [
    [
      { kind: 'token', param: 'code-value#0', values: [{ code: 'c1' }] },
      { kind: 'quantity', param: 'code-value#1', values: [{ prefix: 'gt', lo: 5, hi: 5 }] },
    ],
  ],
};
const female: Clause = { kind: 'chain', param: 'subject', type: 'Patient', clause: withToken('gender', 'female') };
const named: Clause = {
  kind: 'chain',
  param: 'subject',
  type: 'Patient',
  clause: { kind: 'chain', param: 'organization', type: 'Organization', clause: withToken('name', 'n') },
};

test('a chain to few resources, however long, is sought by the references to them', async (t) => {
  const { planned } = await openPlanner(t);
  for (const clause of [female, named])
    for (const steps of planned({ clauses: [clause] }).pages)
      t.match(steps, ['SEARCH o USING PRIMARY KEY (param=? AND target=? AND rid>?)']);
});

test('a chain that cannot lead is probed along the references of each resource', async (t) => {
  const { planned } = await openPlanner(t);
  const clause: Clause = {
    kind: 'chain',
    param: 'subject',
    type: 'Patient',
    clause: { kind: 'not', clause: withToken('gender', 'male') },
  };
  for (const [leader, ...steps] of planned({ clauses: [clause] }).pages) {
    t.match(leader, /^SEARCH o USING COVERING INDEX resource_by_type \(type=\?/);
    const seeks = steps.filter((step) => !step.startsWith('CORRELATED'));
    t.equal(seeks.length, 3);
    t.ok(
      seeks.every((step) => /^SEARCH i\d+ (EXISTS )?USING .*\br(ow)?id=\?/.test(step)),
      seeks.join('; '),
    );
  }
});

test('_has of few resources is sought by what they point to, and of others probed by what points here', async (t) => {
  const { planned } = await openPlanner(t);
  const few: Clause = { kind: 'has', param: 'subject', type: TYPE, clause: withToken('code', 'c1') };
  for (const steps of planned({ type: 'Patient', clauses: [few] }).pages) {
    t.match(steps[0], /^SEARCH o USING .*rowid=\?/);
    t.ok(steps.some((step) => /^SEARCH i\d+ USING COVERING INDEX reference_by_resource \(rid=\?/.test(step)));
    t.notOk(steps.some((step) => step.startsWith('SCAN')));
  }
  const other: Clause = { ...few, clause: { kind: 'not', clause: withToken('code', 'c1') } };
  for (const steps of planned({ type: 'Patient', clauses: [other] }).pages)
    t.ok(
      steps.some((step) => /^SEARCH i\d+ (EXISTS )?USING PRIMARY KEY \(param=\? AND target=\?/.test(step)),
      steps.join('; '),
    );
});

test('a composite is sought by its first component, and probes the others in the same element', async (t) => {
  const { planned } = await openPlanner(t);
  for (const [leader, ...steps] of planned({ clauses: [composite] }).pages) {
    t.match(leader, /^SEARCH o USING PRIMARY KEY \(param=\? AND code=\?/);
    t.ok(
      steps.some((step) => /^SEARCH i\d+ (EXISTS )?USING .*INDEX quantity_by_resource \(rid=\?/.test(step)),
      steps.join('; '),
    );
    t.notOk(steps.some((step) => step.startsWith('SCAN')));
  }
});

test('a page sorted by a date walks the index of the date, or sorts a few resources', async (t) => {
  const { planned } = await openPlanner(t);
  for (const isDescending of [false, true]) {
    const sort: SortKey[] = [{ by: 'param', param: 'date', entries: 'date', isDescending }];
    const { pages } = planned({ sort });
    t.ok(pages.some(([leader]) => /^SEARCH o USING PRIMARY KEY \(param=\? AND form=\?/.test(leader ?? '')));
    for (const steps of pages) {
      t.match(steps[0], /^SEARCH (o USING PRIMARY KEY \(param=\? AND form=\?|r USING .*\(type=\?)/);
      t.notOk(
        steps.some((step) => step.startsWith('SCAN')),
        steps.join('; '),
      );
    }
    for (const steps of planned({ clauses: [withToken('code', 'c1')], sort }).pages) {
      t.match(steps[0], /^SEARCH r USING .*rowid=\?/);
      t.ok(
        steps.some((step) => /^SEARCH k USING COVERING INDEX date_by_resource \(rid=\? AND param=\?/.test(step)),
        steps.join('; '),
      );
    }
  }
});

test('includes are sought from the matches, in both directions', async (t) => {
  const { plannedIncludes } = await openPlanner(t);
  const include: Include = { direction: 'forward', type: TYPE, param: 'subject', target: undefined, iterates: false };
  for (const target of [undefined, 'Patient']) {
    const forward = plannedIncludes([{ ...include, target }]).pages;
    t.match(forward[0]?.[0], /^SEARCH i USING COVERING INDEX reference_by_resource \(rid=\? AND param=\?/);
    const reverse = plannedIncludes([{ ...include, target, direction: 'reverse' }]).pages;
    t.match(reverse[0]?.[0], /^SEARCH i USING PRIMARY KEY \(param=\? AND target=\?/);
    for (const steps of [...forward, ...reverse]) {
      t.ok(steps.some((step) => /^SEARCH r USING INTEGER PRIMARY KEY \(rowid=\?\)/.test(step)));
      t.notOk(steps.some((step) => step.startsWith('SCAN')));
    }
  }
});

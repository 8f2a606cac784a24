import { type Test, test } from 'tap';
import type { IndexEntry } from '../../../src/search/index-entry.ts';
import { type Clause, PREFIXES, type SearchQuery, type SortKey } from '../../../src/search/search-query.ts';
import type { Ran } from '../../../src/store/mongodb/commands.ts';
import { commandPlan } from '../../../src/store/mongodb/explain-command.ts';
import { createFinds, findEachBy } from '../../../src/store/mongodb/find-each.ts';
import { INDEXES, type IndexName } from '../../../src/store/mongodb/indexes.ts';
import { createSearches } from '../../../src/store/mongodb/search.ts';
import type { Write } from '../../../src/store/store.ts';
import { created, resourceOf, token, withToken } from '../contract/resources.ts';
import { openTemporarySearches } from './temporary-searches.ts';
import { WITHOUT_MONGODB } from './temporary-store.ts';

type Open = Awaited<ReturnType<typeof openTemporarySearches>>;

const TYPE = 'Observation';
/** The most documents that are sorted without an index. */
const FEW = 1000;
const MANY = FEW + 200;

const entriesOf = (at: number): IndexEntry[] => [
  token('code', at < 5 ? 'rare' : 'common', 'urn:s'),
  token('status', 'final'),
  { kind: 'reference', param: 'subject', type: 'Patient', id: `p${at % 3}` },
  { kind: 'date', param: 'date', lo: at * 1000, hi: at * 1000 + 1 },
  { kind: 'date', param: 'other', lo: 0, hi: at % 400 === 7 ? Number.POSITIVE_INFINITY : 1 },
  { kind: 'date', param: 'other', lo: at * 1000, hi: at * 1000 + 1 },
  { kind: 'quantity', param: 'value', lo: at, hi: at, system: 'urn:u', code: 'mg', unit: '' },
  { kind: 'number', param: 'number', lo: at, hi: at },
  { kind: 'string', param: 'name', value: `name ${at % 9}`, exact: `Name ${at % 9}` },
  { kind: 'uri', param: 'url', value: `urn:${at % 9}` },
  { kind: 'text', param: '_content', text: 'some words' },
  { ...token('code-value#0', `c${at % 5}`), element: 0 },
  { kind: 'quantity', param: 'code-value#1', lo: at, hi: at, system: '', code: '', unit: '', element: 0 },
  { kind: 'number', param: 'near#0', lo: at % 90, hi: at % 90, element: 0 },
  { kind: 'number', param: 'near#1', lo: 0, hi: 0, element: 0 },
];

const openMany = async (t: Test): Promise<Open> => {
  const searches = await openTemporarySearches(t);
  const writes: Write[] = [
    ...Array.from({ length: MANY }, (_, at) => ({
      ...(created(resourceOf(TYPE, `o${at}`), entriesOf(at)) as Extract<Write, { kind: 'create' }>),
      source: `Organization/${at % 3}`,
    })),
    ...[0, 1, 2].map((at) =>
      created(resourceOf('Patient', `p${at}`), [
        token('gender', at === 0 ? 'female' : 'male'),
        { kind: 'reference', param: 'link', type: 'Patient', id: `p${at + 1}` },
      ]),
    ),
    created(resourceOf('Condition', 'c'), [
      token('code', 'rare', 'urn:s'),
      { kind: 'reference', param: 'subject', type: 'Patient', id: 'p0' },
    ]),
  ];
  await searches.store.commit(writes);
  return searches;
};

const ranged = (kind: 'date' | 'number' | 'quantity', param: string, prefix: (typeof PREFIXES)[number]): Clause => ({
  kind,
  param,
  values: [{ prefix, lo: 5000, hi: 6000 }],
});

const female: Clause = { kind: 'chain', param: 'subject', type: 'Patient', clause: withToken('gender', 'female') };

/** At least one of every kind. */
const CLAUSES: { readonly [Kind in Clause['kind']]: readonly Clause[] } = {
  token: [
    withToken('code', 'rare'),
    withToken('code', 'common', 'urn:s'),
    { kind: 'token', param: 'code', values: [{ system: 'urn:s' }] },
    { kind: 'token', param: 'code', values: Array.from({ length: 300 }, (_, at) => ({ code: `c${at}` })) },
    { kind: 'token', param: 'code', values: ['common', ...Array(300).keys()].map((code) => ({ code: `${code}` })) },
  ],
  string: [
    { kind: 'string', param: 'name', match: 'starts', values: ['name 1', 'name 2'] },
    { kind: 'string', param: 'name', match: 'starts', values: ['n'] },
    { kind: 'string', param: 'name', match: 'exact', values: ['Name 1'] },
    { kind: 'string', param: 'name', match: 'contains', values: ['me 1'] },
  ],
  date: PREFIXES.flatMap((prefix) => [ranged('date', 'date', prefix), ranged('date', 'other', prefix)]),
  number: PREFIXES.map((prefix) => ranged('number', 'number', prefix)),
  quantity: PREFIXES.map((prefix) => ranged('quantity', 'value', prefix)),
  reference: [{ kind: 'reference', param: 'subject', values: [{ type: 'Patient', id: 'p1' }] }],
  uri: [
    { kind: 'uri', param: 'url', match: 'exact', values: ['urn:1', 'urn:2'] },
    { kind: 'uri', param: 'url', match: 'below', values: ['urn:1'] },
  ],
  id: [{ kind: 'id', values: ['o1', 'o2', 'absent'] }],
  lastUpdated: [
    { kind: 'lastUpdated', values: [{ prefix: 'ge', lo: 5, hi: 6 }] },
    { kind: 'lastUpdated', values: [{ prefix: 'lt', lo: 5, hi: 6 }] },
  ],
  source: [
    { kind: 'source', values: ['Organization/1'] },
    { kind: 'source', values: ['Organization/1', 'Organization/2', 'Organization/absent'] },
  ],
  missing: [
    { kind: 'missing', param: 'code', entries: 'token', isMissing: true },
    { kind: 'missing', param: 'code', entries: 'token', isMissing: false },
  ],
  composite: [
    {
      kind: 'composite',
      values: [
        [
          withToken('code-value#0', 'c1') as Extract<Clause, { kind: 'token' }>,
          { kind: 'quantity', param: 'code-value#1', values: [{ prefix: 'gt', lo: 5, hi: 5 }] },
        ],
      ],
    },
  ],
  text: [{ kind: 'text', param: '_content', values: ['words'] }],
  near: [{ kind: 'near', param: 'near', values: [{ latitude: 5, longitude: 0, kilometres: 10 }] }],
  not: [{ kind: 'not', clause: withToken('code', 'common') }],
  any: [
    { kind: 'any', clauses: [withToken('code', 'rare'), withToken('status', 'absent')] },
    { kind: 'any', clauses: [withToken('code', 'rare'), ranged('date', 'date', 'eq')] },
  ],
  all: [{ kind: 'all', clauses: [withToken('code', 'rare'), ranged('date', 'date', 'eq')] }],
  chain: [female, { ...female, clause: withToken('gender', 'absent') }],
  hierarchy: [
    {
      kind: 'hierarchy',
      param: 'subject',
      type: 'Patient',
      parent: 'link',
      direction: 'below',
      values: [{ type: 'Patient', id: 'p1' }],
    },
  ],
  has: [{ kind: 'has', param: 'subject', type: 'Condition', clause: withToken('code', 'rare') }],
};

const ALL = Object.values(CLAUSES).flat();

const typeOf = ({ kind }: Clause): string => (kind === 'has' ? 'Patient' : TYPE);

const queryOf = (clauses: readonly Clause[], sort: readonly SortKey[] = []): SearchQuery => ({
  searches: [{ type: clauses[0] === undefined ? TYPE : typeOf(clauses[0]), clauses }],
  sort,
  count: 3,
});

/** How many points of the field a filter asks for; undefined if it asks for something else. */
const pointsOf = (filter: Readonly<Record<string, unknown>>, field: string): number | undefined => {
  const { $and } = filter as { $and?: Readonly<Record<string, unknown>>[] };
  if ($and !== undefined) return $and.map((part) => pointsOf(part, field)).find((points) => points !== undefined);
  const condition = filter[field];
  if (condition === undefined) return undefined;
  if (typeof condition !== 'object' || condition === null) return 1;
  const { $in } = condition as { $in?: unknown[] };
  return $in?.every((value) => typeof value === 'string') ? $in.length : undefined;
};

/** MongoDB merges so many points of an index in order. */
const MERGED_POINTS = 200;

/** Whether the hinted index gives the order: its fields are points, or those of the sort, one after the other. */
const isInOrderOfIndex = ({ command }: Ran): boolean => {
  if (command.kind !== 'find' || command.sort === undefined || command.hint === '_id_') return false;
  const key = Object.keys(INDEXES[command.hint as IndexName].key);
  const wanted = Object.keys(command.sort);
  let points = 1;
  for (const field of key) {
    if (wanted[0] === field) {
      wanted.shift();
      continue;
    }
    if (wanted.length === 0) break;
    points *= pointsOf(command.filter, field) ?? Number.POSITIVE_INFINITY;
  }
  return wanted.length === 0 && points <= MERGED_POINTS;
};

const isSorted = ({ command }: Ran): boolean =>
  command.kind === 'find' ? command.sort !== undefined : command.pipeline.some((stage) => '$sort' in stage);

/** Each command reads an index that it names, and sorts no more than a few documents unless the index has the order. */
const checkPlans = async (t: Test, { watched }: Open, query: SearchQuery, name: string): Promise<readonly Ran[]> => {
  const { plans, ran } = await watched(query);
  t.ok(ran.length > 0);
  for (const each of ran) {
    t.ok(each.command.hint, `${name}: hinted`);
    if (each.purpose !== 'search' || !isSorted(each) || isInOrderOfIndex(each)) continue;
    const rows = plans[0]?.leader?.rows ?? plans[0]?.leader?.lead.most ?? Number.POSITIVE_INFINITY;
    t.ok(rows <= FEW, `${name}: ${rows} documents are sorted: ${JSON.stringify(each.command).slice(0, 500)}`);
  }
  return ran;
};

const options = { skip: WITHOUT_MONGODB };

test(
  'MongoDB: every kind of clause is found by an index, and no more than a few documents are sorted',
  options,
  async (t) => {
    const open = await openMany(t);
    for (const clauses of [[], ...ALL.map((clause) => [clause])])
      for (const each of await checkPlans(t, open, queryOf(clauses), `${clauses[0]?.kind}`)) {
        const { lines } = await commandPlan(each, open.context);
        t.notMatch(lines.join(), /COLLSCAN/, `${clauses[0]?.kind}: ${lines.join()}`);
      }
  },
);

test('MongoDB: so it is with two clauses', options, async (t) => {
  const open = await openMany(t);
  const firsts = Object.values(CLAUSES).map(([first]) => first as Clause);
  for (const [at, one] of firsts.entries())
    for (const other of firsts.slice(at + 1))
      if (typeOf(one) === typeOf(other))
        await checkPlans(t, open, queryOf([one, other]), `${one.kind} and ${other.kind}`);
});

test(
  'MongoDB: a sort by time or id, or of a patient by clinical date, reads an index or sorts a few',
  options,
  async (t) => {
    const open = await openMany(t);
    const patient: Clause = { kind: 'reference', param: 'subject', values: [{ type: 'Patient', id: 'p1' }] };
    for (const isDescending of [false, true])
      for (const by of ['lastUpdated', 'id'] as const)
        for (const clause of ALL)
          await checkPlans(t, open, queryOf([clause], [{ by, isDescending }]), `${clause.kind} ${by}`);
    const newest: SortKey = { by: 'param', param: 'date', entries: 'date', isDescending: true };
    const query = queryOf([patient, withToken('status', 'final')], [newest]);
    await checkPlans(t, open, query, 'patient, newest first');
    const { ran, ids } = await open.watched(query);
    t.same(
      ran.map(({ command }) => command.hint),
      ['patient_1'],
    );
    t.equal(ids[0], `o${MANY - 2}`);
    for (const clauses of [[], [withToken('status', 'final')], [withToken('code', 'rare')]])
      await checkPlans(t, open, queryOf(clauses, [newest]), 'newest first');
  },
);

test('MongoDB: conditions on the only date of a resource bound one scan from both sides', options, async (t) => {
  const { watched } = await openMany(t);
  const from = ranged('date', 'date', 'ge');
  const to: Clause = { kind: 'date', param: 'date', values: [{ prefix: 'lt', lo: 9000, hi: 10_000 }] };
  const { plans, ids } = await watched({ ...queryOf([from, to]), count: 100 });
  t.same(ids, ['o5', 'o6', 'o7', 'o8']);
  t.match(plans, [{ leader: { rows: 4, lead: { index: 'd_1' } } }]);
});

test('MongoDB: a search costs two commands, and one more for each step of a chain or include', options, async (t) => {
  const { searches, commandsOf } = await openMany(t);
  const search = (clauses: readonly Clause[], sort: readonly SortKey[] = []) =>
    commandsOf(() => searches.search(queryOf(clauses, sort)));
  const date: SortKey = { by: 'param', param: 'date', entries: 'date', isDescending: true };
  for (const clause of ALL) {
    const steps = clause.kind === 'chain' || clause.kind === 'has' ? 1 : clause.kind === 'hierarchy' ? 3 : 0;
    for (const sort of [[], [date], [{ by: 'lastUpdated', isDescending: true } as const]]) {
      const sent = await search([clause], sort);
      t.ok(sent.length <= 2 + steps, `${clause.kind}: ${sent.join()}`);
    }
    const others = [withToken('status', 'final'), ranged('date', 'date', 'gt')];
    const both = await search([clause, ...(clause.kind === 'has' ? [] : others)]);
    t.ok(both.length <= 2 + steps, `${clause.kind} and others: ${both.join()}`);
  }
  t.same(await search([withToken('code', 'common')]), ['find'], 'one clause with points');
  t.same(await search([]), ['find']);
  t.same(await search([CLAUSES.reference[0] as Clause, withToken('status', 'final')], [date]), ['find']);
});

test('MongoDB: an include costs one command', options, async (t) => {
  const { searches, commandsOf } = await openMany(t);
  const { items } = await searches.search(queryOf([withToken('code', 'rare')]));
  const include = { type: TYPE, param: 'subject', target: undefined, iterates: false } as const;
  const forward = await commandsOf(async () => {
    t.match(await searches.related(items, [{ ...include, direction: 'forward' }], 100), { items: { length: 3 } });
  });
  t.same(forward, ['find']);
  const patients = await searches.search({ ...queryOf([]), searches: [{ type: 'Patient', clauses: [] }] });
  const reverse = await commandsOf(() =>
    searches.related(patients.items, [{ ...include, type: 'Condition', direction: 'reverse' }], 100),
  );
  t.same(reverse, ['find']);
});

test('MongoDB: searches by keys and ids are made together, by the index of either', options, async (t) => {
  const { context, commandsOf } = await openMany(t);
  const ran: Ran[] = [];
  const finds = createFinds(context, (each) => ran.push(each));
  const codes = Array.from({ length: 100 }, (_, at) => queryOf([withToken('code', `c${at}`)]));
  const patients = [0, 1, 2].map((at): SearchQuery => {
    const link: Clause = { kind: 'reference', param: 'link', values: [{ type: 'Patient', id: `p${at}` }] };
    return { ...queryOf([link]), searches: [{ type: 'Patient', clauses: [link] }] };
  });
  const ids = codes.map((_, at) => queryOf([{ kind: 'id', values: [`o${at}`] }, withToken('status', 'final')]));
  t.same(await commandsOf(() => findEachBy(finds)([...codes, ...patients, ...ids])), ['aggregate', 'aggregate']);
  t.same(
    ran.map(({ command, found }) => [command.hint, found]),
    [
      ['k_1', 2],
      ['_id_', 100],
    ],
  );
  for (const each of ran) {
    const { lines } = await commandPlan(each, context);
    t.match(lines.join(), new RegExp(`IXSCAN ${each.command.hint}`));
    t.notMatch(lines.join(), /COLLSCAN/);
  }
  t.match(ran[0]?.command, { pipeline: [{ $match: { $or: [{ type: TYPE }, { type: 'Patient' }] } }] });
});

test(
  'MongoDB: what two clauses find that only counting can tell apart is not searched with others',
  options,
  async (t) => {
    const { context, commandsOf } = await openMany(t);
    const { together } = createFinds(context);
    const both = queryOf([withToken('code', 'rare'), withToken('status', 'final')]);
    const others = Object.values(CLAUSES).flatMap((clauses) => queryOf(clauses.slice(0, 1)));
    const joined = new Set(['token', 'reference', 'uri', 'id', 'source', 'any']);
    const found = await together([both, ...others]);
    t.equal(found[0], undefined);
    t.same(
      found.slice(1).map((each) => each !== undefined),
      Object.keys(CLAUSES).map((kind) => joined.has(kind)),
    );
    t.same(await commandsOf(() => together([both])), []);
  },
);

test('MongoDB: a search over many types costs no more, and keeps their order', options, async (t) => {
  const { store, searches, commandsOf } = await openTemporarySearches(t);
  const types = Array.from({ length: 30 }, (_, at) => `Type${at + 10}`);
  await store.commit(
    types.flatMap((type) => ['b', 'a'].map((id) => created(resourceOf(type, id), [token('_tag', 'x')]))),
  );
  const tagged = (clauses: readonly Clause[], sort: readonly SortKey[] = []): SearchQuery => ({
    searches: types.map((type) => ({ type, clauses })),
    sort,
    count: 7,
  });
  for (const clauses of [[], [withToken('_tag', 'x')], [{ kind: 'id', values: ['a', 'b'] } as const]]) {
    const found: string[] = [];
    let query = tagged(clauses);
    for (;;) {
      const page: { items: readonly { type: string }[] } = { items: [] };
      const sent = await commandsOf(async () => {
        const { items, next } = await searches.search(query);
        page.items = items;
        query = { ...query, after: next ?? [] };
      });
      t.same(sent, ['find']);
      found.push(...page.items.map(({ type }) => type));
      if (query.after?.length === 0) break;
    }
    t.same(
      found,
      types.flatMap((type) => [type, type]),
    );
  }
  const newest = await commandsOf(() => searches.search(tagged([], [{ by: 'lastUpdated', isDescending: true }])));
  t.same(newest, ['find']);
});

test(
  'MongoDB: a search that takes too long, or leads through too much, is refused as too costly',
  options,
  async (t) => {
    const slow = await openTemporarySearches(t, { milliseconds: 1, rows: 1000 });
    const text = 'x'.repeat(500);
    await slow.store.commit(
      Array.from({ length: 1200 }, (_, at) =>
        created(resourceOf('Patient', `p${at}`), [
          token('gender', 'female'),
          { kind: 'string', param: 'name', value: `${text}${at}`, exact: `${text}${at}` },
          { kind: 'reference', param: 'link', type: 'Patient', id: `p${at}` },
        ]),
      ),
    );
    const contains: Clause = { kind: 'string', param: 'name', match: 'contains', values: ['y'] };
    const query: SearchQuery = { searches: [{ type: 'Patient', clauses: [contains] }], sort: [], count: 5 };
    const refused = (diagnostics: RegExp) => ({
      name: 'FhirError',
      status: 422,
      issues: [{ code: 'too-costly', diagnostics }],
    });
    const inTime = refused(/longer than 1 ms \(CONSILIUM_SEARCH_MILLISECONDS\)/);
    await t.rejects(slow.searches.search(query), inTime);
    await t.rejects(slow.searches.count(query), inTime);
    await t.rejects(slow.searches.explain(query), inTime);
    const patient = (clause: Clause): SearchQuery => ({ ...query, searches: [{ type: 'Patient', clauses: [clause] }] });
    const ofMany = createSearches({ ...slow.context, searchLimits: { milliseconds: 30_000, rows: 1000 } });
    const link = { param: 'link', type: 'Patient', clause: withToken('gender', 'female') };
    const tooMany = refused(/more than 1000 resources \(CONSILIUM_SEARCH_ROWS/);
    await t.rejects(ofMany.search(patient({ kind: 'chain', ...link })), tooMany);
    await t.rejects(ofMany.search(patient({ kind: 'has', ...link })), tooMany);
    t.equal((await ofMany.search(query)).items.length, 0);
  },
);

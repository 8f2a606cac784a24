/** What every store must find: exactly what the reference matcher finds, page by page, also while others write. */
import fc from 'fast-check';
import { type Test, test } from 'tap';
import type { Reference } from '../../src/fhir/reference.ts';
import type { IndexEntry } from '../../src/search/index-entry.ts';
import type { Clause, RangeValue, SearchQuery } from '../../src/search/search-query.ts';
import type { Store, Version, Write } from '../../src/store/store.ts';
import { IDS, TYPES } from './contract/entry-arbitraries.ts';
import { checkTogether } from './contract/find-each.ts';
import { allPages, deleted, resourceOf, searchOf, token, updated } from './contract/resources.ts';
import { settings } from './contract/run-settings.ts';
import {
  type Change,
  countedFrom,
  firstSourceOf,
  LATER_SOURCE,
  type RandomRun,
  type RandomSearch,
  randomRun,
} from './contract/search-arbitraries.ts';
import { testWords } from './contract/words.ts';
import { type IndexedResource, matchesOf, nameOf } from './search-reference.ts';

/** What is stored of all types, kept in step with the store. */
export interface Model {
  readonly start: number;
  readonly resources: Map<string, IndexedResource>;
}

let contents = 0;

export const commitChanges = async (store: Store, { resources }: Model, changes: readonly Change[]): Promise<void> => {
  const writes = changes.map(([{ type, id }, entries]): Write => {
    const resource = resourceOf(type, id, `"content":${++contents}`);
    if (entries === undefined) return deleted(resource);
    const first = firstSourceOf(resource);
    const source = first !== undefined && resources.has(nameOf(resource)) ? LATER_SOURCE : first;
    return updated(resource, entries, source === undefined ? {} : { source });
  });
  const written = await store.commit(writes);
  for (const [position, [reference, entries]] of changes.entries()) {
    const name = nameOf(reference);
    const source = firstSourceOf(reference);
    const lastUpdated = written[position]?.lastUpdated ?? 0;
    if (entries === undefined) resources.delete(name);
    else resources.set(name, { ...reference, entries, lastUpdated, ...(source === undefined ? {} : { source }) });
  }
};

const milliseconds = (count: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, count));

export const namesOf = (items: readonly Reference[]): string[] => items.map(nameOf);

/** The order in which a store has equals: nothing has the parameter that this sorts by. */
const rankIn = async (store: Store, types: readonly string[]): Promise<Map<string, number>> => {
  const items = await allPages(store, {
    searches: types.map((type) => ({ type, clauses: [] })),
    sort: [{ by: 'param', param: 'nothing', entries: 'string', isDescending: false }],
    count: 1000,
  });
  return new Map(items.map((item, at) => [nameOf(item), at]));
};

export const queryOf = ({ start }: Model, { searches, sort, count }: RandomSearch): SearchQuery => ({
  searches: searches.map(({ type, clauses }) => ({
    type,
    clauses: clauses.map((clause) => countedFrom(start, clause)),
  })),
  sort,
  count,
});

/** Without a sort the matches of each type stand together, in the order of the types. */
const isGrouped = (items: readonly Version[], { searches }: SearchQuery): boolean => {
  const positions = items.map(({ type }) => searches.findIndex((search) => search.type === type));
  return positions.every((position, at) => at === 0 || (positions[at - 1] ?? 0) <= position);
};

/** Throws unless the store finds what the matcher finds, in its order. */
export const checkSearch = async (store: Store, model: Model, search: RandomSearch): Promise<void> => {
  const query = queryOf(model, search);
  const types = query.searches.map(({ type }) => type);
  const rank = query.sort.length === 0 ? new Map<string, number>() : await rankIn(store, types);
  const expected = namesOf(matchesOf([...model.resources.values()], query, rank));
  const items = await allPages(store, query);
  const names = namesOf(items);
  const report = (): string => `${JSON.stringify(query)}\nfound ${names}\nexpected ${expected}`;
  if (names.toSorted().join() !== expected.toSorted().join()) throw new Error(`Found something else: ${report()}`);
  if (query.sort.length > 0 && names.join() !== expected.join()) throw new Error(`Not in order: ${report()}`);
  if (query.sort.length === 0 && !isGrouped(items, query)) throw new Error(`Types are mixed: ${report()}`);
  const inOnePage = namesOf(await allPages(store, { ...query, count: 1000 }));
  if (inOnePage.join() !== names.join()) throw new Error(`Another order in one page: ${inOnePage}, ${report()}`);
  const total = await store.count(query);
  if (total !== expected.length) throw new Error(`Counted ${total}: ${report()}`);
  for (const item of items)
    if (item.isDeleted || item.lastUpdated !== model.resources.get(nameOf(item))?.lastUpdated)
      throw new Error(`Not current: ${nameOf(item)}`);
    else if (item.source !== firstSourceOf(item)) throw new Error(`Not the source of ${nameOf(item)}: ${item.source}`);
};

/** An empty store, but for what was deleted. */
const emptyModel = async (store: Store): Promise<Model> => {
  await store.commit(TYPES.flatMap((type) => IDS.map((id) => deleted({ type, id }))));
  return { start: Date.now(), resources: new Map() };
};

export const openModel = async (store: Store, resources: RandomRun['resources']): Promise<Model> => {
  const model = await emptyModel(store);
  const half = Math.ceil(resources.length / 2);
  await commitChanges(store, model, resources.slice(0, half));
  await milliseconds(2);
  await commitChanges(store, model, resources.slice(half));
  return model;
};

export const testMatches = (name: string, open: (t: Test) => Promise<Store>, runs: number): void => {
  test(`${name}: a search finds on all its pages what the specification says, also after changes`, async (t) => {
    const store = await open(t);
    let queries = 0;
    const property = fc.asyncProperty(
      randomRun({ changes: 6, searches: 12 }),
      async ({ resources, changes, searches }) => {
        queries += 2 * searches.length;
        const model = await openModel(store, resources);
        const together = searches.map((search) => queryOf(model, search));
        for (const search of searches) await checkSearch(store, model, search);
        await checkTogether(store, [...model.resources.values()], together);
        for (const change of changes) await commitChanges(store, model, [change]);
        for (const search of searches) await checkSearch(store, model, search);
        await checkTogether(store, [...model.resources.values()], together);
      },
    );
    await fc.assert(property, settings(t, runs));
    t.comment(`${queries} queries`);
  });
};

const isStable = (name: string): boolean => /\/[a-g]$/.test(name);

/** Chains and `_has` match by what others are, and those may change. */
const isOwn = (clause: Clause): boolean => {
  if (clause.kind === 'not') return isOwn(clause.clause);
  if (clause.kind === 'any') return clause.clauses.every(isOwn);
  return clause.kind !== 'chain' && clause.kind !== 'has';
};

const ofItself = (search: RandomSearch): RandomSearch => ({
  ...search,
  searches: search.searches.map(({ type, clauses }) => ({ type, clauses: clauses.filter(isOwn) })),
});
const CHANGES_A_PAGE = 5;

const testPagesUnderWrites = (name: string, open: (t: Test) => Promise<Store>, runs: number): void => {
  test(`${name}: a resource that does not change is on exactly one page while others are written`, async (t) => {
    const store = await open(t);
    const property = fc.asyncProperty(
      randomRun({ changes: 20, searches: 4 }),
      async ({ resources, changes, searches }) => {
        const model = await openModel(store, resources);
        const allowed = changes.filter(([name]) => !isStable(nameOf(name)));
        for (const search of searches) {
          const query = queryOf(model, { ...ofItself(search), count: Math.min(search.count, 3) });
          const stable = (items: readonly Reference[]): string => namesOf(items).filter(isStable).sort().join();
          const expected = stable(matchesOf([...model.resources.values()], query, new Map()));
          const items = await allPages(store, query, async (page) => {
            const due = allowed.slice(page * CHANGES_A_PAGE, (page + 1) * CHANGES_A_PAGE);
            await Promise.all(due.map((change) => commitChanges(store, model, [change])));
          });
          const found = stable(items);
          if (found !== expected) throw new Error(`${JSON.stringify(query)}\nfound ${found}\nexpected ${expected}`);
        }
      },
    );
    await fc.assert(property, settings(t, runs));
  });
};

const DAY = 86_400_000;
const onDay = (day: number): RangeValue => ({ prefix: 'eq', lo: day * DAY, hi: (day + 1) * DAY });

const manyOf = (id: string): Reference => ({ type: 'Many', id });
const searchMany = (clauses: readonly Clause[], count: number): RandomSearch => ({
  searches: [{ type: 'Many', clauses }],
  sort: [],
  count,
});

const testManyValues = (name: string, open: (t: Test) => Promise<Store>): void => {
  test(`${name}: a search takes 1,000 codes, targets, uris or ids, and 20 texts or ranges`, async (t) => {
    const store = await open(t);
    const model: Model = { start: 0, resources: new Map() };
    const entriesOf = (at: number): IndexEntry[] => [
      token('t', `c${at}`, 'urn:s'),
      { kind: 'string', param: 's', value: `word ${at}.`, exact: `Word ${at}.` },
      { kind: 'date', param: 'd', lo: at * DAY, hi: (at + 1) * DAY },
      { kind: 'quantity', param: 'q', lo: at, hi: at, system: 'urn:u', code: 'mg', unit: '' },
      { kind: 'reference', param: 'r', type: 'Patient', id: `p${at}` },
      { kind: 'uri', param: 'w', value: `urn:${at}` },
    ];
    await commitChanges(
      store,
      model,
      Array.from({ length: 700 }, (_, at) => [manyOf(`i${at}`), entriesOf(at)] as const),
    );
    const numbers = Array.from({ length: 1000 }, (_, at) => at * 2);
    const few = numbers.filter((at) => at % 20 === 0 && at < 400);
    const clauses: Clause[] = [
      { kind: 'token', param: 't', values: numbers.map((at) => ({ system: 'urn:s', code: `c${at}` })) },
      { kind: 'string', param: 's', match: 'starts', values: few.map((at) => `word ${at}.`) },
      { kind: 'string', param: 's', match: 'exact', values: few.map((at) => `Word ${at}.`) },
      { kind: 'date', param: 'd', values: few.map(onDay) },
      {
        kind: 'quantity',
        param: 'q',
        values: few.map((at) => ({ prefix: 'eq', lo: at, hi: at + 0.5, system: 'urn:u', code: 'mg' })),
      },
      { kind: 'reference', param: 'r', values: numbers.map((at) => ({ type: 'Patient', id: `p${at}` })) },
      { kind: 'uri', param: 'w', match: 'exact', values: numbers.map((at) => `urn:${at}`) },
      { kind: 'id', values: numbers.map((at) => `i${at}`) },
    ];
    const other: Clause = { kind: 'date', param: 'd', values: [{ ...onDay(200), prefix: 'ge' }] };
    const sort = [{ by: 'id', isDescending: false }] as const;
    for (const clause of clauses) {
      await checkSearch(store, model, searchMany([clause], 250));
      await checkSearch(store, model, searchMany([clause, other], 250));
      await checkSearch(store, model, { ...searchMany([clause], 250), sort });
      t.pass(clause.kind);
    }
  });
};

const testManyClauses = (name: string, open: (t: Test) => Promise<Store>): void => {
  test(`${name}: a search takes 30 clauses`, async (t) => {
    const store = await open(t);
    const model: Model = { start: 0, resources: new Map() };
    const dates = Array.from(
      { length: 30 },
      (_, at): IndexEntry => ({ kind: 'date', param: 'd', lo: at * DAY, hi: at * DAY + 1 }),
    );
    const tokens = Array.from({ length: 30 }, (_, at) => token('t', `c${at}`));
    await commitChanges(store, model, [
      [manyOf('all'), [...dates, ...tokens]],
      [manyOf('some'), [...dates.slice(1), ...tokens.slice(1)]],
      [manyOf('one'), [dates[3] as IndexEntry]],
    ]);
    const asked = Array.from({ length: 30 }, (_, at) => at);
    const onDates = asked.map((at): Clause => ({ kind: 'date', param: 'd', values: [onDay(at)] }));
    const withCodes = asked.map((at): Clause => ({ kind: 'token', param: 't', values: [{ code: `c${at}` }] }));
    const since = asked.map(
      (at): Clause => ({ kind: 'date', param: 'd', values: [{ ...onDay(at % 4), prefix: 'ge' }] }),
    );
    for (const clauses of [onDates, withCodes, since, [...onDates.slice(0, 15), ...withCodes.slice(15)]])
      await checkSearch(store, model, searchMany(clauses, 1));
    t.pass();
  });
};

const testOrderUnderWrites = (name: string, open: (t: Test) => Promise<Store>): void => {
  test(`${name}: the pages of a search go on in their order when writes change what is rare`, async (t) => {
    const store = await open(t);
    const token1: Clause = { kind: 'token', param: 't', values: [{ code: 'a' }] };
    const pairs: [string, Clause, (at: number) => IndexEntry[]][] = [
      [
        'date',
        { kind: 'date', param: 'd', values: [onDay(1)] },
        () => [{ kind: 'date', param: 'd', lo: DAY, hi: DAY + 1 }],
      ],
      [
        'string',
        { kind: 'string', param: 's', match: 'starts', values: ['w'] },
        (at) => [{ kind: 'string', param: 's', value: `w${9 - at}`, exact: `w${9 - at}` }],
      ],
    ];
    for (const [kind, clause, entriesOf] of pairs)
      for (const rareFirst of ['token', kind]) {
        const type = `${kind}${rareFirst}`;
        const model: Model = { start: 0, resources: new Map() };
        const both = Array.from(
          { length: 8 },
          (_, at) => [{ type, id: `i${at}` }, [...entriesOf(at), token('t', 'a')]] as const,
        );
        const more = (of: string) =>
          Array.from(
            { length: 20 },
            (_, at) => [{ type, id: `${of}${at}` }, of === 'token' ? [token('t', 'a')] : entriesOf(at)] as const,
          );
        await commitChanges(store, model, [...both, ...more(rareFirst === 'token' ? kind : 'token').slice(0, 10)]);
        const items = await allPages(store, searchOf(type, [token1, clause], 3), async (page) => {
          if (page === 0) await commitChanges(store, model, more(rareFirst));
        });
        const ids = items.map(({ id }) => id);
        t.same(
          ids.toSorted(),
          both.map(([{ id }]) => id),
          `${kind}, first fewer rows of ${rareFirst}`,
        );
      }
  });
};

const testManyLinked = (name: string, open: (t: Test) => Promise<Store>): void => {
  test(`${name}: chains and _has through many resources find what they find through few`, async (t) => {
    const store = await open(t);
    const model: Model = { start: 0, resources: new Map() };
    const MANY = 1200;
    const patient = (at: number): Reference => ({ type: 'Patient', id: `p${at}` });
    const change = (reference: Reference, entries: readonly IndexEntry[]): Change => [reference, entries];
    await commitChanges(
      store,
      model,
      Array.from({ length: MANY }, (_, at) =>
        change(patient(at), [token('sex', at % 2 === 0 ? 'f' : 'm'), ...(at < 5 ? [token('rare', 'x')] : [])]),
      ),
    );
    const link = (param: string, at: number): IndexEntry => ({ kind: 'reference', param, ...patient(at) });
    await commitChanges(
      store,
      model,
      Array.from({ length: MANY }, (_, at) =>
        change(manyOf(`i${at}`), [link('subject', at % 900), link('other', (at + 1) % 900), token('status', 'final')]),
      ),
    );
    const of = (param: string, code: string): Clause => ({ kind: 'token', param, values: [{ code }] });
    const chain = (param: string, clause: Clause): Clause => ({ kind: 'chain', param, type: 'Patient', clause });
    const has = (clause: Clause): Clause => ({ kind: 'has', param: 'subject', type: 'Many', clause });
    const searches: [string, Clause[]][] = [
      ['Many', [chain('subject', of('sex', 'f'))]],
      ['Many', [chain('subject', of('sex', 'f')), chain('other', of('sex', 'm'))]],
      ['Many', [chain('subject', of('sex', 'm')), chain('subject', of('rare', 'x'))]],
      ['Many', [chain('subject', has(chain('other', of('rare', 'x'))))]],
      ['Many', [chain('subject', has(chain('other', of('sex', 'm'))))]],
      ['Many', [{ kind: 'any', clauses: [chain('subject', of('rare', 'x')), chain('other', of('sex', 'f'))] }]],
      ['Patient', [has(of('status', 'final'))]],
      ['Patient', [has(of('status', 'final')), of('rare', 'x')]],
      ['Patient', [has(chain('other', of('sex', 'f')))]],
      ['Patient', [{ kind: 'not', clause: has(of('status', 'final')) }]],
    ];
    for (const [type, clauses] of searches) {
      const query: SearchQuery = { searches: [{ type, clauses }], sort: [], count: 400 };
      const expected = namesOf(matchesOf([...model.resources.values()], query, new Map()));
      const found = namesOf(await allPages(store, query));
      t.ok(expected.length > 0);
      t.equal(found.toSorted().join(), expected.toSorted().join(), JSON.stringify(clauses));
      t.equal(await store.count(query), expected.length);
    }
  });
};

const testDeepHierarchies = (name: string, open: (t: Test) => Promise<Store>): void => {
  test(`${name}: a hierarchy of many resources and many levels is followed to its end`, async (t) => {
    const store = await open(t);
    const model: Model = { start: 0, resources: new Map() };
    const LEVELS = 600;
    const place = (at: number): Reference => ({ type: 'Location', id: `l${at}` });
    const link = (param: string, at: number): IndexEntry => ({ kind: 'reference', param, ...place(at) });
    await commitChanges(
      store,
      model,
      Array.from({ length: LEVELS }, (_, at) => [place(at), at === 0 ? [] : [link('partof', at - 1)]] as const),
    );
    const used = [0, 3, 550, LEVELS - 1];
    await commitChanges(
      store,
      model,
      used.map((at) => [manyOf(`i${at}`), [link('location', at)]] as const),
    );
    for (const [direction, at] of [
      ['below', 0],
      ['below', 500],
      ['above', LEVELS - 1],
      ['above', 3],
    ] as const) {
      const values = [place(at)];
      const clause: Clause = {
        kind: 'hierarchy',
        param: 'location',
        type: 'Location',
        parent: 'partof',
        direction,
        values,
      };
      await checkSearch(store, model, searchMany([clause], 3));
      t.pass(`${direction} ${at}`);
    }
  });
};

/** `runs` are those of the property that takes most time. */
export const testStoreSearch = (name: string, open: (t: Test) => Promise<Store>, runs = 200): void => {
  testMatches(name, open, runs);
  testPagesUnderWrites(name, open, runs / 2);
  testOrderUnderWrites(name, open);
  testManyValues(name, open);
  testManyClauses(name, open);
  testManyLinked(name, open);
  testDeepHierarchies(name, open);
  testWords(name, open);
};

/** What every store must find: exactly what the reference matcher finds, page by page, also while others write. */
import fc from 'fast-check';
import { type Test, test } from 'tap';
import type { IndexEntry } from '../../src/search/index-entry.ts';
import type { Clause, RangeValue, SearchQuery } from '../../src/search/search-query.ts';
import type { Store, Version, Write } from '../../src/store/store.ts';
import { allPages, deleted, resourceOf, searchOf, token, updated } from './contract/resources.ts';
import { type Change, countedFrom, type RandomSearch, randomRun } from './contract/search-arbitraries.ts';
import { type IndexedResource, matchingIds } from './search-reference.ts';

/** CONSILIUM_TEST_RUNS makes the long form, CONSILIUM_TEST_SEED repeats a run. */
const settings = (t: Test, runs: number): { numRuns: number; seed: number; endOnFailure: boolean } => {
  const seed = Number(process.env['CONSILIUM_TEST_SEED'] ?? Date.now() & 0x7fffffff);
  t.comment(`CONSILIUM_TEST_SEED=${seed}`);
  return { numRuns: Number(process.env['CONSILIUM_TEST_RUNS'] ?? runs), seed, endOnFailure: false };
};

/** Each run has a resource type of its own, so that all share one store. */
let types = 0;
const newType = (): string => `Type${++types}`;

/** What is stored of one type, kept in step with the store. */
interface Model {
  readonly type: string;
  readonly start: number;
  readonly resources: Map<string, IndexedResource>;
}

let contents = 0;

const commitChanges = async (store: Store, { type, resources }: Model, changes: readonly Change[]): Promise<void> => {
  const writes = changes.map(([id, entries]): Write => {
    const resource = resourceOf(type, id, `"content":${++contents}`);
    return entries === undefined ? deleted(resource) : updated(resource, entries);
  });
  const written = await store.commit(writes);
  for (const [position, [id, entries]] of changes.entries()) {
    if (entries === undefined) resources.delete(id);
    else resources.set(id, { id, entries, lastUpdated: written[position]?.lastUpdated ?? 0 });
  }
};

const milliseconds = (count: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, count));

const isInOrder = (items: readonly Version[], { sort }: RandomSearch): boolean =>
  items.every((item, position) => {
    const before = items[position - 1];
    if (sort === undefined || before === undefined) return true;
    const [first, second] = sort.descending ? [item, before] : [before, item];
    return sort.by === 'id' ? first.id < second.id : first.lastUpdated <= second.lastUpdated;
  });

const queryOf = ({ type, start }: Model, { clauses, sort, count }: RandomSearch): SearchQuery => ({
  ...searchOf(type, countedFrom(start, clauses), count),
  ...(sort === undefined ? {} : { sort }),
});

/** Throws unless the store finds what the matcher finds. */
const checkSearch = async (store: Store, model: Model, search: RandomSearch): Promise<void> => {
  const query = queryOf(model, search);
  const expected = matchingIds([...model.resources.values()], query);
  const items = await allPages(store, query);
  const ids = items.map(({ id }) => id);
  const report = (): string => `${JSON.stringify(query)}\nfound ${ids}\nexpected ${expected}`;
  if (ids.toSorted().join() !== expected.join()) throw new Error(`Found something else: ${report()}`);
  if (!isInOrder(items, search)) throw new Error(`Not in order: ${report()}`);
  const inOnePage = (await allPages(store, { ...query, count: 100 })).map(({ id }) => id);
  if (inOnePage.join() !== ids.join()) throw new Error(`Another order in one page: ${inOnePage}, ${report()}`);
  const total = await store.count(query);
  if (total !== expected.length) throw new Error(`Counted ${total}: ${report()}`);
  for (const { id, isDeleted, lastUpdated } of items)
    if (isDeleted || lastUpdated !== model.resources.get(id)?.lastUpdated) throw new Error(`Not current: ${id}`);
};

const openModel = async (store: Store, resources: readonly (readonly [string, readonly IndexEntry[]])[]) => {
  const model: Model = { type: newType(), start: Date.now(), resources: new Map() };
  const half = Math.ceil(resources.length / 2);
  await commitChanges(store, model, resources.slice(0, half));
  await milliseconds(2);
  await commitChanges(store, model, resources.slice(half));
  return model;
};

const testMatches = (name: string, open: (t: Test) => Promise<Store>): void => {
  test(`${name}: a search finds on all its pages what the specification says, also after changes`, async (t) => {
    const store = await open(t);
    const property = fc.asyncProperty(
      randomRun({ changes: 6, searches: 12 }),
      async ({ resources, changes, searches }) => {
        const model = await openModel(store, resources);
        for (const search of searches) await checkSearch(store, model, search);
        for (const change of changes) await commitChanges(store, model, [change]);
        for (const search of searches) await checkSearch(store, model, search);
      },
    );
    await fc.assert(property, settings(t, 200));
  });
};

const isStable = (id: string): boolean => id <= 'g';
const CHANGES_A_PAGE = 5;

const testPagesUnderWrites = (name: string, open: (t: Test) => Promise<Store>): void => {
  test(`${name}: a resource that does not change is on exactly one page while others are written`, async (t) => {
    const store = await open(t);
    const property = fc.asyncProperty(
      randomRun({ changes: 20, searches: 4 }),
      async ({ resources, changes, searches }) => {
        const model = await openModel(store, resources);
        const allowed = changes.filter(([id]) => !isStable(id));
        for (const search of searches) {
          const query = queryOf(model, { ...search, count: Math.min(search.count, 3) });
          const stable = (ids: readonly string[]): string => ids.filter(isStable).sort().join();
          const expected = stable(matchingIds([...model.resources.values()], query));
          const items = await allPages(store, query, async (page) => {
            const due = allowed.slice(page * CHANGES_A_PAGE, (page + 1) * CHANGES_A_PAGE);
            await Promise.all(due.map((change) => commitChanges(store, model, [change])));
          });
          const found = stable(items.map(({ id }) => id));
          if (found !== expected) throw new Error(`${JSON.stringify(query)}\nfound ${found}\nexpected ${expected}`);
        }
      },
    );
    await fc.assert(property, settings(t, 100));
  });
};

const DAY = 86_400_000;
const onDay = (day: number): RangeValue => ({ prefix: 'eq', lo: day * DAY, hi: (day + 1) * DAY });

const testManyValues = (name: string, open: (t: Test) => Promise<Store>): void => {
  test(`${name}: a search takes 1,000 codes, targets, uris or ids, and 20 texts or ranges`, async (t) => {
    const store = await open(t);
    const model: Model = { type: newType(), start: 0, resources: new Map() };
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
      Array.from({ length: 700 }, (_, at) => [`i${at}`, entriesOf(at)] as const),
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
      { kind: 'uri', param: 'w', values: numbers.map((at) => `urn:${at}`) },
      { kind: 'id', values: numbers.map((at) => `i${at}`) },
    ];
    const other: Clause = { kind: 'date', param: 'd', values: [{ ...onDay(200), prefix: 'ge' }] };
    const sort = { by: 'id', descending: false } as const;
    for (const clause of clauses) {
      await checkSearch(store, model, { clauses: [clause], sort: undefined, count: 250 });
      await checkSearch(store, model, { clauses: [clause, other], sort: undefined, count: 250 });
      await checkSearch(store, model, { clauses: [clause], sort, count: 250 });
      t.pass(clause.kind);
    }
  });
};

const testManyClauses = (name: string, open: (t: Test) => Promise<Store>): void => {
  test(`${name}: a search takes 30 clauses`, async (t) => {
    const store = await open(t);
    const model: Model = { type: newType(), start: 0, resources: new Map() };
    const dates = Array.from(
      { length: 30 },
      (_, at): IndexEntry => ({ kind: 'date', param: 'd', lo: at * DAY, hi: at * DAY + 1 }),
    );
    const tokens = Array.from({ length: 30 }, (_, at) => token('t', `c${at}`));
    await commitChanges(store, model, [
      ['all', [...dates, ...tokens]],
      ['some', [...dates.slice(1), ...tokens.slice(1)]],
      ['one', [dates[3] as IndexEntry]],
    ]);
    const asked = Array.from({ length: 30 }, (_, at) => at);
    const onDates = asked.map((at): Clause => ({ kind: 'date', param: 'd', values: [onDay(at)] }));
    const withCodes = asked.map((at): Clause => ({ kind: 'token', param: 't', values: [{ code: `c${at}` }] }));
    const since = asked.map(
      (at): Clause => ({ kind: 'date', param: 'd', values: [{ ...onDay(at % 4), prefix: 'ge' }] }),
    );
    for (const clauses of [onDates, withCodes, since, [...onDates.slice(0, 15), ...withCodes.slice(15)]])
      await checkSearch(store, model, { clauses, sort: undefined, count: 1 });
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
        const model: Model = { type: newType(), start: 0, resources: new Map() };
        const both = Array.from({ length: 8 }, (_, at) => [`i${at}`, [...entriesOf(at), token('t', 'a')]] as const);
        const more = (of: string) =>
          Array.from(
            { length: 20 },
            (_, at) => [`${of}${at}`, of === 'token' ? [token('t', 'a')] : entriesOf(at)] as const,
          );
        await commitChanges(store, model, [...both, ...more(rareFirst === 'token' ? kind : 'token').slice(0, 10)]);
        const items = await allPages(store, searchOf(model.type, [token1, clause], 3), async (page) => {
          if (page === 0) await commitChanges(store, model, more(rareFirst));
        });
        const ids = items.map(({ id }) => id);
        t.same(
          ids.toSorted(),
          both.map(([id]) => id),
          `${kind}, first fewer rows of ${rareFirst}`,
        );
      }
  });
};

export const testStoreSearch = (name: string, open: (t: Test) => Promise<Store>): void => {
  testMatches(name, open);
  testPagesUnderWrites(name, open);
  testOrderUnderWrites(name, open);
  testManyValues(name, open);
  testManyClauses(name, open);
};

/** Many searches at once: each finds what it finds by itself, up to its count. */
import { type Test, test } from 'tap';
import type { Clause, SearchQuery } from '../../../src/search/search-query.ts';
import type { Store } from '../../../src/store/store.ts';
import { type IndexedResource, matchesOf } from '../search-reference.ts';
import { allPages, created, deleted, resourceOf, searchOf, token, updated, withToken } from './resources.ts';

const TYPE = 'Observation';
/** More than MongoDB looks at by one command. */
const MANY = 1100;

const identified = (value: string): Clause => withToken('identifier', value, 'urn:lab');
const identifier = (value: string) => token('identifier', value, 'urn:lab');

const namesOf = (found: readonly { type: string; id: string }[] | undefined): string[] =>
  (found ?? []).map(({ type, id }) => `${type}/${id}`).sort();

/** Throws unless searches made together find what the matcher finds among `resources`, each up to its count. */
export const checkTogether = async (
  store: Store,
  resources: readonly IndexedResource[],
  queries: readonly SearchQuery[],
): Promise<void> => {
  const found = await store.findEach(queries);
  for (const [at, query] of queries.entries()) {
    const expected = new Set(namesOf(matchesOf(resources, { ...query, sort: [] }, new Map())));
    const names = namesOf(found[at]);
    const isRight =
      new Set(names).size === Math.min(expected.size, query.count) && names.every((name) => expected.has(name));
    if (found.length !== queries.length || names.length > query.count || !isRight)
      throw new Error(`Together: ${JSON.stringify(query)}\nfound ${names}\nexpected ${[...expected]}`);
  }
};

/** Each search finds what it does on all its pages; of more than its count, so many of them. */
const checkEach = async (t: Test, store: Store, queries: readonly SearchQuery[]): Promise<void> => {
  const found = await store.findEach(queries);
  t.equal(found.length, queries.length);
  for (const [at, query] of queries.entries()) {
    const all = new Set(namesOf(await allPages(store, { ...query, count: 500 })));
    const names = namesOf(found[at]);
    const name = JSON.stringify(query).slice(0, 300);
    t.ok(new Set(names).size === names.length && names.every((each) => all.has(each)), `${name}: ${names}`);
    t.equal(names.length, Math.min(all.size, query.count), name);
  }
};

const testConditions = (name: string, open: (t: Test) => Promise<Store>): void => {
  test(`${name}: many searches at once find what each finds by itself`, async (t) => {
    const store = await open(t);
    await store.commit([
      ...Array.from({ length: 150 }, (_, at) =>
        created(resourceOf(TYPE, `o${at}`), [
          identifier(`${at % 120}`),
          token('status', at % 2 === 0 ? 'final' : 'amended'),
          { kind: 'reference', param: 'subject', type: 'Patient', id: `p${at % 5}` },
          { kind: 'string', param: 'name', value: `name ${at}`, exact: `Name ${at}` },
          { kind: 'date', param: 'date', lo: at, hi: at + 1 },
        ]),
      ),
      created(resourceOf('Patient', 'o1'), [identifier('1')]),
      created(resourceOf('Patient', 'p1'), [identifier('other'), { kind: 'uri', param: 'url', value: 'urn:p' }]),
    ]);
    await store.commit([deleted(resourceOf(TYPE, 'o7')), updated(resourceOf(TYPE, 'o8'), [identifier('new')])]);
    const subject: Clause = { kind: 'reference', param: 'subject', values: [{ type: 'Patient', id: 'p1' }] };
    const final = withToken('status', 'final');
    const others: readonly (readonly Clause[])[] = [
      [],
      [{ kind: 'id', values: ['o1', 'o7', 'absent'] }],
      [{ kind: 'id', values: [] }],
      [{ kind: 'token', param: 'identifier', values: [] }],
      [{ kind: 'id', values: ['o1', 'o2'] }, final],
      [identified('1'), { kind: 'id', values: ['o1', 'o121'] }, subject],
      [identified('1'), final],
      [identified('1'), { kind: 'not', clause: final }],
      [{ kind: 'not', clause: identified('1') }],
      [subject],
      [subject, final],
      [withToken('identifier', '1')],
      [{ kind: 'token', param: 'identifier', values: [{ system: 'urn:lab' }] }],
      [{ kind: 'token', param: 'identifier', values: [{ system: 'urn:lab', code: '1' }, { code: '2' }] }],
      [{ kind: 'any', clauses: [identified('1'), { kind: 'id', values: ['o4'] }] }],
      [{ kind: 'any', clauses: [identified('1'), { kind: 'all', clauses: [identified('2'), final] }] }],
      [{ kind: 'any', clauses: [] }],
      [{ kind: 'all', clauses: [identified('1'), final] }],
      [{ kind: 'string', param: 'name', match: 'starts', values: ['name 1'] }],
      [identified('3'), { kind: 'date', param: 'date', values: [{ prefix: 'eq', lo: 3, hi: 4 }] }],
      [{ kind: 'chain', param: 'subject', type: 'Patient', clause: identified('other') }],
      [{ kind: 'uri', param: 'url', match: 'exact', values: ['urn:p'] }],
    ];
    const queries = [
      ...Array.from({ length: 125 }, (_, at) => searchOf(TYPE, [identified(`${at}`)], 2)),
      ...Array.from({ length: 30 }, (_, at) => searchOf('Patient', [identified(`${at}`)], 2)),
      ...others.flatMap((clauses) => [TYPE, 'Patient', 'Nothing'].map((type) => searchOf(type, clauses, 2))),
      ...others.map((clauses) => searchOf(TYPE, clauses, 300)),
      { ...searchOf(TYPE, [identified('1')], 5), sort: [{ by: 'id', isDescending: true } as const] },
      {
        searches: ['Nothing', TYPE, 'Patient'].map((type) => ({ type, clauses: [identified('1')] })),
        sort: [],
        count: 9,
      },
    ];
    await checkEach(t, store, queries);
    for (const query of queries.slice(-3)) await checkEach(t, store, [query]);
    t.same(await store.findEach([]), []);
    t.same(await store.findEach([searchOf(TYPE, [final], 0)]), [[]]);
  });
};

const testFloods = (name: string, open: (t: Test) => Promise<Store>): void => {
  test(`${name}: a search of very many matches does not keep others from what they find`, async (t) => {
    const store = await open(t);
    const subject = { kind: 'reference', param: 'subject', type: 'Patient', id: 'p' } as const;
    await store.commit(
      Array.from({ length: MANY }, (_, at) =>
        created(resourceOf(TYPE, `o${at}`), [
          identifier(`${at}`),
          identifier('all'),
          token('status', 'final'),
          subject,
        ]),
      ),
    );
    const final = withToken('status', 'final');
    const none: Clause = { kind: 'not', clause: final };
    const few = [0, 1, MANY - 2, MANY - 1].map((at) => searchOf(TYPE, [identified(`${at}`)], 2));
    await checkEach(t, store, [searchOf(TYPE, [final], 2), ...few]);
    await checkEach(t, store, [searchOf(TYPE, [identified('all'), none], 2), ...few, searchOf(TYPE, [final], 2)]);
    await checkEach(t, store, [...few, searchOf(TYPE, [final], 2 * MANY)]);
  });
};

export const testFindEach = (name: string, open: (t: Test) => Promise<Store>): void => {
  testConditions(name, open);
  testFloods(name, open);
};

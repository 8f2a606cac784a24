import fc from 'fast-check';
import { type Test, test } from 'tap';
import type { IndexEntry } from '../../../src/search/index-entry.ts';
import type { Clause, SortKey } from '../../../src/search/search-query.ts';
import { createSearches } from '../../../src/store/mongodb/search.ts';
import type { Store } from '../../../src/store/store.ts';
import { IDS } from '../contract/entry-arbitraries.ts';
import { settings } from '../contract/run-settings.ts';
import { checkSearch, openModel, testMatches } from '../search-contract.ts';
import { openTemporarySearches } from './temporary-searches.ts';
import { openTemporaryMongoStore, WITHOUT_MONGODB } from './temporary-store.ts';

/** To this store everything is many: it reads indexes in their order where others sort what they found. */
const openWalkingStore = async (t: Test): Promise<Store> => {
  const { store, context } = await openTemporarySearches(t);
  return { ...store, ...createSearches({ ...context, few: 0 }) };
};

const DAY = 86_400_000;
const patient = (param: string, id: string): IndexEntry => ({ kind: 'reference', param, type: 'Patient', id });
const entry = fc.oneof(
  fc
    .tuple(fc.constantFrom('subject', 'patient', 'performer'), fc.constantFrom('a', 'b'))
    .map(([param, id]) => patient(param, id)),
  fc.tuple(fc.nat({ max: 3 }), fc.boolean()).map(
    ([day, isOpen]): IndexEntry => ({
      kind: 'date',
      param: 'date',
      lo: isOpen ? Number.NEGATIVE_INFINITY : day * DAY,
      hi: (day + 1) * DAY,
    }),
  ),
  fc.constantFrom('x', 'y').map((code): IndexEntry => ({ kind: 'token', param: 'code', system: '', code })),
);
const resources = fc.uniqueArray(fc.tuple(fc.constantFrom(...IDS), fc.array(entry, { maxLength: 4 })), {
  selector: ([id]) => id,
  maxLength: 20,
  size: 'max',
});
const clause: fc.Arbitrary<Clause> = fc.oneof(
  fc
    .tuple(fc.constantFrom('subject', 'patient'), fc.constantFrom('a', 'b'))
    .map(([param, id]): Clause => ({ kind: 'reference', param, values: [{ type: 'Patient', id }] })),
  fc.constant<Clause>({ kind: 'token', param: 'code', values: [{ code: 'x' }] }),
);
const sort: fc.Arbitrary<SortKey> = fc
  .boolean()
  .map((isDescending) => ({ by: 'param', param: 'date', entries: 'date', isDescending }));

const testClinicalDates = (name: string, open: (t: Test) => Promise<Store>): void => {
  test(`${name}: what is about patients comes in the order of its clinical dates`, async (t) => {
    const store = await open(t);
    const property = fc.asyncProperty(
      resources,
      fc.array(fc.tuple(fc.array(clause, { maxLength: 2 }), sort, fc.integer({ min: 1, max: 7 })), { minLength: 1 }),
      async (made, asked) => {
        const model = await openModel(
          store,
          made.map(([id, entries]) => [{ type: 'Alpha', id }, entries] as const),
        );
        for (const [clauses, key, count] of asked)
          await checkSearch(store, model, { searches: [{ type: 'Alpha', clauses }], sort: [key], count });
      },
    );
    await fc.assert(property, settings(t, 40));
  });
};

if (WITHOUT_MONGODB === false) {
  testMatches('MongoDB, where everything is many', openWalkingStore, 40);
  testClinicalDates('MongoDB', openTemporaryMongoStore);
  testClinicalDates('MongoDB, where everything is many', openWalkingStore);
} else test('MongoDB: searches in the order of an index', { skip: WITHOUT_MONGODB }, async () => undefined);

/** The two stores side by side: the same resources, the same searches, the same answers, and those of the matcher. */
import fc from 'fast-check';
import { test } from 'tap';
import type { Clause, SearchQuery } from '../../src/search/search-query.ts';
import type { Store } from '../../src/store/store.ts';
import { allPages } from './contract/resources.ts';
import { settings } from './contract/run-settings.ts';
import { type RandomSearch, randomRun } from './contract/search-arbitraries.ts';
import { openTemporaryMongoStore, WITHOUT_MONGODB } from './mongodb/temporary-store.ts';
import { checkSearch, commitChanges, type Model, namesOf, openModel, queryOf } from './search-contract.ts';
import { openTemporaryStore } from './sqlite/temporary-store.ts';

/** Each store has its own clock at each write. */
const asksForTime = (clause: Clause): boolean => {
  switch (clause.kind) {
    case 'lastUpdated':
      return true;
    case 'not':
    case 'chain':
    case 'has':
      return asksForTime(clause.clause);
    case 'any':
      return clause.clauses.some(asksForTime);
    default:
      return false;
  }
};

const isTimeless = ({ searches }: SearchQuery): boolean => !searches.some(({ clauses }) => clauses.some(asksForTime));

type Side = readonly [store: Store, model: Model];

/** Throws unless both find what the matcher does, and the same. */
const checkBoth = async (sides: readonly Side[], search: RandomSearch): Promise<void> => {
  const answers: string[] = [];
  for (const [store, model] of sides) {
    await checkSearch(store, model, search);
    const query = queryOf(model, search);
    const names = namesOf(await allPages(store, query));
    if (isTimeless(query)) answers.push(`${names.sort()}, ${await store.count(query)}`);
  }
  const [one, other] = answers;
  if (one !== other) throw new Error(`Different: ${JSON.stringify(search)}\nSQLite ${one}\nMongoDB ${other}`);
};

test('SQLite and MongoDB find the same, which is what the matcher finds', { skip: WITHOUT_MONGODB }, async (t) => {
  const stores = [await openTemporaryStore(t), await openTemporaryMongoStore(t)];
  const property = fc.asyncProperty(
    randomRun({ changes: 4, searches: 8 }),
    async ({ resources, changes, searches }) => {
      const sides: Side[] = [];
      for (const store of stores) sides.push([store, await openModel(store, resources)]);
      for (const search of searches) await checkBoth(sides, search);
      for (const change of changes) for (const [store, model] of sides) await commitChanges(store, model, [change]);
      for (const search of searches) await checkBoth(sides, search);
    },
  );
  await fc.assert(property, settings(t, 30));
});

/** What every store must tell about a search: no more than can be told without knowing its indexes. */
import fc from 'fast-check';
import { type Test, test } from 'tap';
import type { SearchQuery } from '../../../src/search/search-query.ts';
import type { Store } from '../../../src/store/store.ts';
import { IDS, TYPES } from './entry-arbitraries.ts';
import { created, deleted, resourceOf, searchOf, token, updated, withToken } from './resources.ts';
import { settings } from './run-settings.ts';
import { randomRun } from './search-arbitraries.ts';

/** Throws unless the explanation is about this search, clause by clause, and about what it finds. */
const checkExplanation = async (store: Store, query: SearchQuery): Promise<void> => {
  const { items, next } = await store.search(query);
  const explanation = await store.explain(query);
  const report = `${JSON.stringify(query)}\n${JSON.stringify(explanation)}`;
  const { searches, matches, hasMore, rowsTouched, milliseconds } = explanation;
  if (matches !== items.length || hasMore !== (next !== undefined)) throw new Error(`Another page: ${report}`);
  if (items.length > 0 && rowsTouched < items.length) throw new Error(`Found without touching: ${report}`);
  if (!(milliseconds >= 0)) throw new Error(`No time: ${report}`);
  if (searches.map(({ type }) => type).join() !== query.searches.map(({ type }) => type).join())
    throw new Error(`Other types: ${report}`);
  for (const [at, { clauses, order }] of searches.entries()) {
    if (clauses.length !== query.searches[at]?.clauses.length) throw new Error(`Other clauses: ${report}`);
    if (clauses.some(({ text }) => text === '') || order === '') throw new Error(`Without words: ${report}`);
    if (clauses.filter(({ role }) => role === 'leads').length > 1) throw new Error(`Two lead: ${report}`);
  }
};

export const testExplain = (name: string, open: (t: Test) => Promise<Store>): void => {
  test(`${name}: every search can be explained, and the explanation is about what it finds`, async (t) => {
    const store = await open(t);
    const property = fc.asyncProperty(randomRun({ changes: 1, searches: 12 }), async ({ resources, searches }) => {
      await store.commit(TYPES.flatMap((type) => IDS.map((id) => deleted({ type, id }))));
      await store.commit(
        resources.flatMap(([{ type, id }, entries]) =>
          entries === undefined ? [] : [updated(resourceOf(type, id), entries)],
        ),
      );
      for (const search of searches) await checkExplanation(store, search);
    });
    await fc.assert(property, settings(t, 25));
  });

  test(`${name}: the clause that finds less leads`, async (t) => {
    const store = await open(t);
    const entriesOf = (at: number) => [token('all', 'x'), ...(at === 0 ? [token('one', 'x')] : [])];
    await store.commit(Array.from({ length: 20 }, (_, at) => created(resourceOf('Patient', `p${at}`), entriesOf(at))));
    const { searches, rowsTouched, plan } = await store.explain(
      searchOf('Patient', [withToken('all', 'x'), withToken('one', 'x')]),
    );
    t.match(searches, [{ type: 'Patient', clauses: [{ role: 'probed' }, { role: 'leads', rows: 1 }] }]);
    t.ok(searches[0]?.clauses.every(({ indexes }) => indexes.length > 0));
    t.ok(plan.length > 0);
    t.ok(rowsTouched < 20);
  });

  test(`${name}: what is not stored is not searched, and a count of 0 asks for the total`, async (t) => {
    const store = await open(t);
    await store.commit([created(resourceOf('Patient', 'p'), [token('code', 'x')])]);
    const { searches } = await store.explain(searchOf('Group', [withToken('code', 'x')]));
    t.match(searches, [{ clauses: [{ role: 'unused', indexes: [] }] }]);
    t.match(await store.explain(searchOf('Patient', [withToken('code', 'x')], 0)), { matches: 1, hasMore: false });
  });
};

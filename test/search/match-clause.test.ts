import fc from 'fast-check';
import { test } from 'tap';
import { isAboutItself, matchesClause } from '../../src/search/match-clause.ts';
import type { Clause } from '../../src/search/search-query.ts';
import { settings } from '../store/contract/run-settings.ts';
import { firstSourceOf, randomRun } from '../store/contract/search-arbitraries.ts';
import { matchesOf, nameOf } from '../store/search-reference.ts';

const INSTANT = Date.UTC(2024, 0, 2);

test('a resource fulfils a clause if a search by the words of the specification finds it', async (t) => {
  let compared = 0;
  await fc.assert(
    fc.property(randomRun({ changes: 1, searches: 6 }), ({ resources, searches }) => {
      const all = resources.map(([name, entries]) => {
        const source = firstSourceOf(name);
        return { ...name, entries, lastUpdated: INSTANT, ...(source === undefined ? {} : { source }) };
      });
      for (const { type, clauses } of searches.flatMap((search) => search.searches)) {
        if (!clauses.every(isAboutItself)) continue;
        const wanted = matchesOf(all, { searches: [{ type, clauses }], sort: [] }, new Map()).map(nameOf);
        const got = all.filter((each) => each.type === type && clauses.every((clause) => matchesClause(clause, each)));
        t.same(got.map(nameOf), wanted, JSON.stringify(clauses));
        compared += wanted.length;
      }
    }),
    settings(t, 300),
  );
  t.ok(compared > 0, 'and some are found');
});

test('a clause about other resources, words or places is not about the resource alone', async (t) => {
  const id: Clause = { kind: 'id', values: ['a'] };
  const others: Clause[] = [
    { kind: 'chain', param: 'subject', type: 'Patient', clause: id },
    { kind: 'has', param: 'subject', type: 'Observation', clause: id },
    { kind: 'hierarchy', param: 'location', type: 'Location', parent: 'partof', direction: 'below', values: [] },
    { kind: 'text', param: '_text', values: ['a'] },
    { kind: 'near', param: 'near', values: [] },
  ];
  const candidate = { type: 'Patient', id: 'a', lastUpdated: 0, entries: [] };
  for (const clause of others) {
    t.notOk(isAboutItself(clause));
    t.notOk(isAboutItself({ kind: 'not', clause: { kind: 'any', clauses: [id, { kind: 'all', clauses: [clause] }] } }));
    t.throws(() => matchesClause(clause, candidate));
  }
  t.ok(isAboutItself({ kind: 'all', clauses: [id, { kind: 'not', clause: id }] }));
});

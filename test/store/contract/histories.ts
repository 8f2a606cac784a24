/** The history of a resource, of a type and of all, compared with a list of all versions. */
import fc from 'fast-check';
import { type Test, test } from 'tap';
import type { Reference } from '../../../src/fhir/reference.ts';
import type { PageKey } from '../../../src/search/search-query.ts';
import type { HistoryPage, HistoryScope, Store, Version } from '../../../src/store/store.ts';
import { nameOf } from '../search-reference.ts';
import { deleted, resourceOf, updated } from './resources.ts';
import { settings } from './run-settings.ts';

type Made = Omit<Version, 'text'>;

interface Change {
  readonly reference: Reference;
  readonly isDeletion: boolean;
  /** Of the writer. */
  readonly source: string | undefined;
}

/** What is asked: times are given as places among the times of all versions. */
interface Asked {
  readonly scope: HistoryScope;
  readonly since: number | undefined;
  readonly at: readonly [number, number] | undefined;
  readonly count: number;
}

const TYPES = ['Patient', 'Group'];
const IDS = ['a', 'b', 'c'];
const SOURCES = ['Organization/a', 'Organization/b'];
const reference = fc.record({ type: fc.constantFrom(...TYPES), id: fc.constantFrom(...IDS) });
const commits = fc.array(
  fc.uniqueArray(fc.record({ reference, isDeletion: fc.boolean(), source: fc.constantFrom(undefined, ...SOURCES) }), {
    minLength: 1,
    maxLength: 4,
    selector: (change) => nameOf(change.reference),
  }),
  { minLength: 1, maxLength: 8 },
);
const scope = fc
  .tuple(
    fc.oneof(reference, fc.record({ type: fc.constantFrom(...TYPES, 'Nothing') }), fc.constant({})),
    fc.option(fc.shuffledSubarray([...SOURCES, 'Organization/absent']), { nil: undefined }),
  )
  .map(([of, sources]): HistoryScope => (sources === undefined ? of : { ...of, sources }));
const asked: fc.Arbitrary<Asked> = fc.record({
  scope,
  since: fc.option(fc.nat({ max: 30 }), { nil: undefined, freq: 1 }),
  at: fc.option(fc.tuple(fc.nat({ max: 30 }), fc.integer({ min: 1, max: 4 })), { nil: undefined, freq: 1 }),
  count: fc.integer({ min: 1, max: 20 }),
});

const milliseconds = (count: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, count));

let contents = 0;

/** The same reference with an id that only this run has. */
const inRun = <T extends HistoryScope>(run: number, scope: T): T =>
  scope.id === undefined ? scope : { ...scope, id: `${scope.id}${run}` };

/** All writes of these tests are updates and deletions. */
const ACTIONS = { created: 'update-as-create', updated: 'update', deleted: 'delete' } as const;

const commitAll = async (store: Store, made: Made[], changes: readonly Change[]) => {
  const written = await store.commit(
    changes.map(({ reference: { type, id }, isDeletion, source }) =>
      isDeletion
        ? deleted({ type, id })
        : updated(resourceOf(type, id, `"content":${++contents}`), [], source === undefined ? {} : { source }),
    ),
  );
  for (const [at, { type, id, outcome, version, lastUpdated }] of written.entries()) {
    if (outcome === 'unchanged') continue;
    const before = made.findLast((each) => each.type === type && each.id === id);
    const source = before?.source ?? (outcome === 'deleted' ? undefined : changes[at]?.source);
    made.push({
      ...{ type, id, version, lastUpdated, isDeleted: outcome === 'deleted', action: ACTIONS[outcome] },
      ...(source === undefined ? {} : { source }),
    });
  }
};

const isIn = ({ type, id, sources }: HistoryScope, made: Made): boolean =>
  (type === undefined || type === made.type) &&
  (id === undefined || id === made.id) &&
  (sources === undefined || (made.source !== undefined && sources.includes(made.source)));

/** A version is current from when it was made until the next one is. */
const wasCurrent = (version: Made, all: readonly Made[], { lo, hi }: { lo: number; hi: number }): boolean => {
  const next = all.find((other) => nameOf(other) === nameOf(version) && other.version === version.version + 1);
  return version.lastUpdated < hi && (next === undefined || next.lastUpdated > lo);
};

const versionName = (made: Made): string => `${nameOf(made)}/${made.version} ${made.action} ${made.source}`;

const allOf = async (store: Store, scope: HistoryScope, page: HistoryPage): Promise<Version[]> => {
  const found: Version[] = [];
  let after: PageKey | undefined;
  do {
    const { items, next } = await store.history(scope, after === undefined ? page : { ...page, after });
    if (items.length > page.count || (next !== undefined && items.length < page.count))
      throw new Error(`A page of ${items.length}, asked for ${page.count}`);
    found.push(...items);
    after = next;
  } while (after !== undefined);
  return found;
};

/** `start` is a time before all of this run and after all of others. */
const checkHistory = async (
  store: Store,
  all: readonly Made[],
  start: number,
  { scope, since, at, count }: Asked,
): Promise<void> => {
  const times = [...new Set(all.map(({ lastUpdated }) => lastUpdated))];
  const timeAt = (place: number): number => (times[place % times.length] ?? start) + (place % 3) - 1;
  const earliest = scope.id === undefined ? Math.max(start, since === undefined ? 0 : timeAt(since)) : undefined;
  const from = earliest ?? (since === undefined ? undefined : timeAt(since));
  const page: HistoryPage = {
    count,
    ...(from === undefined ? {} : { since: from }),
    ...(at === undefined ? {} : { at: { lo: timeAt(at[0]), hi: timeAt(at[0]) + at[1] } }),
  };
  const expected = all.filter(
    (made) =>
      isIn(scope, made) &&
      (page.since === undefined || made.lastUpdated >= page.since) &&
      (page.at === undefined || wasCurrent(made, all, page.at)),
  );
  const total = await store.countHistory(scope, page);
  const items = await allOf(store, scope, page);
  const names = items.map(versionName);
  const report = `${JSON.stringify({ scope, page })}\nfound ${names}\nexpected ${expected.map(versionName)}`;
  if (names.toSorted().join() !== expected.map(versionName).sort().join()) throw new Error(`Not the same: ${report}`);
  if (total !== expected.length) throw new Error(`Counted ${total}: ${report}`);
  for (const [position, item] of items.entries()) {
    const before = items[position - 1];
    if (item.isDeleted !== (item.text.length === 0)) throw new Error(`Text of ${names[position]}`);
    if (before !== undefined && before.lastUpdated < item.lastUpdated) throw new Error(`Not newest first: ${report}`);
    if (before !== undefined && nameOf(before) === nameOf(item) && before.version < item.version)
      throw new Error(`Versions out of order: ${report}`);
  }
  const inOnePage = (await allOf(store, scope, { ...page, count: 10_000 })).map(versionName);
  if (inOnePage.join() !== names.join()) throw new Error(`Another order in one page: ${inOnePage}, ${report}`);
};

export const testHistories = (name: string, open: (t: Test) => Promise<Store>): void => {
  test(`${name}: histories of a resource, a type and all have each version once, newest first`, async (t) => {
    const store = await open(t);
    let run = 0;
    const property = fc.asyncProperty(
      commits,
      fc.array(asked, { minLength: 1, maxLength: 8 }),
      async (changes, questions) => {
        run++;
        const made: Made[] = [];
        await milliseconds(3);
        const start = Date.now() - 1;
        for (const change of changes) {
          await commitAll(
            store,
            made,
            change.map((each) => ({ ...each, reference: inRun(run, each.reference) })),
          );
          if (change.length > 2) await milliseconds(1);
        }
        for (const question of questions)
          await checkHistory(store, made, start, { ...question, scope: inRun(run, question.scope) });
      },
    );
    await fc.assert(property, settings(t, 60));
  });
};

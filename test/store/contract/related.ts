/** What `_include` and `_revinclude` lead to, compared with a naive walk along the references. */
import fc from 'fast-check';
import { type Test, test } from 'tap';
import type { Reference } from '../../../src/fhir/reference.ts';
import type { Include } from '../../../src/search/search-query.ts';
import type { Store } from '../../../src/store/store.ts';
import { type IndexedResource, nameOf, refersTo } from '../search-reference.ts';
import { IDS, TYPES } from './entry-arbitraries.ts';
import { created, deleted, resourceOf, updated } from './resources.ts';
import { settings } from './run-settings.ts';
import { type RandomIncludes, randomIncludes } from './search-arbitraries.ts';

/** One step of an include from `from`. */
const follow = (include: Include, from: IndexedResource, all: readonly IndexedResource[]): IndexedResource[] => {
  const { direction, type, param, target } = include;
  const isOf = (resource: IndexedResource, wanted: string | undefined): boolean =>
    wanted === undefined || resource.type === wanted;
  return all.filter((other) => {
    const [source, pointed] = direction === 'forward' ? [from, other] : [other, from];
    return isOf(source, type) && isOf(pointed, target) && refersTo(source, param, pointed);
  });
};

/** All that the includes lead to: those that iterate apply to what was included, too. */
const relatedNames = (
  matches: readonly IndexedResource[],
  includes: readonly Include[],
  all: readonly IndexedResource[],
): string[] => {
  const seen = new Set(matches);
  const queue = matches.map((resource) => ({ resource, active: includes }));
  const found: IndexedResource[] = [];
  for (const { resource, active } of queue)
    for (const other of active.flatMap((include) => follow(include, resource, all))) {
      if (seen.has(other)) continue;
      seen.add(other);
      found.push(other);
      queue.push({ resource: other, active: includes.filter(({ iterates }) => iterates) });
    }
  return found.map(nameOf).sort();
};

const checkRelated = async (store: Store, { resources, matches, includes, limit }: RandomIncludes): Promise<void> => {
  await store.commit(TYPES.flatMap((type) => IDS.map((id) => deleted({ type, id }))));
  await store.commit(resources.map(([{ type, id }, entries]) => updated(resourceOf(type, id), entries)));
  const all = resources.map(([reference, entries]): IndexedResource => ({ ...reference, entries, lastUpdated: 0 }));
  const chosen = [...new Set(matches.flatMap((at) => all[at] ?? []))];
  const expected = relatedNames(chosen, includes, all);
  const { items, isCut } = await store.related(chosen, includes, limit);
  const found = items.map(nameOf).sort();
  const report = `${JSON.stringify({ chosen, includes, limit, all })}\nfound ${found}\nexpected ${expected}`;
  if (new Set(found).size !== found.length) throw new Error(`One twice: ${report}`);
  if (isCut !== expected.length > limit) throw new Error(`Cut: ${isCut}: ${report}`);
  if (found.length !== Math.min(limit, expected.length)) throw new Error(`Another number: ${report}`);
  if (found.some((name) => !expected.includes(name))) throw new Error(`Something else: ${report}`);
  if (items.some(({ isDeleted }) => isDeleted)) throw new Error(`A deleted one: ${report}`);
};

export const testRelated = (name: string, open: (t: Test) => Promise<Store>): void => {
  test(`${name}: includes lead where the references lead, each resource once, up to the limit`, async (t) => {
    const store = await open(t);
    const property = fc.asyncProperty(randomIncludes, (random) => checkRelated(store, random));
    await fc.assert(property, settings(t, 200));
  });

  test(`${name}: what iterates goes on to the end of a long line`, async (t) => {
    const store = await open(t);
    const link = (at: number): Reference => ({ type: 'Patient', id: `p${at}` });
    const LENGTH = 40;
    await store.commit(
      Array.from({ length: LENGTH }, (_, at) =>
        created(resourceOf('Patient', `p${at}`), [{ kind: 'reference', param: 'link', ...link(at + 1) }]),
      ),
    );
    const include = { type: 'Patient', param: 'link', target: undefined, iterates: true } as const;
    const forward = await store.related([link(0)], [{ ...include, direction: 'forward' }], 100);
    t.match(forward, { isCut: false, items: { length: LENGTH - 1 } });
    const reverse = await store.related([link(LENGTH - 1)], [{ ...include, direction: 'reverse' }], 100);
    t.match(reverse, { isCut: false, items: { length: LENGTH - 1 } });
    t.match(await store.related([link(0)], [{ ...include, direction: 'forward' }], LENGTH - 2), { isCut: true });
  });
};

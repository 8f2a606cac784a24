/** Pages that end early, as their texts have as many bytes as an answer may have. */
import { type Test, test } from 'tap';
import type { Include, PageKey, SearchQuery, SortKey } from '../../../src/search/search-query.ts';
import type { HistoryPage, HistoryScope, Page, Store, Version } from '../../../src/store/store.ts';
import { nameOf } from '../search-reference.ts';
import { created, resourceOf, searchOf, token, updated, withToken } from './resources.ts';

/** Some lie in the database as they are, some packed, and some apart. */
const SIZES = [100, 1_200_000, 300_000, 20, 700_000, 50_000, 1_500_000, 10, 11];

const contentOf = (size: number): string => `"data":"${'x'.repeat(size)}"`;
const codeOf = (at: number) => [token('code', 'x'), token('number', String(at))];

const bytesOf = (items: readonly Version[]): number => items.reduce((sum, { text }) => sum + text.length, 0);

type Read = (after: PageKey | undefined, bytes: number | undefined) => Promise<Page<Version>>;

const pagesOf = async (read: Read, bytes: number | undefined): Promise<(readonly Version[])[]> => {
  const pages: (readonly Version[])[] = [];
  let after: PageKey | undefined;
  do {
    const { items, next } = await read(after, bytes);
    pages.push(items);
    after = next;
  } while (after !== undefined);
  return pages;
};

const versionName = (version: Version): string => `${nameOf(version)}/${version.version}`;

/** Every page is as long as it can be, and all of them have what one page has, in the same order. */
const checkPages = async (t: Test, read: Read, count: number): Promise<void> => {
  const whole = (await pagesOf(read, undefined)).flat();
  t.ok(whole.length >= SIZES.length);
  for (const bytes of [0, 400_000, 1_400_000, 100_000_000]) {
    const pages = await pagesOf(read, bytes);
    t.same(pages.flat().map(versionName), whole.map(versionName), `${bytes} bytes`);
    for (const [at, page] of pages.entries()) {
      t.ok(page.length > 0 && (page.length === 1 || bytesOf(page) <= bytes), 'fits, or is one alone');
      const [following] = pages[at + 1] ?? [];
      if (following !== undefined && page.length < count) t.ok(bytesOf([...page, following]) > bytes, 'is no shorter');
    }
  }
};

const ofSearch =
  (store: Store, query: SearchQuery): Read =>
  (after, bytes) =>
    store.search({
      ...query,
      ...(after === undefined ? {} : { after }),
      ...(bytes === undefined ? {} : { bytes }),
    });

const ofHistory =
  (store: Store, scope: HistoryScope, page: HistoryPage): Read =>
  (after, bytes) =>
    store.history(scope, {
      ...page,
      ...(after === undefined ? {} : { after }),
      ...(bytes === undefined ? {} : { bytes }),
    });

export const testBytes = (name: string, open: (t: Test) => Promise<Store>): void => {
  test(`${name}: a page of a search ends early for its bytes, and the next one goes on there`, async (t) => {
    const store = await open(t);
    for (const [at, size] of SIZES.entries())
      await store.commit([
        created(resourceOf(at % 3 === 0 ? 'Binary' : 'Patient', `r${at}`, contentOf(size)), codeOf(at)),
      ]);
    const sorts: (readonly SortKey[])[] = [
      [],
      [{ by: 'lastUpdated', isDescending: true }],
      [{ by: 'param', param: 'number', entries: 'token', isDescending: false }],
    ];
    const types = ['Binary', 'Patient'];
    for (const sort of sorts)
      for (const clauses of [[], [withToken('code', 'x')]])
        for (const count of [3, 100]) {
          const searches = types.map((type) => ({ type, clauses }));
          await checkPages(t, ofSearch(store, { searches, sort, count }), count);
        }
    const { items, next } = await store.search({ ...searchOf('Patient', []), bytes: 0 });
    t.equal(items.length, 1, 'a page is never empty');
    t.ok(next);
  });

  test(`${name}: a page of a history ends early for its bytes, and the next one goes on there`, async (t) => {
    const store = await open(t);
    const start = Date.now();
    for (const size of SIZES)
      await store.commit([
        updated(resourceOf('Binary', 'a', contentOf(size))),
        updated(resourceOf('Binary', 'b', contentOf(1))),
      ]);
    const at = { lo: start, hi: start + 1_000_000 };
    const scopes: HistoryScope[] = [{ type: 'Binary', id: 'a' }, { type: 'Binary' }, {}];
    for (const scope of scopes)
      for (const page of [{ count: 3 }, { count: 100 }, { count: 100, since: start }, { count: 100, at }])
        await checkPages(t, ofHistory(store, scope, page), page.count);
  });

  test(`${name}: what is included has at most the bytes that it may have, and it is said why there is no more`, async (t) => {
    const store = await open(t);
    const patient = { type: 'Patient', id: 'p' };
    const others = SIZES.map((size, at) => ({ ...resourceOf('Group', `g${at}`, contentOf(size)), size }));
    const references = others.map(({ type, id }) => ({ kind: 'reference', param: 'to', type, id }) as const);
    const back = { kind: 'reference', param: 'of', ...patient } as const;
    await store.commit([
      created(resourceOf('Patient', 'p'), references),
      ...others.map((resource) => created(resource, [back])),
    ]);
    const includes: Include[] = [
      { direction: 'forward', type: 'Patient', param: 'to', target: undefined, iterates: false },
      { direction: 'reverse', type: 'Group', param: 'of', target: undefined, iterates: true },
    ];
    for (const include of includes) {
      const all = await store.related([patient], [include], 100);
      t.match(all, { isCut: false, isOverBytes: false, items: { length: SIZES.length } });
      const bytes = bytesOf(all.items);
      t.match(await store.related([patient], [include], 100, bytes), { isCut: false, isOverBytes: false });
      const fewer = await store.related([patient], [include], 100, bytes - 1);
      t.match(fewer, { isCut: true, isOverBytes: true });
      t.ok(fewer.items.length >= 1 && bytesOf(fewer.items) < bytes);
      t.match(await store.related([patient], [include], 100, 0), { isCut: true, isOverBytes: true, items: [] });
      const limited = await store.related([patient], [include], 1, 100_000_000);
      t.match(limited, { isCut: true, isOverBytes: false, items: { length: 1 } });
    }
  });
};

/** A copy into another store: numbers, versions, times and what is found by search stay as they are. */
import { type Test, test } from 'tap';
import type { IndexEntry } from '../../../src/search/index-entry.ts';
import type { Clause } from '../../../src/search/search-query.ts';
import type { NumberedReference, Store, StoredHistory } from '../../../src/store/store.ts';
import { created, deleted, idsOf, resourceOf, searchOf, token, updated, withToken } from './resources.ts';

type Restored = StoredHistory & { readonly entries: readonly IndexEntry[] };

const entriesOf = (code: string): IndexEntry[] => [
  token('code', code, 'urn:s'),
  { kind: 'reference', param: 'subject', type: 'Patient', id: 'p' },
  { ...token('pair#0', code), element: 3 },
  { kind: 'quantity', param: 'pair#1', lo: 1, hi: 1, system: '', code: 'mg', unit: '', element: 3 },
];

const withPair = (code: string) =>
  ({
    kind: 'composite',
    values: [
      [
        { kind: 'token', param: 'pair#0', values: [{ code }] },
        { kind: 'quantity', param: 'pair#1', values: [{ prefix: 'eq', lo: 0.5, hi: 1.5 }] },
      ],
    ],
  }) as const;

/** `o1` was updated twice, `o2` deleted, `o3` deleted and made again; the Patient comes behind those that refer to it. */
const filled = async (store: Store): Promise<void> => {
  await store.commit(['o1', 'o2', 'o3'].map((id) => created(resourceOf('Observation', id), entriesOf('first'))));
  const bySource = { source: 'Organization/a' };
  await store.commit([updated(resourceOf('Observation', 'o1', '"content":2'), entriesOf('second'), bySource)]);
  await store.commit([
    updated(resourceOf('Observation', 'o1', '"content":3'), entriesOf('third')),
    deleted({ type: 'Observation', id: 'o2' }),
    deleted({ type: 'Observation', id: 'o3' }),
  ]);
  await store.commit([
    updated(resourceOf('Observation', 'o3', '"content":4'), entriesOf('third')),
    created(resourceOf('Patient', 'p')),
  ]);
};

const all = (store: Store): Promise<readonly StoredHistory[]> => store.transfer.histories(0, 100);

const withEntries = (histories: readonly StoredHistory[]): Restored[] =>
  histories.map((history) => ({ ...history, entries: history.type === 'Patient' ? [] : entriesOf('third') }));

const reserved = (histories: readonly StoredHistory[]): NumberedReference[] =>
  histories.map(({ rid, type, id }) => ({ rid, type, id }));

export const testTransfer = (name: string, open: (t: Test) => Promise<Store>): void => {
  test(`${name}: everything is given in the order of its numbers, a page at a time`, async (t) => {
    const store = await open(t);
    await filled(store);
    const histories = await all(store);
    const rids = histories.map(({ rid }) => rid);
    t.same(
      rids,
      [...rids].sort((a, b) => a - b),
    );
    t.same(histories.map(({ type, id }) => `${type}/${id}`).sort(), [
      'Observation/o1',
      'Observation/o2',
      'Observation/o3',
      'Patient/p',
    ]);
    t.same(reserved(histories), await store.transfer.references(0, 100));
    const second = await store.transfer.references(rids[0] ?? 0, 2);
    t.same(second, reserved(histories).slice(1, 3));
    const versions = histories.find(({ id }) => id === 'o3')?.versions ?? [];
    t.same(
      versions.map(({ version, isDeleted, action }) => ({ version, isDeleted, action })),
      [
        { version: 1, isDeleted: false, action: 'create' },
        { version: 2, isDeleted: true, action: 'delete' },
        { version: 3, isDeleted: false, action: 'update-as-create' },
      ],
    );
  });

  test(`${name}: a page ends before its texts have more bytes than asked, behind the first resource`, async (t) => {
    const store = await open(t);
    await filled(store);
    const histories = await all(store);
    const size = ({ versions }: StoredHistory): number => versions.reduce((sum, { text }) => sum + text.length, 0);
    const [first, second, third] = histories.map(size) as [number, number, number];
    for (const [bytes, count] of [
      [1, 1],
      [first, 1],
      [first + second - 1, 1],
      [first + second, 2],
      [first + second + third, 3],
      [1_000_000, 4],
    ] as const)
      t.same(await store.transfer.histories(0, 100, bytes), histories.slice(0, count), `${bytes} bytes`);
    t.same(await store.transfer.histories(histories[0]?.rid ?? 0, 100, 1), histories.slice(1, 2));
  });

  test(`${name}: a copy has the same numbers, versions, times, texts and matches`, async (t) => {
    const [source, target] = [await open(t), await open(t)];
    await filled(source);
    const histories = await all(source);
    await target.transfer.reserve(reserved(histories));
    await target.transfer.restore(withEntries(histories));
    t.same(await all(target), histories);
    for (const { type, id } of histories) {
      t.same(await target.read({ type, id }), await source.read({ type, id }));
      t.same(await target.read({ type, id }, 1), await source.read({ type, id }, 1));
      const page = { count: 10 };
      t.same((await target.history({ type, id }, page)).items, (await source.history({ type, id }, page)).items);
    }
    const sourced: Clause = { kind: 'source', values: ['Organization/a'] };
    t.same(await idsOf(target, 'Observation', sourced), ['o1']);
    for (const clause of [withToken('code', 'third'), withToken('code', 'first'), withPair('third')])
      t.same(await idsOf(target, 'Observation', clause), await idsOf(source, 'Observation', clause));
    t.same((await idsOf(target, 'Observation', withPair('third'))).sort(), ['o1', 'o3']);
    for (const type of ['Observation', 'Patient'])
      t.equal(await target.count(searchOf(type, [])), await source.count(searchOf(type, [])));
  });

  test(`${name}: a copy that was cut off is taken up again, and is then written to as any store`, async (t) => {
    const [source, target] = [await open(t), await open(t)];
    await filled(source);
    const histories = await all(source);
    await target.transfer.reserve(reserved(histories));
    await target.transfer.restore(withEntries(histories.slice(0, 2)));
    await target.transfer.reserve(reserved(histories));
    await target.transfer.restore(withEntries(histories));
    t.same(await all(target), histories);
    t.equal(await target.count(searchOf('Observation', [])), 2);
    await target.commit([
      updated(resourceOf('Observation', 'o1', '"content":9'), entriesOf('fourth')),
      created(resourceOf('Observation', 'o9'), entriesOf('fourth')),
    ]);
    t.same((await idsOf(target, 'Observation', withToken('code', 'fourth'))).sort(), ['o1', 'o9']);
    t.same(await idsOf(target, 'Observation', withToken('code', 'third')), ['o3']);
    const rids = reserved(await all(target)).map(({ rid }) => rid);
    t.equal(new Set(rids).size, rids.length, 'no number twice');
  });

  test(`${name}: numbers of 51 bits are kept exactly`, async (t) => {
    const target = await open(t);
    const rid = 2 ** 51 - 3;
    const { versions } = await (async () => {
      const source = await open(t);
      await source.commit([created(resourceOf('Observation', 'big'), entriesOf('third'))]);
      return (await all(source))[0] as StoredHistory;
    })();
    const history: Restored = { rid, type: 'Observation', id: 'big', versions, entries: entriesOf('third') };
    await target.transfer.reserve([{ rid, type: 'Observation', id: 'big' }]);
    await target.transfer.restore([history]);
    t.same(
      (await target.transfer.references(0, 10)).map((reference) => reference.rid),
      [rid],
    );
    t.same(await idsOf(target, 'Observation', withPair('third')), ['big']);
    await target.commit([deleted({ type: 'Observation', id: 'big' })]);
    t.same(await idsOf(target, 'Observation', withPair('third')), []);
  });

  test(`${name}: a number that is another resource's is refused`, async (t) => {
    const target = await open(t);
    await target.transfer.reserve([{ rid: 7, type: 'Patient', id: 'a' }]);
    await t.rejects(target.transfer.reserve([{ rid: 7, type: 'Patient', id: 'b' }]));
  });
};

/** Records beside the resources, new index entries for a version that stays, and totals without conditions. */
import { type Test, test } from 'tap';
import type { Store, Write } from '../../../src/store/store.ts';
import { created, deleted, idsOf, resourceOf, searchOf, token, updated, withToken } from './resources.ts';

const patient = (id: string, content = '') => resourceOf('Patient', id, content);

const indexed = (id: string, version: number, code: string): Write => ({
  kind: 'index',
  reference: { type: 'Patient', id },
  version,
  entries: [token('code', code)],
});

const testReadingAndWriting = (name: string, open: (t: Test) => Promise<Store>): void => {
  test(`${name}: of many who delete a revision at once, one has done it`, async (t) => {
    const { records } = await open(t);
    for (let round = 0; round < 5; round++) {
      await records.put('once', '1');
      const done = await Promise.all(Array.from({ length: 20 }, () => records.delete('once', 1)));
      t.equal(done.filter((isDone) => isDone).length, 1);
      t.equal(await records.get('once'), undefined);
    }
  });

  test(`${name}: a record is written, read, written again and deleted`, async (t) => {
    const { records } = await open(t);
    t.equal(await records.get('job/1'), undefined);
    t.equal(await records.put('job/1', '{"step":1}'), 1);
    t.same(await records.get('job/1'), { key: 'job/1', value: '{"step":1}', revision: 1 });
    t.equal(await records.put('job/1', '{"step":2}'), 2);
    t.same(await records.get('job/1'), { key: 'job/1', value: '{"step":2}', revision: 2 });
    t.equal(await records.delete('job/1'), true);
    t.equal(await records.get('job/1'), undefined);
    t.equal(await records.delete('job/1'), true, 'what is not there needs no deletion');
  });

  test(`${name}: a record is written only over the revision that was read`, async (t) => {
    const { records } = await open(t);
    t.equal(await records.put('a', '1', { revision: 1 }), undefined, 'there is none');
    t.equal(await records.put('a', '1', { revision: 0 }), 1);
    t.equal(await records.put('a', '2', { revision: 0 }), undefined, 'there is one');
    t.equal(await records.put('a', '2', { revision: 1 }), 2);
    t.equal(await records.put('a', '3', { revision: 1 }), undefined);
    t.equal(await records.delete('a', 1), false);
    t.equal((await records.get('a'))?.value, '2');
    t.equal(await records.delete('a', 2), true);
    t.equal(await records.put('a', '4', { revision: 0 }), 1, 'a deleted record begins anew');
  });

  test(`${name}: of many that write the same revision at once, one does`, async (t) => {
    const { records } = await open(t);
    const made = await Promise.all(Array.from({ length: 50 }, (_, i) => records.put('one', `${i}`, { revision: 0 })));
    t.equal(made.filter((revision) => revision === 1).length, 1);
    t.equal(made.filter((revision) => revision === undefined).length, 49);
    t.equal((await records.get('one'))?.value, `${made.indexOf(1)}`);
  });

  test(`${name}: an expired record is not there, and can be made anew`, async (t) => {
    const { records } = await open(t);
    const now = Date.now();
    // Far from now on both sides: clocks are set, and machines are busy.
    await records.put('code/short', '"x"', { expires: now - 60_000 });
    await records.put('code/long', '"y"', { expires: now + 3_600_000 });
    t.equal((await records.get('code/long'))?.value, '"y"');
    t.equal(await records.get('code/short'), undefined);
    t.same(
      (await records.list('code/', 10)).map(({ key }) => key),
      ['code/long'],
    );
    t.equal(await records.put('code/short', '"z"', { revision: 0 }), 1);
    t.equal((await records.get('code/short'))?.value, '"z"', 'and stays, as it no longer expires');
  });

  test(`${name}: records are listed by the beginning of their keys, a page at a time`, async (t) => {
    const { records } = await open(t);
    const keys = ['a/1', 'a/2', 'a/3', 'b/1', 'a/é', 'a'];
    for (const key of keys) await records.put(key, '0');
    const listed = async (limit: number, after?: string) =>
      (await records.list('a/', limit, after)).map(({ key }) => key);
    t.same(await listed(2), ['a/1', 'a/2']);
    t.same(await listed(10, 'a/2'), ['a/3', 'a/é']);
    t.same(await listed(10, 'a/é'), []);
  });
};

const testIndexing = (name: string, open: (t: Test) => Promise<Store>): void => {
  test(`${name}: new index entries make no version and no history`, async (t) => {
    const store = await open(t);
    await store.commit([created(patient('a'), [token('code', 'old')])]);
    const before = await store.read({ type: 'Patient', id: 'a' });
    t.match(await store.commit([indexed('a', 1, 'new')]), [
      { type: 'Patient', id: 'a', outcome: 'unchanged', version: 1 },
    ]);
    t.same(await idsOf(store, 'Patient', withToken('code', 'new')), ['a']);
    t.same(await idsOf(store, 'Patient', withToken('code', 'old')), []);
    t.same(await store.read({ type: 'Patient', id: 'a' }), before);
    t.equal((await store.history({ type: 'Patient', id: 'a' }, { count: 10 })).items.length, 1);
  });

  test(`${name}: entries of a version that is no longer current are not taken`, async (t) => {
    const store = await open(t);
    await store.commit([created(patient('a'), [token('code', 'one')]), created(patient('b'), [token('code', 'one')])]);
    await store.commit([updated(patient('a', '"active":true'), [token('code', 'two')]), deleted(patient('b'))]);
    await store.commit([indexed('a', 1, 'stale'), indexed('b', 1, 'stale'), indexed('never', 1, 'stale')]);
    t.same(await idsOf(store, 'Patient', withToken('code', 'stale')), []);
    t.same(await idsOf(store, 'Patient', withToken('code', 'two')), ['a']);
    t.equal(await store.read({ type: 'Patient', id: 'never' }), undefined);
  });

  test(`${name}: an update after new index entries leaves none of them behind`, async (t) => {
    const store = await open(t);
    await store.commit([created(patient('a'), [token('code', 'one')])]);
    await store.commit([indexed('a', 1, 'two')]);
    await store.commit([updated(patient('a', '"active":true'), [token('code', 'three')])]);
    for (const [code, ids] of [
      ['one', []],
      ['two', []],
      ['three', ['a']],
    ] as const)
      t.same(await idsOf(store, 'Patient', withToken('code', code)), ids, code);
  });
};

const testTotals = (name: string, open: (t: Test) => Promise<Store>): void => {
  test(`${name}: the total of a type follows every create, update, deletion and refusal`, async (t) => {
    const store = await open(t);
    const total = (type = 'Patient') => store.count(searchOf(type, []));
    t.equal(await total(), 0);
    await store.commit([created(patient('a')), created(patient('b')), updated(patient('c'))]);
    t.equal(await total(), 3);
    await store.commit([updated(patient('a', '"active":true')), deleted(patient('b')), deleted(patient('none'))]);
    t.equal(await total(), 2);
    await t.rejects(store.commit([created(patient('d')), created(patient('a'))]));
    t.equal(await total(), 2, 'nothing of a refused commit counts');
    await store.commit([updated(patient('b')), deleted(patient('a')), updated(patient('a'))]);
    t.equal(await total(), 3, 'what comes back counts again');
    await store.commit([created(resourceOf('Observation', 'a'))]);
    t.equal(await total('Observation'), 1);
    t.equal(await total(), 3);
  });
};

export const testRecords = (name: string, open: (t: Test) => Promise<Store>): void => {
  testReadingAndWriting(name, open);
  testIndexing(name, open);
  testTotals(name, open);
};

import { type Test, test } from 'tap';
import { CopyRefused, copyStore } from '../../src/copying/copy-store.ts';
import type { Store } from '../../src/store/store.ts';
import { created, deleted, idsOf, resourceOf, token, updated, withToken } from '../store/contract/resources.ts';
import { openTemporaryStore } from '../store/sqlite/temporary-store.ts';

const RESOURCES = 350;

const entriesOf = (resource: { resourceType: string; code?: string }) => [token('code', resource.code ?? '')];

const patient = (at: number, code: string) => resourceOf('Patient', `p${at}`, `"code":"${code}"`);

const filled = async (t: Test): Promise<Store> => {
  const store = await openTemporaryStore(t);
  const numbers = Array.from({ length: RESOURCES }, (_, at) => at);
  await store.commit(numbers.map((at) => created(patient(at, 'old'), [token('code', 'old')])));
  await store.commit(numbers.slice(0, 50).map((at) => updated(patient(at, 'new'), [token('code', 'new')])));
  await store.commit([deleted({ type: 'Patient', id: 'p60' })]);
  await store.records.put('job/1', '{"step":1}');
  await store.records.put('code/1', '"x"', { expires: Date.now() + 3_600_000 });
  await store.records.put('instance/3', '"lease"');
  await store.records.put('store-key', '"of the source"');
  const indexed = { extractor: '1', posted: [], fingerprints: { 'Patient.race': 'abc' } };
  await store.records.put('reindex/indexed', JSON.stringify(indexed));
  return store;
};

test('A copy of a store', async (t) => {
  const source = await filled(t);

  t.test('has all versions, records and matches, and says how many', async (t) => {
    const target = await openTemporaryStore(t);
    const phases = new Set<string>();
    const result = await copyStore({ source, target, from: 'a', entriesOf, onProgress: (p) => phases.add(p.phase) });
    t.match(result, { resources: RESOURCES, versions: RESOURCES + 51, records: 3, digest: /^[0-9a-f]{64}$/ });
    t.same([...phases], ['numbers', 'resources', 'records', 'comparison']);
    t.same(await target.transfer.histories(0, 1000), await source.transfer.histories(0, 1000));
    for (const code of ['old', 'new'])
      t.same(
        await idsOf(target, 'Patient', withToken('code', code)),
        await idsOf(source, 'Patient', withToken('code', code)),
      );
    t.equal((await target.records.get('job/1'))?.value, '{"step":1}');
    t.equal((await target.records.get('code/1'))?.expires, (await source.records.get('code/1'))?.expires);
    t.equal(await target.records.get('instance/3'), undefined, 'the lease of a process is not copied');
    t.equal(await target.records.get('store-key'), undefined, 'a store tells its own key');
    t.equal(await target.records.get('copy/position'), undefined);
  });

  t.test('does not claim to be indexed for more than R4', async (t) => {
    const target = await openTemporaryStore(t);
    await copyStore({ source, target, from: 'a', entriesOf });
    const { extractor, fingerprints } = JSON.parse((await target.records.get('reindex/indexed'))?.value ?? '');
    t.not(extractor, '1');
    t.same(fingerprints, {});
  });

  t.test('goes on where it was cut off, at any page', async (t) => {
    for (let cut = 1; cut <= 8; cut++) {
      const target = await openTemporaryStore(t);
      let pages = 0;
      const stopped = copyStore({
        ...{ source, target, from: 'a', entriesOf },
        onProgress: () => {
          if (++pages === cut) throw new Error('cut off');
        },
      });
      await t.rejects(stopped, { message: 'cut off' });
      await t.rejects(copyStore({ source, target, from: 'b', entriesOf }), CopyRefused, 'not with another source');
      const { resources } = await copyStore({ source, target, from: 'a', entriesOf });
      t.equal(resources, RESOURCES);
      t.same(await target.transfer.histories(0, 1000), await source.transfer.histories(0, 1000), `cut at page ${cut}`);
    }
  });

  t.test('is not made over what is there', async (t) => {
    const target = await openTemporaryStore(t);
    await target.commit([created(patient(1, 'mine'))]);
    await t.rejects(copyStore({ source, target, from: 'a', entriesOf }), { message: /not empty/ });
  });

  t.test('is refused in the end if the stores differ', async (t) => {
    const target = await openTemporaryStore(t);
    const forged: Store = {
      ...target,
      transfer: {
        ...target.transfer,
        restore: (histories) =>
          target.transfer.restore(
            histories.map((history) => ({
              ...history,
              versions: history.versions.map((version) =>
                version.id === 'p123' ? { ...version, text: Buffer.from('{"resourceType":"Patient"}') } : version,
              ),
            })),
          ),
      },
    };
    await t.rejects(copyStore({ source, target: forged, from: 'a', entriesOf }), {
      message: /Patient\/p123 is not the same/,
    });
  });

  t.test('is refused in the end if a record is missing', async (t) => {
    const target = await openTemporaryStore(t);
    const put: Store['records']['put'] = async (key, ...rest) =>
      key === 'code/1' ? 1 : target.records.put(key, ...rest);
    const forged: Store = { ...target, records: { ...target.records, put } };
    await t.rejects(copyStore({ source, target: forged, from: 'a', entriesOf }), {
      message: /code\/1 is not the same/,
    });
  });

  t.test('says what to do if the source was written to meanwhile, as often as it is gone on with', async (t) => {
    const [written, target] = [await filled(t), await openTemporaryStore(t)];
    let isWritten = false;
    const reads = written.transfer.references;
    // What is written behind the last number is not copied.
    const references: typeof reads = async (after, limit) => {
      const page = await reads(after, limit);
      if (page.length === 0 && !isWritten) {
        isWritten = true;
        await written.commit([created(patient(1000, 'late'), [])]);
      }
      return page;
    };
    const source: Store = { ...written, transfer: { ...written.transfer, references } };
    const message = /^The source has 351 resources, the target 350; .*Stop every server.*empty the target.*copy anew$/;
    for (let run = 0; run < 2; run++)
      await t.rejects(copyStore({ source, target, from: 'a', entriesOf }), { name: 'CopyRefused', message });
  });

  t.test('is not made of nothing, as of a database whose name is wrong', async (t) => {
    const [nothing, target] = [await openTemporaryStore(t), await openTemporaryStore(t)];
    const copy = copyStore({ source: nothing, target, from: 'a', entriesOf });
    await t.rejects(copy, { name: 'CopyRefused', message: /no resources/ });
  });
});

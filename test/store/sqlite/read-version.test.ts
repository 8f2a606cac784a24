import { join } from 'node:path';
import { type Test, test } from 'tap';
import { openSqliteStore } from '../../../src/store/sqlite/open-store.ts';
import type { Store } from '../../../src/store/store.ts';
import { created, deleted, resourceOf, updated } from '../contract/resources.ts';
import { OPTIONS, temporaryFolder } from './temporary-store.ts';

const PATIENT = { type: 'Patient', id: 'p' };

const openAt = async (t: Test, path: string, readCacheBytes: number): Promise<Store> => {
  const store = await openSqliteStore({ ...OPTIONS, path, readCacheBytes });
  t.teardown(() => store.close());
  return store;
};

const familyOf = async (store: Store, version?: number): Promise<unknown> => {
  const found = await store.read(PATIENT, version);
  return found === undefined || found.isDeleted ? found?.version : JSON.parse(found.text.toString()).name;
};

for (const [name, bytes] of [
  ['of a usual size', 2 ** 20],
  ['with room for one text', 600],
  ['of no size', 0],
] as const)
  test(`what was read lately, in a memory ${name}, is not taken for what another process has made of it`, async (t) => {
    const path = join(temporaryFolder(t), 'store.db');
    const [store, other] = [await openAt(t, path, bytes), await openAt(t, path, bytes)];
    await store.commit([created(resourceOf('Patient', 'p', '"name":"first"')), created(resourceOf('Patient', 'q'))]);
    for (let time = 0; time < 2; time++) t.equal(await familyOf(store), 'first');
    await other.commit([updated(resourceOf('Patient', 'p', '"name":"second"'))]);
    t.equal(await familyOf(store), 'second');
    t.equal(await familyOf(store, 1), 'first', 'an earlier version');
    await store.read({ type: 'Patient', id: 'q' });
    t.equal(await familyOf(store), 'second');
    await other.commit([deleted(PATIENT)]);
    t.equal(await familyOf(store), 3, 'a deletion');
    t.equal(await familyOf(store, 2), 'second');
    await other.commit([updated(resourceOf('Patient', 'p', '"name":"third"'))]);
    for (let time = 0; time < 2; time++) t.equal(await familyOf(store), 'third');
    t.equal((await store.read(PATIENT))?.version, 4);
  });

/** One fault at each command of a commit, one after the other. */
import { type Test, test } from 'tap';
import type { Store, Write } from '../../../src/store/store.ts';
import { created, deleted, idsOf, resourceOf, searchOf, token, updated, withToken } from '../contract/resources.ts';
import { type Fault, startFaultProxy } from './fault-proxy.ts';
import { openInstance, temporaryDatabase, WITHOUT_MONGODB } from './temporary-store.ts';

const FAULTS: Readonly<Record<string, Fault>> = {
  'the connection is cut before it': { times: 1, isLost: false },
  'the connection is cut behind it': { times: 1, isLost: true },
  'the connection is cut behind it and its retry': { times: 2, isLost: true },
  'it meets another transaction': {
    times: 1,
    isLost: false,
    error: { code: 112, labels: ['TransientTransactionError'] },
  },
  'the server steps down before it': { times: 1, isLost: false, error: { code: 10_107, labels: [] } },
  'the server steps down behind it': { times: 1, isLost: true, error: { code: 11_602, labels: [] } },
};

const patient = (id: string, content: number) => resourceOf('Patient', id, `"content":${content}`);

const open = async (t: Test) => {
  const { url, database } = temporaryDatabase(t);
  const proxy = await startFaultProxy(t, url);
  return { proxy, store: await openInstance(t, { url: proxy.url, database }) };
};

/** More than any of these commits has. */
const COMMANDS = 9;

/** The content of each version, oldest first; null for a deletion. */
const contentsOf = async (store: Store, id: string): Promise<(number | null)[]> => {
  const count = (await store.read({ type: 'Patient', id }))?.version ?? 0;
  const contents: (number | null)[] = [];
  for (let version = 1; version <= count; version++) {
    const found = await store.read({ type: 'Patient', id }, version);
    if (found === undefined) throw new Error(`${id} has a gap at ${version}`);
    contents.push(found.isDeleted ? null : (JSON.parse(String(found.text)) as { content: number }).content);
  }
  return contents;
};

const eachFault = async (t: Test, run: (store: Store, name: string) => Promise<void>): Promise<void> => {
  const { proxy, store } = await open(t);
  for (const [name, fault] of Object.entries(FAULTS))
    for (let skip = 0; skip < COMMANDS; skip++) {
      await proxy.inject({ ...fault, skip });
      await run(store, `at command ${skip + 1} ${name}`);
      await proxy.clear();
    }
};

test('a transaction is made once, whatever happens at any of its commands', {
  skip: WITHOUT_MONGODB,
  timeout: 300_000,
}, async (t) => {
  let round = 0;
  await eachFault(t, async (store, name) => {
    const [a, b, c] = [`a${++round}`, `b${round}`, `c${round}`];
    const code = `c${round}`;
    const query = searchOf('Patient', [withToken('code', code)], 2);
    const first: Write[] = [
      created(patient(a, 1)),
      updated(patient(b, 1)),
      updated(patient(b, 2), [token('code', code)]),
    ];
    t.match(
      await store.commit(first, [{ query, found: [] }]),
      [{ outcome: 'created', version: 1 }, { outcome: 'created' }, { outcome: 'updated', version: 2 }],
      name,
    );
    const second: Write[] = [updated(patient(a, 3)), deleted(patient(b, 0)), created(patient(c, 3))];
    await store.commit(second, [{ query, found: [{ type: 'Patient', id: b }] }]);
    const contents = [await contentsOf(store, a), await contentsOf(store, b), await contentsOf(store, c)];
    t.same(contents, [[1, 3], [1, 2, null], [3]], name);
    t.same(await idsOf(store, 'Patient', withToken('code', code)), [], name);
  });
});

test('single writes are made once, whatever happens at any of their commands', {
  skip: WITHOUT_MONGODB,
  timeout: 300_000,
}, async (t) => {
  let round = 0;
  await eachFault(t, async (store, name) => {
    const id = `p${++round}`;
    await store.commit([created(patient(id, 1))]);
    await store.commit([updated(patient(id, 2), [token('code', id)], { ifMatch: 1 })]);
    await store.commit([deleted(patient(id, 0), 2)]);
    await store.commit([updated(patient(id, 3), [token('code', id)])]);
    t.same(await contentsOf(store, id), [1, 2, null, 3], name);
    t.same(await idsOf(store, 'Patient', withToken('code', id)), [id], name);
    t.equal(await store.records.put(id, 'one', { revision: 0 }), 1, name);
    t.equal(await store.records.put(id, 'two', { revision: 1 }), 2, name);
    t.equal(await store.records.delete(id, 2), true, name);
  });
});

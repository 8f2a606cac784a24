import { test } from 'tap';
import type { Write } from '../../../src/store/store.ts';
import { created, deleted, resourceOf, searchOf, token, updated, withToken } from '../contract/resources.ts';
import { WITHOUT_MONGODB } from './temporary-store.ts';
import { openWatchedStore } from './watched-store.ts';

const patient = (id: string, content = 0) => resourceOf('Patient', id, `"content":${content}`);
const large = (id: string) => resourceOf('Binary', id, `"data":"${'x'.repeat(1_000_000)}"`);

test('a read is one command', { skip: WITHOUT_MONGODB }, async (t) => {
  const { store, sentBy } = await openWatchedStore(t);
  await store.commit([created(patient('a'))]);
  t.same(await sentBy(() => store.read(patient('a'))), ['find']);
  t.same(await sentBy(() => store.read(patient('a'), 1)), ['find']);
  t.same(await sentBy(() => store.read(patient('b'))), ['find']);
});

test('a create is one command, or three with a large text', { skip: WITHOUT_MONGODB }, async (t) => {
  const { store, sentBy } = await openWatchedStore(t);
  t.same(await sentBy(() => store.commit([created(patient('a'))])), ['insert']);
  t.same(await sentBy(() => store.commit([created(large('b'))])), ['insert', 'insert', 'insert']);
});

test('an update or a delete is at most three commands', { skip: WITHOUT_MONGODB }, async (t) => {
  const { store, sentBy } = await openWatchedStore(t);
  t.same(await sentBy(() => store.commit([updated(patient('a'))])), ['find', 'insert'], 'an update as create');
  t.same(await sentBy(() => store.commit([updated(patient('a', 1))])), ['find', 'insert', 'update']);
  t.same(await sentBy(() => store.commit([updated(patient('a', 1))])), ['find'], 'nothing changes');
  t.same(await sentBy(() => store.commit([deleted(patient('a'))])), ['find', 'insert', 'update']);
});

test('a transaction of 100 entries is at most 12 commands', { skip: WITHOUT_MONGODB }, async (t) => {
  const { store, sentBy } = await openWatchedStore(t);
  const ids = Array.from({ length: 50 }, (_, at) => `p${at}`);
  await store.commit(ids.map((id) => created(patient(id), [token('code', id)])));
  const writes: Write[] = ids.flatMap((id) => [
    updated(patient(id, 1), [token('code', id)]),
    created(patient(`new-${id}`), [token('code', 'new')]),
  ]);
  const sent = await sentBy(() => store.commit(writes));
  t.ok(sent.length <= 12, sent.join());
  const expected = [
    { query: searchOf('Patient', [withToken('code', 'none')]), found: [] },
    { query: searchOf('Patient', [withToken('code', 'p1')]), found: [patient('p1')] },
  ];
  const more = ids.flatMap((id) => [updated(patient(id, 2)), deleted(patient(`new-${id}`))]);
  const conditional = await sentBy(() => store.commit(more, expected));
  t.ok(conditional.length <= 12, conditional.join());
});

test('new index entries of many resources are two commands, or one if nothing changes', {
  skip: WITHOUT_MONGODB,
}, async (t) => {
  const { store, sentBy } = await openWatchedStore(t);
  const ids = Array.from({ length: 100 }, (_, at) => `p${at}`);
  await store.commit(ids.map((id) => created(patient(id))));
  const writes = ids.map(
    (id): Write => ({ kind: 'index', reference: patient(id), version: 1, entries: [token('code', id)] }),
  );
  t.same(await sentBy(() => store.commit(writes)), ['find', 'update']);
  t.same(await sentBy(() => store.commit(writes)), ['find']);
});

test('a record is read by one command, written by two, and deleted by three', { skip: WITHOUT_MONGODB }, async (t) => {
  const { store, sentBy } = await openWatchedStore(t);
  t.same(await sentBy(() => store.records.put('a', '1')), ['find', 'insert']);
  t.same(await sentBy(() => store.records.put('a', '2', { revision: 1 })), ['find', 'update']);
  t.same(await sentBy(() => store.records.get('a')), ['find']);
  t.same(await sentBy(() => store.records.delete('a', 2)), ['find', 'update', 'delete']);
});

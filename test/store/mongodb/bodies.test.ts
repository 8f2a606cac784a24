import { type Db, MongoClient, type ObjectId } from 'mongodb';
import { type Test, test } from 'tap';
import { openBodies } from '../../../src/store/mongodb/bodies.ts';
import { openCollections } from '../../../src/store/mongodb/collections.ts';
import { created, deleted, resourceOf, updated } from '../contract/resources.ts';
import { openInstance, temporaryDatabase, WITHOUT_MONGODB } from './temporary-store.ts';

const DAY = 86_400_000;
const binary = (id: string, bytes: number, letter = 'x') =>
  resourceOf('Binary', id, `"data":"${letter.repeat(bytes)}"`);

const openPlace = async (t: Test) => {
  const place = temporaryDatabase(t);
  const store = await openInstance(t, place);
  const client = new MongoClient(place.url);
  t.teardown(() => client.close());
  const collections = openCollections(client, place.database);
  const files = async (): Promise<number> => collections.database.collection('bodies.files').countDocuments();
  const chunks = async (): Promise<number> => collections.database.collection('bodies.chunks').countDocuments();
  return { store, collections, files, chunks };
};

test('a text over 256 kB lies in GridFS, any other in its document', { skip: WITHOUT_MONGODB }, async (t) => {
  const { store, files, chunks } = await openPlace(t);
  await store.commit([created(binary('small', 200_000))]);
  t.equal(await files(), 0);
  await store.commit([created(binary('large', 600_000))]);
  t.same([await files(), await chunks()], [1, 3]);
  await store.commit([updated(binary('large', 600_000, 'y')), created(binary('other', 300_000))]);
  t.same([await files(), await chunks()], [3, 8]);
  t.match(String((await store.read(binary('large', 0), 1))?.text), /x{600000}"\}$/);
  t.match(String((await store.read(binary('large', 0)))?.text), /y{600000}"\}$/);
  await store.commit([deleted(binary('large', 0))]);
  t.match(String((await store.read(binary('large', 0), 2))?.text), /y{600000}"\}$/, 'the history still has it');
  t.equal((await store.read(binary('large', 0)))?.text.length, 0);
});

test('a text of 50 MB is stored and read', { skip: WITHOUT_MONGODB }, async (t) => {
  const { store } = await openPlace(t);
  const resource = binary('huge', 50_000_000);
  const [written] = await store.commit([created(resource)]);
  t.equal(written?.version, 1);
  const { text } = (await store.read(resource)) ?? { text: Buffer.alloc(0) };
  t.equal(
    text.length,
    resource.head.length +
      (resource.tail as string).length +
      '"versionId":"1","lastUpdated":"2026-01-01T00:00:00.000Z"'.length,
  );
  t.equal(text.lastIndexOf('x') - text.indexOf('"x'), 50_000_000);
});

test('a large text that is there already is told from another one', { skip: WITHOUT_MONGODB }, async (t) => {
  const { store, files } = await openPlace(t);
  await store.commit([created(binary('a', 300_000))]);
  t.match(await store.commit([updated(binary('a', 300_000))]), [{ outcome: 'unchanged' }]);
  t.equal(await files(), 1);
  t.match(await store.commit([updated(binary('a', 300_000, 'y'))]), [{ outcome: 'updated' }]);
});

test('a sweep removes what a commit left that failed a day ago, and nothing else', {
  skip: WITHOUT_MONGODB,
}, async (t) => {
  const { store, collections, files, chunks } = await openPlace(t);
  await store.commit([created(binary('a', 300_000))]);
  await store.commit([updated(binary('a', 300_000, 'y'))]);
  await store.commit([deleted(binary('a', 0))]);
  await store.commit([created(binary('b', 300_000))]);
  const at = (now: number) => openBodies({ ...collections, now: () => now });
  const { attachment } = await at(Date.now()).stored({ type: 'Binary', id: 'a' }, Buffer.alloc(300_000));
  await at(Date.now()).stored({ type: 'Binary', id: 'never-there' }, Buffer.alloc(300_000));
  t.same([await files(), await chunks()], [5, 10]);
  t.equal(await at(Date.now() + DAY / 2).sweep(), 0, 'what is younger may still be committed');
  t.equal(await at(Date.now() + 2 * DAY).sweep(), 2);
  t.same([await files(), await chunks()], [3, 6]);
  t.equal(
    await collections.database.collection('bodies.chunks').countDocuments({ files_id: attachment as ObjectId }),
    0,
  );
  t.equal(await at(Date.now() + 4 * DAY).sweep(), 0);
  for (const version of [1, 2]) t.ok((await store.read(binary('a', 0), version))?.text.length);
});

/** A database whose inserts fail from the one after the next `count` on, as when the process is killed then. */
const cutOffAfter = (database: Db, count: number): Db => {
  let left = count;
  const failing = async (): Promise<never> => {
    throw new Error('cut off');
  };
  const collection = (name: string) =>
    new Proxy(database.collection(name), {
      get: (target, member) => {
        const isInsert = member === 'insertMany' || member === 'insertOne';
        if (isInsert && left-- <= 0) return failing;
        const value = Reflect.get(target, member);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  return { collection } as unknown as Db;
};

test('of an upload that was cut off anywhere nothing stays', { skip: WITHOUT_MONGODB }, async (t) => {
  const { collections, files, chunks } = await openPlace(t);
  const now = Date.now;
  for (const inserts of [1, 2]) {
    const database = cutOffAfter(collections.database, inserts);
    const cut = openBodies({ ...collections, database, now });
    await t.rejects(cut.stored({ type: 'Binary', id: 'a' }, Buffer.alloc(40_000_000)), { message: 'cut off' });
  }
  await openBodies({ ...collections, now: () => Date.now() + 2 * DAY }).sweep();
  t.same([await files(), await chunks()], [0, 0]);
});

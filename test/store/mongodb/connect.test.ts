import { randomUUID } from 'node:crypto';
import { createServer, type Socket } from 'node:net';
import { BSON, MongoClient } from 'mongodb';
import { type Test, test } from 'tap';
import { unusableServer } from '../../../src/store/mongodb/connect.ts';
import { INDEXES } from '../../../src/store/mongodb/indexes.ts';
import { openMongoStore } from '../../../src/store/mongodb/open-store.ts';
import { StoreUnusable } from '../../../src/store/store-unusable.ts';
import { created, resourceOf } from '../contract/resources.ts';
import { OPTIONS, openInstance, temporaryDatabase, WITHOUT_MONGODB } from './temporary-store.ts';

const OP_QUERY = 2004;
const OP_REPLY = 1;
const OP_MSG = 2013;

/** Answers every message as a server that says `hello` of itself. */
const startServer = async (t: Test, hello: object): Promise<string> => {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', (message) => {
      const body = BSON.serialize({ ok: 1, isWritablePrimary: true, helloOk: true, minWireVersion: 0, ...hello });
      const isQuery = message.readInt32LE(12) === OP_QUERY;
      const head = Buffer.alloc(isQuery ? 36 : 21);
      head.writeInt32LE(head.length + body.length, 0);
      head.writeInt32LE(message.readInt32LE(4), 8);
      head.writeInt32LE(isQuery ? OP_REPLY : OP_MSG, 12);
      if (isQuery) head.writeInt32LE(1, 32);
      socket.write(Buffer.concat([head, body]));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `mongodb://somebody:secret@127.0.0.1:${(server.address() as { port: number }).port}`;
};

/** The one line that an operator gets. */
const refusalOf = async (t: Test, url: string, deadlineMilliseconds = 2000): Promise<string> => {
  const error = await openMongoStore({ ...OPTIONS, url, database: 'x', deadlineMilliseconds }).catch(
    (thrown: unknown) => thrown,
  );
  t.ok(error instanceof StoreUnusable, String(error));
  const { message } = error as Error;
  t.notMatch(message, /\n|secret/, 'one line, without the password');
  return message;
};

test('a server is used if it is a member of a replica set or a router, from version 6.0 on', async (t) => {
  t.equal(unusableServer({ setName: 'rs0', maxWireVersion: 17 }), undefined);
  t.equal(unusableServer({ setName: 'rs0', maxWireVersion: 25 }), undefined);
  t.equal(unusableServer({ msg: 'isdbgrid', maxWireVersion: 21 }), undefined);
  t.match(unusableServer({ maxWireVersion: 21 }), /standalone/);
  t.match(unusableServer({ setName: 'rs0', maxWireVersion: 13 }), /older than MongoDB 6\.0/);
});

test('a standalone server is refused with one sentence', async (t) => {
  const url = (await startServer(t, { maxWireVersion: 21 })).replace('somebody:secret@', '');
  t.match(await refusalOf(t, url), /^The MongoDB at 127\.0\.0\.1:\d+ cannot be used: it is a standalone server/);
});

test('a database that is not there, and a wrong url, are refused with one sentence', async (t) => {
  t.match(await refusalOf(t, 'mongodb://somebody:secret@127.0.0.1:1', 300), /^The MongoDB at 127\.0\.0\.1:1 cannot be/);
  t.match(await refusalOf(t, 'mongodb://127.0.0.1:1/?nonsense=1'), /url .* wrong.*nonsense/);
  t.match(await refusalOf(t, 'mongodb://'), /url .* wrong/);
});

test('the indexes are made when a store is opened, and again if one has gone', { skip: WITHOUT_MONGODB }, async (t) => {
  const place = temporaryDatabase(t);
  const client = new MongoClient(place.url);
  t.teardown(() => client.close());
  const resources = client.db(place.database).collection('resources');
  const names = async (): Promise<string[]> => (await resources.listIndexes().toArray()).map(({ name }) => name).sort();
  const expected = Object.entries(INDEXES).flatMap(([name, { collection }]) =>
    collection === 'resources' ? name : [],
  );
  await openInstance(t, place);
  t.same(await names(), ['_id_', ...expected].sort());
  await resources.dropIndex('k_1');
  await openInstance(t, place);
  t.same(await names(), ['_id_', ...expected].sort());
});

test('chunks may be indexed already, by a tool for GridFS or by sharding', { skip: WITHOUT_MONGODB }, async (t) => {
  const place = temporaryDatabase(t);
  const client = new MongoClient(place.url);
  t.teardown(() => client.close());
  await client.db(place.database).collection('bodies.chunks').createIndex({ files_id: 1, n: 1 }, { unique: true });
  const store = await openInstance(t, place);
  const resource = resourceOf('Binary', 'large', `"data":"${'x'.repeat(300_000)}"`);
  await store.commit([created(resource)]);
  t.ok((await store.read(resource))?.text.includes('xxx'));
});

test('an index of another definition under the name of one of ours is refused', {
  skip: WITHOUT_MONGODB,
}, async (t) => {
  const place = temporaryDatabase(t);
  const client = new MongoClient(place.url);
  t.teardown(() => client.close());
  await client.db(place.database).collection('resources').createIndex({ other: 1 }, { name: 'k_1' });
  const error = await openMongoStore({ ...OPTIONS, ...place }).catch((thrown: unknown) => thrown);
  t.ok(error instanceof StoreUnusable, String(error));
});

test('the database of the url is used, and else the one that is given', { skip: WITHOUT_MONGODB }, async (t) => {
  const place = temporaryDatabase(t);
  const named = `consilium_test_${randomUUID().replaceAll('-', '')}`;
  const client = new MongoClient(place.url);
  t.teardown(async () => {
    await client.db(named).dropDatabase();
    await client.close();
  });
  await openInstance(t, { ...place, url: place.url.replace('/?', `/${named}?`) });
  t.ok((await client.db(named).listCollections().toArray()).length > 0);
  t.equal((await client.db(place.database).listCollections().toArray()).length, 0);
});

/** The commands of an operator, each as a process of its own. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { Bundle } from '@medplum/fhirtypes';
import { type Test, test } from 'tap';
import { runCommand as run } from './commands/run-command.ts';
import { absence, dataFiles } from './data/shared-data.ts';
import { startTestServer, temporaryFolder } from './http/test-server.ts';
import { temporaryDatabase, WITHOUT_MONGODB } from './store/mongodb/temporary-store.ts';

const EMBEDDED = { CONSILIUM_STORE: 'sqlite' };

/** A store with resources of two versions, a deletion and a reference, in its folder. */
const filledFolder = async (t: Test): Promise<string> => {
  const folder = temporaryFolder(t);
  const server = await startTestServer(t, { ...EMBEDDED, CONSILIUM_DATA: folder });
  for (const { text } of dataFiles('synthea').slice(0, 2))
    await server.send('POST', '', { headers: JSON_BODY, body: text });
  const { id } = await server.create({ resourceType: 'Patient', active: true });
  await server.send('PUT', `Patient/${id}`, { body: { resourceType: 'Patient', id, active: false } });
  await server.send('DELETE', `Patient/${(await server.create({ resourceType: 'Patient' })).id}`);
  await server.close();
  return folder;
};
const JSON_BODY = { 'content-type': 'application/fhir+json' };

const SEARCHES = [
  'Patient?active=false',
  'Observation?code=8302-2&_sort=-date&_count=200',
  'Observation?component-code-value-quantity=http://loinc.org|8480-6$gt100&_count=200',
  'Condition?subject:Patient.gender=male&_count=200',
];

/** What a store answers, in its order; ids and versions are those of the resources. */
const answersOf = async (t: Test, folder: string): Promise<string[][]> => {
  const server = await startTestServer(t, { ...EMBEDDED, CONSILIUM_DATA: folder });
  const found: string[][] = [];
  for (const search of SEARCHES) {
    const { entry = [] } = (await server.send('GET', search)).json<Bundle>();
    found.push(
      entry.map(({ resource }) => `${resource?.id} ${resource?.meta?.versionId} ${resource?.meta?.lastUpdated}`),
    );
  }
  await server.close();
  return found;
};

const DIGEST =
  /^Copied (\d+) resources with (\d+) versions, and \d+ records; both stores are the same \(SHA-256 (\w+)\)\n$/;

const skip = absence('synthea');

test('copy makes the same store in another place', { skip }, async (t) => {
  const from = await filledFolder(t);
  const to = temporaryFolder(t);
  const copied = await run(['copy', '--from', `sqlite:${from}`, '--to', `sqlite:${to}`]);
  t.equal(copied.code, 0, copied.stderr);
  const [, resources, versions] = DIGEST.exec(copied.stdout) ?? [];
  t.equal(Number(versions), Number(resources) + 2);
  t.match(copied.stderr, /numbers[\s\S]*resources[\s\S]*records[\s\S]*compared/);
  const answers = await answersOf(t, from);
  t.ok(answers.every((found) => found.length > 0));
  t.same(await answersOf(t, to), answers);

  const again = await run(['copy', '--from', `sqlite:${from}`, '--to', `sqlite:${to}`]);
  t.match(again, { code: 1, stderr: /^The target is not empty/ });
});

test('copy leads to MongoDB and back, and nothing is lost on the way', { skip: WITHOUT_MONGODB || skip }, async (t) => {
  const from = await filledFolder(t);
  const { url, database } = temporaryDatabase(t);
  const there = new URL(url);
  there.pathname = `/${database}`;
  const back = temporaryFolder(t);
  const first = await run(['copy', '--from', `sqlite:${from}`, '--to', there.href]);
  t.equal(first.code, 0, first.stderr);
  const second = await run(['copy', '--from', there.href, '--to', `sqlite:${back}`]);
  t.equal(second.code, 0, second.stderr);
  t.equal(DIGEST.exec(second.stdout)?.[3], DIGEST.exec(first.stdout)?.[3]);
  t.same(await answersOf(t, back), await answersOf(t, from));
});

test('copy says in one line what is wrong', async (t) => {
  const empty = temporaryFolder(t);
  const wrong: readonly (readonly [from: string, to: string, reason: RegExp])[] = [
    [`sqlite:${empty}`, `sqlite:${empty}/other`, /^There is no store in /],
    ['postgres://host', `sqlite:${empty}`, /^'postgres:\/\/host' is neither sqlite:FOLDER nor mongodb:/],
  ];
  for (const [from, to, reason] of wrong) {
    const { code, stderr } = await run(['copy', '--from', from, '--to', to]);
    t.equal(code, 1);
    t.match(stderr, reason);
    t.equal(stderr.trim().split('\n').length, 1);
  }
  t.match(await run(['copy', '--from', `sqlite:${empty}`]), { code: 1, stderr: /--to/ });
});

test('mongodb shard prints what distributes the collections, and needs a MongoDB', async (t) => {
  const { code, stdout } = await run(['mongodb', 'shard'], {
    CONSILIUM_STORE: 'mongodb://u:secret@host/records?tls=true',
  });
  t.equal(code, 0);
  for (const collection of ['resources', 'history', 'records', 'locks', 'bodies.files'])
    t.ok(stdout.includes(`sh.shardCollection('records.${collection}', {"_id":"hashed"})\n`), collection);
  t.ok(stdout.includes(`sh.shardCollection('records.bodies.chunks', {"files_id":1,"n":1}, true)\n`));
  t.notMatch(stdout, /secret/);
  t.match(await run(['mongodb', 'shard']), { code: 1, stderr: /^CONSILIUM_STORE must be the url of a MongoDB\n$/ });
});

test('mongodb shard --apply refuses what is no sharded cluster', { skip: WITHOUT_MONGODB }, async (t) => {
  const { url } = temporaryDatabase(t);
  const { code, stderr } = await run(['mongodb', 'shard', '--apply'], { CONSILIUM_STORE: url });
  t.equal(code, 1);
  t.match(stderr, /^The MongoDB is no sharded cluster/);
});

test('without a command it serves, and it tells its commands', async (t) => {
  t.match(await run([], { CONSILIUM_PORT: 'none' }), { code: 1, stderr: /^CONSILIUM_PORT / });
  const { code, stdout } = await run(['--help']);
  t.equal(code, 0);
  t.match(stdout, /serve[\s\S]*copy[\s\S]*mongodb/);
});

test('what Node has compiled is kept for the next start, unless the operator says otherwise', (t) => {
  const { NODE_COMPILE_CACHE: _, ...environment } = process.env;
  const told = (more: Readonly<Record<string, string>> = {}): string =>
    spawnSync(process.execPath, [join('src', 'cli.ts'), '--help'], {
      env: { ...environment, NODE_DEBUG_NATIVE: 'COMPILE_CACHE', ...more },
      encoding: 'utf8',
    }).stderr;
  told();
  t.match(told(), /node_modules\/\.cache\/consilium\/.*program\.ts.*success/);
  const folder = temporaryFolder(t);
  t.ok(told({ NODE_COMPILE_CACHE: folder }).includes(folder));
  t.notMatch(told({ NODE_DISABLE_COMPILE_CACHE: '1' }), /retrieving|reading cache/);
  t.end();
});

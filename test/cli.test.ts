/** The commands of an operator, each as a process of its own. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
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

/** No variable has the key. */
const WITHOUT_KEY = { CONSILIUM_STORE_KEY: '' };
const PATIENT = { resourceType: 'Patient', active: true } as const;

test('copy finds the key in the folder of the store, and the copy can be served', async (t) => {
  const [from, data] = [temporaryFolder(t), temporaryFolder(t)];
  const to = join(temporaryFolder(t), 'deep', 'copy');
  const key = 'ef'.repeat(32);
  writeFileSync(join(from, 'store.key'), key);
  const filled = await startTestServer(t, { ...EMBEDDED, CONSILIUM_DATA: from, CONSILIUM_STORE_KEY: key });
  await filled.create(PATIENT);
  await filled.close();
  const without = { ...WITHOUT_KEY, CONSILIUM_DATA: data };
  const copied = await run(['copy', '--from', `sqlite:${from}`, '--to', `sqlite:${to}`], without);
  t.match(copied, { code: 0, stdout: DIGEST });
  t.equal(readFileSync(join(to, 'store.key'), 'utf8').trim(), key);
  t.equal(statSync(join(to, 'store.key')).mode & 0o777, 0o600);
  t.same(readdirSync(data), [], 'the folder of CONSILIUM_DATA has nothing to do with it');
  t.match(await run(['clients', 'list'], { ...WITHOUT_KEY, CONSILIUM_DATA: to }), { code: 0 });

  const other = temporaryFolder(t);
  writeFileSync(join(other, 'store.key'), 'aa'.repeat(32));
  const refused = await run(['copy', '--from', `sqlite:${from}`, '--to', `sqlite:${other}`], without);
  t.match(refused, { code: 1, stderr: /^[^\n]*store\.key is another key than that of the other store\n$/ });
  t.same(readdirSync(other), ['store.key']);
});

test('copy that is refused at once leaves nothing behind', async (t) => {
  const empty = temporaryFolder(t);
  await (await startTestServer(t, { ...EMBEDDED, CONSILIUM_DATA: empty, CONSILIUM_ACCESS: 'smart' })).close();
  const nothing = await run(['users', 'add', '--login', 'ada', '--fhir-user', 'Patient/1', '--role', 'patient'], {
    CONSILIUM_DATA: join(empty, 'users'),
  });
  t.equal(nothing.code, 0, nothing.stderr);
  const to = join(temporaryFolder(t), 'copy');
  const cases: readonly (readonly [from: string, environment: Record<string, string>, reason: RegExp])[] = [
    [join(empty, 'users'), {}, /^The source has no resources/],
    [empty, { CONSILIUM_STORE_KEY: 'ab'.repeat(32) }, /the key is wrong/],
    [empty, WITHOUT_KEY, /^CONSILIUM_STORE_KEY or CONSILIUM_STORE_KEY_FILE must be set, as .* has no key/],
  ];
  for (const [from, environment, reason] of cases) {
    const copied = await run(['copy', '--from', `sqlite:${from}`, '--to', `sqlite:${to}`], environment);
    t.match(copied, { code: 1, stdout: '', stderr: reason });
    t.notOk(existsSync(to));
  }
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
  t.match(await run(['--version']), { code: 0, stdout: /^\d+\.\d+\.\d+\n$/ });
  t.match(await run(['serve'], { CONSILIUM_PORT: 'none' }), { code: 1, stderr: /^CONSILIUM_PORT / });
});

test('a mistyped command is none, and the one that was meant is named', async (t) => {
  for (const [command, reason] of [
    [['user', 'list'], /^error: unknown command 'user'\n\(Did you mean users\?\)/],
    [['tokens', '--client', 'x'], /^error: unknown command 'tokens'\n\(Did you mean token\?\)/],
    [['clients', 'lst'], /^error: unknown command 'lst'\n\(Did you mean list\?\)/],
    [['nonsense'], /^error: unknown command 'nonsense'\nAdd --help/],
    [['--port', '1'], /^error: unknown option '--port'/],
  ] as const)
    t.match(await run(command, { CONSILIUM_PORT: 'none' }), { code: 1, stdout: '', stderr: reason });
});

/** A command whose standard output is what the shell says. */
const inShell = (shell: string, data: string) => {
  const command = `set -o pipefail; "${process.execPath}" src/cli.ts users list ${shell}`;
  return spawnSync('bash', ['-c', command], { env: { ...process.env, CONSILIUM_DATA: data }, encoding: 'utf8' });
};

test('a pipe that is closed ends a command quietly, and a full disk with one line', async (t) => {
  const data = join(temporaryFolder(t), 'data');
  const add = ['users', 'add', '--login', 'ada', '--fhir-user', 'Patient/1', '--role', 'patient'];
  await run(add, { ...WITHOUT_KEY, CONSILIUM_DATA: data });
  t.match(inShell('| head -0', data), { status: 0, stderr: '' });
  const full = inShell('> /dev/full', data);
  t.match(full, { status: 1, stderr: /^The standard output cannot be written: ENOSPC[^\n]*\n$/ });
});

/** Posts a Patient in two halves; the answer to the second one. */
const halfPosted = async (base: string): Promise<() => Promise<string>> => {
  const { hostname, port } = new URL(base);
  const body = JSON.stringify(PATIENT);
  const socket = connect(Number(port), hostname);
  const head = `POST /fhir/Patient HTTP/1.1\r\nHost: ${hostname}\r\nContent-Type: application/fhir+json\r\n`;
  socket.write(`${head}Content-Length: ${body.length}\r\n\r\n${body.slice(0, 9)}`);
  // The server has taken it up when it has answered somebody who came later.
  await fetch(`${base}/metadata`);
  return async () => {
    socket.write(body.slice(9));
    let answer = '';
    for await (const chunk of socket) answer += chunk;
    return answer;
  };
};

test('npm start ends cleanly with SIGTERM and with Ctrl-C, and leaves nothing running', async (t) => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const place = { CONSILIUM_DATA: temporaryFolder(t), CONSILIUM_PORT: '0', CONSILIUM_ACCESS: 'open' };
    const child = spawn('npm', ['start'], { env: { ...process.env, ...place }, detached: true });
    const toAll = (name: NodeJS.Signals): boolean => process.kill(-(child.pid as number), name);
    t.teardown(() => {
      try {
        toAll('SIGKILL');
      } catch {
        // All of them have ended, as they ought to.
      }
    });
    let said = '';
    child.stderr.on('data', (chunk) => {
      said += chunk;
    });
    const ended = once(child, 'close');
    const ready = Promise.withResolvers<string>();
    child.stdout.on('data', (chunk) => {
      const base = /ready at (\S+)/.exec(String(chunk))?.[1];
      if (base !== undefined) ready.resolve(base);
    });
    const finish = await halfPosted(await ready.promise);
    // A terminal sends Ctrl-C to all, and npm passes it on; a supervisor knows npm alone.
    if (signal === 'SIGINT') toAll(signal);
    else child.kill(signal);
    await pause(300);
    t.match(await finish(), /^HTTP\/1\.1 201 /, `${signal}: what is under way is answered`);
    // That comes when nobody has its output open any more.
    await ended;
    t.match(said, new RegExp(`Consilium has ended \\(${signal}\\)`));
  }
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

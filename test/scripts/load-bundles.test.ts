import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Test, test } from 'tap';

const SCRIPT = fileURLToPath(new URL('../../scripts/load-bundles.ts', import.meta.url));

interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

type Reply = { status: number; body?: unknown; headers?: Record<string, string> } | 'break';
type Answering = (received: Received, count: number) => Reply | Promise<Reply>;

/** A FHIR server that notes what it gets and answers as `answering` says. */
const startStub = async (t: Test, answering: Answering, port = 0) => {
  const received: Received[] = [];
  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method = '', url = '', headers } = request;
    const one = { method, url, headers, body: Buffer.concat(chunks).toString() };
    received.push(one);
    const reply = await answering(one, received.length);
    if (reply === 'break') {
      request.socket.destroy();
      return;
    }
    response.writeHead(reply.status, { 'content-type': 'application/fhir+json', ...reply.headers });
    response.end(typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body));
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { base: `http://127.0.0.1:${(server.address() as AddressInfo).port}/fhir`, received };
};

const start = (cwd: string, args: readonly string[]) => {
  const child = spawn(process.execPath, [SCRIPT, ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => {
    output.stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    output.stderr += chunk;
  });
  const ended = once(child, 'close').then(([status]) => ({ status: status as number, ...output }));
  return { child, ended };
};

const run = (cwd: string, ...args: string[]) => start(cwd, args).ended;

const refusedLines = (path: string) =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

const outcome = (diagnostics: string) => ({
  resourceType: 'OperationOutcome',
  issue: [{ severity: 'error', code: 'invalid', diagnostics }],
});

const transaction = (...ids: string[]) => ({
  resourceType: 'Bundle',
  type: 'transaction',
  entry: ids.map((id) => ({
    fullUrl: `urn:uuid:${id}`,
    resource: { resourceType: 'Patient', id },
    request: { method: 'POST', url: 'Patient' },
  })),
});

/** Answers a Bundle with one status for all entries, and a resource with 200 for PUT and 201 for POST. */
const accept = ({ method, body }: Received, entryStatus = '201 Created'): Reply => {
  const { resourceType, type, entry = [] } = JSON.parse(body.replace(/^\ufeff/, ''));
  if (resourceType !== 'Bundle' || !/^(batch|transaction)$/.test(type)) return { status: method === 'PUT' ? 200 : 201 };
  const answers = entry.map(() => ({ response: { status: entryStatus } }));
  return { status: 200, body: { resourceType: 'Bundle', type: `${type}-response`, entry: answers } };
};

test('a transaction is posted to the base with the bytes of the file', async (t) => {
  const text = `{ "resourceType":"Bundle",\n  "type":"transaction", "entry":[{"resource":{"resourceType":"Observation",
    "valueQuantity":{"value": 1.10, "code":"1e3"}},"request":{"method":"POST","url":"Observation"}}] }\n`;
  const folder = t.testdir({ 'record.json': text });
  const { base, received } = await startStub(t, (one) => accept(one));
  const { status, stdout } = await run(folder, 'record.json', '--base', `${base}/`);
  t.equal(status, 0);
  t.match(stdout, /^1 file, 1 entry in \d+\.\d s \(\d+\/s\): 1 created, 0 updated, 0 refused\n$/);
  t.match(received, [{ method: 'POST', url: '/fhir', headers: { 'content-type': 'application/fhir+json' } }]);
  t.equal(received[0]?.body, text);
  t.same(readdirSync(folder), ['record.json'], 'makes no file when nothing is refused');
});

test('resources are updated by their id or created without one, folder by folder, line by line', async (t) => {
  const folder = t.testdir({
    records: {
      'b.json': '\ufeff{"resourceType":"Patient","id":"one"}',
      a: { 'z.json': '{"resourceType":"Observation","valueDecimal":1.10}' },
      'c.ndjson': '{"resourceType":"Patient","id":"two"}\r\n\n{"resourceType":"Patient","id":"with space"}',
      'd.JSON': '{"resourceType":"Bundle","type":"collection","id":"kept"}',
      'readme.txt': 'not for the server',
    },
  });
  const { base, received } = await startStub(t, (one) => accept(one));
  const { status, stdout } = await run(folder, 'records', 'records/b.json', '--concurrency', '1', '--base', base);
  t.equal(status, 0);
  t.match(stdout, '4 files, 5 entries in');
  t.match(stdout, ': 1 created, 4 updated, 0 refused\n');
  t.same(
    received.map(({ method, url }) => `${method} ${url}`),
    [
      'POST /fhir/Observation',
      'PUT /fhir/Patient/one',
      'PUT /fhir/Patient/two',
      'PUT /fhir/Patient/with%20space',
      'PUT /fhir/Bundle/kept',
    ],
    'each once, in sorted order',
  );
  t.equal(received[0]?.body, '{"resourceType":"Observation","valueDecimal":1.10}');
  t.equal(received[1]?.body, '{"resourceType":"Patient","id":"one"}', 'a byte order mark is not sent');
});

test('the entries of a batch are counted one by one, and the refused ones are written with their outcome', async (t) => {
  const folder = t.testdir({ 'batch.json': JSON.stringify({ ...transaction('a', 'b', 'c', 'd'), type: 'batch' }) });
  const responses = [
    { status: '201 Created' },
    { status: '422 Unprocessable Entity', outcome: outcome('Patient.gender: no such code') },
    { status: '200 OK' },
    { status: '204' },
  ];
  const entry = responses.map((response) => ({ response }));
  const { base } = await startStub(t, () => ({
    status: 200,
    body: { resourceType: 'Bundle', type: 'batch-response', entry },
  }));
  const { status, stdout, stderr } = await run(folder, 'batch.json', '--base', base, '--refused', 'no.ndjson');
  t.equal(status, 1);
  t.match(stdout, ': 1 created, 2 updated, 1 refused\n');
  t.match(stdout, 'no.ndjson');
  t.match(stderr, 'batch.json entry 1: refused (422): Patient.gender: no such code');
  t.same(refusedLines(join(folder, 'no.ndjson')), [
    {
      ...{ file: 'batch.json', line: null, entry: 1, fullUrl: 'urn:uuid:b', type: 'Patient', id: 'b' },
      ...{ fate: 'refused', status: 422, outcome: outcome('Patient.gender: no such code') },
    },
  ]);
  t.equal(statSync(join(folder, 'no.ndjson')).mode & 0o077, 0, 'only the owner reads it: it may quote clinical data');
});

test('a refused transaction counts all of its entries, and the other files go on', async (t) => {
  const folder = t.testdir({
    'bad.json': JSON.stringify(transaction('a', 'b')),
    'good.json': JSON.stringify(transaction('c')),
    'plain.json': '{"resourceType":"Patient"}',
  });
  const { base } = await startStub(t, (one) => {
    if (one.url.endsWith('Patient'))
      return { status: 500, body: 'out of order', headers: { 'content-type': 'text/plain' } };
    return one.body.includes('"b"') ? { status: 400, body: outcome('entry 1: wrong') } : accept(one);
  });
  const { status, stdout } = await run(folder, '.', '--base', base);
  t.equal(status, 1);
  t.match(stdout, /^3 files, 4 entries .*: 1 created, 0 updated, 3 refused\n/);
  const [file = ''] = readdirSync(folder).filter((name) => /^refused-.*\.ndjson$/.test(name));
  const lines = refusedLines(join(folder, file)).sort((a, b) => (a.file + a.entry < b.file + b.entry ? -1 : 1));
  t.match(lines, [
    { file: 'bad.json', entry: 0, id: 'a', status: 400, outcome: outcome('entry 1: wrong') },
    { file: 'bad.json', entry: 1, id: 'b', status: 400, outcome: outcome('entry 1: wrong') },
    { file: 'plain.json', entry: null, status: 500, outcome: { issue: [{ diagnostics: /500.*out of order/ }] } },
  ]);
});

test('what is not FHIR, or not there, is refused with a sentence without asking the server', async (t) => {
  const folder = t.testdir({
    'broken.json': '{"resourceType":',
    'empty.json': '',
    'latin.json': Buffer.from('{"resourceType":"Patient","id":"\u00e9"}', 'latin1'),
    'list.json': '[]',
    'number.json': '{"resourceType":"Patient","id":5}',
    'other.json': '{"name":"package"}',
    'good.json': '{"resourceType":"Patient"}',
    'lines.ndjson': '{"resourceType":"Patient"}\nnot json\n',
    nothing: {},
  });
  const { base, received } = await startStub(t, (one) => accept(one));
  const { status, stdout } = await run(folder, '.', 'absent', 'nothing', '--base', base, '--refused', 'no.txt');
  t.equal(status, 1);
  t.match(stdout, ': 2 created, 0 updated, 9 refused\n');
  t.equal(received.length, 2);
  const sentences = refusedLines(join(folder, 'no.txt')).map(({ file, line, outcome: { issue } }) => [
    line === null ? file : `${file}:${line}`,
    issue[0].diagnostics,
  ]);
  t.match(Object.fromEntries(sentences), {
    'broken.json': 'It is not JSON',
    'empty.json': 'It is empty',
    'latin.json': 'It is not text in UTF-8',
    'list.json': 'It is not FHIR',
    'number.json': 'Patient.id: 5 is not an id',
    'other.json': 'there is no resourceType',
    'lines.ndjson:2': 'It is not JSON',
    absent: 'There is no such file or folder',
    nothing: 'holds no .json or .ndjson file',
  });
});

test('waits as Retry-After says when the server is busy, shows plain progress, and then succeeds', async (t) => {
  const folder = t.testdir({ 'a.json': JSON.stringify(transaction('a')) });
  const times: number[] = [];
  const { base } = await startStub(t, (one, count) => {
    times.push(performance.now());
    if (count === 1) return { status: 429, headers: { 'retry-after': '2' }, body: outcome('slow down') };
    return count === 2 ? { status: 503, body: outcome('starting') } : accept(one);
  });
  const { status, stdout, stderr } = await run(folder, 'a.json', '--base', base);
  t.equal(status, 0);
  t.match(stdout, '1 created, 0 updated, 0 refused');
  t.ok(times[1]! - times[0]! >= 1_990, 'not before the two seconds have passed');
  t.ok(times[2]! - times[1]! >= 100, 'without Retry-After it backs off');
  t.match(stderr, 'a.json: the server is busy (429); again in 2.0 s (attempt 2 of 10)');
  t.match(stderr, /^0% 0 entries, 0\/s, time left unknown$/m);
});

test('gives up after so many attempts, and reports the outcome of the last', async (t) => {
  const folder = t.testdir({ 'a.json': JSON.stringify(transaction('a')) });
  const { base, received } = await startStub(t, () => ({
    status: 503,
    body: outcome('closed'),
    headers: { 'retry-after': '0' },
  }));
  const { status } = await run(folder, 'a.json', '--base', base, '--attempts', '3', '--refused', 'no.ndjson');
  t.equal(status, 1);
  t.equal(received.length, 3);
  t.match(refusedLines(join(folder, 'no.ndjson')), [{ status: 503, outcome: outcome('closed') }]);
});

test('a transaction is not sent twice when the connection breaks after it was sent', async (t) => {
  const folder = t.testdir({
    'broken.json': JSON.stringify(transaction('a', 'b')),
    'lost.json': '{"resourceType":"Patient"}',
    'page.json': JSON.stringify(transaction('c')),
  });
  const { base, received } = await startStub(t, ({ url, body }) => {
    if (url.endsWith('Patient')) return { status: 504, body: '<html>', headers: { 'content-type': 'text/html' } };
    return body.includes('"c"') ? { status: 200, body: '<html>Welcome</html>' } : 'break';
  });
  const { status, stdout } = await run(folder, '.', '--base', base, '--refused', 'no.ndjson');
  t.equal(status, 1);
  t.equal(received.length, 3, 'each is sent once');
  t.match(stdout, ': 0 created, 0 updated, 0 refused, 4 of unknown outcome\n');
  const lines = refusedLines(join(folder, 'no.ndjson'));
  const sentence = (name: string) => lines.filter(({ file }) => file === name)[0].outcome.issue[0].diagnostics;
  t.match(sentence('broken.json'), 'Outcome unknown: it may have been stored');
  t.match(sentence('lost.json'), 'Outcome unknown: it may have been stored');
  t.match(sentence('page.json'), 'without a Bundle');
});

test('an update is sent again when the connection breaks', async (t) => {
  const folder = t.testdir({ 'a.json': '{"resourceType":"Patient","id":"a"}' });
  const { base, received } = await startStub(t, (one, count) => (count === 1 ? 'break' : accept(one)));
  const { status, stdout } = await run(folder, 'a.json', '--base', base);
  t.equal(status, 0);
  t.equal(received.length, 2);
  t.match(stdout, '0 created, 1 updated, 0 refused');
});

const freePort = async (): Promise<number> => {
  const server = http.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
};

test('waits for a server that is not there yet, also with a transaction', async (t) => {
  const folder = t.testdir({ 'a.json': JSON.stringify(transaction('a')) });
  const port = await freePort();
  const { child, ended } = start(folder, ['a.json', '--base', `http://127.0.0.1:${port}/fhir`]);
  await once(child.stderr, 'data');
  await startStub(t, (one) => accept(one), port);
  const { status, stdout, stderr } = await ended;
  t.equal(status, 0);
  t.match(stderr, 'a.json: no connection (ECONNREFUSED); again in');
  t.match(stdout, '1 created');
});

test('stops with one line when the server cannot be reached', async (t) => {
  const folder = t.testdir({ 'a.json': JSON.stringify(transaction('a')), 'b.json': '{"resourceType":"Patient"}' });
  const base = `http://127.0.0.1:${await freePort()}/fhir`;
  const { status, stdout, stderr } = await run(folder, '.', '--base', base, '--attempts', '2');
  t.equal(status, 1);
  t.match(stderr, /^The server cannot be reached: .*ECONNREFUSED.* \(2 attempts\)$/m);
  t.match(stdout, /^0 files, 0 entries/);
  t.match(stdout, '2 files were not sent');
  t.notMatch(stderr, '    at ', 'no stack trace');
});

test('sends at most --concurrency requests at a time', async (t) => {
  const names = Array.from({ length: 8 }, (_, index) => [`${index}.json`, '{"resourceType":"Patient"}']);
  const folder = t.testdir(Object.fromEntries(names));
  let underWay = 0;
  let most = 0;
  const { base } = await startStub(t, async (one) => {
    underWay += 1;
    most = Math.max(most, underWay);
    await new Promise((resolve) => setTimeout(resolve, 50));
    underWay -= 1;
    return accept(one);
  });
  t.equal((await run(folder, '.', '--base', base, '--concurrency', '3')).status, 0);
  t.equal(most, 3);
});

test('Ctrl-C finishes what is under way, sends nothing more, and prints the summary so far', async (t) => {
  const lines = ['1', '2', '3'].map((id) => `{"resourceType":"Patient","id":"${id}"}\n`);
  const folder = t.testdir({ 'a.ndjson': lines.join(''), 'b.json': '{"resourceType":"Patient"}' });
  let release: (() => void) | undefined;
  const arrived = new Promise<void>((resolve) => {
    release = resolve;
  });
  let finish: (() => void) | undefined;
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const { base, received } = await startStub(t, async (one) => {
    release?.();
    await finished;
    return accept(one);
  });
  const { child, ended } = start(folder, ['.', '--base', base, '--concurrency', '1']);
  await arrived;
  child.kill('SIGINT');
  child.kill('SIGINT');
  await once(child.stderr, 'data');
  finish?.();
  const { status, stdout } = await ended;
  t.equal(status, 130);
  t.equal(received.length, 1);
  t.match(stdout, /^0 files, 1 entry .*: 0 created, 1 updated, 0 refused\n2 files were not sent, or not to the end\n$/);
});

test('Ctrl-C ends the waiting for a busy server', async (t) => {
  const folder = t.testdir({ 'a.json': '{"resourceType":"Patient"}' });
  const { base } = await startStub(t, () => ({ status: 503, headers: { 'retry-after': '60' } }));
  const { child, ended } = start(folder, ['.', '--base', base]);
  await once(child.stderr, 'data');
  child.kill('SIGINT');
  const { status, stdout } = await ended;
  t.equal(status, 130);
  t.match(stdout, '1 file was not sent');
  t.same(readdirSync(folder), ['a.json']);
});

test('says what is wrong with its options', async (t) => {
  const folder = t.testdir({});
  const help = await run(folder, '--help');
  t.equal(help.status, 0);
  t.match(help.stdout, '--concurrency');
  for (const [args, sentence] of [
    [[], 'Name the files or folders'],
    [['.', '--base', 'localhost:8080'], "--base: 'localhost:8080' is not an http"],
    [['.', '--concurrency', 'many'], "--concurrency: 'many' is not a whole number"],
    [['.', '--speed', '9'], '--speed'],
  ] as const) {
    const { status, stderr } = await run(folder, ...args);
    t.equal(status, 2);
    t.match(stderr, sentence);
  }
  t.notOk(existsSync(join(folder, 'refused.ndjson')));
});

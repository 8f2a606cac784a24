import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Bundle, CapabilityStatement, Patient } from '@medplum/fhirtypes';
import { test } from 'tap';
import { startServerProcess } from './http/server-process.ts';
import { startTestServer, temporaryFolder } from './http/test-server.ts';

const PATIENT: Patient = { resourceType: 'Patient', active: true };
const HEADERS = { 'content-type': 'application/fhir+json' };

test('The start prints one line with the FHIR base, on a free port if that is 0', async (t) => {
  const server = startServerProcess(t, { CONSILIUM_DATA: temporaryFolder(t) });
  const baseUrl = await server.ready;
  t.match(baseUrl, /^http:\/\/127\.0\.0\.1:[1-9]\d+\/fhir$/);
  t.equal((await fetch(`${baseUrl}/metadata`)).status, 200);
  server.signal('SIGTERM');
  const { code, stdout, stderr } = await server.ended;
  t.equal(code, 0);
  t.match(stdout, /^[^\n]+\n$/);
  t.match(stderr, /CONSILIUM_STORE_KEY_FILE/, 'the warning about the key that was made');
});

/** A port that is free just now. */
const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
};

test('Links are below the base url of the configuration, and references below it are the server\u2019s own', async (t) => {
  const port = await freePort();
  const server = { CONSILIUM_PORT: String(port), CONSILIUM_BASE_URL: 'https://consilium.example/r4/' };
  const { send } = await startTestServer(t, server);
  const base = 'https://consilium.example/r4/fhir';
  const here = `http://127.0.0.1:${port}/fhir`;
  const created = await send('POST', `${here}/Patient`, { body: PATIENT });
  const { id } = created.json<Patient>();
  t.equal(created.headers.get('location'), `${base}/Patient/${id}/_history/1`);
  const subject = { reference: `${base}/Patient/${id}` };
  const observation = { resourceType: 'Observation', status: 'final', code: { text: 'x' }, subject };
  t.equal((await send('POST', `${here}/Observation`, { body: observation })).status, 201);
  const found = await send('GET', `${here}/Observation?subject=Patient/${id}`);
  t.match(found.json<Bundle>(), { link: [{ url: `${base}/Observation?subject=Patient/${id}` }], entry: [{}] });
  t.equal((await send('GET', `${here}/metadata`)).json<CapabilityStatement>().implementation?.url, base);
});

test('Health is whether the process lives, readiness whether it can serve', async (t) => {
  const { origin, send } = await startTestServer(t);
  t.same((await send('GET', `${origin}/healthz`)).json(), { status: 'ok' });
  t.same((await send('GET', `${origin}/readyz`)).json(), { status: 'ready' });
});

test('SIGTERM lets a request under way finish, and ends with status 0', async (t) => {
  const folder = temporaryFolder(t);
  const server = startServerProcess(t, { CONSILIUM_DATA: folder });
  const { port } = new URL(await server.ready);
  const body = JSON.stringify(PATIENT);
  const socket = connect(Number(port), '127.0.0.1');
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk;
  });
  socket.write(
    `POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, 9)}`,
  );
  await pause(200);
  server.signal('SIGTERM');
  await pause(200);
  t.equal(received, '');
  socket.write(body.slice(9));
  const { code, stderr } = await server.ended;
  t.equal(code, 0, stderr);
  t.match(received, /^HTTP\/1\.1 201 /);
});

test('What was answered with 201 while SIGTERM came is there after a restart', async (t) => {
  const folder = temporaryFolder(t);
  const first = startServerProcess(t, { CONSILIUM_DATA: folder });
  const baseUrl = await first.ready;
  const answered: string[] = [];
  const refused: number[] = [];
  const transaction = {
    resourceType: 'Bundle',
    type: 'transaction',
    entry: [{ resource: PATIENT, request: { method: 'POST', url: 'Patient' } }],
  };
  const write = async (at: number): Promise<void> => {
    const isTransaction = at % 4 === 0;
    const response = await fetch(isTransaction ? baseUrl : `${baseUrl}/Patient`, {
      method: 'POST',
      headers: HEADERS,
      body: JSON.stringify(isTransaction ? transaction : PATIENT),
    });
    const json = (await response.json()) as { id: string; entry?: { resource: Patient }[] };
    if (!response.ok) refused.push(response.status);
    else answered.push(json.entry?.[0]?.resource.id ?? json.id);
    await fetch(`${baseUrl}/Patient?_count=1`).then((read) => read.text());
  };
  let isOver = false;
  const work = async (worker: number): Promise<void> => {
    // The server ends while these go on: a connection that breaks or is refused has no answer.
    for (let at = worker; !isOver; at++) await write(at).catch(() => pause(5));
  };
  const workers = Array.from({ length: 100 }, (_, worker) => work(worker));
  await pause(700);
  first.signal('SIGTERM');
  const { code, stderr } = await first.ended;
  isOver = true;
  await Promise.all(workers);
  t.equal(code, 0, stderr);
  t.same(refused, []);
  t.ok(answered.length > 20, `${answered.length} writes were answered`);

  const second = startServerProcess(t, { CONSILIUM_DATA: folder });
  const again = await second.ready;
  const missing: string[] = [];
  for (const id of answered) if ((await fetch(`${again}/Patient/${id}`)).status !== 200) missing.push(id);
  t.same(missing, []);
  second.signal('SIGINT');
  t.equal((await second.ended).code, 0, 'Ctrl-C ends it as well');
});

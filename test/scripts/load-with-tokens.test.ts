/** `npm run load` at a server that wants tokens. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { importJWK, type JWK, jwtVerify } from 'jose';
import { type Test, test } from 'tap';
import { newKeyPair } from '../../src/commands/private-key.ts';
import { temporaryFolder } from '../http/test-server.ts';

const SCRIPT = fileURLToPath(new URL('../../scripts/load-bundles.ts', import.meta.url));

interface Received {
  readonly url: string;
  readonly authorization: string | undefined;
  readonly body: string;
}

/** `tokenStatus`: how the token endpoint answers the requests one after the other; 200 when there are no more. */
const startStub = async (t: Test, tokenStatus: readonly number[] = []) => {
  const received: Received[] = [];
  let tokens = 0;
  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { url = '', headers } = request;
    received.push({ url, authorization: headers.authorization, body: Buffer.concat(chunks).toString() });
    const status = url === '/auth/token' ? (tokenStatus[tokens] ?? 200) : 200;
    response.writeHead(status, { 'content-type': 'application/json' });
    if (url === '/fhir/.well-known/smart-configuration')
      response.end(JSON.stringify({ token_endpoint: `${origin}/auth/token` }));
    else if (url !== '/auth/token') response.end();
    else if (status === 200) response.end(JSON.stringify({ access_token: `token-${++tokens}`, expires_in: 1 }));
    else {
      tokens++;
      response.end('{"error":"invalid_client"}');
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { base: `${origin}/fhir`, tokenEndpoint: `${origin}/auth/token`, received };
};

const load = async (cwd: string, ...options: string[]) => {
  const child = spawn(process.execPath, [SCRIPT, ...options], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  child.stdout.resume();
  const [status] = await once(child, 'close');
  return { status: status as number, stderr };
};

const FILES = { 'a.json': '{"resourceType":"Patient","id":"a"}', 'b.json': '{"resourceType":"Patient","id":"b"}' };

test('--token is sent with every request', async (t) => {
  const { base, received } = await startStub(t);
  t.match(await load(t.testdir(FILES), '.', '--base', base, '--token', 'given'), { status: 0 });
  t.same(new Set(received.map(({ authorization }) => authorization)), new Set(['Bearer given']));
});

test('--client with --key gets tokens by itself, again when they end, and waits for a busy server', async (t) => {
  const { base, tokenEndpoint, received } = await startStub(t, [503, 200, 429, 200]);
  const folder = t.testdir(FILES);
  const { privateJwk, publicJwk } = newKeyPair();
  const key = join(temporaryFolder(t), 'key.json');
  writeFileSync(key, JSON.stringify(privateJwk));
  const options = ['--client', 'north', '--key', key, '--concurrency', '1', '--scope', 'system/Patient.cud'];
  const { status, stderr } = await load(folder, 'a.json', 'b.json', '--base', base, ...options);
  t.equal(status, 0, stderr);
  const pushed = received.filter(({ url }) => url.startsWith('/fhir/Patient'));
  t.strictSame(
    pushed.map(({ authorization }) => authorization),
    ['Bearer token-2', 'Bearer token-4'],
  );
  const asked = received.filter(({ url }) => url === '/auth/token').map(({ body }) => new URLSearchParams(body));
  t.equal(new Set(asked.map((form) => form.get('client_assertion'))).size, 4, 'an assertion is of use once');
  t.equal(asked[0]?.get('scope'), 'system/Patient.cud');
  const { payload } = await jwtVerify(asked[0]?.get('client_assertion') ?? '', await importJWK(publicJwk as JWK));
  t.match(payload, { iss: 'north', sub: 'north', aud: tokenEndpoint, jti: /./, exp: Number });
});

test('Without a token nothing is sent, and the reason is said', async (t) => {
  const { base, received } = await startStub(t, [401]);
  const folder = t.testdir(FILES);
  const key = join(temporaryFolder(t), 'key.json');
  writeFileSync(key, JSON.stringify(newKeyPair().privateJwk));
  const { status, stderr } = await load(folder, 'a.json', '--base', base, '--client', 'north', '--key', key);
  t.equal(status, 1);
  t.match(stderr, /^There is no token: \S+ answered 401: \{"error":"invalid_client"\} \(1 attempt\)\n$/);
  t.notOk(received.some(({ url }) => url.startsWith('/fhir/Patient')));
});

test('Half of what is needed for tokens is refused', async (t) => {
  const wrong: readonly (readonly [options: string[], reason: RegExp])[] = [
    [['--token', 'x', '--client', 'y', '--key', 'z'], /--token or --client/],
    [['--client', 'y'], /--client and --key/],
  ];
  for (const [options, reason] of wrong)
    t.match(await load(t.testdir(FILES), '.', ...options), { status: 2, stderr: reason });
});

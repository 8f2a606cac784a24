/** What the web server itself decides of requests to the authorization server. */
import { test } from 'tap';
import { startTestAuthServer } from '../auth/test-auth-server.ts';

test('A body of more than 200 kB, a form or JSON, is answered with 413 that names this limit, whoever asks', async (t) => {
  const server = await startTestAuthServer(t, { registrationToken: 'r'.repeat(32) });
  for (const [path, type] of [
    ['/auth/token', 'application/x-www-form-urlencoded'],
    ['/auth/token', 'application/json'],
    ['/auth/introspect', 'application/x-www-form-urlencoded'],
    ['/auth/launch', 'application/json'],
    ['/auth/register', 'application/json'],
  ] as const) {
    const send = (length: number) =>
      server.post(path, '"'.padEnd(length - 1, 'x').concat('"'), { 'content-type': type });
    const { status, json } = await send(200_001);
    t.match({ status, ...json }, { status: 413, error: 'invalid_request' }, path);
    t.match(json['error_description'], /^The body is larger than 200000 bytes, the limit of this endpoint$/);
    const within = await send(200_000);
    t.ok([400, 401].includes(within.status), `${path}: ${within.status} within the limit`);
  }
});

test('A body that is no form where a form is needed is the client’s mistake, whatever is in it', async (t) => {
  const server = await startTestAuthServer(t);
  for (const path of ['/auth/token', '/auth/introspect', '/auth/revoke'])
    for (const [type, body] of [
      ['application/json', '[1]'],
      ['application/json', '[["grant_type","client_credentials"]]'],
      ['application/json', '{"grant_type":"client_credentials"}'],
      ['application/json', '{'],
      ['text/plain', 'grant_type=client_credentials'],
      ['application/octet-stream', 'x'],
    ] as const) {
      const { status, json } = await server.post(path, body, { 'content-type': type });
      t.ok([400, 415].includes(status), `${path} ${type} ${body}: ${status}`);
      t.equal(json['error'], 'invalid_request');
    }
});

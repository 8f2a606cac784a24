/** What may be registered, and what is refused with a reason. */
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'tap';
import {
  clientOf,
  disableClient,
  listClients,
  registerClient,
  rotateSecret,
} from '../../../src/auth/clients/clients.ts';
import type { Registration } from '../../../src/auth/clients/registration.ts';
import { isRedirectUri } from '../../../src/auth/clients/urls.ts';
import { APP_SCOPE, newKey, REDIRECT, SCOPE, startTestAuthServer } from '../test-auth-server.ts';

const APP: Registration = {
  name: 'App',
  kind: 'public',
  redirectUris: [REDIRECT],
  scope: APP_SCOPE,
  purpose: 'PATRQT',
};

test('A redirect uri is absolute, https or loopback or a private-use scheme, and has no fragment', (t) => {
  const good = [
    ...['https://app.example/cb', 'https://app.example', 'https://app.example:8443/cb?x=1', 'http://localhost:3000/cb'],
    ...['http://127.0.0.1/cb', 'http://[::1]:9/cb', 'com.example.app:/callback', 'com.example.app://callback'],
  ];
  for (const uri of good) t.ok(isRedirectUri(uri), uri);
  const bad = [
    ...[
      '',
      '/cb',
      'app.example/cb',
      '//app.example/cb',
      'http://app.example/cb',
      'https://app.example/cb#x',
      'https://',
    ],
    ...[
      'javascript:alert(1)',
      'data:text/html,x',
      'vbscript:x',
      'file:///etc/passwd',
      'myapp://cb',
      'ftp://a.example/',
    ],
    ...['https://user:pw@app.example/', 'https://app.example/ cb', 'https://app.example/\ncb', 'https:\\\\app.example'],
    ...[
      'http://localhost.evil.example/',
      'http://127.0.0.1.evil.example/',
      'https:///app.example',
      ' https://a.example/',
    ],
    ...['HTTPS://APP.EXAMPLE/\u0000', `https://app.example/${'x'.repeat(2000)}`, 'https://app.example/*\u00e9'],
  ];
  for (const uri of bad) t.notOk(isRedirectUri(uri), uri);
  t.end();
});

test('Each field of a registration is checked', async (t) => {
  const server = await startTestAuthServer(t);
  const { publicJwk, privateKey } = await newKey('RS384');
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' });
  const p521 = generateKeyPairSync('ec', { namedCurve: 'P-521' }).publicKey.export({ format: 'jwk' });
  const backend = { ...APP, kind: 'backend', redirectUris: [], scope: SCOPE, organization: 'Organization/1' };
  const keyed = (key: object): Registration => ({ ...backend, jwks: { keys: [key] } });
  const refused: [Registration, RegExp][] = [
    [{ ...APP, name: '' }, /name/],
    [{ ...APP, name: 'x\ny' }, /name/],
    [{ ...APP, name: 'x'.repeat(201) }, /name/],
    [{ ...APP, kind: 'confidential' }, /kind.*public.*backend/],
    [{ ...APP, id: 'a/b' }, /id/],
    [{ ...APP, redirectUris: [] }, /redirect/],
    [{ ...APP, redirectUris: ['http://app.example/'] }, /redirect/],
    [{ ...APP, redirectUris: Array(21).fill(REDIRECT) }, /20/],
    [{ ...APP, launchUris: ['javascript:alert(1)'] }, /launch/],
    [{ ...APP, logoUrl: 'http://app.example/logo' }, /logo/],
    [{ ...APP, jwks: { keys: [publicJwk] } }, /no keys/],
    [{ ...APP, scope: '' }, /scope/],
    [{ ...APP, scope: 'patient/Patient.xyz' }, /xyz/],
    [{ ...APP, scope: 'patient/Nothing.rs' }, /Nothing/],
    [{ ...APP, scope: 'patient/Observation.rs?colour=red' }, /colour/],
    [{ ...APP, scope: 'system/*.rs' }, /system.*public/],
    [{ ...APP, scope: 'email' }, /email/],
    [{ ...APP, purpose: 'HMARKT' }, /TREAT, PATRQT, COC.*marketing/],
    [{ ...APP, purpose: 'HRESCH' }, /research/],
    [{ ...APP, purpose: 'TRAIN' }, /training/],
    [{ ...APP, reach: 'everything' }, /reach/],
    [{ ...APP, organization: 'Patient/1' }, /Organization/],
    [{ ...APP, organization: 'https://a.example/Organization/1' }, /Organization/],
    [backend, /JWK set/],
    [{ ...backend, jwks: { keys: [publicJwk] }, jwksUrl: 'https://a.example/jwks' }, /JWK set/],
    [{ ...backend, jwksUrl: 'http://a.example/jwks' }, /https/],
    [{ ...backend, jwksUrl: 'file:///etc/passwd' }, /https/],
    [{ ...keyed(publicJwk), redirectUris: [REDIRECT] }, /redirect/],
    [{ ...keyed(publicJwk), scope: 'user/*.rs' }, /user.*backend/],
    [{ ...keyed(publicJwk), scope: 'openid' }, /openid/],
    [{ ...backend, jwks: { keys: [] } }, /no key/],
    [{ ...backend, jwks: { keys: [publicJwk, (await newKey('RS384', publicJwk.kid)).publicJwk] } }, /same kid/],
    [{ ...backend, jwks: 'x' }, /keys/],
    [keyed(privateKey.export({ format: 'jwk' })), /private/],
    [keyed({ kty: 'oct', k: 'AAAA', kid: 'x' }), /private or symmetric/],
    [keyed({ ...weak, kid: 'x' }), /2048/],
    [keyed({ ...p521, kid: 'x' }), /P-256/],
    [keyed({ ...publicJwk, kid: undefined }), /kid/],
    [keyed({ ...publicJwk, n: '!' }), /malformed|2048/],
    [keyed({ kty: 'OKP', crv: 'Ed25519', x: 'AA', kid: 'x' }), /RSA or EC/],
  ];
  for (const [registration, message] of refused)
    await t.rejects(
      registerClient(server, registration),
      { name: 'OAuthError', status: 400, message },
      String(message),
    );
  const { organization: _, ...nowhere } = keyed(publicJwk);
  await t.rejects(registerClient(server, nowhere), /organization/);
  t.ok(await registerClient(server, { ...nowhere, reach: 'all' }), 'a backend client that reaches all needs none');
});

test('A client is registered once, listed, rotated and disabled', async (t) => {
  const server = await startTestAuthServer(t);
  const { client, secret = '' } = await registerClient(server, {
    ...APP,
    kind: 'confidential-symmetric',
    id: 'my-app',
  });
  t.match(client, { id: 'my-app', reach: 'source', isDisabled: false });
  t.ok(Buffer.from(secret, 'base64url').length === 32);
  t.notOk(JSON.stringify(await server.records.list('client/', 10)).includes(secret), 'its secret is not stored');
  await t.rejects(registerClient(server, { ...APP, id: 'my-app' }), /already/);
  for (let n = 0; n < 3; n++) await registerClient(server, APP);
  t.equal((await listClients(server)).length, 4);
  t.not((await rotateSecret(server, 'my-app')).secret, secret);
  t.equal((await disableClient(server, 'my-app')).isDisabled, true);
  t.match(await clientOf(server, 'my-app'), { isDisabled: true, name: 'App' });
  const [publicClient] = (await listClients(server)).filter(({ kind }) => kind === 'public');
  await t.rejects(rotateSecret(server, publicClient?.id ?? ''), /no secret/);
  await t.rejects(disableClient(server, 'unknown'), /no client/);
  await t.rejects(disableClient(server, '../x'), /no client/);
});

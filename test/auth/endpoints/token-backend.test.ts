/** Backend Services at the token endpoint. */
import { createHmac, createPublicKey, randomUUID } from 'node:crypto';
import { test } from 'tap';
import { disableClient, registerClient } from '../../../src/auth/clients/clients.ts';
import {
  ASSERTION,
  assertion,
  backendForm,
  newBackend,
  newKey,
  SCOPE,
  startTestAuthServer,
} from '../test-auth-server.ts';

const OAUTH_ERRORS = [
  'invalid_request',
  'invalid_client',
  'invalid_grant',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_scope',
];

test('smart_backend_services_auth_request_success, auth_response_body, BDT "Clients can authorize", REQ-S 248, 254-258, 262: clients can authorize with each algorithm that is advertised', async (t) => {
  const server = await startTestAuthServer(t);
  for (const alg of ['RS384', 'ES384', 'RS256', 'ES256']) {
    const { client, key } = await newBackend(server, {}, alg);
    const { status, json, headers } = await server.post('/auth/token', await backendForm(server, client.id, key));
    t.equal(status, 200, alg);
    t.match(json, { token_type: 'Bearer', expires_in: 300, scope: SCOPE, access_token: String });
    t.notOk('refresh_token' in json, 'a backend client gets no refresh_token');
    t.equal(headers.get('cache-control'), 'no-store');
    t.equal(headers.get('pragma'), 'no-cache');
  }
});

test('smart_backend_services_invalid_grant_type: an unknown grant_type is answered with 400 unsupported_grant_type, whoever asks', async (t) => {
  const server = await startTestAuthServer(t);
  const { client, key } = await newBackend(server);
  const form = await backendForm(server, client.id, key, { grant_type: 'not_a_grant_type' });
  t.match(await server.post('/auth/token', form), { status: 400, json: { error: 'unsupported_grant_type' } });
  t.match(await server.post('/auth/token', { grant_type: 'constructor' }), { status: 400 });
});

test('BDT "Requires application/x-www-form-urlencoded POSTs": a token request is a form; JSON is refused with an OAuth error', async (t) => {
  const server = await startTestAuthServer(t);
  const { client, key } = await newBackend(server);
  const form = await backendForm(server, client.id, key);
  for (const [type, body] of [
    ['application/json', JSON.stringify(form)],
    ['application/json', '{'],
    ['text/plain', 'x'],
    ['application/xml', '<x/>'],
  ] as const) {
    const { status, json } = await server.post('/auth/token', body, { 'content-type': type });
    t.ok(status >= 400 && status < 500, `${type} ${status}`);
    t.equal(json['error'], 'invalid_request');
  }
});

test('BDT "parameter must be present", "parameter must be valid": each of the four parameters must be present, valid, and there once', async (t) => {
  const server = await startTestAuthServer(t);
  const { client, key } = await newBackend(server);
  for (const name of ['grant_type', 'client_assertion_type', 'scope', 'client_assertion']) {
    const form = await backendForm(server, client.id, key);
    const { [name]: _, ...without } = form;
    for (const body of [without, { ...form, [name]: 'invalid test value' }, { ...form, [name]: '' }]) {
      const { status, json } = await server.post('/auth/token', body);
      t.ok(status === 400 || status === 401, `${name}: ${status}`);
      t.ok(OAUTH_ERRORS.includes(String(json['error'])), `${name}: ${json['error']}`);
    }
    const twice = `${new URLSearchParams(form)}&${name}=${encodeURIComponent(form[name] ?? '')}`;
    t.match(await server.post('/auth/token', twice), { status: 400, json: { error: 'invalid_request' } }, name);
  }
  const unknown = await backendForm(server, client.id, key, { something_else: 'x' });
  t.equal((await server.post('/auth/token', unknown)).status, 200, 'an unknown parameter is passed over');
});

test('BDT "Validates authenticationToken.aud", "authenticationToken.iss", "Only accept registered client IDs", "validates the jku token header", "Validates the token signature", REQ-S 335, 337, 338, 340: a client assertion that is wrong is refused with invalid_client', async (t) => {
  const server = await startTestAuthServer(t);
  const { client, key } = await newBackend(server);
  const now = Math.floor(server.now() / 1000);
  const other = await newKey('ES384');
  const sameKid = { ...other, publicJwk: { ...other.publicJwk, kid: key.publicJwk.kid ?? '' } };
  const refused: Record<string, string> = {
    'with the wrong aud': await assertion(server, client.id, key, { aud: 'test-bad-aud-value' }),
    'with several values of aud': await assertion(server, client.id, key, {
      aud: [server.issuer, 'https://other.example'],
    }),
    'with the FHIR base as aud': await assertion(server, client.id, key, { aud: server.fhirBase }),
    'without aud': await assertion(server, client.id, key, { aud: undefined }),
    'whose iss is not the client_id': await assertion(server, client.id, key, { iss: 'test-bad-iss-value' }),
    'whose sub is not iss': await assertion(server, client.id, key, { sub: 'somebody-else' }),
    'of an unknown client': await assertion(server, randomUUID(), key),
    'without exp': await assertion(server, client.id, key, { exp: undefined }),
    'with exp as text': await assertion(server, client.id, key, { exp: String(now + 60) as unknown as number }).catch(
      () => 'x',
    ),
    'that has expired': await assertion(server, client.id, key, { exp: now - 1 }),
    'that expires in more than 5 minutes': await assertion(server, client.id, key, { exp: now + 330 }),
    'that is not valid yet': await assertion(server, client.id, key, { nbf: now + 60 }),
    'that was made in the future': await assertion(server, client.id, key, { iat: now + 60 }),
    'that was made long ago': await assertion(server, client.id, key, { iat: now - 3600 }),
    'without jti': await assertion(server, client.id, key, { jti: undefined }),
    'with an empty jti': await assertion(server, client.id, key, { jti: '' }),
    'with a jku that is not registered': await assertion(
      server,
      client.id,
      key,
      {},
      { jku: 'https://evil.example/jwks' },
    ),
    'without kid': await assertion(server, client.id, key, {}, { kid: undefined }),
    'with an unknown kid': await assertion(server, client.id, key, {}, { kid: 'unknown' }),
    'with a kid that is a path': await assertion(server, client.id, key, {}, { kid: '../../dev/null' }),
    'signed by an unknown key': await assertion(server, client.id, sameKid),
    'that brings its own key': await assertion(server, client.id, sameKid, {}, { jwk: other.publicJwk }),
    'that is no JWT': 'a.b.c',
    'that is too long': `${'a'.repeat(20_000)}.a.a`,
  };
  for (const [why, client_assertion] of Object.entries(refused)) {
    const form = await backendForm(server, client.id, key, { client_assertion });
    const { status, json } = await server.post('/auth/token', form);
    t.match({ status, error: json['error'] }, { status: 401, error: 'invalid_client' }, why);
  }
  const accepted = await backendForm(server, client.id, key, {
    client_assertion: await assertion(server, client.id, key, { aud: server.issuer }),
  });
  t.equal((await server.post('/auth/token', accepted)).status, 200, 'the issuer is a right aud');
});

test('REQ-S 337: a client assertion with alg none, or signed with HMAC by the public key, is refused with invalid_client', async (t) => {
  const server = await startTestAuthServer(t);
  const { client, key } = await newBackend(server, {}, 'RS384');
  const [, claims = ''] = (await assertion(server, client.id, key)).split('.');
  const pem = createPublicKey(key.privateKey).export({ type: 'spki', format: 'pem' });
  const signed = (header: object, secret?: string | Buffer): string => {
    const input = `${Buffer.from(JSON.stringify({ kid: key.publicJwk.kid, ...header })).toString('base64url')}.${claims}`;
    return `${input}.${secret === undefined ? '' : createHmac('sha256', secret).update(input).digest('base64url')}`;
  };
  const attacks = [
    ...[signed({ alg: 'none' }), signed({ alg: 'none' }, 'x'), signed({ alg: 'NONE' }, 'x'), signed({}, 'x')],
    ...[signed({ alg: 'HS256' }, pem), signed({ alg: 'HS256' }, JSON.stringify(key.publicJwk))],
    ...[signed({ alg: 'RS384' }, pem), signed({ alg: ['RS384'] }, pem), signed({ alg: 'PS384' }, pem)],
    signed({ alg: 'HS256', kid: '../../dev/null' }, ''),
  ];
  for (const client_assertion of attacks) {
    const form = await backendForm(server, client.id, key, { client_assertion });
    t.match(await server.post('/auth/token', form), { status: 401, json: { error: 'invalid_client' } });
  }
});

test('REQ-S 336: a jti that was used is refused with invalid_client, also by another instance on the same store', async (t) => {
  const server = await startTestAuthServer(t);
  const second = await startTestAuthServer(t, { store: server.store, issuer: server.issuer });
  const { client, key } = await newBackend(server);
  const form = await backendForm(server, client.id, key);
  t.equal((await server.post('/auth/token', form)).status, 200);
  for (const each of [server, second])
    t.match(await each.post('/auth/token', form), { status: 401, json: { error: 'invalid_client' } });
  const twin = await backendForm(server, client.id, key);
  const answers = await Promise.all([1, 2, 3, 4, 5, 6].map((n) => (n % 2 ? server : second).post('/auth/token', twin)));
  t.equal(answers.filter(({ status }) => status === 200).length, 1, 'of six at once one gets a token');
});

test('BDT "Rejects empty scope", "Validates scopes", "Rejects unknown action", "Rejects unknown resource", "Rejects explicit mutation": a scope that cannot be granted is answered with invalid_scope', async (t) => {
  const server = await startTestAuthServer(t);
  const { client, key } = await newBackend(server, { scope: 'system/*.rs' });
  const refused = [
    ...['', 'launch fhirUser', 'openid', 'patient/Patient.rs', 'user/*.read'],
    ...['system/Patient.unknownAction', 'system/Patient.xyz', 'system/Patient.sr', 'system/UnknownResource.read'],
    ...['system/UnknownResource.r', 'system/Patient.write', 'system/*.write', 'system/Patient.rs?a=b'],
    ...['c', 'cu', 'cd', 'cud', 'ud', 'd', 'u'].map((letters) => `system/Patient.${letters}`),
    ...['system/Patient.rs\nsystem/*.cruds', 'system/Patient.rs\u0000', 'system/Patient.rs\tsystem/*.rs'],
    ...['x'.repeat(10_000), 'system/Patient.rs '.repeat(600), 'system/Patient.rs?category=%00', 'système/Patient.rs'],
  ];
  for (const scope of refused) {
    const { status, json } = await server.post('/auth/token', await backendForm(server, client.id, key, { scope }));
    t.match(
      { status, error: json['error'] },
      { status: 400, error: 'invalid_scope' },
      JSON.stringify(scope.slice(0, 60)),
    );
  }
});

test('BDT "Handles V1 scopes correctly", "Handles V2 scopes correctly", wildcards, "mixed v1 and v2", REQ-S 250: a request is cut to what the registration covers', async (t) => {
  const server = await startTestAuthServer(t);
  const { client, key } = await newBackend(server, { scope: 'system/*.rs' });
  const cut: Record<string, string> = {
    'system/*.*': 'system/*.rs',
    'system/*.read': 'system/*.read',
    'system/*.rs': 'system/*.rs',
    'system/*.cruds': 'system/*.rs',
    'system/Patient.*': 'system/Patient.rs',
    'system/Patient.read': 'system/Patient.read',
    'system/Patient.cruds': 'system/Patient.rs',
    'system/Patient.r': 'system/Patient.r',
    'system/Observation.rs?category=laboratory': 'system/Observation.rs?category=laboratory',
    'system/Patient.read system/Observation.rs': 'system/Patient.read system/Observation.rs',
    'system/Patient.rs system/Patient.rs openid': 'system/Patient.rs',
  };
  for (const [scope, expected] of Object.entries(cut)) {
    const { json } = await server.post('/auth/token', await backendForm(server, client.id, key, { scope }));
    t.equal(json['scope'], expected, scope);
  }
  const few = await newBackend(server, { scope: 'system/Patient.rs system/Observation.r' });
  const wide = await backendForm(server, few.client.id, few.key, { scope: 'system/*.cruds' });
  t.equal((await server.post('/auth/token', wide)).json['scope'], 'system/Patient.rs system/Observation.r');
});

test('Every client authenticates as its kind says, and uses the grants of its kind', async (t) => {
  const server = await startTestAuthServer(t);
  const { client, key } = await newBackend(server);
  for (const form of [
    { grant_type: 'client_credentials', scope: SCOPE, client_id: client.id },
    { grant_type: 'client_credentials', scope: SCOPE, client_id: client.id, client_secret: 'x' },
  ])
    t.match(await server.post('/auth/token', form), { status: 401, json: { error: 'invalid_client' } });
  const code = await backendForm(server, client.id, key, { grant_type: 'authorization_code', code: 'x' });
  t.match(await server.post('/auth/token', code), { status: 400, json: { error: 'unauthorized_client' } });
  const asymmetric = await registerClient(server, {
    ...{ name: 'App', kind: 'confidential-asymmetric', scope: 'patient/*.rs', purpose: 'PATRQT' },
    redirectUris: ['https://app.example'],
    jwks: { keys: [key.publicJwk] },
  });
  const alone = await backendForm(server, asymmetric.client.id, key);
  t.match(await server.post('/auth/token', alone), { status: 400, json: { error: 'unauthorized_client' } });
  const both = await backendForm(server, client.id, key, { client_secret: 'x' });
  t.match(await server.post('/auth/token', both), { status: 400, json: { error: 'invalid_request' } });
  const others = await backendForm(server, client.id, key, { client_id: asymmetric.client.id });
  t.match(await server.post('/auth/token', others), { status: 401, json: { error: 'invalid_client' } });
});

test('A disabled client gets no token', async (t) => {
  const server = await startTestAuthServer(t);
  const { client, key } = await newBackend(server);
  await disableClient(server, client.id);
  const form = await backendForm(server, client.id, key);
  t.match(await server.post('/auth/token', form), { status: 401, json: { error: 'invalid_client' } });
  await disableClient(server, client.id, false);
  t.equal((await server.post('/auth/token', form)).status, 200);
});

test('smart_backend_services_invalid_client_assertion, smart_backend_services_invalid_jwt: an assertion whose type is not jwt-bearer is refused', async (t) => {
  const server = await startTestAuthServer(t);
  const { client, key } = await newBackend(server);
  for (const client_assertion_type of ['not_an_assertion_type', ASSERTION.toUpperCase()]) {
    const form = await backendForm(server, client.id, key, { client_assertion_type });
    t.match(await server.post('/auth/token', form), { status: 401, json: { error: 'invalid_client' } });
  }
});

/** Introspection, revocation and userinfo. */
import { decodeJwt } from 'jose';
import { test } from 'tap';
import { disableClient } from '../../../src/auth/clients/clients.ts';
import { authenticate } from '../../../src/auth/tokens/authenticate.ts';
import {
  ASSERTION,
  assertion,
  backendForm,
  codeForm,
  granted,
  newApp,
  newBackend,
  newCode,
  newUser,
  startTestAuthServer,
  type TestAuthServer,
} from '../test-auth-server.ts';

const SCOPE = 'openid fhirUser offline_access launch/patient patient/Patient.rs patient/Observation.rs';
const BANNER = { needPatientBanner: false, smartStyleUrl: 'https://a.example/style.json' };
const CONTEXT = {
  patient: 'ada',
  encounter: 'e1',
  intent: 'reconcile',
  fhirContext: [{ reference: 'ImagingStudy/1' }],
};

const withTokens = async (server: TestAuthServer, scope = SCOPE) => {
  const [{ client }, user] = [await newApp(server), await newUser(server)];
  const code = await newCode(server, granted(server, client, user, scope, {}, { ...CONTEXT, ...BANNER }));
  const { json } = await server.post('/auth/token', codeForm(client.id, code));
  const [access, refresh] = [String(json['access_token']), String(json['refresh_token'])];
  return { client, user, json, access, refresh };
};

const bearer = (token: unknown) => ({ authorization: `Bearer ${token}` });

test('smart_token_introspection_stu2_2, g10_token_introspection_stu2_2, REQ-S 272-279: an active token is introspected with what was granted', async (t) => {
  const server = await startTestAuthServer(t);
  const { client, json, access, refresh } = await withTokens(server);
  const claims = decodeJwt(String(json['id_token']));
  for (const [form, headers] of [
    [{ token: access, client_id: client.id }, {}],
    [{ token: access }, bearer(access)],
    [{ token: access, token_type_hint: 'refresh_token', client_id: client.id }, {}],
  ] as const) {
    const { status, json: found, headers: answered } = await server.post('/auth/introspect', form, headers);
    t.equal(status, 200);
    t.match(found, { active: true, client_id: client.id, ...CONTEXT, fhirUser: claims['fhirUser'] });
    for (const name of ['need_patient_banner', 'smart_style_url']) t.equal(found[name], json[name], name);
    t.same(new Set(String(found['scope']).split(' ')), new Set(String(json['scope']).split(' ')));
    t.equal(String(found['scope']).split(' ').length, String(json['scope']).split(' ').length);
    t.equal(found['iss'], claims.iss);
    t.equal(found['sub'], claims.sub);
    t.ok(Number.isInteger(found['exp']) && Number(found['exp']) > Date.now() / 1000);
    t.equal(answered.get('cache-control'), 'no-store');
  }
  t.match((await server.post('/auth/introspect', { token: refresh, client_id: client.id })).json, { active: true });
});

test('REQ-S 278-280: introspection tells who the user is only where an id_token does', async (t) => {
  const server = await startTestAuthServer(t);
  for (const [scope, known] of [
    ['launch/patient patient/Patient.rs', []],
    ['launch/patient patient/Patient.rs fhirUser', []],
    ['openid patient/Patient.rs', ['sub']],
    ['openid fhirUser patient/Patient.rs', ['fhirUser', 'sub']],
  ] as const) {
    const { client, json, access } = await withTokens(server, scope);
    const claims = json['id_token'] === undefined ? {} : decodeJwt(String(json['id_token']));
    const { json: found } = await server.post('/auth/introspect', { token: access, client_id: client.id });
    t.same(
      ['fhirUser', 'sub'].filter((name) => name in found),
      known,
      scope,
    );
    t.same(
      ['fhirUser', 'sub'].filter((name) => name in claims),
      known,
      scope,
    );
  }
});

test('smart_token_introspection_stu2_2, g10_token_introspection_stu2_2: an invalid token is introspected with 200 and active false alone', async (t) => {
  const server = await startTestAuthServer(t);
  const { client, access } = await withTokens(server);
  const [id = ''] = access.split('.');
  for (const token of ['invalid_token_value', `${id}.${'a'.repeat(43)}`, 'x'.repeat(10_000), `${access}\u0000`]) {
    const { status, json } = await server.post('/auth/introspect', { token, client_id: client.id });
    t.same({ status, json }, { status: 200, json: { active: false } });
  }
  server.wait(3_600_001);
  const ended = await server.post('/auth/introspect', { token: access, client_id: client.id });
  t.same(ended.json, { active: false }, 'an expired one');
});

test('REQ-S 281, MS TokenIntrospectionTests: introspection without credentials is 401, without token 400', async (t) => {
  const server = await startTestAuthServer(t);
  const { client, access } = await withTokens(server);
  const without = await server.post('/auth/introspect', { token: access });
  t.equal(without.status, 401);
  t.match(without.headers.get('www-authenticate'), /^Bearer/);
  t.match(await server.post('/auth/introspect', { token: access }, bearer('x')), { status: 401 });
  t.match(await server.post('/auth/introspect', { client_id: client.id }), {
    status: 400,
    json: { error: 'invalid_request' },
  });
  t.match(await server.post('/auth/introspect', { client_id: client.id, token: '' }), { status: 400 });
  t.match(await server.post('/auth/introspect', {}, bearer(access)), { status: 400 });
});

test('REQ-S 282, 283: a client introspects its own tokens, one that reaches everything those of all', async (t) => {
  const server = await startTestAuthServer(t);
  const { access } = await withTokens(server);
  const { client: other } = await newApp(server);
  t.same((await server.post('/auth/introspect', { token: access, client_id: other.id })).json, { active: false });
  const hospital = await newBackend(server);
  const operator = await newBackend(server, { reach: 'all' });
  for (const [{ client, key }, active] of [
    [hospital, false],
    [operator, true],
  ] as const) {
    const { json } = await server.post('/auth/token', await backendForm(server, client.id, key));
    const byToken = await server.post('/auth/introspect', { token: access }, bearer(json['access_token']));
    t.equal(byToken.json['active'], active);
    const form = {
      token: access,
      client_assertion_type: ASSERTION,
      client_assertion: await assertion(server, client.id, key),
    };
    t.equal((await server.post('/auth/introspect', form)).json['active'], active);
    const own = await server.post(
      '/auth/introspect',
      { token: String(json['access_token']) },
      bearer(json['access_token']),
    );
    t.match(own.json, { active: true, client_id: client.id, sub: client.id });
  }
});

test('A token of a disabled client is inactive', async (t) => {
  const server = await startTestAuthServer(t);
  const { client, access } = await withTokens(server);
  const operator = await newBackend(server, { reach: 'all' });
  const { json } = await server.post('/auth/token', await backendForm(server, operator.client.id, operator.key));
  await disableClient(server, client.id);
  t.same((await server.post('/auth/introspect', { token: access }, bearer(json['access_token']))).json, {
    active: false,
  });
  server.wait(10);
  await disableClient(server, client.id, false);
  t.equal(await authenticate(server, access), undefined, 'nor is it of use when the client is enabled again');
  server.wait(1100);
  t.equal(await authenticate(server, access), undefined);
  const { access: another } = await withTokens(server);
  t.ok(await authenticate(server, another));
});

test('g10_token_revocation, RFC 7009: revoking a refresh token ends its access tokens, too', async (t) => {
  const server = await startTestAuthServer(t);
  const { client, access, refresh } = await withTokens(server);
  const { status, text } = await server.post('/auth/revoke', { token: refresh, client_id: client.id });
  t.same({ status, text }, { status: 200, text: '' });
  t.equal(await authenticate(server, access), undefined);
  const form = { grant_type: 'refresh_token', refresh_token: refresh, client_id: client.id };
  t.match(await server.post('/auth/token', form), { status: 400, json: { error: 'invalid_grant' } });
  t.same(await server.records.list('grant/', 10), []);
  t.same(await server.records.list('user-grant/', 10), []);
});

test('Revoking an access token ends it alone', async (t) => {
  const server = await startTestAuthServer(t);
  const { client, access, refresh } = await withTokens(server);
  t.equal((await server.post('/auth/revoke', { token: access, client_id: client.id })).status, 200);
  t.equal(await authenticate(server, access), undefined);
  const form = { grant_type: 'refresh_token', refresh_token: refresh, client_id: client.id };
  t.equal((await server.post('/auth/token', form)).status, 200);
  const backend = await newBackend(server);
  const { json } = await server.post('/auth/token', await backendForm(server, backend.client.id, backend.key));
  const credentials = {
    client_assertion_type: ASSERTION,
    client_assertion: await assertion(server, backend.client.id, backend.key),
  };
  t.equal((await server.post('/auth/revoke', { token: String(json['access_token']), ...credentials })).status, 200);
  t.equal(await authenticate(server, String(json['access_token'])), undefined);
});

test('RFC 7009: revocation answers 200 for unknown tokens, and refuses who may not revoke', async (t) => {
  const server = await startTestAuthServer(t);
  const { client, access } = await withTokens(server);
  const { client: other } = await newApp(server);
  t.equal((await server.post('/auth/revoke', { token: 'unknown', client_id: client.id })).status, 200);
  t.match(await server.post('/auth/revoke', { token: access, client_id: other.id }), {
    status: 400,
    json: { error: 'unauthorized_client' },
  });
  t.match(await server.post('/auth/revoke', { token: access, client_id: 'unknown' }), {
    status: 401,
    json: { error: 'invalid_client' },
  });
  t.match(await server.post('/auth/revoke', { token: access }), { status: 400 });
  t.match(await server.post('/auth/revoke', { client_id: client.id }), {
    status: 400,
    json: { error: 'invalid_request' },
  });
  t.ok(await authenticate(server, access));
});

test('OIDCCUserInfoGet, PostHeader, PostBody: userinfo answers by GET, and by POST with the token in the header or the form, with the sub of the id_token', async (t) => {
  const server = await startTestAuthServer(t);
  const { json, access } = await withTokens(server);
  const { sub, fhirUser } = decodeJwt(String(json['id_token']));
  for (const answer of [
    await server.send('GET', '/auth/userinfo', bearer(access)),
    await server.send('POST', '/auth/userinfo', bearer(access)),
    await server.post('/auth/userinfo', { access_token: access }),
  ]) {
    t.equal(answer.status, 200);
    t.same(answer.json, { sub, fhirUser });
    t.equal(answer.headers.get('cache-control'), 'no-store');
  }
  t.match((await server.send('GET', '/auth/userinfo', bearer('x'))).headers.get('www-authenticate'), /invalid_token/);
  t.equal((await server.send('GET', '/auth/userinfo')).status, 401);
  const without = await withTokens(server, 'patient/Patient.rs');
  t.match(await server.send('GET', '/auth/userinfo', bearer(without.access)), {
    status: 403,
    json: { error: 'insufficient_scope' },
  });
  // RFC 6750, sections 2.3 and 3.1
  for (const answer of [
    await server.post('/auth/userinfo', { access_token: access }, bearer(access)),
    await server.send('GET', `/auth/userinfo?access_token=${access}`, bearer(access)),
    await server.send('GET', `/auth/userinfo?access_token=${access}`),
  ])
    t.match(answer, { status: 400, json: { error: 'invalid_request' } });
});

/** Refresh tokens at the token endpoint. */
import { test } from 'tap';
import { authenticate } from '../../../src/auth/tokens/authenticate.ts';
import {
  ASSERTION,
  assertion,
  codeForm,
  granted,
  newApp,
  newCode,
  newKey,
  newUser,
  startTestAuthServer,
  type TestAuthServer,
} from '../test-auth-server.ts';

const SCOPE = 'openid offline_access launch/patient patient/Patient.rs patient/Observation.rs';

const withTokens = async (server: TestAuthServer, scope = SCOPE, more = {}) => {
  const [{ client }, user] = [await newApp(server), await newUser(server)];
  const code = await newCode(server, granted(server, client, user, scope, more));
  const { json } = await server.post('/auth/token', codeForm(client.id, code));
  const refresh = (token: unknown, more: Record<string, string> = {}) =>
    server.post('/auth/token', {
      ...{ grant_type: 'refresh_token', refresh_token: String(token), client_id: client.id },
      ...more,
    });
  return { client, user, json, refresh };
};

test('smart_token_refresh_stu2, smart_token_refresh_body, smart_token_response_headers, REQ-S 109: a refresh without scope keeps the scopes and the launch context', async (t) => {
  const server = await startTestAuthServer(t);
  const { json, refresh } = await withTokens(server);
  const { status, json: next, headers } = await refresh(json['refresh_token']);
  t.equal(status, 200);
  t.match(next, { token_type: 'Bearer', expires_in: 3600, scope: SCOPE, patient: 'ada', access_token: String });
  t.equal(headers.get('cache-control'), 'no-store');
  t.equal(headers.get('pragma'), 'no-cache');
  t.ok(await authenticate(server, String(next['access_token'])));
});

test('smart_token_refresh_stu2 with scopes, REQ-S 103, 110-114: a refresh may ask for the same scopes or for fewer, not for wider ones', async (t) => {
  const server = await startTestAuthServer(t);
  const { json, refresh } = await withTokens(server);
  let token = json['refresh_token'];
  for (const scope of [
    SCOPE,
    'patient/Patient.rs',
    'patient/Patient.r',
    'patient/Observation.rs?category=laboratory',
    SCOPE,
  ]) {
    const { status, json: next } = await refresh(token, { scope });
    t.equal(status, 200, scope);
    t.equal(next['scope'], scope);
    token = next['refresh_token'];
    t.same((await authenticate(server, String(next['access_token'])))?.access.scopes, scope.split(' '));
  }
  for (const scope of [
    'patient/*.rs',
    'patient/Patient.cruds',
    'patient/Condition.rs',
    'fhirUser',
    'system/Patient.rs',
    'x y',
  ])
    t.match(await refresh(token, { scope }), { status: 400, json: { error: 'invalid_scope' } }, scope);
  t.equal((await refresh(token)).status, 200, 'a request that was refused does not use the token up');
});

test('A refresh token is used once: the next one comes with the answer, and reuse ends the grant', async (t) => {
  const server = await startTestAuthServer(t);
  const { json, refresh } = await withTokens(server);
  const second = (await refresh(json['refresh_token'])).json;
  t.not(second['refresh_token'], json['refresh_token']);
  const third = (await refresh(second['refresh_token'])).json;
  t.ok(await authenticate(server, String(third['access_token'])));
  t.match(await refresh(json['refresh_token']), { status: 400, json: { error: 'invalid_grant' } });
  t.equal(await authenticate(server, String(third['access_token'])), undefined, 'the newest access token has ended');
  t.match(await refresh(third['refresh_token']), { status: 400, json: { error: 'invalid_grant' } });
});

test('Of refreshes with one token at the same time, on two instances, no more than one gets tokens', async (t) => {
  const server = await startTestAuthServer(t);
  const other = await startTestAuthServer(t, { store: server.store, issuer: server.issuer });
  const { json, client } = await withTokens(server);
  const form = { grant_type: 'refresh_token', refresh_token: String(json['refresh_token']), client_id: client.id };
  const answers = await Promise.all([server, other, server, other].map((each) => each.post('/auth/token', form)));
  t.ok(answers.filter(({ status }) => status === 200).length <= 1);
  t.equal(await authenticate(server, String(json['access_token'])), undefined);
});

test('REQ-S 103: a refresh token is bound to its client', async (t) => {
  const server = await startTestAuthServer(t);
  const { json, refresh } = await withTokens(server);
  const { client: other } = await newApp(server);
  t.match(await refresh(json['refresh_token'], { client_id: other.id }), {
    status: 400,
    json: { error: 'invalid_grant' },
  });
  t.equal((await refresh(json['refresh_token'])).status, 200, 'and its own client still can use it');
});

test('g10_token_refresh_stu2: a client authenticates for a refresh as its kind says: by Basic, or by an assertion', async (t) => {
  const server = await startTestAuthServer(t);
  const [user, key] = [await newUser(server), await newKey('RS384')];
  const symmetric = await newApp(server, { kind: 'confidential-symmetric' });
  const asymmetric = await newApp(server, { kind: 'confidential-asymmetric', jwks: { keys: [key.publicJwk] } });
  const basic = Buffer.from(`${symmetric.client.id}:${symmetric.secret}`).toString('base64');
  const bySecret = async () => [{}, { authorization: `Basic ${basic}` }] as const;
  const byKey = async () => {
    const client_assertion = await assertion(server, asymmetric.client.id, key);
    return [{ client_assertion_type: ASSERTION, client_assertion }, {}] as const;
  };
  for (const [{ client }, proof] of [
    [symmetric, bySecret],
    [asymmetric, byKey],
  ] as const) {
    const { client_id, ...form } = codeForm(client.id, await newCode(server, granted(server, client, user, SCOPE)));
    const [fields, headers] = await proof();
    const { json } = await server.post('/auth/token', { ...form, ...fields }, headers);
    const refresh = { grant_type: 'refresh_token', refresh_token: String(json['refresh_token']) };
    const without = await server.post('/auth/token', { ...refresh, client_id: client_id ?? '' });
    t.match(without, { status: 401, json: { error: 'invalid_client' } }, client.kind);
    const [again, more] = await proof();
    t.equal((await server.post('/auth/token', { ...refresh, ...again }, more)).status, 200, client.kind);
  }
});

test('g10_invalid_token_refresh: a random refresh token is refused, and so is an access token in its place', async (t) => {
  const server = await startTestAuthServer(t);
  const { json, refresh } = await withTokens(server);
  for (const token of ['random', `${'a'.repeat(22)}.${'b'.repeat(43)}`, json['access_token'], 'x'.repeat(10_000)])
    t.match(await refresh(token), { status: 400, json: { error: 'invalid_grant' } });
  t.equal((await refresh(json['refresh_token'])).status, 200);
});

test('g10_refresh_token_refresh_attestation: a refresh token lives three months, and its next one as long again', async (t) => {
  const server = await startTestAuthServer(t);
  const { json } = await withTokens(server);
  const [record] = await server.records.list('grant/', 10);
  t.ok((record?.expires ?? 0) > server.now() + 92 * 86_400_000);
  t.ok(json['refresh_token']);
});

test('permission-online: online_access comes with a refresh token that lasts as long as the session', async (t) => {
  const server = await startTestAuthServer(t);
  await server.records.put('session/x', '{}', { expires: server.now() + 3_600_000 });
  const scope = 'online_access launch/patient patient/Patient.rs';
  const { json, refresh } = await withTokens(server, scope, { sessionKey: 'session/x' });
  const next = await refresh(json['refresh_token']);
  t.equal(next.status, 200);
  await server.records.delete('session/x');
  t.match(await refresh(next.json['refresh_token']), { status: 400, json: { error: 'invalid_grant' } });
  const without = await withTokens(server, 'launch/patient patient/Patient.rs');
  t.notOk('refresh_token' in without.json, 'neither scope: no refresh token');
});

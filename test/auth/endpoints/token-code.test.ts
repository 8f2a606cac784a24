/** Codes at the token endpoint: what the app of a person gets. */
import { createHash } from 'node:crypto';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { test } from 'tap';
import { disableClient, rotateSecret } from '../../../src/auth/clients/clients.ts';
import { authenticate } from '../../../src/auth/tokens/authenticate.ts';
import {
  APP_SCOPE,
  ASSERTION,
  assertion,
  codeForm,
  granted,
  newApp,
  newCode,
  newKey,
  newUser,
  startTestAuthServer,
  VERIFIER,
} from '../test-auth-server.ts';

test('smart_token_exchange_stu2_2, smart_token_response_body_stu2_2, smart_token_response_headers, smart_cors_token_exchange, REQ-S 17, 73-78, 86, 87, 91, 172, 178: a public client exchanges a code for tokens, with the launch context', async (t) => {
  const server = await startTestAuthServer(t);
  const [{ client }, user] = [await newApp(server), await newUser(server)];
  const context = {
    patient: 'ada',
    encounter: 'e1',
    intent: 'reconcile',
    fhirContext: [{ reference: 'ImagingStudy/1', role: 'https://example.org/role' }],
    needPatientBanner: true,
    smartStyleUrl: `${server.issuer}/auth/smart-style.json`,
  };
  const code = await newCode(server, granted(server, client, user, undefined, {}, context));
  const { status, json, headers } = await server.post('/auth/token', codeForm(client.id, code), {
    origin: 'https://app.example',
  });
  t.equal(status, 200);
  t.match(json, {
    token_type: /^bearer$/i,
    access_token: String,
    refresh_token: String,
    id_token: String,
    expires_in: 3600,
    scope: 'openid fhirUser launch/patient offline_access patient/Patient.rs patient/Observation.rs',
    patient: 'ada',
    encounter: 'e1',
    intent: 'reconcile',
    fhirContext: [{ reference: 'ImagingStudy/1', role: 'https://example.org/role' }],
    need_patient_banner: true,
    smart_style_url: /^http.*\.json$/,
  });
  t.equal(headers.get('cache-control'), 'no-store');
  t.equal(headers.get('pragma'), 'no-cache');
  t.equal(headers.get('access-control-allow-origin'), '*', 'also for an app in a browser');
  const found = await authenticate(server, String(json['access_token']));
  t.match(found, { client: { id: client.id }, user: { id: user.id }, access: { reach: { kind: 'patients' } } });
  server.wait(3_600_001);
  t.equal(await authenticate(server, String(json['access_token'])), undefined, 'an hour later it has ended');
});

test('Only hashes of tokens are stored', async (t) => {
  const server = await startTestAuthServer(t);
  const [{ client }, user] = [await newApp(server), await newUser(server)];
  const code = await newCode(server, granted(server, client, user));
  const stored = async () => JSON.stringify(await server.records.list('', 1000));
  t.notMatch(await stored(), code.split('.')[1] ?? '');
  const { json } = await server.post('/auth/token', codeForm(client.id, code));
  for (const name of ['access_token', 'refresh_token'])
    t.notOk((await stored()).includes(String(json[name]).split('.')[1] ?? ''), name);
});

test('client-confidential-symmetric, OIDCCServerTest, OIDCCServerTestClientSecretPost, OIDCCAlternateHappyFlow: a symmetric client authenticates by Basic or in the form, and only with its present secret', async (t) => {
  const server = await startTestAuthServer(t);
  const [{ client, secret = '' }, user] = [
    await newApp(server, { kind: 'confidential-symmetric' }),
    await newUser(server),
  ];
  const form = async () => {
    const { client_id: _, ...rest } = codeForm(client.id, await newCode(server, granted(server, client, user)));
    return rest as Record<string, string>;
  };
  const basic = (text: string) => ({
    authorization: `Basic ${Buffer.from(`${client.id}:${text}`).toString('base64')}`,
  });
  t.equal((await server.post('/auth/token', await form(), basic(secret))).status, 200, 'client_secret_basic');
  const inForm = { ...(await form()), client_id: client.id, client_secret: secret };
  t.equal((await server.post('/auth/token', inForm)).status, 200, 'client_secret_post');
  const wrong = await server.post('/auth/token', await form(), basic('wrong'));
  t.match(wrong, { status: 401, json: { error: 'invalid_client' } });
  t.match(wrong.headers.get('www-authenticate'), /^Basic/);
  for (const authorization of ['Basic', 'Basic %%%', 'Bearer x', 'Basic OnNlY3JldA=='])
    t.match(await server.post('/auth/token', await form(), { authorization }), { status: 401 }, authorization);
  t.match(
    await server.post('/auth/token', { ...(await form()), client_id: client.id }),
    { status: 401 },
    'without secret',
  );
  const { secret: next } = await rotateSecret(server, client.id);
  t.equal((await server.post('/auth/token', await form(), basic(secret))).status, 401, 'the old secret');
  t.equal((await server.post('/auth/token', await form(), basic(next))).status, 200, 'the new secret');
});

test('client-confidential-asymmetric, g10_asymmetric_launch, g10_asymmetric_launch_id_token: an asymmetric client authenticates by its assertion', async (t) => {
  const server = await startTestAuthServer(t);
  const key = await newKey('RS384');
  const more = { kind: 'confidential-asymmetric', jwks: { keys: [key.publicJwk] } };
  const [{ client }, user] = [await newApp(server, more), await newUser(server)];
  const { client_id: _, ...form } = codeForm(client.id, await newCode(server, granted(server, client, user)));
  const client_assertion = await assertion(server, client.id, key);
  const { status, json } = await server.post('/auth/token', {
    ...form,
    client_assertion_type: ASSERTION,
    client_assertion,
  });
  t.equal(status, 200);
  t.type(json['id_token'], 'string');
});

test('g10_smart_invalid_token_request_stu2: a wrong code is 400, a wrong client 400 or 401', async (t) => {
  const server = await startTestAuthServer(t);
  const [{ client }, other, user] = [await newApp(server), await newApp(server), await newUser(server)];
  const code = await newCode(server, granted(server, client, user));
  for (const bad of ['BAD_CODE', `${code.slice(0, -1)}_`, `${code}\u0000`, 'a'.repeat(10_000)])
    t.match(await server.post('/auth/token', codeForm(client.id, bad)), {
      status: 400,
      json: { error: 'invalid_grant' },
    });
  t.match(await server.post('/auth/token', codeForm('unknown', code)), {
    status: 401,
    json: { error: 'invalid_client' },
  });
  const ofOther = await server.post('/auth/token', codeForm(other.client.id, code));
  t.match(ofOther, { status: 400, json: { error: 'invalid_grant' } });
  const uri = { ...codeForm(client.id, code), redirect_uri: 'https://app.example/callback/' };
  t.match(await server.post('/auth/token', uri), { status: 400, json: { error: 'invalid_grant' } });
  const { redirect_uri: _, ...without } = codeForm(client.id, code);
  t.match(await server.post('/auth/token', without), { status: 400, json: { error: 'invalid_grant' } });
  t.equal((await server.post('/auth/token', codeForm(client.id, code))).status, 200, 'the right client still can');
});

test('smart_no_verifier_token_request, smart_blank_verifier_token_request, smart_bad_code_verifier_token_request, smart_plain_code_verifier_token_request, OIDCCEnsureRequestWithValidPkceSucceeds: a code_verifier that is missing, blank, wrong or the plain challenge is refused', async (t) => {
  const server = await startTestAuthServer(t);
  const [{ client }, user] = [await newApp(server), await newUser(server)];
  const code = await newCode(server, granted(server, client, user));
  const { code_verifier: _, ...without } = codeForm(client.id, code);
  const challenge = createHash('sha256').update(VERIFIER).digest('base64url');
  for (const more of [{}, { code_verifier: '' }, { code_verifier: 'w'.repeat(43) }, { code_verifier: challenge }])
    t.match(await server.post('/auth/token', { ...without, ...more }), {
      status: 400,
      json: { error: 'invalid_grant' },
    });
});

test('REQ-S 58: a code lives a minute', async (t) => {
  const server = await startTestAuthServer(t);
  const [{ client }, user] = [await newApp(server), await newUser(server)];
  const code = await newCode(server, granted(server, client, user));
  const record = (await server.records.list('code/', 10))[0];
  t.ok((record?.expires ?? 0) <= server.now() + 60_000);
  t.ok((record?.expires ?? 0) > server.now() + 50_000);
  t.ok(code);
});

test('OIDCCAuthCodeReuse, OIDCCAuthCodeReuseAfter30Seconds, REQ-S 58: a code that comes a second time is 400 invalid_grant and ends what it was exchanged for', async (t) => {
  const server = await startTestAuthServer(t);
  const second = await startTestAuthServer(t, { store: server.store, issuer: server.issuer });
  const [{ client }, user] = [await newApp(server), await newUser(server)];
  const form = codeForm(client.id, await newCode(server, granted(server, client, user)));
  const { json } = await server.post('/auth/token', form);
  t.ok(await authenticate(server, String(json['access_token'])));
  const other = await newApp(server);
  await server.post('/auth/token', { ...form, client_id: other.client.id });
  t.ok(await authenticate(server, String(json['access_token'])), 'another client cannot end it');
  server.wait(120_000);
  t.match(await second.post('/auth/token', form), { status: 400, json: { error: 'invalid_grant' } });
  t.equal(await authenticate(server, String(json['access_token'])), undefined);
  const refresh = { grant_type: 'refresh_token', refresh_token: String(json['refresh_token']), client_id: client.id };
  t.match(await server.post('/auth/token', refresh), { status: 400, json: { error: 'invalid_grant' } });
});

test('Of exchanges of one code at the same time, on two instances, at most one gets tokens, and those end', async (t) => {
  const server = await startTestAuthServer(t);
  const second = await startTestAuthServer(t, { store: server.store, issuer: server.issuer });
  const [{ client }, user] = [await newApp(server), await newUser(server)];
  for (let round = 0; round < 5; round++) {
    const form = codeForm(client.id, await newCode(server, granted(server, client, user)));
    const answers = await Promise.all([server, second, server, second].map((each) => each.post('/auth/token', form)));
    const won = answers.filter(({ status }) => status === 200);
    t.ok(won.length <= 1);
    for (const { json } of won) t.equal(await authenticate(server, String(json['access_token'])), undefined);
  }
});

test('smart_openid_decode_id_token, smart_openid_token_header, smart_openid_token_payload, OIDCCIdTokenSignature, OIDCCIdTokenUnsigned, REQ-S 203-205: the id_token is what OpenID Connect and SMART ask for', async (t) => {
  const server = await startTestAuthServer(t);
  const [{ client }, user] = [await newApp(server), await newUser(server)];
  const code = await newCode(server, granted(server, client, user, undefined, { nonce: 'n-1' }));
  const { json } = await server.post('/auth/token', codeForm(client.id, code));
  const keys = createRemoteJWKSet(new URL(`${server.issuer}/auth/jwks`));
  const options = { issuer: server.issuer, audience: client.id, algorithms: ['RS256'] };
  const { payload, protectedHeader } = await jwtVerify(String(json['id_token']), keys, options);
  t.equal(protectedHeader.alg, 'RS256');
  t.type(protectedHeader.kid, 'string');
  t.match(payload, { iss: server.issuer, sub: user.id, aud: client.id, nonce: 'n-1', exp: Number, iat: Number });
  t.equal(payload['fhirUser'], `${server.fhirBase}/Patient/ada`);
  t.ok(Number(payload['auth_time']) <= Number(payload.iat));
  t.ok((payload.sub?.length ?? 0) > 0 && (payload.sub?.length ?? 0) <= 255);

  t.test('OIDCCRefreshToken: and a refreshed one has the same iss, sub, aud and auth_time', async (t) => {
    server.wait(5000);
    const refresh = { grant_type: 'refresh_token', refresh_token: String(json['refresh_token']), client_id: client.id };
    const next = (await server.post('/auth/token', refresh)).json;
    const { payload: again } = await jwtVerify(String(next['id_token']), keys, { ...options, clockTolerance: 10 });
    for (const name of ['iss', 'sub', 'aud', 'auth_time', 'fhirUser']) t.equal(again[name], payload[name], name);
    t.ok((again.iat ?? 0) > (payload.iat ?? 0));
  });

  t.test(
    'OIDCCEnsureRequestWithoutNonceSucceedsForCodeFlow: and is there only with the scope openid, fhirUser only with its scope, a nonce only if it was sent',
    async (t) => {
      const none = await newCode(server, granted(server, client, user, 'fhirUser patient/Patient.rs'));
      t.notOk('id_token' in (await server.post('/auth/token', codeForm(client.id, none))).json);
      const bare = await newCode(server, granted(server, client, user, 'openid patient/Patient.rs'));
      const answer = (await server.post('/auth/token', codeForm(client.id, bare))).json;
      const { payload: claims } = await jwtVerify(String(answer['id_token']), keys, options);
      t.notOk('fhirUser' in claims);
      t.notOk('nonce' in claims, 'the nonce is optional');
      t.notOk('refresh_token' in answer, 'nor is there a refresh_token without offline_access');
    },
  );
});

test('A token ends when its client or user is disabled, or the user signs out everywhere', async (t) => {
  const server = await startTestAuthServer(t);
  const [{ client }, user] = [await newApp(server, { scope: APP_SCOPE }), await newUser(server)];
  const tokenOf = async (): Promise<Record<string, unknown>> =>
    (await server.post('/auth/token', codeForm(client.id, await newCode(server, granted(server, client, user))))).json;
  const before = await tokenOf();
  const isValid = async (): Promise<boolean> =>
    (await authenticate(server, String(before['access_token']))) !== undefined;
  const change = async (more: object): Promise<void> => {
    await server.records.put(`user/${user.id}`, JSON.stringify({ ...user, ...more }));
    server.wait(1001);
  };
  t.ok(await isValid());
  await disableClient(server, client.id);
  t.notOk(await isValid(), 'at once on the instance that disabled the client');
  await disableClient(server, client.id, false);
  await change({ isDisabled: true });
  t.notOk(await isValid(), 'of a disabled user');
  const form = codeForm(client.id, await newCode(server, granted(server, client, user)));
  t.match(await server.post('/auth/token', form), { status: 400, json: { error: 'invalid_grant' } });
  await change({ validFrom: server.now() });
  t.notOk(await isValid(), 'of a user who has signed out everywhere');
  const refresh = { grant_type: 'refresh_token', refresh_token: String(before['refresh_token']), client_id: client.id };
  t.match(await server.post('/auth/token', refresh), { status: 400, json: { error: 'invalid_grant' } });
  t.ok(await authenticate(server, String((await tokenOf())['access_token'])), 'what is granted later is valid');
});

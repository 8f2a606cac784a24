/** What a client learns before it signs in, and how browsers may ask. */
import { createLocalJWKSet, type JSONWebKeySet } from 'jose';
import { allowInsecureRequests, discovery } from 'openid-client';
import { test } from 'tap';
import { grantableScopes, registrableScope } from '../../../src/auth/scope-grants.ts';
import { backendForm, newBackend, startTestAuthServer } from '../test-auth-server.ts';

const SMART = '/fhir/.well-known/smart-configuration';
const OPENID = '/.well-known/openid-configuration';
const REGISTRATION_TOKEN = 'r'.repeat(32);

test('well_known_endpoint, well_known_capabilities_stu2, g10_smart_well_known_capabilities, us_core_smart_well_known_capabilities, bulk_data_smart_discovery_v101_contents, REQ-S 285-289, 372, 374, 376, 377, 381-385, 393, 394: the SMART configuration is complete, and the same JSON whatever is accepted', async (t) => {
  const server = await startTestAuthServer(t);
  const { status, headers, text, json } = await server.send('GET', SMART, { accept: 'application/json' });
  t.equal(status, 200);
  t.match(headers.get('content-type'), /^application\/json/);
  for (const accept of ['text/html', 'application/fhir+json', '*/*', 'image/png'])
    t.equal((await server.send('GET', SMART, { accept })).text, text, accept);
  t.match(json, {
    issuer: server.issuer,
    jwks_uri: `${server.issuer}/auth/jwks`,
    authorization_endpoint: `${server.issuer}/auth/authorize`,
    token_endpoint: `${server.issuer}/auth/token`,
    introspection_endpoint: `${server.issuer}/auth/introspect`,
    revocation_endpoint: `${server.issuer}/auth/revoke`,
    management_endpoint: `${server.issuer}/auth/manage`,
    code_challenge_methods_supported: ['S256'],
    response_types_supported: ['code'],
  });
  const lists: Record<string, string[]> = {
    grant_types_supported: ['authorization_code', 'refresh_token', 'client_credentials'],
    token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
    token_endpoint_auth_signing_alg_values_supported: ['RS384', 'ES384'],
    capabilities: [
      ...['launch-standalone', 'client-public', 'client-confidential-symmetric', 'client-confidential-asymmetric'],
      ...[
        'sso-openid-connect',
        'context-standalone-patient',
        'permission-offline',
        'permission-patient',
        'authorize-post',
      ],
      ...['permission-v2', 'permission-v1', 'launch-ehr', 'context-banner', 'context-style', 'context-ehr-patient'],
      ...['permission-user', 'context-ehr-encounter', 'context-standalone-encounter', 'permission-online'],
    ],
  };
  for (const [name, values] of Object.entries(lists))
    for (const value of values) t.ok((json[name] as string[]).includes(value), `${name} has ${value}`);
  t.notOk((json['code_challenge_methods_supported'] as string[]).includes('plain'));
  t.notOk('registration_endpoint' in json, 'registration is off');
});

test('REQ-S 378, 391, 392, 438: every url of the documents is absolute, and everything public behind them is there', async (t) => {
  const server = await startTestAuthServer(t, { registrationToken: REGISTRATION_TOKEN });
  for (const path of [SMART, OPENID]) {
    const { json } = await server.send('GET', path);
    for (const [name, value] of Object.entries(json).filter(([key]) => /_endpoint$|_uri$|^issuer$/.test(key)))
      t.ok(String(value).startsWith(server.issuer), `${name} ${value}`);
    t.equal(json['registration_endpoint'], `${server.issuer}/auth/register`);
    t.equal((await server.send('GET', String(json['jwks_uri']))).status, 200);
  }
  const style = await server.send('GET', '/auth/smart-style.json');
  t.equal(style.status, 200);
  t.match(style.json, { color_background: /^#/, font_family_body: String });
});

test('REQ-S 389: every scope that is listed is grantable', async (t) => {
  const server = await startTestAuthServer(t);
  const { json } = await server.send('GET', SMART);
  const scopes = json['scopes_supported'] as string[];
  t.ok(scopes.some((scope) => /^(patient|user|system)\/[A-Za-z*]+\.c?r?u?d?s?(\?.+)?$/.test(scope)));
  for (const each of scopes) {
    const kind = each.startsWith('system/') ? 'backend' : 'public';
    const scope = registrableScope(server, kind, each);
    t.same(grantableScopes(server, { kind, scope }, each), [each]);
  }
});

test('smart_openid_retrieve_configuration, smart_openid_required_configuration_fields: the OpenID configuration has what is required, and openid-client takes it', async (t) => {
  const server = await startTestAuthServer(t);
  const { status, headers, json } = await server.send('GET', OPENID);
  t.equal(status, 200);
  t.match(headers.get('content-type'), /^application\/json/);
  t.match(json, {
    ...{ issuer: server.issuer, authorization_endpoint: String, token_endpoint: String, jwks_uri: String },
    ...{ response_types_supported: ['code'], subject_types_supported: ['public'] },
    ...{ id_token_signing_alg_values_supported: ['RS256'], authorization_response_iss_parameter_supported: true },
  });
  const found = await discovery(new URL(server.issuer), 'client', undefined, undefined, {
    execute: [allowInsecureRequests],
  });
  t.equal(found.serverMetadata().token_endpoint, `${server.issuer}/auth/token`);
});

test('smart_openid_retrieve_jwks: the key set has at least one RSA key that can be imported', async (t) => {
  const server = await startTestAuthServer(t);
  const { status, json } = await server.send('GET', '/auth/jwks');
  t.equal(status, 200);
  const { keys } = json as unknown as JSONWebKeySet;
  t.ok(keys.length >= 1 && keys.every(({ kty, kid }) => kty === 'RSA' && typeof kid === 'string'));
  t.ok(await createLocalJWKSet({ keys })({ alg: 'RS256', kid: keys[0]?.kid ?? '' }));
});

test('smart_cors_well_known_endpoint, smart_cors_metadata_request, REQ-S 16, MS CorsTests: apps in browsers may ask from every origin, with a preflight', async (t) => {
  const server = await startTestAuthServer(t);
  const origin = 'https://app.example';
  for (const path of [
    SMART,
    OPENID,
    '/auth/jwks',
    '/auth/userinfo',
    '/fhir/metadata',
    '/fhir/Patient/1',
    '/auth/smart-style.json',
  ]) {
    const { headers } = await server.send('GET', path, { origin });
    t.equal(headers.get('access-control-allow-origin'), '*', path);
    t.notOk(headers.has('access-control-allow-credentials'), 'never with cookies');
  }
  for (const path of [
    '/auth/token',
    '/auth/introspect',
    '/auth/revoke',
    '/auth/userinfo',
    '/fhir/Patient',
    '/fhir/Patient/1',
    '/fhir',
    SMART,
  ]) {
    const { status, headers } = await server.send('OPTIONS', path, {
      origin,
      'access-control-request-method': 'PUT',
      'access-control-request-headers': 'authorization, content-type, if-match',
    });
    t.equal(status, 204, path);
    t.equal(headers.get('access-control-allow-origin'), '*');
    for (const name of ['authorization', 'content-type', 'if-match'])
      t.match(headers.get('access-control-allow-headers'), new RegExp(name, 'i'));
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'])
      t.match(headers.get('access-control-allow-methods'), method);
  }
  const { headers } = await server.send('GET', '/fhir/Patient/1', { origin });
  for (const name of ['ETag', 'Location', 'WWW-Authenticate', 'Retry-After'])
    t.match(headers.get('access-control-expose-headers'), new RegExp(name, 'i'));
  const failed = await server.post('/auth/token', {}, { origin });
  t.equal(failed.headers.get('access-control-allow-origin'), '*', 'also on errors');
});

test('Clinical answers are not to be stored', async (t) => {
  const server = await startTestAuthServer(t);
  t.equal((await server.send('GET', '/fhir/Patient/1')).headers.get('cache-control'), 'no-store');
});

test('Other methods are 405 with those that are possible', async (t) => {
  const server = await startTestAuthServer(t);
  for (const [path, allow] of [
    ['/auth/token', 'POST'],
    ['/auth/introspect', 'POST'],
    ['/auth/revoke', 'POST'],
    ['/auth/jwks', 'GET'],
    ['/auth/userinfo', 'GET, POST'],
    [SMART, 'GET'],
    [OPENID, 'GET'],
  ] as const) {
    const { status, headers, json } = await server.send('DELETE', path);
    t.equal(status, 405, path);
    t.equal(headers.get('allow'), allow);
    t.equal(json['error'], 'invalid_request');
  }
  t.equal((await server.send('GET', '/auth/token')).status, 405);
});

test('More requests than the limit are 429 with Retry-After, for each client', async (t) => {
  const server = await startTestAuthServer(t, { rateLimit: 3 });
  const [one, other] = [await newBackend(server), await newBackend(server)];
  const tokenFor = async ({ client, key }: typeof one) =>
    server.post('/auth/token', await backendForm(server, client.id, key));
  for (let n = 0; n < 3; n++) t.equal((await tokenFor(one)).status, 200);
  const refused = await tokenFor(one);
  t.equal(refused.status, 429);
  t.match(refused.json, { error: 'temporarily_unavailable' });
  t.match(refused.headers.get('retry-after'), /^[1-9]\d*$/);
  t.equal((await tokenFor(other)).status, 200, 'another client is not hindered');
});

/** Dynamic registration: off unless an operator turns it on, and never more than an app of people gets. */
import { test } from 'tap';
import { clientOf } from '../../../src/auth/clients/clients.ts';
import { newKey, REDIRECT, startTestAuthServer } from '../test-auth-server.ts';

const TOKEN = 'initial-access-token-of-32-chars';

const setUp = async (t: Parameters<typeof startTestAuthServer>[0]) => {
  const server = await startTestAuthServer(t, { registrationToken: TOKEN });
  const register = (body: unknown, token: string | undefined = TOKEN) =>
    server.post('/auth/register', JSON.stringify(body), {
      'content-type': 'application/json',
      ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
    });
  return { server, register };
};

test('Without a token of the configuration nothing can be registered', async (t) => {
  const server = await startTestAuthServer(t);
  t.equal((await server.send('POST', '/auth/register')).status, 404);
});

test('An app is registered with the least that it needs', async (t) => {
  const { server, register } = await setUp(t);
  const { status, json, headers } = await register({
    ...{ client_name: 'App', redirect_uris: [REDIRECT], token_endpoint_auth_method: 'none', software_id: 'ignored' },
    ...{ reach: 'all', organization: 'Organization/1', kind: 'backend' },
  });
  t.equal(status, 201);
  t.equal(headers.get('cache-control'), 'no-store');
  t.match(json, {
    ...{ client_id: String, client_id_issued_at: Number, client_name: 'App', redirect_uris: [REDIRECT] },
    ...{ token_endpoint_auth_method: 'none', purpose: 'PATRQT', response_types: ['code'] },
    grant_types: ['authorization_code', 'refresh_token'],
  });
  t.notOk('client_secret' in json);
  const client = await clientOf(server, String(json['client_id']));
  t.match(client, { kind: 'public', reach: 'source', isDisabled: false });
  t.notOk(client !== undefined && 'organization' in client);
});

test('The kind follows from the way in which the client authenticates', async (t) => {
  const { register } = await setUp(t);
  const secret = await register({ redirect_uris: [REDIRECT] });
  t.match(secret.json, {
    token_endpoint_auth_method: 'client_secret_basic',
    client_secret: String,
    client_secret_expires_at: 0,
  });
  const { publicJwk } = await newKey();
  const keyed = await register({
    redirect_uris: [REDIRECT],
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: [publicJwk] },
  });
  t.match(keyed, { status: 201, json: { jwks: { keys: [{ kid: publicJwk.kid }] } } });
});

test('What cannot be registered so is refused with a reason', async (t) => {
  const { register } = await setUp(t);
  const app = { redirect_uris: [REDIRECT], token_endpoint_auth_method: 'none' };
  for (const body of [
    { ...app, grant_types: ['client_credentials'] },
    { ...app, grant_types: 'authorization_code' },
    { ...app, response_types: ['token'] },
    { ...app, token_endpoint_auth_method: 'tls_client_auth' },
    { ...app, token_endpoint_auth_method: 'constructor' },
    { ...app, purpose: 'HMARKT' },
    { ...app, client_name: 7 },
    { ...app, jwks: { keys: [] } },
    [],
    'x',
  ])
    t.match(await register(body), { status: 400, json: { error: 'invalid_client_metadata' } }, JSON.stringify(body));
  for (const redirect_uris of [undefined, [], ['http://app.example/'], ['javascript:alert(1)']])
    t.match(await register({ ...app, redirect_uris }), { status: 400, json: { error: 'invalid_redirect_uri' } });
  for (const scope of ['system/*.rs', 'patient/Nothing.rs', 'everything'])
    t.match(await register({ ...app, scope }), { status: 400, json: { error: 'invalid_client_metadata' } }, scope);
  for (const token of ['', 'wrong'])
    t.match(await register(app, token), { status: 401, json: { error: 'invalid_token' } });
});

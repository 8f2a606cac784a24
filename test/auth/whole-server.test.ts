/** The whole server with CONSILIUM_ACCESS=smart, from registration to clinical answers. */
import type { Bundle, CapabilityStatement, Patient } from '@medplum/fhirtypes';
import { SignJWT } from 'jose';
import { type Test, test } from 'tap';
import { createAuthorization, createFhirServer } from '../../src/app.ts';
import { disableClient, registerClient } from '../../src/auth/clients/clients.ts';
import { readConfig } from '../../src/config.ts';
import { openStore } from '../../src/open-store.ts';
import { startTestServer, type TestServer, temporaryFolder } from '../http/test-server.ts';
import { storeEnvironment } from '../http/test-store.ts';
import { ASSERTION, newKey, type TestKey } from './test-auth-server.ts';

const KEY = '5'.repeat(64);

/** Registers two hospitals in the store of a server that does not run yet, and starts it. */
const startHospitals = async (t: Test) => {
  const folder = temporaryFolder(t);
  const environment = { CONSILIUM_DATA: folder, CONSILIUM_ACCESS: 'smart', ...storeEnvironment(t, folder) };
  const config = readConfig({ CONSILIUM_STORE_KEY: KEY, ...environment });
  const store = await openStore(config);
  const fhir = createFhirServer(config, store, 'http://localhost/fhir');
  const server = createAuthorization(config, fhir);
  const key = await newKey('RS384');
  const register = async (organization: string) => {
    const registration = {
      name: organization,
      kind: 'backend',
      scope: 'system/*.cruds',
      purpose: 'TREAT',
      organization,
    };
    return (await registerClient(server, { ...registration, jwks: { keys: [key.publicJwk] } })).client.id;
  };
  const [north, south] = [await register('Organization/north'), await register('Organization/south')];
  const off = await register('Organization/off');
  await disableClient(server, off);
  await fhir.reindexing.close();
  await store.close();
  return { running: await startTestServer(t, environment), key, north, south, off };
};

const tokenOf = async ({ origin }: TestServer, key: TestKey, clientId: string, scope = 'system/*.cruds') => {
  const client_assertion = await new SignJWT({ jti: crypto.randomUUID() })
    .setProtectedHeader({ alg: key.alg, kid: key.publicJwk.kid ?? '', typ: 'JWT' })
    .setIssuer(clientId)
    .setSubject(clientId)
    .setAudience(`${origin}/auth/token`)
    .setExpirationTime('4m')
    .sign(key.privateKey);
  const form = { grant_type: 'client_credentials', client_assertion_type: ASSERTION, client_assertion, scope };
  const answer = await fetch(`${origin}/auth/token`, { method: 'POST', body: new URLSearchParams(form) });
  return (await answer.json()) as { access_token?: string; error?: string; scope?: string };
};

test('A backend client gets a token, pushes and reads, and another sees nothing of it', async (t) => {
  const { running, key, north, south, off } = await startHospitals(t);
  const bearer = async (clientId: string, scope?: string) => ({
    authorization: `Bearer ${(await tokenOf(running, key, clientId, scope)).access_token}`,
  });
  const [first, second] = [await bearer(north), await bearer(south)];
  const body = { resourceType: 'Patient', gender: 'female' };
  const created = await running.send('POST', 'Patient', { body, headers: first });
  t.equal(created.status, 201, created.text);
  const path = `Patient/${created.json<Patient>().id}`;
  const read = await running.send('GET', path, { headers: first });
  t.equal(read.status, 200);
  t.equal(read.headers.get('cache-control'), 'no-store');
  t.equal((await running.send('GET', path, { headers: second })).status, 404);
  for (const query of ['_total=accurate', '_summary=count'])
    for (const [headers, total] of [
      [first, 1],
      [second, 0],
    ] as const)
      t.equal((await running.send('GET', `Patient?${query}`, { headers })).json<Bundle>().total, total, query);
  const none = await running.send('GET', path);
  t.equal(none.status, 401, 'without token');
  t.match(none.headers.get('www-authenticate'), /^Bearer/);
  t.equal(none.outcome.resourceType, 'OperationOutcome');
  t.equal((await running.send('GET', path, { headers: { authorization: 'Bearer wrong' } })).status, 401);
  const observations = await bearer(north, 'system/Observation.rs');
  t.equal((await running.send('GET', path, { headers: observations })).status, 403, 'a token without the scope');
  t.match(await tokenOf(running, key, off), { error: 'invalid_client' });
});

test('A granular scope must be searchable', async (t) => {
  const { running, key, north } = await startHospitals(t);
  const category =
    'system/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory';
  t.equal((await tokenOf(running, key, north, category)).scope, category);
  for (const query of ['a=b', 'category=', 'date=yesterday', '_has:Provenance:target:agent=x', 'subject.name=x'])
    t.equal((await tokenOf(running, key, north, `system/Observation.rs?${query}`)).error, 'invalid_scope', query);
});

test('smart_discovery Test03, Test04: the CapabilityStatement says how to sign in, with the urls of the SMART configuration', async (t) => {
  const running = await startTestServer(t, { CONSILIUM_ACCESS: 'smart', CONSILIUM_REGISTRATION_TOKEN: 'r'.repeat(32) });
  const statement = await running.send('GET', 'metadata', { headers: { origin: 'https://app.example' } });
  t.equal(statement.status, 200, 'without a token');
  t.equal(statement.headers.get('access-control-allow-origin'), '*');
  const security = statement.json<CapabilityStatement>().rest?.[0]?.security;
  t.match(security, { cors: true, service: [{ coding: [{ code: 'SMART-on-FHIR' }] }] });
  const uris = security?.extension?.find(({ url }) => url?.endsWith('/oauth-uris'))?.extension ?? [];
  const stated = Object.fromEntries(uris.map(({ url, valueUri }) => [url, valueUri]));
  const configuration = (await running.send('GET', '.well-known/smart-configuration')).json<never>() as Record<
    string,
    string
  >;
  t.same(stated, {
    authorize: configuration['authorization_endpoint'],
    token: configuration['token_endpoint'],
    register: configuration['registration_endpoint'],
    introspect: configuration['introspection_endpoint'],
    revoke: configuration['revocation_endpoint'],
    manage: configuration['management_endpoint'],
  });
  t.equal(configuration['issuer'], running.origin);
});

test('Without sign-in there is no authorization server, and no page of another origin reads an answer', async (t) => {
  const running = await startTestServer(t, { CONSILIUM_ACCESS: 'open' });
  const { headers, status } = await running.send('GET', 'metadata', { headers: { origin: 'https://app.example' } });
  t.equal(status, 200);
  t.notOk(headers.has('access-control-allow-origin'));
  t.equal((await running.send('GET', '.well-known/smart-configuration')).status, 404);
  t.equal((await running.send('POST', `${running.origin}/auth/token`)).status, 404);
});

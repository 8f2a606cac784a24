/** fhirclient.js, the SMART client that most apps in a browser use, as it comes, against our server in Chromium. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import type { Page } from 'playwright-core';
import { type Test, test } from 'tap';
import { createLaunch } from '../../src/auth/endpoints/launch.ts';
import { PASSWORD, type PeopleServer, startPeopleServer } from '../auth/test-people.ts';
import { newPerson, openChromium, WITHOUT_CHROMIUM } from './chromium.ts';

const LIBRARY = readFileSync(fileURLToPath(import.meta.resolve('fhirclient/build/fhir-client.js')), 'utf8');

/** What the app has found out after its launch. */
interface Seen {
  readonly patient: { readonly id: string; readonly name: string };
  readonly encounter: string | null;
  readonly fhirUser: string;
  readonly idToken: string;
  readonly scope: string;
  readonly banner: unknown;
  readonly observations: number;
  readonly refreshed: boolean;
  readonly error?: string;
}

const page = (script: string): string =>
  `<!doctype html><html lang="en"><title>App</title><script src="/fhir-client.js"></script><script>${script}</script></html>`;

/** After the launch: read what the launch is about, then refresh the token and read again. */
const READY = `
const report = (seen) => { document.title = 'done'; window.seen = seen; };
FHIR.oauth2.ready().then(async (client) => {
  const patient = await client.patient.read();
  const before = client.state.tokenResponse.access_token;
  const observations = await client.request('Observation?patient=' + client.patient.id);
  const refreshed = client.state.tokenResponse.refresh_token ? await client.refresh() : undefined;
  if (refreshed) await client.patient.read();
  report({
    patient: { id: client.patient.id, name: patient.name[0].given[0] },
    encounter: client.encounter.id,
    fhirUser: client.user.fhirUser,
    idToken: client.state.tokenResponse.id_token,
    scope: client.state.tokenResponse.scope,
    banner: client.state.tokenResponse.need_patient_banner,
    observations: observations.total ?? (observations.entry || []).length,
    refreshed: refreshed !== undefined && refreshed.tokenResponse.access_token !== before,
  });
}).catch((error) => report({ error: String(error.stack || error) }));`;

/** An app with a launch page and the page that it comes back to. */
const startFhirApp = async (t: Test, options: () => object): Promise<string> => {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://app');
    response.setHeader('content-type', pathname.endsWith('.js') ? 'text/javascript' : 'text/html; charset=utf-8');
    if (pathname === '/fhir-client.js') response.end(LIBRARY);
    else if (pathname === '/launch') response.end(page(`FHIR.oauth2.authorize(${JSON.stringify(options())});`));
    else response.end(page(READY));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

const seenBy = async (tab: Page): Promise<Seen> => {
  await tab.waitForFunction("document.title === 'done'");
  const seen = (await tab.evaluate('window.seen')) as Seen;
  if (seen.error !== undefined) throw new Error(seen.error);
  return seen;
};

const checkIdToken = async (t: Test, { origin }: PeopleServer, { idToken, fhirUser }: Seen): Promise<void> => {
  const keys = (await (await fetch(`${origin}/auth/jwks`)).json()) as JSONWebKeySet;
  const { payload } = await jwtVerify(idToken, createLocalJWKSet(keys), { issuer: origin, audience: 'app' });
  t.equal(payload['fhirUser'], `${origin}/fhir/${fhirUser}`);
};

const signIn = async (tab: Page, login: string): Promise<void> => {
  await tab.getByLabel('User name').fill(login);
  await tab.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await tab.getByRole('button', { name: 'Sign in' }).click();
};

test('fhirclient.js: standalone launch by a patient, id_token, refresh', { skip: WITHOUT_CHROMIUM }, async (t) => {
  const server = await startPeopleServer(t);
  const scope = 'launch/patient openid fhirUser offline_access patient/Patient.rs patient/Observation.rs';
  const app = await startFhirApp(t, () => ({
    ...{ clientId: 'app', scope, redirectUri: '/', iss: server.fhirBase, pkceMode: 'required' },
  }));
  await server.addApp({ redirectUris: [`${app}/`] });
  await server.addUser('ada', 'Patient/ada', 'patient');
  const person = await newPerson(await openChromium(t));
  const tab = await person.newPage();
  await tab.goto(`${app}/launch`);
  await signIn(tab, 'ada');
  await tab.getByRole('button', { name: 'Allow' }).click();
  const seen = await seenBy(tab);
  t.match(seen, { patient: { id: 'ada', name: 'Ada' }, fhirUser: 'Patient/ada', observations: 0, refreshed: true });
  t.same(seen.scope.split(' ').sort(), scope.split(' ').sort(), 'all that was asked for was granted');
  await checkIdToken(t, server, seen);
});

test('fhirclient.js: EHR launch by a practitioner, with patient, encounter and id_token', {
  skip: WITHOUT_CHROMIUM,
}, async (t) => {
  const server = await startPeopleServer(t);
  const scope = 'launch openid fhirUser online_access user/Patient.rs user/Observation.rs patient/Encounter.rs';
  const app = await startFhirApp(t, () => ({ clientId: 'app', scope, redirectUri: '/', pkceMode: 'required' }));
  await server.addApp({ redirectUris: [`${app}/`], launchUris: [`${app}/launch`] });
  await server.addUser('marie', 'Practitioner/marie', 'referring-doctor', false);
  const asked = { client_id: 'app', patient: 'ada', encounter: 'visit-1' };
  const { launch_url = '' } = await createLaunch(server.auth, { reach: { kind: 'all' } }, asked);
  const person = await newPerson(await openChromium(t));
  const tab = await person.newPage();
  await tab.goto(launch_url);
  await signIn(tab, 'marie');
  await tab.getByRole('button', { name: 'Allow' }).click();
  const seen = await seenBy(tab);
  t.match(seen, {
    patient: { id: 'ada', name: 'Ada' },
    encounter: 'visit-1',
    fhirUser: 'Practitioner/marie',
    banner: true,
    refreshed: true,
  });
  await checkIdToken(t, server, seen);
});

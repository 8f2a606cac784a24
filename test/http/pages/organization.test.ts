/** By which name the approval page calls the organization of an app: nobody gives another's app a name. */
import { type Test, test } from 'tap';
import { registerClient } from '../../../src/auth/clients/clients.ts';
import { backendForm, newKey } from '../../auth/test-auth-server.ts';
import { openBrowser } from '../../auth/test-browser.ts';
import { authorizePath, PASSWORD, type PeopleServer, startPeopleServer } from '../../auth/test-people.ts';

const NOT_REGISTERED = 'The organization behind this app is not registered.';

/** Pushes a resource by PUT as a new system does, with a token of its own; answers the status. */
const push = async (
  { auth, origin, fhirBase }: PeopleServer,
  system: { readonly organization?: string; readonly reach?: 'all' },
  resource: { readonly resourceType: string; readonly id: string; readonly name: string },
): Promise<number> => {
  const scope = 'system/*.cruds';
  const key = await newKey();
  const registration = { name: 'EHR', kind: 'backend', scope, purpose: 'TREAT', jwks: { keys: [key.publicJwk] } };
  const { client } = await registerClient(auth, { ...registration, ...system });
  const form = await backendForm(auth, client.id, key, { scope });
  const answer = await fetch(`${origin}/auth/token`, { method: 'POST', body: new URLSearchParams(form) });
  const { access_token: token } = (await answer.json()) as { access_token: string };
  const { status } = await fetch(`${fhirBase}/${resource.resourceType}/${resource.id}`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/fhir+json' },
    body: JSON.stringify(resource),
  });
  return status;
};

const start = async (t: Test): Promise<PeopleServer> => {
  const server = await startPeopleServer(t);
  await server.addApp({ organization: 'Organization/heart' });
  await server.addUser('ada', 'Patient/ada', 'patient');
  return server;
};

/** What the approval page says of the organization. */
const shownOrganization = async (server: PeopleServer): Promise<string> => {
  const first = await openBrowser(server.origin).get(authorizePath(server));
  const { text } = await first.submit('/auth/sign-in', { login: 'ada', password: PASSWORD });
  return /<div class="app">[\s\S]*?<p>([^<]*)<\/p>/.exec(text)?.[1] ?? text;
};

const heart = (name: string) => ({ resourceType: 'Organization', id: 'heart', name });

test('An Organization that another hospital pushed first does not name the organization of an app', async (t) => {
  const server = await start(t);
  t.equal(await shownOrganization(server), NOT_REGISTERED, 'there is none');
  t.equal(await push(server, { organization: 'Organization/rival' }, heart('Ministry of Health')), 201);
  t.equal(await shownOrganization(server), NOT_REGISTERED);
});

test('An Organization that it pushed itself names it, and another hospital cannot change that', async (t) => {
  const server = await start(t);
  t.equal(await push(server, { organization: 'Organization/heart' }, heart('Heart Clinic')), 201);
  t.equal(await shownOrganization(server), 'An app of Heart Clinic');
  t.not(await push(server, { organization: 'Organization/rival' }, heart('Ministry of Health')), 200);
  t.equal(await shownOrganization(server), 'An app of Heart Clinic');
});

test('An Organization that a system for no organization pushed, as an operator has, names it', async (t) => {
  const server = await start(t);
  t.equal(await push(server, { reach: 'all' }, heart('Heart Clinic')), 201);
  t.equal(await shownOrganization(server), 'An app of Heart Clinic');
});

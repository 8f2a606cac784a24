/** Launches as the public kits go through them: from the authorization request to clinical answers. */
import type { Resource } from '@medplum/fhirtypes';
import { type Test, test } from 'tap';
import { ASSERTION, assertion, newBackend, newKey } from './test-auth-server.ts';
import { type Browser, openBrowser, type ShownPage } from './test-browser.ts';
import { authorizePath, PASSWORD, type PeopleServer, REDIRECT, startPeopleServer, VERIFIER } from './test-people.ts';

type Stored = Resource & { id: string };
type Json = Readonly<Record<string, unknown>>;

interface Sent {
  readonly status: number;
  readonly headers: Headers;
  readonly json: Json;
}

interface Launching {
  readonly server: PeopleServer;
  readonly browser: Browser;
  /** Goes through sign-in and approval with all that is asked ticked; answers the code. */
  codeFor(login: string, changes: Readonly<Record<string, string>>): Promise<string>;
  post(path: string, form: Readonly<Record<string, string>>, headers?: Readonly<Record<string, string>>): Promise<Sent>;
  fhir(token: unknown, path: string, headers?: Readonly<Record<string, string>>): Promise<Sent>;
}

const ORIGIN = 'https://app.example';

const sent = async (response: Response): Promise<Sent> => {
  const text = await response.text();
  return { status: response.status, headers: response.headers, json: text === '' ? {} : (JSON.parse(text) as Json) };
};

const launching = async (t: Test, environment = {}): Promise<Launching> => {
  const server = await startPeopleServer(t, environment);
  await server.addApp();
  await server.addUser('ada', 'Patient/ada', 'patient');
  await server.addUser('marie', 'Practitioner/marie', 'referring-doctor', false);
  const subject = { reference: 'Patient/ada' };
  const code = { coding: [{ system: 'urn:codes', code: 'x' }] };
  await server.put('Organization/north', { resourceType: 'Observation', id: 'o1', status: 'final', code, subject }, {
    ...{ resourceType: 'Condition', id: 'c1', code, subject },
  } satisfies Stored);
  const browser = openBrowser(server.origin);
  const signedIn = (page: ShownPage, login: string): Promise<ShownPage> | ShownPage =>
    /\/sign-in$/.test(page.url) || page.text.includes('name="password"')
      ? page.submit('/auth/sign-in', { login, password: PASSWORD })
      : page;
  return {
    ...{ server, browser },
    codeFor: async (login, changes) => {
      const asked = await signedIn(await browser.get(authorizePath(server, changes)), login);
      const { answer, url, title } = await asked.submit('/approve', [['decision', 'allow']]);
      if (answer['code'] === undefined) throw new Error(`No code at ${url} ${title} ${JSON.stringify(answer)}`);
      return answer['code'];
    },
    post: async (path, form, headers = {}) =>
      sent(await fetch(server.origin + path, { method: 'POST', headers, body: new URLSearchParams({ ...form }) })),
    fhir: async (token, path, headers = {}) => {
      const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
      return sent(await fetch(`${server.fhirBase}/${path}`, { headers: { ...authorization, ...headers } }));
    },
  };
};

const codeForm = (code: string) => ({
  ...{ grant_type: 'authorization_code', code, redirect_uri: REDIRECT, code_verifier: VERIFIER },
});

const granted = (json: Json): string[] => String(json['scope']).split(' ');

/** Of US Core: those in the patient's compartment, and those that are not. */
const COMPARTMENT_TYPES = [
  ...['AllergyIntolerance', 'CarePlan', 'CareTeam', 'Condition', 'Coverage', 'DiagnosticReport', 'DocumentReference'],
  ...['Encounter', 'Goal', 'Immunization', 'MedicationDispense', 'MedicationRequest', 'Observation', 'Procedure'],
  ...['QuestionnaireResponse', 'RelatedPerson', 'ServiceRequest', 'Specimen'],
];
const OTHER_TYPES = [
  'Device',
  'Location',
  'Medication',
  'Organization',
  'Practitioner',
  'PractitionerRole',
  'Provenance',
];

test('g10_smart_standalone_patient_app, g10_public_standalone_launch_stu2_2, launch-standalone, client-public, context-standalone-patient, permission-patient, permission-v2: a public app gets the patient, and reads', async (t) => {
  const { server, codeFor, post, fhir } = await launching(t);
  const scopes = [...['openid', 'fhirUser', 'launch/patient', 'offline_access'], 'patient/*.rs'];
  const code = await codeFor('ada', { scope: scopes.join(' ') });
  const { status, json, headers } = await post(
    '/auth/token',
    { ...codeForm(code), client_id: 'app' },
    { origin: ORIGIN },
  );
  t.equal(status, 200);
  t.equal(headers.get('access-control-allow-origin'), '*', 'smart_cors_token_exchange');
  t.same(granted(json).sort(), scopes.sort(), 'g10_smart_scopes');
  const token = json['access_token'];
  await t.test('g10_patient_context, g10_patient_scope: the patient of the token is read with it', async (t) => {
    t.match(await fhir(token, `Patient/${json['patient']}`), {
      status: 200,
      json: { resourceType: 'Patient', id: 'ada' },
    });
  });
  await t.test('g10_unauthorized_access: the same without a token is 401', async (t) => {
    const refused = await fhir(undefined, `Patient/${json['patient']}`);
    t.match(refused, { status: 401, json: { resourceType: 'OperationOutcome' } });
    t.match(refused.headers.get('www-authenticate'), /^Bearer/);
  });
  await t.test('g10_unrestricted_resource_type_access: the first search of each type is 200', async (t) => {
    for (const type of COMPARTMENT_TYPES) t.equal((await fhir(token, `${type}?patient=ada`)).status, 200, type);
    for (const type of OTHER_TYPES) t.equal((await fhir(token, `${type}?_id=x`)).status, 200, type);
    t.equal((await fhir(token, 'Patient?_id=ada')).status, 200);
  });
  await t.test(
    'smart_openid_fhir_user_claim, smart_cors_openid_fhir_user_claim: fhirUser is read, also by an app in a browser',
    async (t) => {
      const payload = String(json['id_token']).split('.')[1] ?? '';
      const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { fhirUser: string };
      t.equal(claims.fhirUser, `${server.fhirBase}/Patient/ada`);
      const read = await fhir(token, 'Patient/ada', { origin: ORIGIN });
      t.equal(read.headers.get('access-control-allow-origin'), '*');
      t.match(read.json, { resourceType: 'Patient' });
    },
  );
  await t.test(
    'permission-offline, g10_patient_context after refresh, g10_token_revocation: it goes on, until it is revoked',
    async (t) => {
      const refresh = { grant_type: 'refresh_token', refresh_token: String(json['refresh_token']), client_id: 'app' };
      const next = (await post('/auth/token', refresh)).json;
      t.equal((await fhir(next['access_token'], `Patient/${next['patient']}`)).status, 200);
      const revoked = await post('/auth/revoke', { token: String(next['refresh_token']), client_id: 'app' });
      t.equal(revoked.status, 200);
      t.equal((await fhir(next['access_token'], 'Patient/ada')).status, 401);
      t.equal((await fhir(token, 'Patient/ada')).status, 401);
      const late = await post('/auth/token', { ...refresh, refresh_token: String(next['refresh_token']) });
      t.match(late, { status: 400, json: { error: 'invalid_grant' } });
    },
  );
});

test('REQ-S 77, 91, 94, 265: a token ends after an hour at most, and then is 401 with WWW-Authenticate: Bearer', async (t) => {
  const { server, codeFor, post, fhir } = await launching(t);
  const code = await codeFor('ada', { scope: 'launch/patient patient/*.rs' });
  const { json } = await post('/auth/token', { ...codeForm(code), client_id: 'app' });
  t.ok(Number(json['expires_in']) <= 3600);
  t.equal((await fhir(json['access_token'], 'Patient/ada')).status, 200);
  const key = `grant/${String(json['access_token']).split('.')[0]}`;
  const grant = JSON.parse((await server.auth.records.get(key))?.value ?? '') as { access: { expires: number }[] };
  const access = grant.access.map((each) => ({ ...each, expires: Date.now() - 1 }));
  await server.auth.records.put(key, JSON.stringify({ ...grant, access }), { expires: Date.now() + 60_000 });
  const ended = await fhir(json['access_token'], 'Patient/ada');
  t.equal(ended.status, 401);
  t.match(ended.headers.get('www-authenticate'), /^Bearer .*error="invalid_token"/);
});

test('g10_limited_scope_grant, g10_restricted_resource_type_access: what was granted is searched, all else is 403', async (t) => {
  const { codeFor, post, fhir } = await launching(t);
  const code = await codeFor('ada', { scope: 'launch/patient patient/Patient.rs patient/Observation.rs' });
  const { json } = await post('/auth/token', { ...codeForm(code), client_id: 'app' });
  for (const type of [...COMPARTMENT_TYPES, ...OTHER_TYPES]) {
    const { status, json: answer } = await fhir(json['access_token'], `${type}?_id=x`);
    t.equal(status, type === 'Observation' ? 200 : 403, type);
    if (status === 403) t.equal(answer['resourceType'], 'OperationOutcome');
  }
});

test('g10_smart_v1_scopes, permission-v1: .read permits reads and searches, .write writes, whatever is granted', async (t) => {
  const { server, codeFor, post, fhir } = await launching(t);
  const code = await codeFor('ada', { scope: 'launch/patient patient/Observation.read patient/Condition.write' });
  const { json } = await post('/auth/token', { ...codeForm(code), client_id: 'app' });
  const token = json['access_token'];
  t.equal((await fhir(token, 'Observation/o1')).status, 200);
  t.equal((await fhir(token, 'Observation?patient=ada')).status, 200);
  t.equal((await fhir(token, 'Condition/c1')).status, 403);
  const condition = { resourceType: 'Condition', subject: { reference: 'Patient/ada' } };
  const create = (body: object, type: string) =>
    fetch(`${server.fhirBase}/${type}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/fhir+json' },
      body: JSON.stringify(body),
    });
  t.equal((await create(condition, 'Condition')).status, 201);
  t.equal((await create({ ...condition, resourceType: 'Observation' }, 'Observation')).status, 403);
});

test('client-confidential-symmetric, client-confidential-asymmetric, g10_asymmetric_launch: confidential apps go through the same launch', async (t) => {
  const { server, codeFor, post, fhir } = await launching(t);
  const key = await newKey('ES384');
  const secretApp = { id: 'secret-app', kind: 'confidential-symmetric' };
  await server.addApp(secretApp);
  await server.addApp({ id: 'key-app', kind: 'confidential-asymmetric', jwks: { keys: [key.publicJwk] } });
  const { rotateSecret } = await import('../../src/auth/clients/clients.ts');
  const { secret } = await rotateSecret(server.auth, 'secret-app');
  const basic = { authorization: `Basic ${Buffer.from(`secret-app:${secret}`).toString('base64')}` };
  const byKey = { client_assertion_type: ASSERTION, client_assertion: await assertion(server.auth, 'key-app', key) };
  const scope = 'openid fhirUser launch/patient patient/Patient.rs';
  for (const [client_id, fields, headers] of [
    ['secret-app', {}, basic],
    ['key-app', byKey, {}],
  ] as const) {
    const code = await codeFor('ada', { scope, client_id });
    const without = await post('/auth/token', { ...codeForm(code), client_id });
    t.match(without, { status: 401, json: { error: 'invalid_client' } }, `${client_id} without its proof`);
    const { status, json } = await post('/auth/token', { ...codeForm(code), ...fields }, headers);
    t.equal(status, 200, client_id);
    t.type(json['id_token'], 'string');
    t.equal((await fhir(json['access_token'], `Patient/${json['patient']}`)).status, 200);
  }
});

test('g10_smart_ehr_practitioner_app, launch-ehr, context-ehr-patient, context-ehr-encounter, permission-user: an EHR launches an app for a practitioner', async (t) => {
  const { server, codeFor, post, fhir } = await launching(t);
  const ehr = await newBackend(server.auth, { scope: 'system/*.rs', organization: 'Organization/north' });
  const client_assertion = await assertion(server.auth, ehr.client.id, ehr.key);
  const form = { grant_type: 'client_credentials', scope: 'system/*.rs', client_assertion_type: ASSERTION };
  const { json: system } = await post('/auth/token', { ...form, client_assertion });
  const launched = async (): Promise<Json> => {
    const response = await fetch(`${server.origin}/auth/launch`, {
      method: 'POST',
      headers: { authorization: `Bearer ${system['access_token']}`, 'content-type': 'application/json' },
      body: JSON.stringify({ client_id: 'app', patient: 'ada', encounter: 'visit-1' }),
    });
    return (await response.json()) as Json;
  };
  const launch = await launched();
  t.equal(launch['iss'], server.fhirBase, 'smart_app_launch, smart_launch_received');
  const scope = 'openid fhirUser launch offline_access user/Patient.rs user/Encounter.rs user/Practitioner.rs';
  const code = await codeFor('marie', { scope, launch: String(launch['launch']) });
  const { json } = await post('/auth/token', { ...codeForm(code), client_id: 'app' });
  const token = json['access_token'];
  t.same(granted(json).sort(), scope.split(' ').sort(), 'g10_smart_scopes (user)');
  await t.test(
    'g10_patient_context, g10_encounter_context: both are in the answer, and are read with it',
    async (t) => {
      t.match(json, { patient: 'ada', encounter: 'visit-1' });
      t.equal((await fhir(token, 'Patient/ada')).status, 200);
      t.equal((await fhir(token, 'Encounter/visit-1')).status, 200);
      t.equal((await fhir(token, 'Patient/grace')).status, 200, 'user/ scopes are not bound to the patient');
      t.equal((await fhir(token, 'Patient/rosa')).status, 404, 'REQ-S 119: another hospital’s patient stays hidden');
    },
  );
  await t.test('g10_smart_style_url, g10_smart_need_patient_banner, context-style, context-banner', async (t) => {
    t.equal(json['need_patient_banner'], true);
    const style = await fetch(String(json['smart_style_url']));
    t.equal(style.status, 200);
    t.type(await style.json(), 'object');
  });
  await t.test('REQ-S 276-279: introspection says the same of it', async (t) => {
    const { json: found } = await post('/auth/introspect', { token: String(token), client_id: 'app' });
    t.match(found, { active: true, client_id: 'app', patient: 'ada', encounter: 'visit-1', iss: server.origin });
  });
  await t.test(
    'g10_ehr_patient_launch_stu2_2: patient/ scopes work in an EHR launch, for its patient alone',
    async (t) => {
      const second = await codeFor('marie', {
        scope: 'launch patient/Patient.rs',
        launch: String((await launched())['launch']),
      });
      const { json: narrow } = await post('/auth/token', { ...codeForm(second), client_id: 'app' });
      t.equal((await fhir(narrow['access_token'], 'Patient/ada')).status, 200);
      t.equal((await fhir(narrow['access_token'], 'Patient/grace')).status, 404);
    },
  );
});

test('REQ-S 96, g10_smart_invalid_aud: there is no token for an aud of another FHIR base', async (t) => {
  const { server, browser } = await launching(t);
  for (const aud of ['https://other.example/fhir', server.origin, `${server.fhirBase}/Patient`]) {
    const { answer } = await browser.get(authorizePath(server, { aud }));
    t.match(answer, { error: 'invalid_request' }, aud);
    t.notOk('code' in answer);
  }
});

test('OIDCCScopeProfile, Email, Address, Phone, All, OIDCCClaimsEssential: scopes and claims that are not supported are passed over', async (t) => {
  const { codeFor, post } = await launching(t);
  const scope = 'openid profile email address phone launch/patient patient/Patient.rs';
  const claims = JSON.stringify({ id_token: { name: { essential: true } }, userinfo: { email: null } });
  const code = await codeFor('ada', { scope, claims });
  const { status, json } = await post('/auth/token', { ...codeForm(code), client_id: 'app' });
  t.equal(status, 200);
  t.same(granted(json).sort(), ['launch/patient', 'openid', 'patient/Patient.rs']);
  t.type(json['id_token'], 'string');
});

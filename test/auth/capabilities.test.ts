/**
 * REQ-S 352-371: each capability that the SMART configuration advertises works, through HTTP.
 *
 * @see https://hl7.org/fhir/smart-app-launch/conformance.html#capabilities
 */
import { createRemoteJWKSet, jwtVerify } from 'jose';
import tap, { type Test, test } from 'tap';
import { rotateSecret } from '../../src/auth/clients/clients.ts';
import { ASSERTION, assertion, newBackend, newKey, type TestKey } from './test-auth-server.ts';
import { type Browser, openBrowser, type ShownPage } from './test-browser.ts';
import { authorizePath, PASSWORD, type PeopleServer, REDIRECT, startPeopleServer, VERIFIER } from './test-people.ts';

type Json = Readonly<Record<string, unknown>>;

interface Sent {
  readonly status: number;
  readonly json: Json;
}

type Fields = Readonly<Record<string, string>>;

interface Setting {
  readonly server: PeopleServer;
  /** Of `key-app`, by algorithm. */
  readonly keys: readonly TestKey[];
  /** The authorization header of the hospital's system. */
  readonly system: Fields;
}

/** One server for all: no test changes its people, patients or apps. */
const setting: Promise<Setting> = startPeopleServer(tap).then(async (server) => {
  const keys = [await newKey('RS384'), await newKey('ES384')];
  await server.addApp({ launchUris: ['http://127.0.0.1:9/launch'] });
  await server.addApp({ id: 'secret-app', kind: 'confidential-symmetric' });
  const jwks = { keys: keys.map(({ publicJwk }) => publicJwk) };
  await server.addApp({ id: 'key-app', kind: 'confidential-asymmetric', jwks });
  await server.addUser('ada', 'Patient/ada', 'patient');
  await server.addUser('marie', 'Practitioner/marie', 'referring-doctor', false);
  const ehr = await newBackend(server.auth, { scope: 'system/*.rs', organization: 'Organization/north' });
  const { json } = await post(server, '/auth/token', {
    ...{ grant_type: 'client_credentials', scope: 'system/*.rs', client_assertion_type: ASSERTION },
    client_assertion: await assertion(server.auth, ehr.client.id, ehr.key),
  });
  return { server, keys, system: { authorization: `Bearer ${json['access_token']}` } };
});

const sent = async (response: Response): Promise<Sent> => {
  const text = await response.text();
  return { status: response.status, json: text.startsWith('{') ? (JSON.parse(text) as Json) : {} };
};

const post = async ({ origin }: PeopleServer, path: string, form: Fields, headers: Fields = {}): Promise<Sent> =>
  sent(await fetch(origin + path, { method: 'POST', headers, body: new URLSearchParams({ ...form }) }));

const fhir = async ({ fhirBase }: PeopleServer, token: unknown, path: string, body?: object): Promise<Sent> =>
  sent(
    await fetch(`${fhirBase}/${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/fhir+json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }),
  );

const signedIn = (page: ShownPage, login: string): Promise<ShownPage> =>
  page.submit('/auth/sign-in', { login, password: PASSWORD });

const approved = (page: ShownPage): Promise<ShownPage> => page.submit('/approve', { decision: 'allow' });

const codeOf = ({ answer, url, title }: ShownPage): string => {
  if (answer['code'] === undefined) throw new Error(`No code at ${url} ${title}`);
  return answer['code'];
};

const codeForm = (code: string): Fields => ({
  ...{ grant_type: 'authorization_code', code, redirect_uri: REDIRECT, code_verifier: VERIFIER },
});

/** Signs in and approves; answers the code. No page may stand between the two. */
const codeFor = async (login: string, changes: Fields, browser?: Browser): Promise<string> => {
  const { server } = await setting;
  const asked = await (browser ?? openBrowser(server.origin)).get(authorizePath(server, changes));
  return codeOf(await approved(await signedIn(asked, login)));
};

const tokensOf = async (code: string): Promise<Json> =>
  (await post((await setting).server, '/auth/token', { ...codeForm(code), client_id: 'app' })).json;

/** The EHR launches `app` with a context; answers `launch`, `iss` and `launch_url`. */
const launched = async (context: object): Promise<Fields> => {
  const { server, system } = await setting;
  const response = await fetch(`${server.origin}/auth/launch`, {
    method: 'POST',
    headers: { ...system, 'content-type': 'application/json' },
    body: JSON.stringify({ client_id: 'app', ...context }),
  });
  return (await response.json()) as Fields;
};

const ehrTokens = async (context: object, scope: string): Promise<Json> => {
  const { launch = '' } = await launched(context);
  return tokensOf(await codeFor('marie', { scope, launch }));
};

/** Refreshes while the person is signed in, and once more after they have signed out. */
const refreshed = async (scope: string): Promise<[before: Sent, after: Sent]> => {
  const { server } = await setting;
  const browser = openBrowser(server.origin);
  const tokens = await tokensOf(await codeFor('ada', { scope }, browser));
  const refresh = (from: Json): Promise<Sent> => {
    const form = { grant_type: 'refresh_token', refresh_token: String(from['refresh_token']), client_id: 'app' };
    return post(server, '/auth/token', form);
  };
  const before = await refresh(tokens);
  await (await browser.get('/auth/manage')).submit('/auth/sign-out');
  return [before, await refresh(before.json)];
};

const observation = { resourceType: 'Observation', status: 'final', code: { text: 'x' } };
const ofAda = { ...observation, subject: { reference: 'Patient/ada' } };

const BEHAVIOURS: Readonly<Record<string, (t: Test) => Promise<void>>> = {
  'launch-ehr': async (t) => {
    const { server } = await setting;
    const launch = await launched({ patient: 'ada' });
    const { searchParams } = new URL(launch['launch_url'] ?? '');
    t.equal(searchParams.get('iss'), server.fhirBase);
    const changes = { scope: 'launch patient/Patient.rs', launch: searchParams.get('launch') ?? '' };
    const { access_token: token, patient } = await tokensOf(await codeFor('marie', changes));
    t.equal((await fhir(server, token, `Patient/${patient}`)).status, 200);
    const again = await openBrowser(server.origin).get(authorizePath(server, changes));
    t.match(again.answer, { error: 'invalid_request' }, 'a launch is good for once');
  },

  'launch-standalone': async (t) => {
    const { server } = await setting;
    const tokens = await tokensOf(await codeFor('ada', { scope: 'launch/patient patient/Patient.rs' }));
    t.equal((await fhir(server, tokens['access_token'], `Patient/${tokens['patient']}`)).status, 200);
  },

  'authorize-post': async (t) => {
    const { server } = await setting;
    const browser = openBrowser(server.origin);
    const parameters = new URLSearchParams(authorizePath(server).split('?')[1]);
    const page = await browser.post('/auth/authorize', [...parameters], { 'sec-fetch-site': 'cross-site' });
    const { answer } = await approved(await signedIn(page, 'ada'));
    t.match(answer, { code: /./, state: 'a state' });
    t.type((await tokensOf(answer['code'] ?? ''))['access_token'], 'string');
  },

  'client-public': async (t) => {
    const { server } = await setting;
    const form = { ...codeForm(await codeFor('ada', {})), client_id: 'app' };
    const stolen = { ...codeForm(await codeFor('ada', {})), client_id: 'app', code_verifier: 'w'.repeat(43) };
    t.match(await post(server, '/auth/token', form), { status: 200, json: { access_token: /./ } });
    t.match(await post(server, '/auth/token', stolen), { status: 400, json: { error: 'invalid_grant' } });
  },

  'client-confidential-symmetric': async (t) => {
    const { server } = await setting;
    const { secret } = await rotateSecret(server.auth, 'secret-app');
    const form = codeForm(await codeFor('ada', { client_id: 'secret-app' }));
    const basic = (password: string): Fields => ({ authorization: `Basic ${btoa(`secret-app:${password}`)}` });
    const refused = { status: 401, json: { error: 'invalid_client' } };
    t.match(await post(server, '/auth/token', { ...form, client_id: 'secret-app' }), refused, 'without its secret');
    t.match(await post(server, '/auth/token', form, basic('another')), refused);
    t.match(await post(server, '/auth/token', form, basic(secret)), { status: 200, json: { access_token: /./ } });
  },

  'client-confidential-asymmetric': async (t) => {
    const { server, keys } = await setting;
    for (const key of keys) {
      const form = codeForm(await codeFor('ada', { client_id: 'key-app' }));
      const signed = async (by: TestKey): Promise<Sent> => {
        const client_assertion = await assertion(server.auth, 'key-app', by);
        return post(server, '/auth/token', { ...form, client_assertion_type: ASSERTION, client_assertion });
      };
      t.match(await signed(await newKey(key.alg, key.publicJwk.kid)), {
        status: 401,
        json: { error: 'invalid_client' },
      });
      t.match(await signed(key), { status: 200, json: { access_token: /./ } }, key.alg);
    }
  },

  'sso-openid-connect': async (t) => {
    const { server } = await setting;
    const { json } = await sent(await fetch(`${server.fhirBase}/.well-known/smart-configuration`));
    const code = await codeFor('ada', { scope: 'openid fhirUser launch/patient patient/Patient.rs', nonce: 'n-1' });
    const { id_token: token, access_token: access } = await tokensOf(code);
    const { payload } = await jwtVerify(String(token), createRemoteJWKSet(new URL(String(json['jwks_uri']))), {
      ...{ issuer: String(json['issuer']), audience: 'app', algorithms: ['RS256'] },
    });
    t.match(payload, { sub: /./, nonce: 'n-1', fhirUser: `${server.fhirBase}/Patient/ada` });
    const person = await fetch(String(payload['fhirUser']), { headers: { authorization: `Bearer ${access}` } });
    t.match(await person.json(), { resourceType: 'Patient', id: 'ada' });
  },

  'context-banner': async (t) => {
    const scope = 'launch patient/Patient.rs';
    t.equal((await ehrTokens({ patient: 'ada' }, scope))['need_patient_banner'], true);
    const shown = await ehrTokens({ patient: 'ada', need_patient_banner: false }, scope);
    t.equal(shown['need_patient_banner'], false);
  },

  'context-style': async (t) => {
    const tokens = await ehrTokens({ patient: 'ada' }, 'launch patient/Patient.rs');
    const style = await fetch(String(tokens['smart_style_url']));
    t.equal(style.status, 200);
    t.match(await style.json(), { color_background: /^#/, color_text: /^#/ });
  },

  'context-ehr-patient': async (t) => {
    const { server } = await setting;
    const { patient, access_token: token } = await ehrTokens({ patient: 'grace' }, 'launch patient/Patient.rs');
    t.equal(patient, 'grace');
    t.equal((await fhir(server, token, 'Patient/grace')).status, 200);
    t.equal((await fhir(server, token, 'Patient/ada')).status, 404);
  },

  'context-ehr-encounter': async (t) => {
    const { server } = await setting;
    const scope = 'launch patient/Encounter.rs';
    const { encounter, access_token: token } = await ehrTokens({ patient: 'ada', encounter: 'visit-2' }, scope);
    t.equal(encounter, 'visit-2');
    t.match(await fhir(server, token, 'Encounter/visit-2'), { status: 200, json: { resourceType: 'Encounter' } });
  },

  'context-standalone-patient': async (t) => {
    const { server } = await setting;
    const asked = authorizePath(server, { scope: 'launch/patient patient/Patient.rs' });
    const picker = await signedIn(await openBrowser(server.origin).get(asked), 'marie');
    t.equal(picker.title, 'Choose a patient');
    const tokens = await tokensOf(codeOf(await approved(await picker.submit('/patient', { patient: 'emmy' }))));
    t.equal(tokens['patient'], 'emmy');
    t.equal((await fhir(server, tokens['access_token'], 'Patient/emmy')).status, 200);
    t.equal((await fhir(server, tokens['access_token'], 'Patient/ada')).status, 404);
  },

  'context-standalone-encounter': async (t) => {
    const { server } = await setting;
    const asked = authorizePath(server, { scope: 'launch/patient launch/encounter patient/Encounter.rs' });
    const picker = await signedIn(await openBrowser(server.origin).get(asked), 'ada');
    t.equal(picker.title, 'Choose a visit');
    const tokens = await tokensOf(codeOf(await approved(await picker.submit('/encounter', { encounter: 'visit-1' }))));
    t.match(tokens, { patient: 'ada', encounter: 'visit-1' });
    t.equal((await fhir(server, tokens['access_token'], 'Encounter/visit-1')).status, 200);
    // REQ-S 364: also without a scope that asks for the patient, to whom the encounter then leads.
    const visit = authorizePath(server, { scope: 'launch/encounter user/Encounter.rs' });
    const patients = await signedIn(await openBrowser(server.origin).get(visit), 'marie');
    t.equal(patients.title, 'Choose a patient');
    const visits = await patients.submit('/patient', { patient: 'ada' });
    t.equal(visits.title, 'Choose a visit');
    t.match(await tokensOf(codeOf(await approved(await visits.submit('/encounter', { encounter: 'visit-2' })))), {
      ...{ patient: 'ada', encounter: 'visit-2', scope: 'launch/encounter user/Encounter.rs' },
    });
    const again = await signedIn(await openBrowser(server.origin).get(visit), 'marie');
    const none = await (await again.submit('/patient', { patient: 'ada' })).submit('/encounter', { encounter: '' });
    const withoutVisit = await tokensOf(codeOf(await approved(none)));
    t.same(
      [withoutVisit['patient'], withoutVisit['encounter'], withoutVisit['scope']],
      [...[undefined, undefined, 'user/Encounter.rs']],
    );
  },

  'permission-offline': async (t) => {
    const { server } = await setting;
    const [before, after] = await refreshed('offline_access launch/patient patient/Patient.rs');
    t.equal(before.status, 200);
    t.equal(after.status, 200, 'also after the person has signed out');
    t.equal((await fhir(server, after.json['access_token'], 'Patient/ada')).status, 200);
  },

  'permission-online': async (t) => {
    const [before, after] = await refreshed('online_access launch/patient patient/Patient.rs');
    t.equal(before.status, 200, 'while the person is signed in');
    t.match(after, { status: 400, json: { error: 'invalid_grant' } });
  },

  'permission-patient': async (t) => {
    const { server } = await setting;
    const { launch = '' } = await launched({ patient: 'ada' });
    const tokens = await tokensOf(await codeFor('marie', { scope: 'launch patient/*.rs', launch }));
    t.equal((await fhir(server, tokens['access_token'], 'Patient/ada')).status, 200);
    t.equal((await fhir(server, tokens['access_token'], 'Encounter/visit-1')).status, 200);
    t.equal((await fhir(server, tokens['access_token'], 'Patient/grace')).status, 404, 'whom she sees herself');
  },

  'permission-user': async (t) => {
    const { server } = await setting;
    const tokens = await tokensOf(await codeFor('marie', { scope: 'openid user/Patient.rs' }));
    t.notOk('patient' in tokens);
    for (const [patient, status] of [
      ['ada', 200],
      ['grace', 200],
      ['rosa', 404],
    ])
      t.equal((await fhir(server, tokens['access_token'], `Patient/${patient}`)).status, status, String(patient));
  },

  'permission-v1': async (t) => {
    const { server } = await setting;
    const tokenFor = async (scope: string) => (await tokensOf(await codeFor('ada', { scope })))['access_token'];
    const read = await tokenFor('launch/patient patient/Observation.read');
    const write = await tokenFor('launch/patient patient/Observation.write');
    t.equal((await fhir(server, read, 'Observation', ofAda)).status, 403);
    t.equal((await fhir(server, write, 'Observation', ofAda)).status, 201);
    t.equal((await fhir(server, read, 'Observation?patient=ada')).status, 200);
    t.equal((await fhir(server, write, 'Observation?patient=ada')).status, 403);
  },

  'permission-v2': async (t) => {
    const { server } = await setting;
    const tokenFor = async (scope: string) => (await tokensOf(await codeFor('ada', { scope })))['access_token'];
    const create = await tokenFor('launch/patient patient/Observation.c');
    const read = await tokenFor('launch/patient patient/Observation.r');
    const search = await tokenFor('launch/patient patient/Observation.s?status=final');
    const { status, json } = await fhir(server, create, 'Observation', ofAda);
    t.equal(status, 201);
    await server.put('Organization/north', { ...ofAda, id: 'amended', status: 'amended' } as never);
    for (const [token, statuses] of [
      [create, [403, 403]],
      [read, [200, 403]],
      [search, [403, 200]],
    ] as const) {
      t.equal((await fhir(server, token, `Observation/${json['id']}`)).status, statuses[0]);
      t.equal((await fhir(server, token, 'Observation?patient=ada')).status, statuses[1]);
    }
    const found = await fhir(server, search, 'Observation?_total=accurate&status=amended');
    t.match(found, { status: 200, json: { total: 0 } }, 'what the granular scope leaves out');
  },
};

test('What is advertised is exactly what is tested here', async (t) => {
  const { server } = await setting;
  const { json } = await sent(await fetch(`${server.fhirBase}/.well-known/smart-configuration`));
  t.same([...(json['capabilities'] as string[])].sort(), Object.keys(BEHAVIOURS).sort());
});

for (const [capability, behaves] of Object.entries(BEHAVIOURS)) test(capability, behaves);

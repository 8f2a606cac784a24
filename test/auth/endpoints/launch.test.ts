/** An EHR creates launches. */
import { test } from 'tap';
import { createLaunch } from '../../../src/auth/endpoints/launch.ts';
import { takeLaunch } from '../../../src/auth/launches.ts';
import {
  backendForm,
  codeForm,
  granted,
  newApp,
  newBackend,
  newCode,
  newUser,
  startTestAuthServer,
} from '../test-auth-server.ts';

const withToken = async (t: Parameters<typeof startTestAuthServer>[0]) => {
  const server = await startTestAuthServer(t);
  const { client, key } = await newBackend(server);
  const { json } = await server.post('/auth/token', await backendForm(server, client.id, key));
  const { client: app } = await newApp(server, { launchUris: ['https://app.example/launch?x=1'] });
  const authorization = { authorization: `Bearer ${json['access_token']}` };
  const launch = (body: object, headers: Record<string, string> = authorization) =>
    server.post('/auth/launch', body, headers);
  return { server, app, launch };
};

test('smart_app_launch, smart_launch_received: a backend client creates a launch with iss and an opaque launch, which its app can use once', async (t) => {
  const { server, app, launch } = await withToken(t);
  const asked = {
    ...{
      client_id: app.id,
      patient: 'ada',
      encounter: 'Encounter/e1',
      intent: 'reconcile',
      need_patient_banner: false,
    },
    fhirContext: [
      { reference: 'ImagingStudy/1', role: 'launch' },
      { reference: 'Patient/ada', role: 'https://a.example/roles/mother' },
      { canonical: 'https://a.example/Questionnaire/q', type: 'Condition' },
    ],
  };
  const { status, json, headers } = await launch(asked);
  t.equal(status, 201);
  t.equal(headers.get('cache-control'), 'no-store');
  t.equal(json['iss'], server.fhirBase);
  const url = new URL(String(json['launch_url']));
  t.equal(url.origin + url.pathname, 'https://app.example/launch');
  t.same(Object.fromEntries(url.searchParams), { x: '1', iss: server.fhirBase, launch: json['launch'] });
  const other = await newApp(server);
  t.equal(await takeLaunch(server, String(json['launch']), other.client.id), undefined, 'another client gets nothing');
  const taken = await takeLaunch(server, String(json['launch']), app.id);
  t.same(taken?.context, {
    ...{ patient: 'ada', encounter: 'e1', intent: 'reconcile', fhirContext: asked.fhirContext },
    ...{ needPatientBanner: false, smartStyleUrl: `${server.issuer}/auth/smart-style.json` },
  });
  t.equal(await takeLaunch(server, String(json['launch']), app.id), undefined, 'it is of use once');
  t.equal(await takeLaunch(server, 'unknown', app.id), undefined);
});

test('A launch lives five minutes, and without anything said has a banner and a style', async (t) => {
  const { server, app, launch } = await withToken(t);
  t.equal((await launch({ client_id: app.id })).status, 201);
  const [record] = await server.records.list('launch/', 10);
  t.ok(Math.abs((record?.expires ?? 0) - server.now() - 300_000) < 5000);
  t.match(JSON.parse(record?.value ?? ''), { context: { needPatientBanner: true, smartStyleUrl: /smart-style/ } });
});

test('A launch that makes no sense, or is about what its creator does not reach, is refused', async (t) => {
  const { server, app, launch } = await withToken(t);
  const backend = await newBackend(server);
  const refused: object[] = [
    {},
    { client_id: 'unknown' },
    { client_id: backend.client.id },
    { client_id: 7 },
    { client_id: app.id, patient: 'hidden' },
    { client_id: app.id, patient: 'a/b' },
    { client_id: app.id, patient: 'Observation/1' },
    { client_id: app.id, encounter: 'e1' },
    { client_id: app.id, patient: 'ada', encounter: 'of-another' },
    { client_id: app.id, patient: 'ada', encounter: 'hidden' },
    { client_id: app.id, intent: 7 },
    { client_id: app.id, need_patient_banner: 'yes' },
    { client_id: app.id, smart_style_url: 'javascript:alert(1)' },
    { client_id: app.id, fhirContext: {} },
    { client_id: app.id, fhirContext: [{}] },
    { client_id: app.id, fhirContext: ['ImagingStudy/1'] },
    { client_id: app.id, fhirContext: [{ reference: 'https://a.example/ImagingStudy/1' }] },
    { client_id: app.id, fhirContext: [{ reference: 'Nothing/1' }] },
    { client_id: app.id, fhirContext: [{ reference: 'Patient/ada' }] },
    { client_id: app.id, fhirContext: [{ reference: 'Patient/ada', role: 'launch' }] },
    { client_id: app.id, fhirContext: [{ reference: 'ImagingStudy/1', role: '' }] },
    { client_id: app.id, fhirContext: [{ reference: 'ImagingStudy/1', role: 'prior' }] },
    { client_id: app.id, fhirContext: [{ reference: 'ImagingStudy/1', role: 7 }] },
    { client_id: app.id, fhirContext: [{ reference: 'ImagingStudy/hidden' }] },
    { client_id: app.id, fhirContext: [{ canonical: 'urn:x' }] },
    { client_id: app.id, fhirContext: [{ identifier: 'x' }] },
    { client_id: app.id, fhirContext: [{ reference: 'ImagingStudy/1', type: 'Nothing' }] },
    [],
  ];
  for (const body of refused)
    t.match(await launch(body), { status: 400, json: { error: 'invalid_request' } }, JSON.stringify(body));
});

test('Who may not create launches is told so', async (t) => {
  const { server, app, launch } = await withToken(t);
  const user = await newUser(server);
  t.match(await launch({ client_id: app.id }, {}), { status: 401 });
  t.match(await launch({ client_id: app.id }, { authorization: 'Bearer x' }), {
    status: 401,
    json: { error: 'invalid_token' },
  });
  const code = await newCode(server, granted(server, app, user));
  const { json } = await server.post('/auth/token', codeForm(app.id, code));
  const byApp = await launch({ client_id: app.id }, { authorization: `Bearer ${json['access_token']}` });
  t.match(byApp, { status: 403, json: { error: 'insufficient_scope' } }, 'an app is no EHR');
  const byUser = await createLaunch(server, { reach: { kind: 'all' }, userId: user.id }, { client_id: app.id });
  t.match(await takeLaunch(server, byUser.launch, app.id), { launchedBy: user.id });
});

/** A token of one patient on each interaction with what is another's: it is as if that were not there. */
import type { Bundle } from '@medplum/fhirtypes';
import { test } from 'tap';
import { ROUTES } from '../../src/interactions/route.ts';
import { OPERATIONS } from '../../src/operations/operations.ts';
import { type AccessTestServer, actorWith, patients, startAccessServer } from './access-server.ts';
import { binary, document, observation, recordOf } from './records.ts';

const ACTORS = {
  'patient/ scopes in a launch for the patient': actorWith('patient/*.cruds', { patient: 'pat-a' }),
  'user/ scopes of the patient': actorWith('user/*.cruds', { reach: patients('pat-a'), role: 'patient' }),
};

const prepared = async (t: Parameters<typeof startAccessServer>[0]): Promise<AccessTestServer> => {
  const server = await startAccessServer(t);
  await server.put('Organization/a', ...recordOf('a'));
  await server.put('Organization/b', ...recordOf('b'));
  return server;
};

const parameters = (name: string, value: object) => ({ resourceType: 'Parameters', parameter: [{ name, ...value }] });
const META = parameters('meta', { valueMeta: { tag: [{ system: 'urn:x', code: 'y' }] } });

interface Attempt {
  readonly route: string;
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly status: number;
}

const JSON_PATCH = { 'content-type': 'application/json-patch+json' };

/** Each way to ask for what is of patient b alone. */
const ATTEMPTS: readonly Attempt[] = [
  { route: '{type}/{id}', method: 'GET', path: 'Patient/pat-b', status: 404 },
  { route: '{type}/{id}', method: 'GET', path: 'Observation/lab-b', status: 404 },
  { route: '{type}/{id}', method: 'GET', path: 'Practitioner/performer-b', status: 404 },
  { route: '{type}/{id}', method: 'GET', path: 'Binary/bin-b', status: 404 },
  { route: '{type}/{id}', method: 'GET', path: 'Binary/secret-b', status: 404 },
  {
    route: '{type}/{id}',
    method: 'GET',
    path: 'Observation/lab-b',
    headers: { 'if-none-match': 'W/"1"' },
    status: 404,
  },
  {
    route: '{type}/{id}',
    method: 'PUT',
    path: 'Observation/lab-b',
    body: observation('lab-b', 'pat-a', 'x'),
    status: 404,
  },
  {
    route: '{type}/{id}',
    method: 'PUT',
    path: 'Observation/lab-b',
    body: observation('lab-b', 'pat-b', 'x'),
    status: 404,
  },
  {
    route: '{type}/{id}',
    method: 'PUT',
    path: 'Observation/lab-b',
    body: observation('lab-b', 'pat-a', 'x'),
    headers: { 'if-match': 'W/"7"' },
    status: 404,
  },
  {
    route: '{type}/{id}',
    method: 'PUT',
    path: 'Observation/lab-b',
    body: observation('lab-b', 'pat-a', 'x'),
    headers: { 'if-none-match': '*' },
    status: 404,
  },
  {
    route: '{type}/{id}',
    method: 'PUT',
    path: 'Observation/lab-a',
    body: observation('lab-a', 'pat-b', 'x'),
    status: 403,
  },
  {
    route: '{type}/{id}',
    method: 'PUT',
    path: 'Observation/made',
    body: observation('made', 'pat-b', 'x'),
    status: 403,
  },
  {
    route: '{type}/{id}',
    method: 'PATCH',
    path: 'Observation/lab-b',
    body: [{ op: 'replace', path: '/status', value: 'amended' }],
    headers: JSON_PATCH,
    status: 404,
  },
  {
    route: '{type}/{id}',
    method: 'PATCH',
    path: 'Observation/lab-a',
    body: [{ op: 'replace', path: '/subject/reference', value: 'Patient/pat-b' }],
    headers: JSON_PATCH,
    status: 403,
  },
  { route: '{type}/{id}', method: 'DELETE', path: 'Observation/lab-b', status: 404 },
  { route: '{type}/{id}', method: 'DELETE', path: 'Observation/never-there', status: 404 },
  { route: '{type}', method: 'POST', path: 'Observation', body: observation('new', 'pat-b', 'x'), status: 403 },
  { route: '{type}', method: 'POST', path: 'Patient', body: { resourceType: 'Patient' }, status: 403 },
  { route: '{type}', method: 'POST', path: 'Binary', body: binary('x', 'Patient/pat-b'), status: 403 },
  {
    route: '{type}',
    method: 'PUT',
    path: 'Observation?_id=lab-b',
    body: observation('lab-b', 'pat-a', 'x'),
    status: 404,
  },
  {
    route: '{type}',
    method: 'PATCH',
    path: 'Observation?_id=lab-b',
    body: [{ op: 'replace', path: '/status', value: 'amended' }],
    headers: JSON_PATCH,
    status: 404,
  },
  { route: '{type}/{id}/_history', method: 'GET', path: 'Observation/lab-b/_history', status: 404 },
  { route: '{type}/{id}/_history/{version}', method: 'GET', path: 'Observation/lab-b/_history/1', status: 404 },
  { route: '$everything', method: 'GET', path: 'Patient/pat-b/$everything', status: 404 },
  { route: '$everything', method: 'POST', path: 'Patient/pat-b/$everything', status: 404 },
  { route: '$validate', method: 'GET', path: 'Observation/lab-b/$validate', status: 404 },
  { route: '$meta', method: 'GET', path: 'Observation/lab-b/$meta', status: 404 },
  { route: '$meta-add', method: 'POST', path: 'Observation/lab-b/$meta-add', body: META, status: 404 },
  { route: '$meta-delete', method: 'POST', path: 'Observation/lab-b/$meta-delete', body: META, status: 404 },
  { route: '$document', method: 'GET', path: 'Composition/comp-b/$document', status: 404 },
  { route: '$document', method: 'GET', path: 'Composition/$document?id=comp-b', status: 404 },
  { route: '$explain', method: 'GET', path: 'Observation/$explain?patient=pat-b', status: 403 },
  { route: '$explain', method: 'GET', path: '$explain?_id=pat-b', status: 403 },
  { route: '$reindex', method: 'GET', path: '$reindex', status: 403 },
  { route: '$reindex', method: 'POST', path: '$reindex', body: { resourceType: 'Parameters' }, status: 403 },
];

/** Each way to search; nothing of patient b may be found, named or counted. */
const SEARCHES: readonly { route: string; method?: string; path: string; body?: string }[] = [
  { route: '', path: '?_id=pat-b,lab-b,performer-b' },
  { route: '', path: '?_type=Observation,Patient,Practitioner&_total=accurate' },
  { route: '_search', method: 'POST', path: '_search', body: '_id=pat-b,lab-b&_total=accurate' },
  { route: '', path: '?_type=Observation,Patient,Practitioner&_summary=count' },
  { route: '{type}', path: 'Observation?_total=accurate' },
  { route: '{type}', path: 'Observation?_summary=count' },
  { route: '{type}', path: 'Observation?patient=pat-b&_summary=count' },
  { route: '{type}', path: 'Observation?subject:missing=false&_sort=-_lastUpdated' },
  { route: '{type}', path: 'Observation?patient.family=Familyb' },
  { route: '{type}', path: 'Patient?_has:Observation:patient:code=lab-b' },
  { route: '{type}', path: 'Patient?family=Familyb' },
  { route: '{type}', path: 'Practitioner' },
  { route: '{type}', path: 'Encounter?location:below=house-b' },
  { route: '{type}', path: 'Observation?_list=list-b' },
  { route: '{type}', path: 'Patient?_revinclude=*&_include=*&_include:iterate=*' },
  {
    route: '{type}',
    path: 'Organization?_revinclude=PractitionerRole:organization&_revinclude:iterate=Patient:general-practitioner',
  },
  { route: '{type}/_search', method: 'POST', path: 'Observation/_search', body: 'patient=pat-b' },
  { route: '{compartment}/{id}/{member}', path: 'Patient/pat-b/Observation' },
  { route: '{compartment}/{id}/{member}', path: 'Patient/pat-b/*' },
  { route: '{compartment}/{id}/{member}', path: 'Practitioner/performer-b/Observation' },
  { route: '{compartment}/{id}/{member}/_search', method: 'POST', path: 'Patient/pat-b/Observation/_search', body: '' },
  { route: '_history', path: '_history?_count=500' },
  { route: '_history', path: '_history?_summary=count' },
  { route: '{type}/_history', path: 'Observation/_history' },
  { route: '$lastn', path: 'Observation/$lastn?patient=pat-b&category=laboratory' },
  { route: '$docref', path: 'DocumentReference/$docref?patient=pat-b' },
  { route: '$everything', path: 'Patient/$everything' },
  { route: '$everything', path: 'Patient/pat-a/$everything' },
  { route: '$meta', path: 'Observation/$meta' },
  { route: '$meta', path: '$meta' },
];

test('every route and operation is tried', async (t) => {
  const tried = new Set([...ATTEMPTS, ...SEARCHES].map(({ route }) => route));
  for (const { path } of ROUTES.filter((route) => route.path !== 'metadata')) t.ok(tried.has(path), path);
  for (const { name } of OPERATIONS) t.ok(tried.has(`$${name}`), name);
});

for (const [who, actor] of Object.entries(ACTORS))
  test(`a token of another patient reads and writes nothing: ${who}`, async (t) => {
    const { send, store } = await prepared(t);
    for (const { method, path, body, headers = {}, status } of ATTEMPTS) {
      const answer = await send(actor, method, path, { headers, ...(body === undefined ? {} : { body }) });
      t.equal(answer.status, status, `${method} ${path} ${JSON.stringify(headers)}: ${answer.text}`);
      t.notMatch(answer.text, /Familyb|"pat-b"/, 'nothing of the other is told');
    }
    const version = await store.read({ type: 'Observation', id: 'lab-b' });
    t.equal(version?.version, 1, 'and nothing is changed');
  });

for (const [who, actor] of Object.entries(ACTORS))
  test(`a token of another patient finds and counts nothing: ${who}`, async (t) => {
    const { send, put } = await prepared(t);
    const ask = async () => {
      const answers = [];
      for (const { method = 'GET', path, body } of SEARCHES) {
        const answer = await send(actor, method, path, body === undefined ? {} : { body });
        t.equal(answer.status, 200, `${method} ${path}: ${answer.text.slice(0, 300)}`);
        t.notMatch(
          answer.text.replace(/"relation":"[a-z]+","url":"[^"]*"/g, ''),
          /[a-z]+-b"/,
          `${method} ${path} finds nothing of b`,
        );
        answers.push(answer.json<Bundle>().total ?? -1);
      }
      return answers;
    };
    const before = await ask();
    await put('Organization/b', observation('more-b', 'pat-b', 'laboratory'), document('more-doc-b', 'pat-b', 'x'));
    t.same(await ask(), before, 'what is added to the other changes no total');
  });

test('a Bundle with a request for what is of another patient', async (t) => {
  const { send } = await prepared(t);
  const actor = actorWith('patient/*.cruds', { patient: 'pat-a' });
  const entry = (method: string, url: string, resource?: object) => ({
    request: { method, url },
    ...(resource === undefined ? {} : { resource }),
  });
  const entries = [
    entry('GET', 'Observation/lab-b'),
    entry('PUT', 'Observation/lab-b', observation('lab-b', 'pat-a', 'x')),
    entry('POST', 'Observation', observation('y', 'pat-b', 'x')),
    entry('DELETE', 'Observation/lab-b'),
    entry('GET', 'Observation/lab-a'),
  ];
  const batch = await send(actor, 'POST', '', { body: { resourceType: 'Bundle', type: 'batch', entry: entries } });
  const statuses = batch.json<Bundle>().entry?.map(({ response }) => response?.status.slice(0, 3));
  t.same(statuses, ['404', '404', '403', '404', '200'], 'each has its own answer in a batch');
  for (const [at, one] of entries.slice(0, 4).entries()) {
    const body = {
      resourceType: 'Bundle',
      type: 'transaction',
      entry: [one, entry('POST', 'Observation', observation('z', 'pat-a', 'z'))],
    };
    const answer = await send(actor, 'POST', '', { body });
    t.equal(answer.status, Number(statuses?.[at]), `a transaction fails as a whole: ${answer.text}`);
  }
  const found = await send(actor, 'GET', 'Observation?code=z');
  t.same(found.names, []);
});

test('what was filed under the wrong patient is shown to that one no longer once it is put right, in no version', async (t) => {
  const { send, put } = await prepared(t);
  await put('Organization/b', observation('misfiled', 'pat-a', 'laboratory'));
  await put('Organization/b', observation('misfiled', 'pat-b', 'laboratory'));
  for (const actor of Object.values(ACTORS)) {
    for (const path of ['', '/_history', '/_history/1', '/_history/2', '/_history?_summary=count'])
      t.equal((await send(actor, 'GET', `Observation/misfiled${path}`)).status, 404, path);
    for (const path of ['Observation/_history', '_history'])
      t.notMatch((await send(actor, 'GET', path)).text, /misfiled/, path);
  }
  const right = actorWith('patient/*.rs', { patient: 'pat-b' });
  const versions = (await send(right, 'GET', 'Observation/misfiled/_history')).json<Bundle>().entry;
  t.same(versions?.length, 1, 'the right one does not see what was said of another');
});

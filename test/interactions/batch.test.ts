import type { Bundle, Patient } from '@medplum/fhirtypes';
import { test } from 'tap';
import { buildApp, createFhirServer } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import { startTestServer, temporaryFolder } from '../http/test-server.ts';
import { openTemporaryStore } from '../store/sqlite/temporary-store.ts';

const PATIENT: Patient = { resourceType: 'Patient', active: true };

test('A batch answers each entry on its own, in order', async (t) => {
  const { baseUrl, create, send } = await startTestServer(t);
  const { id } = await create(PATIENT);
  const patient = `Patient/${id}`;
  const entries: [request: object, resource: object | undefined, status: string][] = [
    [{ method: 'POST', url: 'Patient' }, PATIENT, '201 Created'],
    [{ method: 'POST', url: 'Patient' }, { resourceType: 'Patient', gender: 'x' }, '400 Bad Request'],
    [{ method: 'PUT', url: 'Patient/batch' }, { ...PATIENT, id: 'batch' }, '201 Created'],
    [{ method: 'PUT', url: patient, ifMatch: 'W/"5"' }, { ...PATIENT, id }, '412 Precondition Failed'],
    [{ method: 'GET', url: patient }, undefined, '200 OK'],
    [{ method: 'GET', url: `${baseUrl}/${patient}` }, undefined, '200 OK'],
    [{ method: 'GET', url: `/${patient}/_history/1` }, undefined, '200 OK'],
    [{ method: 'HEAD', url: patient }, undefined, '200 OK'],
    [{ method: 'GET', url: `Patient?_id=${id}` }, undefined, '200 OK'],
    [{ method: 'GET', url: 'Patient?shoe-size=44' }, undefined, '400 Bad Request'],
    [{ method: 'GET', url: 'Patient/none' }, undefined, '404 Not Found'],
    [{ method: 'GET', url: 'metadata' }, undefined, '200 OK'],
    [{ method: 'DELETE', url: 'Patient/never' }, undefined, '204 No Content'],
    [{ method: 'PATCH', url: patient }, undefined, '400 Bad Request'],
    [{ method: 'POST', url: 'Patent' }, PATIENT, '404 Not Found'],
    [{ method: 'POST', url: '/' }, { resourceType: 'Bundle', type: 'batch' }, '400 Bad Request'],
    [{ method: 'POST', url: 'Patient', ifNoneExist: `_id=${id}` }, PATIENT, '200 OK'],
    [{ method: 'POST', url: 'Patient' }, undefined, '400 Bad Request'],
  ];
  const entry = entries.map(([request, resource]) => ({ request, resource }));
  const answer = await send('POST', '', { body: { resourceType: 'Bundle', type: 'batch', entry } });
  t.equal(answer.status, 200);
  const bundle = answer.json<Bundle>();
  t.equal(bundle.type, 'batch-response');
  t.equal(bundle.entry?.length, entries.length);
  for (const [at, [request, , status]] of entries.entries()) {
    const { response, resource } = bundle.entry?.[at] ?? {};
    t.equal(response?.status, status, JSON.stringify(request));
    const isError = !status.startsWith('2');
    t.equal(response?.outcome?.resourceType, isError ? 'OperationOutcome' : undefined, 'only errors have an outcome');
    if (isError) t.equal(resource, undefined);
  }
  t.equal(bundle.entry?.[7]?.resource, undefined, 'HEAD has no body');
  const created = bundle.entry?.[0];
  t.equal(created?.response?.lastModified, created?.resource?.meta?.lastUpdated);
  t.equal((await send('GET', 'Patient/batch')).status, 200);
  t.equal((await send('GET', `Patient/${created?.resource?.id}`)).status, 200);
});

test('An unexpected error of one entry is a 500 of that entry, and the others are answered', async (t) => {
  const config = readConfig({
    CONSILIUM_LOG_LEVEL: 'silent',
    CONSILIUM_ACCESS: 'open',
    CONSILIUM_DATA: temporaryFolder(t),
  });
  const store = await openTemporaryStore(t);
  const failing: typeof store = {
    ...store,
    read: (reference, version) =>
      reference.id === 'broken' ? Promise.reject(new Error('secret')) : store.read(reference, version),
  };
  const app = buildApp(config, createFhirServer(config, failing, 'http://localhost/fhir'));
  const post = async (type: string, ...urls: string[]): Promise<Bundle> => {
    const put = { resource: { ...PATIENT, id: type }, request: { method: 'PUT', url: `Patient/${type}` } };
    const entry = [put, ...urls.map((url) => ({ request: { method: 'GET', url } }))];
    const answer = await app.inject({
      method: 'POST',
      url: '/fhir',
      headers: { 'content-type': 'application/fhir+json' },
      payload: { resourceType: 'Bundle', type, entry },
    });
    t.notMatch(answer.body, 'secret');
    return answer.json<Bundle>();
  };
  const { entry = [] } = await post('batch', 'Patient/broken', 'Patient/none');
  t.same(
    entry.map(({ response }) => response?.status),
    ['201 Created', '500 Internal Server Error', '404 Not Found'],
  );
  t.match(entry[1]?.response?.outcome, { issue: [{ code: 'exception', diagnostics: /under the id/ }] });
  t.match(
    await post('transaction', 'Patient/broken'),
    { resourceType: 'OperationOutcome' },
    'a transaction fails whole',
  );
  t.equal(await store.read({ type: 'Patient', id: 'transaction' }), undefined);
});

test('A location is relative, with the version, in a batch and in a transaction', async (t) => {
  const { create, send } = await startTestServer(t);
  const { id } = await create({ ...PATIENT, identifier: [{ value: 'there' }] });
  for (const type of ['batch', 'transaction'] as const) {
    const entry = [
      { resource: PATIENT, request: { method: 'POST', url: 'Patient' } },
      { resource: { ...PATIENT, id: type }, request: { method: 'PUT', url: `Patient/${type}` } },
      { resource: PATIENT, request: { method: 'POST', url: 'Patient', ifNoneExist: 'identifier=there' } },
    ];
    const answer = await send('POST', '', { body: { resourceType: 'Bundle', type, entry } });
    const locations = answer.json<Bundle>().entry?.map(({ response }) => response?.location ?? '') ?? [];
    t.match(locations[0], /^Patient\/[^/]+\/_history\/1$/);
    t.same(locations.slice(1), [`Patient/${type}/_history/1`, `Patient/${id}/_history/1`]);
  }
});

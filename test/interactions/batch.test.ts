import type { Bundle, Patient } from '@medplum/fhirtypes';
import { test } from 'tap';
import { startTestServer } from '../http/test-server.ts';

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

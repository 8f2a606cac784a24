/** What the suites of other servers check of REST, a test each; the longer matters have files of their own. */
import type { Bundle, OperationOutcome, Patient } from '@medplum/fhirtypes';
import { test } from 'tap';
import { startTestServer } from '../http/test-server.ts';

const PATIENT = { resourceType: 'Patient' as const, active: true };
const NARRATIVE = {
  status: 'generated' as const,
  div: '<div xmlns="http://www.w3.org/1999/xhtml">A patient</div>',
};
const FHIR = { 'content-type': 'application/fhir+json' };

test('Read, version and history', async (t) => {
  const { create, send } = await startTestServer(t);
  const { id } = await create<Patient>({ ...PATIENT, text: NARRATIVE, birthDate: '1970-01-01' });
  await send('PUT', 'Patient/gone', { body: { ...PATIENT, id: 'gone' } });
  await send('DELETE', 'Patient/gone');

  t.test('a normal read has ETag W/"v", Last-Modified and Content-Type fhir+json', async (t) => {
    const { status, headers } = await send('GET', `Patient/${id}`);
    t.equal(status, 200);
    t.equal(headers.get('etag'), 'W/"1"');
    t.match(headers.get('last-modified'), /GMT$/);
    t.match(headers.get('content-type'), /^application\/fhir\+json/);
    const head = await send('HEAD', `Patient/${id}`);
    t.match([head.status, head.text, head.headers.get('etag')], [200, '', 'W/"1"']);
  });

  t.test('an unknown type and a missing id are 404, a malformed id is 400', async (t) => {
    t.equal((await send('GET', 'Patent/1')).status, 404);
    t.equal((await send('GET', 'Patient/none')).status, 404);
    t.equal((await send('GET', 'Patient/a_b')).status, 400);
  });

  t.test('_summary and _elements show a part of a read, tagged SUBSETTED', async (t) => {
    const text = (await send('GET', `Patient/${id}?_summary=text`)).json<Patient>();
    t.match(text, { id, text: NARRATIVE, meta: { tag: [{ code: 'SUBSETTED' }] } });
    t.notOk('birthDate' in text);
    t.notOk('text' in (await send('GET', `Patient/${id}?_summary=data`)).json<Patient>());
    const elements = (await send('GET', `Patient/${id}?_elements=birthDate`)).json<Patient>();
    t.match(elements, { birthDate: '1970-01-01', meta: { tag: [{ code: 'SUBSETTED' }] } });
    t.notOk('active' in elements);
    for (const query of ['_summary=long', '_summary=count', '_elements=a%20b', '_summary=text&_elements=id'])
      t.equal((await send('GET', `Patient/${id}?${query}`)).status, 400, query);
  });

  t.test('a deleted id is 410 Gone, so is the version of the deletion, and an unknown version is 404', async (t) => {
    t.equal((await send('GET', 'Patient/gone')).status, 410);
    t.equal((await send('GET', 'Patient/gone/_history/2')).status, 410);
    t.equal((await send('GET', 'Patient/gone/_history/1')).status, 200);
    t.equal((await send('GET', 'Patient/gone/_history/9')).status, 404);
  });

  t.test('histories of instance, type and system are newest first, with request and response', async (t) => {
    for (const path of ['Patient/gone/_history', 'Patient/_history', '_history']) {
      const { entry = [] } = (await send('GET', path)).json<Bundle>();
      t.match(entry[0], { request: { method: 'DELETE', url: 'Patient/gone' }, response: { etag: 'W/"2"' } }, path);
      t.notOk('resource' in (entry[0] ?? {}), 'a delete entry has no resource');
      t.ok(entry.every(({ request, response }) => request !== undefined && response !== undefined));
      const later = (await send('GET', `${path}?_since=2100-01-01T00:00:00Z`)).json<Bundle>();
      t.notOk('entry' in later, `_since after everything: ${path}`);
      const earlier = (await send('GET', `${path}?_since=2000-01-01T00:00:00Z`)).json<Bundle>();
      t.equal(earlier.entry?.length, entry.length);
      for (const query of ['_before=2100-01-01T00:00:00Z', '_sort=shoe-size', '_since=yesterday'])
        t.equal((await send('GET', `${path}?${query}`)).status, 400, `${path}?${query}`);
    }
    t.equal((await send('GET', 'Patient/none/_history')).status, 404, 'history of a missing id');
  });
});

test('Create, update and delete', async (t) => {
  const { baseUrl, send, count } = await startTestServer(t, { CONSILIUM_BODY_MEGABYTES: '1' });

  t.test('201 has Location, and id, versionId and lastUpdated are the server\u2019s', async (t) => {
    const body = { ...PATIENT, id: 'mine', meta: { versionId: '9', lastUpdated: '2000-01-01T00:00:00Z' } };
    const answer = await send('POST', 'Patient', { body });
    const { id, meta } = answer.json<Patient>();
    t.equal(answer.status, 201);
    t.equal(answer.headers.get('location'), `${baseUrl}/Patient/${id}/_history/1`);
    t.not(id, 'mine', 'the id of the client is ignored');
    t.equal(meta?.versionId, '1');
    t.not(meta?.lastUpdated, '2000-01-01T00:00:00Z');
  });

  t.test('what is wrong has its status', async (t) => {
    const text = JSON.stringify(PATIENT);
    const statusOf = async (method: string, path: string, body?: string, headers: Record<string, string> = FHIR) =>
      (await send(method, path, body === undefined ? {} : { body, headers })).status;
    t.equal(await statusOf('POST', 'Patent', text), 404, 'unsupported type');
    t.equal(await statusOf('POST', 'patient', text), 404, 'mis-cased type');
    t.equal(await statusOf('POST', 'Patient', text, { 'content-type': 'text/plain' }), 415, 'wrong Content-Type');
    t.equal(await statusOf('POST', 'Patient', text, { 'content-type': 'application/fhir+xml' }), 415, 'XML');
    t.equal(await statusOf('POST', 'Patient', '{'), 400, 'invalid JSON');
    t.equal(await statusOf('POST', 'Patient', text.replace('}', ',"birthDate":"1970-13-01"}')), 400, 'invalid date');
    t.equal(await statusOf('POST', 'Patient', ' '.repeat(1_100_000)), 413, 'too large');
    t.equal(await statusOf('DELETE', 'metadata'), 405, 'method not allowed');
    t.equal(await statusOf('PUT', 'Patient/1', text), 400, 'PUT without id');
    t.equal(await statusOf('PUT', 'Patient/1', JSON.stringify({ ...PATIENT, id: '2' })), 400, 'PUT with another id');
    const unknown = await send('GET', 'a/b/c/d/e');
    t.equal(unknown.status, 404);
    t.equal(unknown.json<OperationOutcome>().resourceType, 'OperationOutcome');
  });

  t.test(
    'PUT of a new id is 201; a stale If-Match is 412, a malformed one 400; the same makes no version',
    async (t) => {
      const body = { ...PATIENT, id: 'p' };
      const put = (headers: Record<string, string> = {}) => send('PUT', 'Patient/p', { body, headers });
      t.equal((await put()).status, 201);
      t.equal((await put({ 'if-match': 'W/"7"' })).status, 412);
      t.equal((await put({ 'if-match': 'seven' })).status, 400);
      t.equal((await put()).headers.get('etag'), 'W/"1"', 'identical PUT');
    },
  );

  t.test('DELETE is 204, then GET is 410, search finds it no more, history keeps it; twice is well', async (t) => {
    await send('PUT', 'Patient/d', { body: { ...PATIENT, id: 'd' } });
    t.equal((await send('DELETE', 'Patient/d')).status, 204);
    t.equal((await send('DELETE', 'Patient/d')).status, 204);
    t.equal((await send('GET', 'Patient/d')).status, 410);
    t.notOk('entry' in (await send('GET', 'Patient?_id=d')).json<Bundle>());
    t.equal((await send('GET', 'Patient/d/_history')).json<Bundle>().entry?.length, 2);
  });

  t.test('a large decimal keeps its precision, and XSS in a narrative is refused', async (t) => {
    const value = '3.14159265358979323846264338327950288419';
    const observation = `{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":${value}}}`;
    const { id } = (await send('POST', 'Observation', { body: observation, headers: FHIR })).json<Patient>();
    t.match((await send('GET', `Observation/${id}`)).text, value);
    const before = await count('Patient');
    for (const content of [
      '<script>alert(1)</script>',
      '<img src="x" onerror="alert(1)"/>',
      '<a href="javascript:alert(1)">x</a>',
    ]) {
      const div = `<div xmlns="http://www.w3.org/1999/xhtml">${content}</div>`;
      t.equal((await send('POST', 'Patient', { body: { ...PATIENT, text: { ...NARRATIVE, div } } })).status, 400, div);
    }
    t.equal(await count('Patient'), before);
  });
});

test('Batch and transaction', async (t) => {
  const { send, count } = await startTestServer(t);
  const post = (type: string | undefined, entry: readonly unknown[]) =>
    send('POST', '', { body: { resourceType: 'Bundle', type, entry } });
  const good = { resource: PATIENT, request: { method: 'POST', url: 'Patient' } };
  const bad = { resource: { ...PATIENT, gender: 'x' }, request: { method: 'POST', url: 'Patient' } };

  t.test(
    'a batch-response has one entry per request, each with status, and one failure leaves the others',
    async (t) => {
      const { type, entry = [] } = (await post('batch', [good, bad, good])).json<Bundle>();
      t.equal(type, 'batch-response');
      t.same(
        entry.map(({ response }) => response?.status),
        ['201 Created', '400 Bad Request', '201 Created'],
      );
      t.equal(await count('Patient'), 2);
    },
  );

  t.test('a transaction is all or nothing, with one OperationOutcome', async (t) => {
    const answer = await post('transaction', [good, bad, good]);
    t.equal(answer.status, 400);
    t.equal(answer.json<OperationOutcome>().resourceType, 'OperationOutcome');
    t.equal(await count('Patient'), 2);
  });

  t.test('a Bundle.type that is missing or wrong, and an entry without request, are 400', async (t) => {
    t.equal((await post(undefined, [good])).status, 400);
    t.equal((await post('document', [good])).status, 400);
    t.equal((await post('transaction', [{ resource: PATIENT }])).status, 400);
  });

  t.test('a foreign absolute reference is left as it is', async (t) => {
    const reference = 'https://elsewhere.example/fhir/Patient/1';
    const observation = { resourceType: 'Observation', status: 'final', code: { text: 'x' }, subject: { reference } };
    const answer = await post('transaction', [
      { resource: observation, request: { method: 'POST', url: 'Observation' } },
    ]);
    t.match(answer.json<Bundle>().entry?.[0]?.resource, { subject: { reference } });
  });
});

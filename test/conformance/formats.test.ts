/** What the suites of other servers check of Binary, metadata and errors; formats themselves are in test/http. */
import type { Binary, OperationOutcome } from '@medplum/fhirtypes';
import { test } from 'tap';
import { startTestServer } from '../http/test-server.ts';

test('Formats, metadata and Binary', async (t) => {
  const { send } = await startTestServer(t);

  t.test(
    'Binary: raw POST, raw GET by Accept, JSON-wrapped GET; what is not there is 404 with OperationOutcome',
    async (t) => {
      const bytes = Buffer.from('%PDF-1.7 \u00e9');
      const posted = await send('POST', 'Binary', { body: bytes, headers: { 'content-type': 'application/pdf' } });
      t.equal(posted.status, 201);
      const url = (posted.headers.get('location') ?? '').replace(/\/_history.*/, '');
      const raw = await send('GET', url, { headers: { accept: 'application/pdf' } });
      t.match([raw.status, raw.headers.get('content-type'), raw.text], [200, 'application/pdf', bytes.toString()]);
      const json = await send('GET', url, { headers: { accept: 'application/fhir+json' } });
      t.match(json.json<Binary>(), { contentType: 'application/pdf', data: bytes.toString('base64') });
      for (const accept of ['application/pdf', 'application/fhir+json']) {
        const none = await send('GET', 'Binary/none', { headers: { accept } });
        t.equal(none.status, 404);
        t.match(none.headers.get('content-type'), /^application\/fhir\+json/);
        t.equal(none.json<OperationOutcome>().resourceType, 'OperationOutcome');
      }
    },
  );

  t.test('metadata answers a CapabilityStatement of R4, also to HEAD and with mode=full', async (t) => {
    const answer = await send('GET', 'metadata');
    t.match(answer.json(), { resourceType: 'CapabilityStatement', fhirVersion: '4.0.1', kind: 'instance' });
    t.match([(await send('HEAD', 'metadata')).status, (await send('HEAD', 'metadata')).text], [200, '']);
    t.equal((await send('GET', 'metadata?mode=full')).status, 200);
  });

  t.test('every error is an OperationOutcome in JSON, whatever was accepted', async (t) => {
    const cases: [method: string, path: string, accept: string, status: number][] = [
      ['GET', 'Patient/none', 'application/fhir+json', 404],
      ['GET', 'Nothing', 'application/json', 404],
      ['GET', 'Patient', 'application/fhir+xml', 406],
      ['POST', 'metadata', 'application/fhir+json', 405],
      ['GET', 'Patient?nothing=1', '*/*', 400],
    ];
    for (const [method, path, accept, status] of cases) {
      const answer = await send(method, path, { headers: { accept } });
      t.equal(answer.status, status, path);
      t.equal(answer.outcome.resourceType, 'OperationOutcome');
      t.match(answer.outcome.issue, [{ severity: 'error', code: /.+/, diagnostics: /.{10}/ }]);
    }
  });
});

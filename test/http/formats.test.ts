import type { Bundle, Patient, Resource } from '@medplum/fhirtypes';
import { test } from 'tap';
import { prettyJson } from '../../src/fhir/pretty-json.ts';
import { startTestServer } from './test-server.ts';

test('_pretty lays every JSON answer out, and keeps its digits', async (t) => {
  const { send } = await startTestServer(t);
  const body =
    '{"resourceType":"Observation","status":"final","code":{"text":"a, \\"b\\": {}"},"valueQuantity":{"value":1.10}}';
  const headers = { 'content-type': 'application/fhir+json' };
  const created = await send('POST', 'Observation?_pretty=true', { body, headers });
  t.equal(created.status, 201);
  t.match(created.text, '\n  "status": "final",\n');
  t.match(created.text, '\n    "value": 1.10\n');
  const { id } = created.json<Patient>();
  for (const path of [`Observation/${id}`, 'Observation', 'metadata', '_history', `Observation/${id}/_history`]) {
    const pretty = await send('GET', `${path}?_pretty=true`);
    t.match(pretty.text, /^\{\n {2}"resourceType": "/, path);
    // When a history was read is not the same for two reads.
    const shown = ({ meta, ...rest }: Resource) => (rest.resourceType === 'Bundle' ? rest : { meta, ...rest });
    t.same(shown(pretty.json()), shown((await send('GET', path)).json()));
    t.notMatch((await send('GET', `${path}?_pretty=false`)).text, '\n', path);
    t.notMatch((await send('GET', path)).text, '\n', path);
  }
  t.match((await send('GET', 'Patient/none?_pretty=true')).text, '\n  "issue": [\n', 'an OperationOutcome, too');
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  t.match((await send('POST', 'Observation/_search', { body: '_pretty=true', headers: form })).text, '\n');
  for (const path of ['Observation?_pretty=yes', `Observation/${id}?_pretty=`, 'metadata?_pretty=1'])
    t.equal((await send('GET', path)).status, 400, `_pretty invalid 400: ${path}`);
  t.equal(
    prettyJson('{"a":[],"b":{},"c":[1,{"d":null}]}'),
    JSON.stringify(JSON.parse('{"a":[],"b":{},"c":[1,{"d":null}]}'), null, 2).replace('[]', '[]'),
  );
});

test('Forwarded and X-Forwarded-Proto/Host/Prefix are reflected in self, next, fullUrl and Location', async (t) => {
  const { send, create } = await startTestServer(t, { CONSILIUM_TRUSTED_PROXIES: '10.0.0.0/8, 127.0.0.1' });
  await create({ resourceType: 'Patient' });
  await create({ resourceType: 'Patient' });
  const cases: [headers: Record<string, string>, base: string][] = [
    [{ 'x-forwarded-proto': 'https', 'x-forwarded-host': 'ehr.example' }, 'https://ehr.example/fhir'],
    [{ 'x-forwarded-host': 'ehr.example:8443', 'x-forwarded-prefix': '/r4' }, 'http://ehr.example:8443/r4/fhir'],
    [{ forwarded: 'for=192.0.2.1;proto=https;host="ehr.example"' }, 'https://ehr.example/fhir'],
    [{ forwarded: 'host=evil.example, for=192.0.2.1;host=ehr.example;proto=https' }, 'https://ehr.example/fhir'],
  ];
  for (const [headers, base] of cases) {
    const page = (await send('GET', 'Patient?_count=1', { headers })).json<Bundle>();
    for (const { relation, url } of page.link ?? []) t.ok(url?.startsWith(`${base}/Patient?`), `${relation} ${url}`);
    t.ok(page.link?.some(({ relation }) => relation === 'next'));
    t.ok(page.entry?.every(({ fullUrl }) => fullUrl?.startsWith(`${base}/Patient/`)));
    const created = await send('POST', 'Patient', { body: { resourceType: 'Patient' }, headers });
    t.ok(created.headers.get('location')?.startsWith(`${base}/Patient/`));
    t.match((await send('GET', 'metadata', { headers })).json(), { implementation: { url: base } });
    const subject = { reference: `${base}/Patient/${created.json<Patient>().id}` };
    const observation = { resourceType: 'Observation', status: 'final', code: { text: 'x' }, subject };
    await send('POST', 'Observation', { body: observation, headers });
    const found = await send('GET', `Observation?subject=Patient/${created.json<Patient>().id}`, { headers });
    t.equal(found.json<Bundle>().entry?.length, 1, 'a reference below that base is the server\u2019s own');
  }
});

test('Forwarded headers are ignored unless they come from a trusted proxy, or are malformed', async (t) => {
  const headers = {
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'evil.example',
    'x-forwarded-prefix': '/x',
    forwarded: 'proto=https;host=evil.example',
  };
  for (const proxies of ['', '10.0.0.0/8, ::1']) {
    const { baseUrl, send } = await startTestServer(t, { CONSILIUM_TRUSTED_PROXIES: proxies });
    const page = (await send('GET', 'Patient', { headers })).json<Bundle>();
    t.equal(page.link?.[0]?.url, `${baseUrl}/Patient`);
    const created = await send('POST', 'Patient', { body: { resourceType: 'Patient' }, headers });
    t.ok(created.headers.get('location')?.startsWith(baseUrl));
  }
  const { baseUrl, send } = await startTestServer(t, { CONSILIUM_TRUSTED_PROXIES: '127.0.0.0/8' });
  const malformed = { 'x-forwarded-proto': 'gopher', 'x-forwarded-host': 'a/b?c', 'x-forwarded-prefix': 'x"y' };
  const page = (await send('GET', 'Patient', { headers: malformed })).json<Bundle>();
  t.equal(page.link?.[0]?.url, `${baseUrl}/Patient`);
});

test('Accept and _format: the JSON variants answer 200, an unknown one 406', async (t) => {
  const { send } = await startTestServer(t);
  for (const accept of ['application/fhir+json', 'application/json', 'text/json', '*/*', 'application/*'])
    t.equal((await send('GET', 'Patient', { headers: { accept } })).status, 200, accept);
  for (const format of ['json', 'application/json', 'application/fhir%2Bjson', 'text/json'])
    t.equal((await send('GET', `Patient?_format=${format}`)).status, 200, format);
  for (const accept of ['application/fhir+xml', 'text/html', 'image/png'])
    t.equal((await send('GET', 'Patient', { headers: { accept } })).status, 406, accept);
  for (const format of ['xml', 'ttl', 'unknown'])
    t.equal((await send('GET', `Patient?_format=${format}`)).status, 406, format);
});

test('An invalid Prefer handling value is refused with 400', async (t) => {
  const { send } = await startTestServer(t);
  t.equal((await send('GET', 'Patient', { headers: { prefer: 'handling=relaxed' } })).status, 400);
});

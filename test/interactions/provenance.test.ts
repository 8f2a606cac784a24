import type { Bundle, Patient, Provenance } from '@medplum/fhirtypes';
import { test } from 'tap';
import { startTestServer } from '../http/test-server.ts';

const PATIENT = { resourceType: 'Patient' as const, active: true };
const provenance = (more: object = {}): string =>
  JSON.stringify({
    resourceType: 'Provenance',
    recorded: '2024-02-29T10:00:00Z',
    agent: [{ who: { display: 'Hospital' } }],
    ...more,
  });
const HEADER = { 'x-provenance': provenance() };

test('X-Provenance stores a Provenance in the same commit', async (t) => {
  const { create, send, count } = await startTestServer(t);
  const targetsOf = async (reference: string): Promise<unknown[]> => {
    const found = (await send('GET', `Provenance?target=${reference}&_sort=-_lastUpdated`)).json<Bundle<Provenance>>();
    return (found.entry ?? []).map(({ resource }) => resource?.target.map((target) => target.reference));
  };

  t.test('on create, update and patch, targeting the new version', async (t) => {
    const created = await send('POST', 'Patient', { body: PATIENT, headers: HEADER });
    t.equal(created.status, 201);
    const { id = '' } = created.json<Patient>();
    t.same(await targetsOf(`Patient/${id}`), [[`Patient/${id}/_history/1`]]);
    const body = { ...PATIENT, id, gender: 'female' };
    t.equal((await send('PUT', `Patient/${id}`, { body, headers: HEADER })).status, 200);
    const patch = JSON.stringify([{ op: 'remove', path: '/gender' }]);
    const headers = { ...HEADER, 'content-type': 'application/json-patch+json' };
    t.equal((await send('PATCH', `Patient/${id}`, { body: patch, headers })).status, 200);
    t.same(
      (await targetsOf(`Patient/${id}`)).flat().sort(),
      [1, 2, 3].map((version) => `Patient/${id}/_history/${version}`),
    );
  });

  t.test('on update as create, also of what was deleted', async (t) => {
    const body = { ...PATIENT, id: 'back' };
    await send('PUT', 'Patient/back', { body });
    await send('DELETE', 'Patient/back');
    t.equal((await send('PUT', 'Patient/back', { body, headers: HEADER })).status, 201);
    t.same(await targetsOf('Patient/back'), [['Patient/back/_history/3']]);
  });

  t.test('on a transaction, one for all versions that it makes', async (t) => {
    const { id } = await create<Patient>(PATIENT);
    const entry = [
      { resource: PATIENT, request: { method: 'POST', url: 'Patient' } },
      { resource: { ...PATIENT, id, gender: 'male' }, request: { method: 'PUT', url: `Patient/${id}` } },
    ];
    const body = { resourceType: 'Bundle', type: 'transaction', entry };
    const answer = await send('POST', '', { body, headers: HEADER });
    t.equal(answer.status, 200, answer.text);
    const made = answer.json<Bundle>().entry ?? [];
    t.equal(made.length, 2, 'the answer has an entry a request');
    t.same(await targetsOf(`Patient/${id}`), [made.map(({ response }) => response?.location)]);
  });

  t.test('not if nothing is written', async (t) => {
    const { id } = await create<Patient>({ ...PATIENT, identifier: [{ value: 'same' }] });
    const before = await count('Provenance');
    const body = (await send('GET', `Patient/${id}`)).text;
    const headers = { ...HEADER, 'content-type': 'application/fhir+json' };
    t.equal((await send('PUT', `Patient/${id}`, { body, headers })).headers.get('etag'), 'W/"1"');
    const found = await send('POST', 'Patient', { body, headers: { ...headers, 'if-none-exist': 'identifier=same' } });
    t.equal(found.status, 200);
    const stale = await send('PUT', `Patient/${id}`, {
      body: { ...PATIENT, id },
      headers: { ...HEADER, 'if-match': 'W/"7"' },
    });
    t.equal(stale.status, 412);
    t.equal(await count('Provenance'), before);
  });

  t.test('with the version that each of many parallel updates makes', async (t) => {
    const { id } = await create<Patient>(PATIENT);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, at) =>
        send('PUT', `Patient/${id}`, { body: { ...PATIENT, id, telecom: [{ value: `${at}` }] }, headers: HEADER }),
      ),
    );
    t.ok(answers.every(({ status }) => status === 200));
    const versions = (await targetsOf(`Patient/${id}`)).flat();
    t.equal(new Set(versions).size, 20);
  });

  t.test('and its text is UTF-8', async (t) => {
    const text = provenance({ agent: [{ who: { display: 'Universitätsklinikum' } }] });
    const header = { 'x-provenance': Buffer.from(text).toString('latin1') };
    const { id } = (await send('POST', 'Patient', { body: PATIENT, headers: header })).json<Patient>();
    const found = (await send('GET', `Provenance?target=Patient/${id}`)).json<Bundle<Provenance>>();
    t.equal(found.entry?.[0]?.resource?.agent[0]?.who?.display, 'Universitätsklinikum');
  });
});

test('A malformed X-Provenance is refused with 400, and nothing is stored', async (t) => {
  const { send, count } = await startTestServer(t);
  const malformed = [
    '{',
    '[]',
    'null',
    '{}',
    JSON.stringify(PATIENT),
    provenance({ agent: undefined }),
    provenance({ x: 1 }),
  ];
  for (const header of malformed) {
    const headers = { 'x-provenance': header };
    const transaction = {
      resourceType: 'Bundle',
      type: 'transaction',
      entry: [{ resource: PATIENT, request: { method: 'POST', url: 'Patient' } }],
    };
    const created = await send('POST', 'Patient', { body: PATIENT, headers });
    t.equal(created.status, 400, header);
    t.match(created.diagnostics, /X-Provenance/);
    t.equal((await send('PUT', 'Patient/1', { body: { ...PATIENT, id: '1' }, headers })).status, 400, header);
    t.equal((await send('POST', '', { body: transaction, headers })).status, 400, header);
  }
  t.equal(await count('Patient'), 0);
  t.equal(await count('Provenance'), 0);
});

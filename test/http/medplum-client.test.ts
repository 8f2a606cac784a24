import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MedplumClient, OperationOutcomeError } from '@medplum/core';
import type { Bundle, Observation, Patient } from '@medplum/fhirtypes';
import { type Test, test } from 'tap';
import { startTestServer } from './test-server.ts';

const fixtures = join(import.meta.dirname, '..', '..', 'fixtures');
const readFixture = <T>(name: string): T => JSON.parse(readFileSync(join(fixtures, name), 'utf8'));

/** The client as it is, told where the FHIR base is; without its cache, as others write, too. */
const startClient = async (t: Test) => {
  const { origin } = await startTestServer(t);
  return new MedplumClient({ baseUrl: `${origin}/`, fhirUrlPath: 'fhir', cacheTime: 0 });
};

/** The status of the refusal, and its first issue. */
const refusalOf = async (refused: Promise<unknown>) => {
  const error = await refused.catch((caught: unknown) => caught);
  if (!(error instanceof OperationOutcomeError)) throw error;
  return error.outcome.issue[0];
};

const PATIENT: Patient = {
  resourceType: 'Patient',
  identifier: [{ system: 'urn:oid:1.2.3', value: '4711' }],
  name: [{ family: 'Nowak', given: ['Jana'] }],
  gender: 'female',
};

const observationOf = ({ id }: Patient, value: number): Observation => ({
  ...readFixture<Observation>('observation-creatinine.json'),
  subject: { reference: `Patient/${id}` },
  valueQuantity: { value, unit: 'mg/dL', system: 'http://unitsofmeasure.org', code: 'mg/dL' },
});

test('MedplumClient creates, reads, updates, patches and deletes', async (t) => {
  const client = await startClient(t);
  const created = await client.createResource(PATIENT);
  t.match(created, { ...PATIENT, meta: { versionId: '1' } });
  t.same(await client.readResource('Patient', created.id), created);
  t.same(await client.readReference({ reference: `Patient/${created.id}` }), created);

  const updated = await client.updateResource({ ...created, birthDate: '1969-07-20' });
  t.match(updated, { id: created.id, birthDate: '1969-07-20', meta: { versionId: '2' } });
  t.same(await client.updateResource(updated), updated, 'an update that changes nothing makes no version');

  const patched = await client.patchResource('Patient', created.id, [
    { op: 'test', path: '/gender', value: 'female' },
    { op: 'replace', path: '/name/0/family', value: 'Nowakowa' },
    { op: 'add', path: '/active', value: true },
  ]);
  t.match(patched, { active: true, name: [{ family: 'Nowakowa' }], meta: { versionId: '3' } });
  const failing = client.patchResource('Patient', created.id, [{ op: 'test', path: '/gender', value: 'male' }]);
  t.match(await refusalOf(failing), { severity: 'error' });

  await client.deleteResource('Patient', created.id);
  t.match(await refusalOf(client.readResource('Patient', created.id)), { code: 'deleted' });
  t.match(await refusalOf(client.readResource('Patient', 'never')), { code: 'not-found' });
});

test('MedplumClient creates and updates on conditions', async (t) => {
  const client = await startClient(t);
  const query = 'identifier=urn:oid:1.2.3|4711';
  const created = await client.createResourceIfNoneExist(PATIENT, query);
  t.same(await client.createResourceIfNoneExist(PATIENT, query), created);
  const updated = await client.upsertResource({ ...PATIENT, gender: 'other' }, query);
  t.match(updated, { id: created.id, gender: 'other', meta: { versionId: '2' } });
  const other = { ...PATIENT, identifier: [{ system: 'urn:oid:1.2.3', value: '4712' }] };
  const upserted = await client.upsertResource(other, { identifier: 'urn:oid:1.2.3|4712' });
  t.not(upserted.id, created.id);
  t.equal((await client.searchResources('Patient', '')).length, 2);
});

test('MedplumClient searches, and goes through the pages', async (t) => {
  const client = await startClient(t);
  const patient = await client.createResource(PATIENT);
  for (let value = 1; value <= 7; value++) await client.createResource(observationOf(patient, value));

  const bundle = await client.search('Observation', {
    subject: `Patient/${patient.id}`,
    _total: 'accurate',
    _count: 2,
  });
  t.match(bundle, { type: 'searchset', total: 7 });
  t.equal(bundle.entry?.length, 2);
  const query = `patient=${patient.id}&value-quantity=gt5&_sort=-date&_include=Observation:subject`;
  t.equal(
    (await client.searchResources('Observation', query)).filter((each) => each.resourceType === 'Observation').length,
    2,
  );
  t.same(await client.searchOne('Patient', 'family=nowak&gender=female'), patient);
  t.equal(await client.searchOne('Patient', { family: 'nobody' }), undefined);

  const values: (number | undefined)[] = [];
  const sizes: number[] = [];
  const pages = client.searchResourcePages('Observation', { patient: patient.id, _count: 3, _sort: 'value-quantity' });
  for await (const page of pages) {
    sizes.push(page.length);
    values.push(...page.map(({ valueQuantity }) => valueQuantity?.value));
  }
  t.same(sizes, [3, 3, 1]);
  t.same(values, [1, 2, 3, 4, 5, 6, 7]);
  t.match(await refusalOf(client.search('Patient', 'nmae=x')), { severity: 'error', diagnostics: 'nmae' });
});

test('MedplumClient reads histories and versions', async (t) => {
  const client = await startClient(t);
  const created = await client.createResource(PATIENT);
  const updated = await client.updateResource({ ...created, active: true });
  await client.deleteResource('Patient', created.id);
  const history = await client.readHistory('Patient', created.id);
  t.equal(history.type, 'history');
  t.same(
    history.entry?.map(({ request, resource }) => [request?.method, resource?.meta?.versionId]),
    [
      ['DELETE', undefined],
      ['PUT', '2'],
      ['POST', '1'],
    ],
  );
  t.same(await client.readVersion('Patient', created.id, '1'), created);
  t.same(await client.readVersion('Patient', created.id, '2'), updated);
});

test('MedplumClient runs transactions and batches', async (t) => {
  const client = await startClient(t);
  const transaction = readFixture<Bundle>('second-opinion-request.json');
  const done = await client.executeBatch(transaction);
  t.equal(done.type, 'transaction-response');
  t.equal(done.entry?.length, transaction.entry?.length);
  t.ok(done.entry?.every(({ response }) => response?.status.startsWith('20')));
  const half: Bundle = {
    resourceType: 'Bundle',
    type: 'transaction',
    entry: [
      { resource: PATIENT, request: { method: 'POST', url: 'Patient' } },
      { request: { method: 'DELETE', url: 'Patient?unknown=x' } },
    ],
  };
  t.match(await refusalOf(client.executeBatch(half)), { severity: 'error' });
  t.equal(await client.searchOne('Patient', 'identifier=4711'), undefined, 'nothing of it is stored');

  const batch = await client.executeBatch({ ...half, type: 'batch' });
  t.match(batch, { type: 'batch-response', entry: [{ response: { status: /^201/ } }, { response: { status: /^4/ } }] });
});

test('MedplumClient calls operations', async (t) => {
  const client = await startClient(t);
  const patient = await client.createResource(PATIENT);
  const observation = await client.createResource(observationOf(patient, 1));
  const { type, entry = [] } = await client.readPatientEverything(patient.id);
  t.equal(type, 'searchset');
  t.same(entry.map(({ resource }) => resource?.id).sort(), [patient.id, observation.id].sort());

  const clean = await client.validateResource(PATIENT);
  t.notOk(clean.issue.some(({ severity }) => severity === 'error' || severity === 'fatal'));
  const wrong = { ...PATIENT, gender: 'unheard-of' } as unknown as Patient;
  const outcome = await client.validateResource(wrong);
  t.match(outcome.issue[0], { severity: 'error', expression: ['Patient.gender'] });

  const lastn = await client.get<Bundle>(
    client.fhirUrl('Observation', `$lastn?patient=${patient.id}&category=laboratory`),
  );
  t.match(lastn, { type: 'searchset', entry: [{ resource: { id: observation.id } }] });
});

test('MedplumClient stores documents, and gets their bytes', async (t) => {
  const client = await startClient(t);
  const text = 'Zażółć gęślą jaźń.';
  // A filename would go into `_filename`, which FHIR does not know.
  const binary = await client.createBinary({ data: text, contentType: 'text/plain; charset=utf-8' });
  t.match(binary, { resourceType: 'Binary', contentType: 'text/plain; charset=utf-8' });
  const bytes = await client.download(client.fhirUrl('Binary', binary.id), { headers: { accept: 'text/plain' } });
  t.equal(await bytes.text(), text);
  const document = await client.createResource({
    resourceType: 'DocumentReference',
    status: 'current',
    content: [{ attachment: { contentType: 'text/plain', url: `Binary/${binary.id}` } }],
  });
  t.match(await client.readResource('DocumentReference', document.id), { status: 'current' });
});

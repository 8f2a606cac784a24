import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bundle, CapabilityStatement, Observation, Patient } from '@medplum/fhirtypes';
import { Client } from 'fhir-kit-client';
import { test } from 'tap';
import { startTestServer } from './test-server.ts';

const fixtures = join(import.meta.dirname, '..', '..', 'fixtures');
/** The client's own type of resources says little. */
const as = <T>(resource: unknown): T => resource as T;
const readFixture = (name: string) => JSON.parse(readFileSync(join(fixtures, name), 'utf8'));

test('A client that knows only the specification does its everyday work', async (t) => {
  const { baseUrl } = await startTestServer(t);
  const client = new Client({ baseUrl });
  const resourceType = 'Patient';

  const statement = as<CapabilityStatement>(await client.capabilityStatement());
  t.equal(statement.fhirVersion, '4.0.1');

  const response = as<Bundle>(await client.transaction({ body: readFixture('second-opinion-request.json') }));
  t.equal(response.entry?.length, 62);
  const patient = response.entry?.find(({ resource }) => resource?.resourceType === 'Patient')?.resource as Patient;
  const { id = '' } = patient;

  const read = as<Patient>(await client.read({ resourceType, id }));
  t.same(read.name, patient.name);
  const body = { ...read, gender: 'other' as const };
  await client.update({ resourceType, id, body: as(body) });
  t.match(await client.vread({ resourceType, id, version: '1' }), { gender: patient.gender });
  const history = as<Bundle>(await client.history({ resourceType, id }));
  t.equal(history.entry?.length, 2);

  const searchParams = { patient: id, category: 'laboratory', _count: '5' };
  let page = as<Bundle | undefined>(await client.search({ resourceType: 'Observation', searchParams }));
  const found: (string | undefined)[] = [];
  for (; page !== undefined; page = as<Bundle | undefined>(await client.nextPage({ bundle: as(page) })))
    found.push(...(page.entry ?? []).map(({ resource }) => resource?.id));
  const given = (response.entry ?? [])
    .map(({ resource }) => resource)
    .filter((resource): resource is Observation => resource?.resourceType === 'Observation')
    .filter(({ category = [] }) =>
      category.some(({ coding = [] }) => coding.some(({ code }) => code === 'laboratory')),
    );
  t.ok(given.length > 5);
  t.same(found.sort(), given.map((observation) => observation.id).sort());

  const created = as<Observation>(
    await client.create({ resourceType: 'Observation', body: readFixture('observation-creatinine.json') }),
  );
  const observation = { resourceType: 'Observation', id: created.id ?? '' };
  await client.delete(observation);
  const refusal = await client.read(observation).catch((error: unknown) => error);
  t.match(refusal, { response: { status: 410 } });
  const batch = {
    resourceType: 'Bundle',
    type: 'batch',
    entry: [{ request: { method: 'GET', url: `Patient/${id}` } }],
  };
  t.match(await client.batch({ body: as(batch) }), { entry: [{ response: { status: '200 OK' } }] });
});

test('The same client patches, calls operations, goes back a page, and searches compartments', async (t) => {
  const { baseUrl } = await startTestServer(t);
  const client = new Client({ baseUrl });
  const patient = as<Patient>(
    await client.create({ resourceType: 'Patient', body: as({ resourceType: 'Patient', gender: 'female' }) }),
  );
  const { id = '' } = patient;
  const ofPatient = { resourceType: 'Patient', id };
  const jsonPatch = [
    { op: 'test', path: '/gender', value: 'female' },
    { op: 'add', path: '/birthDate', value: '1969-07-20' },
  ];
  const patched = as<Patient>(await client.patch({ ...ofPatient, jsonPatch: as(jsonPatch) }));
  t.match(patched, { id, birthDate: '1969-07-20', meta: { versionId: '2' } });
  const update = { ...ofPatient, body: as<never>({ ...patched, active: true }) };
  const stale = { ...update, options: { headers: { 'If-Match': 'W/"1"' } } };
  t.match(await client.update(stale).catch((error: unknown) => error), { response: { status: 412 } });
  const current = { ...update, options: { headers: { 'If-Match': 'W/"2"' } } };
  t.match(await client.update(current), { active: true, meta: { versionId: '3' } });

  const observation = { ...readFixture('observation-creatinine.json'), subject: { reference: `Patient/${id}` } };
  const ids: (string | undefined)[] = [];
  for (let made = 0; made < 3; made++)
    ids.push(as<Observation>(await client.create({ resourceType: 'Observation', body: observation })).id);

  const idsOf = ({ entry = [] }: Bundle): (string | undefined)[] => entry.map(({ resource }) => resource?.id);
  const everything = as<Bundle>(await client.operation({ ...ofPatient, name: 'everything', method: 'GET' }));
  t.same(idsOf(everything).sort(), [id, ...ids].sort());
  const validated = await client.operation({
    resourceType: 'Patient',
    name: 'validate',
    input: as({ resourceType: 'Patient', gender: 'unheard-of' }),
  });
  t.match(validated, { resourceType: 'OperationOutcome', issue: [{ severity: 'error' }] });

  const compartment = { resourceType: 'Patient', id };
  const first = as<Bundle>(
    await client.compartmentSearch({ resourceType: 'Observation', compartment, searchParams: { _count: 2 } }),
  );
  const second = as<Bundle>(await client.nextPage({ bundle: as(first) }));
  t.same([...idsOf(first), ...idsOf(second)].sort(), [...ids].sort());
  t.same(idsOf(as<Bundle>(await client.prevPage({ bundle: as(second) }))), idsOf(first));

  const typeHistory = as<Bundle>(await client.typeHistory({ resourceType: 'Patient' }));
  t.same(
    typeHistory.entry?.map(({ resource }) => resource?.meta?.versionId),
    ['3', '2', '1'],
  );
  const resolved = await client.resolve({ reference: `Patient/${id}` });
  t.match(resolved, { id, active: true });
});

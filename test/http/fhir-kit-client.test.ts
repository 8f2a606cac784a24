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

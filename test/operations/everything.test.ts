import type { Bundle, Parameters, Resource } from '@medplum/fhirtypes';
import { test } from 'tap';
import { startTestServer } from '../http/test-server.ts';

const linkOf = ({ link = [] }: Bundle, name: string) => link.find(({ relation }) => relation === name)?.url;
const namesOf = ({ entry = [] }: Bundle): string[] =>
  entry.map(({ resource }) => `${resource?.resourceType}/${resource?.id}`);

const patient = { reference: 'Patient/p' };
const code = { text: 'x' };
const RECORD: readonly Resource[] = [
  { resourceType: 'Patient', id: 'p', managingOrganization: { reference: 'Organization/managing' } },
  { resourceType: 'Patient', id: 'other' },
  { resourceType: 'Organization', id: 'managing', partOf: { reference: 'Organization/parent' } },
  { resourceType: 'Organization', id: 'parent' },
  { resourceType: 'Organization', id: 'stranger' },
  { resourceType: 'Practitioner', id: 'doctor' },
  { resourceType: 'Medication', id: 'pill' },
  { resourceType: 'Binary', id: 'scan', contentType: 'text/plain', data: 'YQ==' },
  {
    resourceType: 'Observation',
    id: 'o2019',
    status: 'final',
    code,
    subject: patient,
    effectiveDateTime: '2019-05-01',
  },
  {
    resourceType: 'Observation',
    id: 'o2021',
    status: 'final',
    code,
    subject: patient,
    effectiveDateTime: '2021-05-01',
    performer: [{ reference: 'Practitioner/doctor' }],
  },
  { resourceType: 'Observation', id: 'undated', status: 'final', code, subject: patient },
  { resourceType: 'Observation', id: 'of-other', status: 'final', code, subject: { reference: 'Patient/other' } },
  { resourceType: 'Observation', id: 'of-nobody', status: 'final', code, subject: { reference: 'Group/g' } },
  { resourceType: 'Group', id: 'g', type: 'person', actual: true },
  {
    resourceType: 'Condition',
    id: 'c',
    subject: patient,
    onsetDateTime: '2020-01-01',
    asserter: { reference: 'Practitioner/doctor' },
  },
  {
    resourceType: 'MedicationRequest',
    id: 'm',
    status: 'active',
    intent: 'order',
    subject: patient,
    medicationReference: { reference: 'Medication/pill' },
    authoredOn: '2022-01-01',
  },
];
const OF_P = [
  'Patient/p',
  'Observation/o2019',
  'Observation/o2021',
  'Observation/undated',
  'Condition/c',
  'MedicationRequest/m',
];
const SUPPORTING = ['Organization/managing', 'Organization/parent', 'Practitioner/doctor', 'Medication/pill'];

test('Patient/$everything', async (t) => {
  const { baseUrl, send } = await startTestServer(t);
  for (const body of RECORD) {
    const answer = await send('PUT', `${body.resourceType}/${body.id}`, { body });
    t.equal(answer.status, 201, answer.text);
  }
  const bundleAt = async (path: string): Promise<Bundle> => {
    const answer = await send('GET', path);
    t.equal(answer.status, 200, answer.text);
    return answer.json<Bundle>();
  };
  const allPages = async (path: string): Promise<Bundle[]> => {
    const pages: Bundle[] = [];
    for (let next: string | undefined = path; next !== undefined; next = linkOf(pages.at(-1) as Bundle, 'next'))
      pages.push(await bundleAt(next));
    return pages;
  };

  t.test('answers the Patient, the compartment, and what these refer to outside of it, each once', async (t) => {
    const bundle = await bundleAt('Patient/p/$everything');
    t.equal(bundle.type, 'searchset');
    t.equal(linkOf(bundle, 'self'), `${baseUrl}/Patient/p/$everything`);
    t.equal(linkOf(bundle, 'next'), undefined);
    t.same(namesOf(bundle).sort(), [...OF_P, ...SUPPORTING].sort());
    t.match(bundle.entry?.[0], { fullUrl: `${baseUrl}/Patient/p`, search: { mode: 'match' } });
    t.equal(bundle.entry?.at(-1)?.search?.mode, 'include');
  });

  t.test('with _count comes in pages with a next link, each resource once over all pages', async (t) => {
    const pages = await allPages('Patient/p/$everything?_count=2');
    t.equal(pages.length, 3);
    t.ok(pages.every(({ entry = [] }) => entry.filter(({ search }) => search?.mode === 'match').length <= 2));
    t.same(pages.flatMap(namesOf).sort(), [...OF_P, ...SUPPORTING].sort());
    const next = linkOf(pages[0] as Bundle, 'next') as string;
    t.equal((await send('GET', next.replace('/p/', '/other/'))).status, 400, 'a page link is of its patient');
  });

  t.test('with start and end takes clinical dates, and keeps what has none', async (t) => {
    const observations = async (query: string) =>
      namesOf(await bundleAt(`Patient/p/$everything?_type=Observation&${query}`)).sort();
    t.same(await observations('start=2020'), ['Observation/o2021', 'Observation/undated']);
    t.same(await observations('end=2020'), ['Observation/o2019', 'Observation/undated']);
    t.same(await observations('start=2020&end=2020-12-31'), ['Observation/undated']);
    const names = namesOf(await bundleAt('Patient/p/$everything?start=2021'));
    t.ok(names.includes('Patient/p'), 'a birth date is no date of care');
    t.notOk(names.includes('Condition/c'));
  });

  t.test('with _type answers these types only, those outside of the compartment among them', async (t) => {
    const typed = async (types: string) => namesOf(await bundleAt(`Patient/p/$everything?_type=${types}`)).sort();
    t.same(await typed('Patient,Condition'), ['Condition/c', 'Patient/p']);
    t.same(await typed('Practitioner'), ['Practitioner/doctor']);
    t.same(await typed('Organization,Patient'), ['Organization/managing', 'Organization/parent', 'Patient/p']);
    t.same(await typed('Encounter'), []);
    t.equal((await send('GET', 'Patient/p/$everything?_type=Nothing')).status, 400);
  });

  t.test('with _since answers what was changed since then', async (t) => {
    const since = new Date().toISOString();
    await new Promise((resolve) => setTimeout(resolve, 5));
    await send('PUT', 'Condition/c', { body: { ...RECORD.find(({ id }) => id === 'c'), note: [{ text: 'new' }] } });
    t.same(namesOf(await bundleAt(`Patient/p/$everything?_since=${since}`)), ['Condition/c']);
  });

  t.test('takes the same parameters by POST', async (t) => {
    const body: Parameters = {
      resourceType: 'Parameters',
      parameter: [
        { name: 'start', valueDate: '2020-01-01' },
        { name: '_type', valueCode: 'Observation' },
        { name: '_type', valueCode: 'Condition' },
        { name: '_count', valueInteger: 50 },
      ],
    };
    const answer = await send('POST', 'Patient/p/$everything', { body });
    t.equal(answer.status, 200);
    const bundle = answer.json<Bundle>();
    t.same(namesOf(bundle).sort(), ['Condition/c', 'Observation/o2021', 'Observation/undated']);
    t.same(namesOf(await bundleAt(linkOf(bundle, 'self') as string)), namesOf(bundle));
  });

  t.test('without an id answers all patients, and no data that is of no patient', async (t) => {
    const names = (await allPages('Patient/$everything?_count=3')).flatMap(namesOf);
    t.same(names.sort(), [...OF_P, ...SUPPORTING, 'Patient/other', 'Observation/of-other'].sort());
  });

  t.test('leads through no deleted and no missing patient', async (t) => {
    t.equal((await send('GET', 'Patient/none/$everything')).status, 404);
    await send('PUT', 'Patient/gone', { body: { resourceType: 'Patient', id: 'gone' } });
    await send('DELETE', 'Patient/gone');
    t.equal((await send('GET', 'Patient/gone/$everything')).status, 410);
  });

  t.test('refuses what it does not know', async (t) => {
    for (const query of ['foo=1', '_count=0', '_count=x', 'start=yesterday', 'start=2020&start=2021', '_page=abc'])
      t.equal((await send('GET', `Patient/p/$everything?${query}`)).status, 400, query);
    t.equal((await send('GET', 'Observation/$everything')).status, 404);
    t.equal((await send('DELETE', 'Patient/p/$everything')).status, 405);
    const body = { resourceType: 'Patient' };
    t.equal((await send('POST', 'Patient/p/$everything', { body })).status, 400, 'the body is Parameters');
  });
});

/** What the suites of other servers check of searches, a test each; parsing, paging and the answer have files of their own. */
import type { Bundle, Resource } from '@medplum/fhirtypes';
import { test } from 'tap';
import { startTestServer, type TestServer } from '../http/test-server.ts';

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const LOINC = 'http://loinc.org';
const UCUM = 'http://unitsofmeasure.org';
const TYPES = 'http://terminology.hl7.org/CodeSystem/v2-0203';
const CLINICAL = 'http://terminology.hl7.org/CodeSystem/condition-clinical';
const MRN = 'http://hospital.example/mrn';
const TAG = { system: 'urn:tags', code: 'study' };
const LABEL = { system: 'http://terminology.hl7.org/CodeSystem/v3-Confidentiality', code: 'R' };
const PROFILE = 'http://hospital.example/StructureDefinition/bp';

const bloodPressure = (id: string, day: string, systolic: number, diastolic: number) => ({
  resourceType: 'Observation',
  id,
  status: 'final',
  code: { coding: [{ system: LOINC, code: '85354-9' }], text: 'Blood pressure panel' },
  subject: { reference: 'Patient/ann' },
  performer: [{ reference: 'Practitioner/doc' }],
  effectiveDateTime: day,
  component: [
    {
      code: { coding: [{ system: LOINC, code: '8480-6' }] },
      valueQuantity: { value: systolic, system: UCUM, code: 'mm[Hg]' },
    },
    {
      code: { coding: [{ system: LOINC, code: '8462-4' }] },
      valueQuantity: { value: diastolic, system: UCUM, code: 'mm[Hg]' },
    },
  ],
});

const RESOURCES = [
  { resourceType: 'Organization', id: 'clinic', name: 'Clinic' },
  { resourceType: 'Organization', id: 'ward', name: 'Ward', partOf: { reference: 'Organization/clinic' } },
  { resourceType: 'Practitioner', id: 'doc', name: [{ family: 'Doctor' }] },
  {
    resourceType: 'Patient',
    id: 'ann',
    meta: { tag: [TAG], security: [LABEL], profile: [PROFILE], source: 'http://hospital.example/ehr' },
    identifier: [{ type: { coding: [{ system: TYPES, code: 'MR' }] }, system: MRN, value: '1' }],
    name: [{ family: 'Núñez', given: ['Ann'] }],
    gender: 'female',
    birthDate: '1970-05-01',
    managingOrganization: { reference: 'Organization/ward' },
  },
  { resourceType: 'Patient', id: 'bob', name: [{ family: 'Nunezson' }], gender: 'male', birthDate: '1980-01-01' },
  { resourceType: 'Patient', id: 'cy', name: [{ family: 'Zappa' }] },
  bloodPressure('low', '2024-01-01', 110, 70),
  bloodPressure('high', '2024-02-01', 160, 100),
  {
    resourceType: 'Observation',
    id: 'other',
    status: 'preliminary',
    code: { text: 'Other' },
    subject: { identifier: { system: MRN, value: '2' } },
  },
  {
    resourceType: 'Condition',
    id: 'relapse',
    clinicalStatus: { coding: [{ system: CLINICAL, code: 'relapse' }] },
    subject: { reference: 'Patient/ann' },
  },
  { resourceType: 'ValueSet', id: 'deep', url: 'http://a.example/fhir/deep/er', status: 'active' },
  {
    resourceType: 'List',
    id: 'l',
    status: 'current',
    mode: 'working',
    entry: [{ item: { reference: 'Patient/bob' } }, { item: { reference: 'Patient/cy' } }],
  },
];

const namesOf = ({ entry = [] }: Bundle, mode: string): string[] =>
  entry
    .filter(({ search }) => search?.mode === mode)
    .map(({ resource }) => `${resource?.resourceType}/${(resource as Resource).id}`);

const encoded = (query: string): string =>
  [...new URLSearchParams(query)].map((pair) => pair.map(encodeURIComponent).join('=')).join('&');

const fill = async ({ send }: TestServer): Promise<void> => {
  const entry = RESOURCES.map((resource) => ({
    resource,
    request: { method: 'PUT', url: `${resource.resourceType}/${resource.id}` },
  }));
  const answer = await send('POST', '', { body: { resourceType: 'Bundle', type: 'transaction', entry } });
  if (answer.status !== 200) throw new Error(answer.text);
};

test('Search', async (t) => {
  const server = await startTestServer(t);
  const { baseUrl, send } = server;
  await fill(server);

  /** The names of the matches, sorted unless the query sorts; the same by GET and by POST. */
  const found = async (path: string, query: string): Promise<string[]> => {
    const asked = `${path}?${encoded(query)}`;
    const got = await send('GET', asked);
    const posted = await send('POST', `${path === '' ? '' : `${path}/`}_search`, {
      body: encoded(query),
      headers: FORM,
    });
    t.equal(got.status, 200, `${asked} ${got.text.slice(0, 300)}`);
    const names = namesOf(got.json<Bundle>(), 'match');
    t.equal(posted.status, 200, `POST ${asked}`);
    t.same(namesOf(posted.json<Bundle>(), 'match'), names, `POST ${asked}`);
    return query.includes('_sort') ? names : names.sort();
  };
  const included = async (path: string, query: string): Promise<string[]> =>
    namesOf((await send('GET', `${path}?${encoded(query)}`)).json<Bundle>(), 'include').sort();

  t.test(':missing, :exact, :contains, :not, :text, :identifier, :[type], :above/:below, :of-type', async (t) => {
    const cases: [path: string, query: string, ids: string[]][] = [
      ['Patient', 'birthdate:missing=true', ['cy']],
      ['Patient', 'birthdate:missing=false', ['ann', 'bob']],
      ['Patient', 'family=nunez', ['ann', 'bob']],
      ['Patient', 'family:exact=Núñez', ['ann']],
      ['Patient', 'family:exact=Nunez', []],
      ['Patient', 'family:contains=SON', ['bob']],
      ['Patient', 'gender:not=male', ['ann', 'cy']],
      ['Observation', 'code:text=blood', ['high', 'low']],
      ['Observation', `subject:identifier=${MRN}|2`, ['other']],
      ['Observation', 'subject:Patient=ann', ['high', 'low']],
      ['Condition', `clinical-status:below=${CLINICAL}|active`, ['relapse']],
      ['Condition', `clinical-status=${CLINICAL}|active`, []],
      ['ValueSet', 'url:below=http://a.example/fhir', ['deep']],
      ['ValueSet', 'url:above=http://a.example/fhir/deep/er/down', ['deep']],
      ['Patient', `identifier:of-type=${TYPES}|MR|1`, ['ann']],
      ['Patient', `identifier:of-type=${TYPES}|DL|1`, []],
    ];
    for (const [path, query, ids] of cases)
      t.same(
        await found(path, query),
        ids.map((id) => `${path}/${id}`),
        `${path}?${query}`,
      );
  });

  t.test('chains patient.name=, patient:Patient.identifier=, and _has', async (t) => {
    t.same(await found('Observation', 'patient.name=ann'), ['Observation/high', 'Observation/low']);
    t.same(await found('Observation', `patient:Patient.identifier=${MRN}|1`), ['Observation/high', 'Observation/low']);
    t.same(await found('Condition', 'patient.organization.partof.name=clinic'), ['Condition/relapse']);
    t.same(await found('Patient', '_has:Observation:patient:code=85354-9'), ['Patient/ann']);
    t.same(await found('Organization', '_has:Patient:organization:_has:Condition:patient:_id=relapse'), [
      'Organization/ward',
    ]);
  });

  t.test('_include, _include:iterate and _revinclude add each resource once', async (t) => {
    const query = 'code=85354-9&_include=Observation:patient&_include=Observation:performer';
    t.same(await included('Observation', query), ['Patient/ann', 'Practitioner/doc']);
    const iterated =
      '_id=low&_include=Observation:patient&_include:iterate=Patient:organization&_include:iterate=Organization:partof';
    t.same(await included('Observation', iterated), ['Organization/clinic', 'Organization/ward', 'Patient/ann']);
    t.same(await included('Patient', '_id=ann&_revinclude=Observation:patient&_revinclude=Condition:patient'), [
      'Condition/relapse',
      'Observation/high',
      'Observation/low',
    ]);
  });

  t.test('_sort ascending, descending and by several keys; what has no value comes last', async (t) => {
    t.same(await found('Patient', '_sort=birthdate'), ['Patient/ann', 'Patient/bob', 'Patient/cy']);
    t.same(await found('Patient', '_sort=-birthdate'), ['Patient/bob', 'Patient/ann', 'Patient/cy']);
    t.same(await found('Observation', '_sort=-status,-date'), [
      'Observation/other',
      'Observation/high',
      'Observation/low',
    ]);
  });

  t.test('_id, _lastUpdated with prefixes, _tag, _profile, _security, _source, _list', async (t) => {
    const ann = ['Patient/ann'];
    const all = ['Patient/ann', 'Patient/bob', 'Patient/cy'];
    t.same(await found('Patient', '_id=ann,bob'), all.slice(0, 2));
    for (const prefix of ['gt', 'ge', 'sa', 'ne'])
      t.same(await found('Patient', `_lastUpdated=${prefix}2020`), all, prefix);
    for (const prefix of ['lt', 'le', 'eb', 'eq', ''])
      t.same(await found('Patient', `_lastUpdated=${prefix}2020`), [], prefix);
    t.same(await found('Patient', `_tag=${TAG.system}|${TAG.code}`), ann);
    t.same(await found('Patient', `_profile=${PROFILE}`), ann);
    t.same(await found('Patient', `_security=${LABEL.system}|R`), ann);
    t.same(await found('Patient', '_source=http://hospital.example/ehr'), ann);
    t.same(await found('Patient', '_list=l'), ['Patient/bob', 'Patient/cy']);
  });

  t.test('_type at system level', async (t) => {
    t.same(await found('', '_type=Organization,Practitioner'), [
      'Organization/clinic',
      'Organization/ward',
      'Practitioner/doc',
    ]);
    t.equal((await send('GET', '?_type=Nothing')).status, 400);
  });

  t.test('composite: components must match within the same element', async (t) => {
    const panel = (code: string, value: string) => `component-code-value-quantity=${LOINC}|${code}$${value}`;
    t.same(await found('Observation', panel('8480-6', 'gt150')), ['Observation/high']);
    t.same(await found('Observation', panel('8462-4', 'gt150')), [], 'the other component has that value');
    t.same(await found('Observation', panel('8462-4', `lt80|${UCUM}|mm[Hg]`)), ['Observation/low']);
  });

  t.test('Patient/[id]/Observation and Patient/[id]/* are compartments', async (t) => {
    t.same(await found('Patient/ann/Observation', ''), ['Observation/high', 'Observation/low']);
    t.same(await found('Patient/ann/Observation', 'date=2024-02'), ['Observation/high']);
    t.same(await found('Patient/ann/*', ''), [
      'Condition/relapse',
      'Observation/high',
      'Observation/low',
      'Patient/ann',
    ]);
    t.same(await found('Patient/cy/Observation', ''), []);
    t.equal((await send('GET', 'Patient/ann/Organization')).status, 404, 'not in that compartment');
  });

  t.test('_count=0 and _summary=count give the total only; _total=none, estimate and accurate', async (t) => {
    for (const query of ['_count=0', '_summary=count', '_summary=count&_total=none']) {
      const bundle = (await send('GET', `Patient?${query}`)).json<Bundle>();
      t.equal(bundle.total, 3, query);
      t.notOk('entry' in bundle);
    }
    t.notOk('total' in (await send('GET', 'Patient?_total=none')).json<Bundle>());
    t.notOk('total' in (await send('GET', 'Patient')).json<Bundle>());
    for (const total of ['accurate', 'estimate'])
      t.equal((await send('GET', `Patient?_total=${total}&_count=1`)).json<Bundle>().total, 3, total);
    for (const query of ['_total=about', '_total=', '_count=-1', '_count=many', '_summary=all'])
      t.equal((await send('GET', `Patient?${query}`)).status, 400, query);
  });

  t.test('_elements and _summary mark SUBSETTED, and together are 400', async (t) => {
    for (const query of ['_elements=gender', '_summary=true', '_summary=text', '_summary=data']) {
      const { entry = [] } = (await send('GET', `Patient?_id=ann&${query}`)).json<Bundle>();
      t.match(entry[0]?.resource?.meta?.tag?.at(-1), { code: 'SUBSETTED' }, query);
      t.match(entry[0]?.resource?.meta, { tag: [TAG], security: [LABEL] }, 'what was there stays');
    }
    t.notMatch((await send('GET', 'Patient?_id=ann&_summary=false')).text, 'SUBSETTED');
    t.equal((await send('GET', 'Patient?_elements=gender&_summary=true')).status, 400);
  });

  t.test('next and previous links are stable under writes', async (t) => {
    const link = (bundle: Bundle, name: string) => bundle.link?.find(({ relation }) => relation === name)?.url ?? '';
    for (const query of [
      '_tag=page&_count=2',
      '_tag=page&_count=2&_sort=family',
      '_tag=page&_count=2&_sort=-_lastUpdated',
    ]) {
      const put = (id: string, family: string) =>
        send('PUT', `Patient/${id}`, {
          body: { resourceType: 'Patient', id, meta: { tag: [{ code: 'page' }] }, name: [{ family }] },
        });
      for (const [at, id] of ['e1', 'e2', 'e3', 'e4', 'e5'].entries()) await put(id, `M${at}`);
      const first = (await send('GET', `Patient?${query}`)).json<Bundle>();
      const firstNames = namesOf(first, 'match');
      await put('late', 'A');
      const rest: string[] = [];
      let last = first;
      for (let url = link(first, 'next'); url !== ''; url = link(last, 'next')) {
        last = (await send('GET', url)).json<Bundle>();
        rest.push(...namesOf(last, 'match'));
      }
      const seen = [...firstNames, ...rest];
      t.equal(new Set(seen).size, seen.length, `${query}: nothing twice`);
      for (const id of ['e1', 'e2', 'e3', 'e4', 'e5']) t.ok(seen.includes(`Patient/${id}`), `${query}: ${id}`);
      const middle = (await send('GET', link(first, 'next'))).json<Bundle>();
      const back = (await send('GET', link(last, 'previous'))).json<Bundle>();
      t.same(namesOf(back, 'match'), namesOf(middle, 'match'), `${query}: back`);
      for (const id of ['e1', 'e2', 'e3', 'e4', 'e5', 'late']) await send('DELETE', `Patient/${id}`);
    }
  });

  t.test('links are encoded: a self link finds the same again', async (t) => {
    for (const query of [
      'family=N%C3%BA%C3%B1ez',
      'family=a%26b%3Dc',
      'identifier=http://x/%7C1%2B1',
      'family=a%2Cb%5C%2Cc',
    ]) {
      const self = (await send('GET', `Patient?${query}`)).json<Bundle>().link?.[0]?.url ?? '';
      t.match(self, /^[\x21-\x7e]+$/, 'no space and no letter that a url has not');
      t.same(new URL(self).searchParams, new URLSearchParams(query));
      t.equal((await send('GET', self)).json<Bundle>().link?.[0]?.url, self);
      t.ok(self.startsWith(baseUrl));
    }
  });
});

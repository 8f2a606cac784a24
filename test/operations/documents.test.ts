import type {
  Bundle,
  Composition,
  DocumentReference,
  OperationOutcome,
  Parameters,
  Resource,
} from '@medplum/fhirtypes';
import { test } from 'tap';
import { startTestServer } from '../http/test-server.ts';

const idsOf = ({ entry = [] }: Bundle) => entry.map(({ resource }) => resource?.id);
const LOINC = 'http://loinc.org';
const CCD = '34133-9';

test('DocumentReference/$docref', async (t) => {
  const { send } = await startTestServer(t);
  const put = async (id: string, code: string, date: string, more: Partial<DocumentReference> = {}) => {
    const body: DocumentReference = {
      resourceType: 'DocumentReference',
      id,
      status: 'current',
      type: { coding: [{ system: LOINC, code }] },
      subject: { reference: 'Patient/p' },
      date,
      content: [{ attachment: { url: 'http://example.org/a' } }],
      ...more,
    };
    t.equal((await send('PUT', `DocumentReference/${id}`, { body })).status, 201);
  };
  const care = { context: { period: { start: '2010-01-01', end: '2010-02-01' } } };
  await put('ccd-old', CCD, '2020-01-01T00:00:00Z');
  await put('ccd', CCD, '2021-01-01T00:00:00Z');
  await put('superseded', CCD, '2022-01-01T00:00:00Z', { status: 'superseded' });
  await put('note', '11506-3', '2021-06-01T00:00:00Z', care);
  await put('other', CCD, '2021-01-01T00:00:00Z', { subject: { reference: 'Patient/q' } });
  const docref = async (query: string): Promise<Bundle> => {
    const answer = await send('GET', `DocumentReference/$docref?${query}`);
    t.equal(answer.status, 200, answer.text);
    return answer.json<Bundle>();
  };

  t.test('without a time answers the current document of each type', async (t) => {
    const bundle = await docref('patient=p');
    t.equal(bundle.type, 'searchset');
    t.same(idsOf(bundle), ['note', 'ccd']);
    t.same(idsOf(await docref(`patient=p&type=${LOINC}|${CCD}`)), ['ccd']);
  });

  t.test('with start and end takes the time of care, and without one the time of the document', async (t) => {
    t.same(idsOf(await docref('patient=p&start=2020')), ['ccd', 'ccd-old']);
    t.same(idsOf(await docref('patient=p&end=2015')), ['note']);
    t.same(idsOf(await docref('patient=p&start=2010-01-15&end=2020-12-31')).sort(), ['ccd-old', 'note']);
  });

  t.test('takes documents of a profile', async (t) => {
    const profile = 'http://hl7.org/fhir/us/core/StructureDefinition/us-core-documentreference';
    await put('profiled', '11506-3', '2020-03-01T00:00:00Z', { meta: { profile: [`${profile}|6.1.0`] } });
    t.same(idsOf(await docref(`patient=p&profile=${profile}`)), ['profiled']);
    t.same(idsOf(await docref(`patient=p&profile=${profile}|6.1.0`)), ['profiled']);
    t.same(idsOf(await docref('patient=p&profile=http://example.org/other')), []);
  });

  t.test('takes the same parameters by POST', async (t) => {
    const body: Parameters = {
      resourceType: 'Parameters',
      parameter: [
        { name: 'patient', valueId: 'p' },
        { name: 'type', valueCoding: { system: LOINC, code: CCD } },
        { name: 'on-demand', valueBoolean: false },
      ],
    };
    t.same(idsOf((await send('POST', 'DocumentReference/$docref', { body })).json<Bundle>()), ['ccd']);
  });

  t.test('answers an empty Bundle for documents on demand, and for a patient that is not there', async (t) => {
    for (const query of ['patient=p&on-demand=true', 'patient=none']) {
      const bundle = await docref(query);
      t.equal(bundle.total, 0);
      t.notOk('entry' in bundle);
    }
  });

  t.test('needs a patient, and refuses what it does not know', async (t) => {
    for (const query of ['', 'patient=p&foo=1', 'patient=p&on-demand=x', 'patient=p&start=x', 'patient=p&patient=q'])
      t.equal((await send('GET', `DocumentReference/$docref?${query}`)).status, 400, query);
  });
});

test('Composition/[id]/$document', async (t) => {
  const { baseUrl, send, count } = await startTestServer(t);
  const put = async (body: Resource) =>
    t.equal((await send('PUT', `${body.resourceType}/${body.id}`, { body })).status, 201);
  const composition: Composition = {
    resourceType: 'Composition',
    id: 'c',
    status: 'final',
    type: { text: 'Opinion' },
    subject: { reference: 'Patient/p' },
    date: '2024-01-01',
    author: [{ reference: `${baseUrl}/Practitioner/d` }],
    title: 'Second opinion',
    section: [{ title: 'A', entry: [{ reference: 'Observation/o' }, { reference: 'Patient/p' }] }],
  };
  await put(composition);

  t.test('is 422 while a part is missing, as such a document would mislead', async (t) => {
    const answer = await send('GET', 'Composition/c/$document');
    t.equal(answer.status, 422);
    t.match(answer.diagnostics, /There is no Patient\/p/);
  });

  await put({ resourceType: 'Patient', id: 'p' });
  await put({ resourceType: 'Practitioner', id: 'd' });
  await put({ resourceType: 'Observation', id: 'o', status: 'final', code: { text: 'x' } });

  t.test('answers a document with the Composition first and all it refers to, each once', async (t) => {
    for (const path of ['Composition/c/$document', 'Composition/$document?id=c']) {
      const answer = await send('GET', path);
      t.equal(answer.status, 200, answer.text);
      const bundle = answer.json<Bundle>();
      t.equal(bundle.type, 'document');
      t.same(
        bundle.entry?.map(({ fullUrl }) => fullUrl),
        [`${baseUrl}/Composition/c`, `${baseUrl}/Patient/p`, `${baseUrl}/Practitioner/d`, `${baseUrl}/Observation/o`],
      );
      const outcome = (await send('POST', 'Bundle/$validate', { body: bundle })).json<OperationOutcome>();
      t.same(
        outcome.issue.filter(({ severity }) => severity === 'error'),
        [],
      );
    }
    t.equal(await count('Bundle'), 0);
  });

  t.test('with persist=true stores the document, and says where', async (t) => {
    const answer = await send('POST', 'Composition/c/$document?persist=true');
    t.equal(answer.status, 200, answer.text);
    const bundle = answer.json<Bundle>();
    t.equal(answer.headers.get('location'), `${baseUrl}/Bundle/${bundle.id}/_history/1`);
    t.same((await send('GET', `Bundle/${bundle.id}`)).json<Bundle>(), bundle);
    t.equal((await send('GET', 'Composition/c/$document?persist=true')).status, 400, 'a GET stores nothing');
  });

  t.test('needs a Composition, and refuses what it does not know', async (t) => {
    t.equal((await send('GET', 'Composition/none/$document')).status, 404);
    for (const path of ['Composition/$document', 'Composition/c/$document?id=c', 'Composition/c/$document?graph=x'])
      t.equal((await send('GET', path)).status, 400, path);
  });
});

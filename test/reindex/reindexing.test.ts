import type { Bundle, CapabilityStatement, Resource, SearchParameter, Task } from '@medplum/fhirtypes';
import { test } from 'tap';
import { temporaryFolder } from '../http/test-server.ts';
import { type HeldServer, openHeldServer } from './held-server.ts';
import { ENDLESS, ENDLESS_NAME, MAIDEN, patientBorn } from './resources.ts';

/** The codes of the search parameters of a type that the CapabilityStatement lists. */
const listed = async ({ send }: HeldServer, type: string): Promise<string[]> => {
  const { rest } = (await send('GET', 'metadata')).json<CapabilityStatement>();
  const resource = rest?.[0]?.resource?.find((each) => each.type === type);
  return (resource?.searchParam ?? []).map(({ name = '' }) => name);
};

test('a POSTed definition is searchable when $reindex is done, and not before', async (t) => {
  const server = await openHeldServer(t, temporaryFolder(t));
  const { send, found } = server;
  t.equal((await send('GET', '$reindex')).status, 404);
  await send('PUT', 'Patient/a', { ...patientBorn('Müller'), id: 'a' });
  t.equal((await send('PUT', 'SearchParameter/maiden', MAIDEN)).status, 201);
  t.match(await send('GET', 'Patient?maiden=mull'), { status: 400, diagnostics: /no search parameter 'maiden'/ });

  const begun = await send('POST', '$reindex');
  t.equal(begun.status, 202);
  t.equal(begun.headers['content-location'], 'http://localhost/fhir/$reindex');
  t.match(begun.json<Task>(), { resourceType: 'Task', status: 'in-progress', intent: 'order' });
  const value = begun.json<Task>();
  t.same(server.fhir.validate(value, { expectedType: 'Task', integralDecimals: new Set() }), [], 'it is a valid Task');
  await server.held;
  const searches = ['Patient?maiden=mull', 'Patient?maiden:missing=true', 'Patient?_sort=maiden'];
  for (const search of [...searches, 'Observation?subject:Patient.maiden=x', 'Observation?patient.maiden=x']) {
    const answer = await send('GET', search);
    t.match(answer, { status: 503, headers: { 'retry-after': /^\d+$/ } }, search);
    t.match(answer.json(), { issue: [{ code: 'transient', diagnostics: /'maiden' of Patient is not ready/ }] });
  }
  t.equal((await send('GET', 'Patient?maiden=x', undefined, { prefer: 'handling=lenient' })).status, 503);
  t.equal(await found('Patient?name=muller'), 1, 'other searches are answered');
  t.notOk((await listed(server, 'Patient')).includes('maiden'));

  t.equal(await server.finished(), 'completed');
  t.equal(await found('Patient?maiden=mull'), 1);
  t.equal(await found('Patient?maiden:exact=Official Müller'), 0);
  t.ok((await listed(server, 'Patient')).includes('maiden'));
  t.notOk((await listed(server, 'Person')).includes('maiden'));
  const done = await send('GET', '$reindex');
  t.match(done.json<Task>(), {
    status: 'completed',
    output: [
      { type: { text: 'indexed' }, valueUnsignedInt: 1 },
      { type: { text: 'total' }, valueUnsignedInt: 1 },
    ],
  });
  t.equal((await send('POST', '$reindex')).status, 200, 'there is nothing more to do');
});

test('a reindex makes no versions', async (t) => {
  const server = await openHeldServer(t, temporaryFolder(t), [], false);
  await server.send('PUT', 'Patient/a', { ...patientBorn('A'), id: 'a' });
  const before = (await server.send('GET', 'Patient/a')).json<Resource>();
  await server.send('PUT', 'SearchParameter/maiden', MAIDEN);
  await server.send('POST', 'SearchParameter/maiden/$reindex');
  t.equal(await server.finished(), 'completed');
  t.same((await server.send('GET', 'Patient/a')).json(), before);
  t.equal((await server.send('GET', 'Patient/_history')).json<Bundle>().entry?.length, 1);
  t.equal(await server.found('Patient?maiden=a'), 1);
});

test('what is written while the job runs is found', async (t) => {
  const server = await openHeldServer(t, temporaryFolder(t));
  const { send, found } = server;
  for (const id of ['kept', 'changed', 'deleted']) await send('PUT', `Patient/${id}`, { ...patientBorn('Before'), id });
  await send('PUT', 'SearchParameter/maiden', MAIDEN);
  await send('POST', '$reindex');
  // The walk has read the resources, and not written yet.
  await server.held;
  await send('PUT', 'Patient/changed', { ...patientBorn('After'), id: 'changed' });
  await send('PUT', 'Patient/new', { ...patientBorn('After'), id: 'new' });
  await send('DELETE', 'Patient/deleted');
  t.equal(await server.finished(), 'completed');
  t.equal(await found('Patient?maiden=before'), 1);
  t.equal(await found('Patient?maiden=after'), 2);
});

test('a write that was prepared before the job and is committed after the walk is indexed', async (t) => {
  const server = await openHeldServer(t, temporaryFolder(t), [], false);
  const { fhir } = server;
  const patient = { ...patientBorn('Late'), id: 'late' };
  const entries = fhir.indexEntries(patient);
  await server.send('PUT', 'SearchParameter/maiden', MAIDEN);
  await server.send('POST', '$reindex');
  t.equal(await server.finished(), 'completed');
  const [head = '', tail = ''] = JSON.stringify({ ...patient, meta: {} }).split('"meta":{');
  const resource = { type: 'Patient', id: 'late', head: `${head}"meta":{`, tail };
  await fhir.store.commit([{ kind: 'create', resource, entries }]);
  t.equal(await server.found('Patient?maiden=late'), 1);
});

test('an updated definition stays as it was until it is indexed anew', async (t) => {
  const server = await openHeldServer(t, temporaryFolder(t), [], false);
  const { send, found } = server;
  await send('PUT', 'Patient/a', { ...patientBorn('A'), id: 'a' });
  await send('PUT', 'SearchParameter/maiden', MAIDEN);
  await send('POST', '$reindex');
  await server.finished();
  const other: SearchParameter = { ...MAIDEN, expression: "Patient.name.where(use='official').family" };
  await send('PUT', 'SearchParameter/maiden', other);
  t.equal(await found('Patient?maiden=a'), 1, 'by the earlier definition');
  t.equal((await send('POST', '$reindex')).status, 202);
  await server.finished();
  t.equal(await found('Patient?maiden=a'), 0);
  t.equal(await found('Patient?maiden=official'), 1);
  await send('PUT', 'SearchParameter/maiden', { ...other, description: 'In other words' });
  await send('POST', '$reindex');
  await server.finished();
  t.equal(await found('Patient?maiden=official'), 1);
  t.match(await send('GET', '$reindex'), {}, 'nothing was to be indexed');
  await send('DELETE', 'SearchParameter/maiden');
  t.equal(await found('Patient?maiden=official'), 1, 'in use until $reindex');
  t.equal((await send('POST', 'SearchParameter/maiden/$reindex')).status, 410);
  await send('POST', '$reindex');
  await server.finished();
  t.equal((await send('GET', 'Patient?maiden=official')).status, 400);
});

test('a definition that cannot be used is refused with the reason, and nothing begins', async (t) => {
  const server = await openHeldServer(t, temporaryFolder(t), [], false);
  const { send } = server;
  const broken: SearchParameter = {
    ...MAIDEN,
    id: 'broken',
    url: 'http://x.example/b',
    code: 'b',
    expression: 'Patient.(',
  };
  t.equal((await send('PUT', 'SearchParameter/broken', broken)).status, 201, 'it is stored like any resource');
  await send('PUT', 'SearchParameter/maiden', MAIDEN);
  const refused = await send('POST', '$reindex');
  t.match(refused, {
    status: 422,
    diagnostics: /SearchParameter\/broken cannot be used: its expression .* is no FHIRPath/,
  });
  t.equal((await send('GET', '$reindex')).status, 404);
  t.equal((await send('POST', 'SearchParameter/broken/$reindex')).status, 422);
  t.equal((await send('POST', 'SearchParameter/maiden/$reindex')).status, 202, 'another one can be used');
  await server.finished();
  await send('PUT', 'SearchParameter/broken', { ...broken, status: 'retired' });
  t.equal((await send('POST', '$reindex')).status, 200, 'a retired one is passed over');
  t.equal((await send('POST', 'SearchParameter/none/$reindex')).status, 404);
  t.match(await send('POST', '$reindex?type=Nothing'), { status: 400, diagnostics: /no resource type 'Nothing'/ });
  t.match(await send('POST', '$reindex?tipe=Patient'), { status: 400, diagnostics: /no parameter 'tipe'/ });
});

test('one job at a time: the same is joined, another is told to wait', async (t) => {
  const server = await openHeldServer(t, temporaryFolder(t));
  const { send } = server;
  await send('PUT', 'Patient/a', { ...patientBorn('A'), id: 'a' });
  await send('PUT', 'SearchParameter/maiden', MAIDEN);
  const first = (await send('POST', '$reindex')).json<Task>();
  await server.held;
  const again = await send('POST', '$reindex');
  t.equal(again.status, 202);
  t.equal(again.json<Task>().id, first.id);
  t.equal((await send('POST', '$reindex?type=Patient')).json<Task>().id, first.id);
  await send('PUT', 'SearchParameter/other', {
    ...MAIDEN,
    id: 'other',
    url: 'http://x.example/o',
    code: 'other',
  } as Resource);
  t.match(await send('POST', '$reindex'), { status: 409, headers: { 'retry-after': /^\d+$/ } });
  t.match(await send('POST', '$reindex?type=Observation'), { status: 409 });
  await server.finished();
  t.equal((await send('POST', '$reindex')).status, 202);
  await server.finished();
  t.equal(await server.found('Patient?other=a'), 1);
});

test('types that are named are indexed in any case', async (t) => {
  const server = await openHeldServer(t, temporaryFolder(t), [], false);
  await server.send('PUT', 'Patient/a', { ...patientBorn('A'), id: 'a' });
  t.equal((await server.send('POST', '$reindex?type=Patient')).status, 202);
  await server.finished();
  t.match((await server.send('GET', '$reindex')).json<Task>(), { output: [{ valueUnsignedInt: 1 }, {}] });
});

test('an expression that fails on a resource has no value there, and the resource is stored', async (t) => {
  const single = { ...MAIDEN, expression: 'Patient.name.family.single()' };
  const server = await openHeldServer(t, temporaryFolder(t), [single], false);
  t.equal((await server.send('PUT', 'Patient/two', { ...patientBorn('A'), id: 'two' })).status, 201);
  await server.send('PUT', 'Patient/one', { resourceType: 'Patient', id: 'one', name: [{ family: 'One' }] });
  t.equal(await server.found('Patient?maiden=one'), 1);
  t.equal(await server.found('Patient?maiden:missing=true'), 1);
});

test('a parameter of all types is searched at each, and listed for the system', async (t) => {
  const lang: SearchParameter = {
    ...MAIDEN,
    code: 'lang',
    base: ['Resource' as 'Patient'],
    type: 'token',
    expression: 'Resource.language',
  };
  const server = await openHeldServer(t, temporaryFolder(t), [lang], false);
  await server.send('PUT', 'Patient/a', { resourceType: 'Patient', id: 'a', language: 'es' });
  await server.send('PUT', 'Basic/b', { resourceType: 'Basic', id: 'b', language: 'es', code: { text: 'x' } });
  t.equal(await server.found('Patient?lang=es'), 1);
  t.equal(await server.found('?lang=es'), 2);
  t.equal(await server.found('?_type=Basic&lang=es'), 1);
  const { rest } = (await server.send('GET', 'metadata')).json<CapabilityStatement>();
  t.ok(rest?.[0]?.searchParam?.some(({ name }) => name === 'lang'));
});

test('a parameter that could take for ever is refused, from a resource as from a package', async (t) => {
  const server = await openHeldServer(t, temporaryFolder(t), [{ ...ENDLESS, url: 'http://x.example/p' }], false);
  t.match(server.messages, [/^package file-0 is not used for search: .*the function matches\(\) cannot be used/]);
  t.equal((await server.send('PUT', 'Patient/a', { ...patientBorn(ENDLESS_NAME), id: 'a' })).status, 201);
  t.equal((await server.send('PUT', 'SearchParameter/endless', ENDLESS)).status, 201);
  t.match(await server.send('POST', '$reindex'), {
    status: 422,
    diagnostics: /the function matches\(\) cannot be used/,
  });
  t.equal((await server.send('PUT', 'Patient/b', { ...patientBorn(ENDLESS_NAME), id: 'b' })).status, 201);
});

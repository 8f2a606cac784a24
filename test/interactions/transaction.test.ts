import type {
  Bundle,
  BundleEntry,
  DocumentReference,
  Observation,
  OperationOutcome,
  Patient,
} from '@medplum/fhirtypes';
import { test } from 'tap';
import { startTestServer, type TestServer } from '../http/test-server.ts';

const uuid = (digit: number): string => `urn:uuid:00000000-0000-4000-8000-00000000000${digit}`;
const PATIENT = { resourceType: 'Patient' as const, active: true };
const observation = (reference: string) => ({
  resourceType: 'Observation' as const,
  status: 'final' as const,
  code: { text: 'x' },
  subject: { reference },
});
const post = (resource: { resourceType: string }, more: Partial<BundleEntry> = {}, request: object = {}) => ({
  resource,
  ...more,
  request: { method: 'POST', url: resource.resourceType, ...request },
});
const put = (id: string, resource: object, request: object = {}) => ({
  resource: { ...resource, id },
  request: { method: 'PUT', url: `Patient/${id}`, ...request },
});
const bundleOf = (entry: readonly unknown[], more: object = {}) => ({
  resourceType: 'Bundle',
  type: 'transaction',
  entry,
  ...more,
});
const subjectOf = (entry: BundleEntry | undefined): string | undefined =>
  (entry?.resource as Observation | undefined)?.subject?.reference;
const sender =
  ({ send }: TestServer) =>
  (entry: readonly unknown[], more: object = {}) =>
    send('POST', '', { body: bundleOf(entry, more) });

const TYPES = ['Patient', 'Observation', 'DocumentReference', 'Binary'];

test('A transaction is carried out as a whole', async (t) => {
  const server = await startTestServer(t, { CONSILIUM_BUNDLE_ENTRIES: '20' });
  const { baseUrl, create, send, count } = server;
  const transact = sender(server);
  const stored = async (): Promise<number[]> => Promise.all(TYPES.map(count));

  t.test('references between entries become those of the resources that were made', async (t) => {
    const document = {
      resourceType: 'DocumentReference' as const,
      status: 'current' as const,
      text: {
        status: 'generated' as const,
        div: `<div xmlns="http://www.w3.org/1999/xhtml"><a href="${uuid(3)}">file</a> ${uuid(3)}</div>`,
      },
      subject: { reference: uuid(1) },
      identifier: [{ system: 'urn:ietf:rfc:3986', value: uuid(3) }],
      content: [{ attachment: { contentType: 'text/plain', url: uuid(3) } }],
    };
    const answer = await transact([
      post(document, { fullUrl: uuid(2) }),
      post({ resourceType: 'Binary', contentType: 'text/plain', data: 'aGk=' } as never, { fullUrl: uuid(3) }),
      post(PATIENT, { fullUrl: uuid(1) }),
    ]);
    t.equal(answer.status, 200, answer.text);
    const { entry = [] } = answer.json<Bundle>();
    const [, binary, patient] = entry.map(({ response }) => response?.location?.replace(/\/_history\/1$/, ''));
    const made = entry[0]?.resource as DocumentReference;
    t.equal(made.subject?.reference, patient);
    t.equal(made.content[0]?.attachment.url, binary);
    t.match(made.text?.div, `<a href="${binary}">`);
    t.match(made.text?.div, ` ${uuid(3)}<`, 'text that is no link stays');
    t.equal(made.identifier?.[0]?.value, uuid(3), 'an identifier is no link');
  });

  t.test('a relative reference means the entry with the same base in its fullUrl', async (t) => {
    await send('PUT', 'Patient/7', { body: { resourceType: 'Patient', id: '7' } });
    const there = 'https://hospital.example/fhir';
    const answer = await transact([
      post(observation('Patient/7'), { fullUrl: `${there}/Observation/1` }),
      post(observation(`${there}/Patient/7`), { fullUrl: uuid(1) }),
      post(observation(`${there}/Patient/7/_history/3`), { fullUrl: uuid(2) }),
      post(observation('Patient/7'), { fullUrl: uuid(3) }),
      post(PATIENT, { fullUrl: `${there}/Patient/7` }),
    ]);
    t.equal(answer.status, 200, answer.text);
    const { entry = [] } = answer.json<Bundle>();
    const patient = `Patient/${entry[4]?.resource?.id}`;
    const subjects = entry.slice(0, 4).map(subjectOf);
    t.same(
      subjects,
      [patient, patient, patient, 'Patient/7'],
      'the last has no base, so it means the server\u2019s own',
    );
  });

  t.test('the url that names a definition stays, although it is the fullUrl of its entry', async (t) => {
    const url = 'https://hospital.example/fhir/CodeSystem/mine';
    const codes = { resourceType: 'CodeSystem' as const, url, status: 'draft', content: 'not-present' };
    const answer = await transact([post(codes, { fullUrl: url })]);
    t.equal(answer.status, 200, answer.text);
    t.match(answer.json<Bundle>().entry?.[0]?.resource, { url });
  });

  t.test('a reference to an entry that is not there is refused, with the entry and the path', async (t) => {
    const before = await stored();
    const answer = await transact([post(PATIENT, { fullUrl: uuid(1) }), post(observation(uuid(2)))]);
    t.equal(answer.status, 400);
    t.match(answer.diagnostics, /Entry 1 .*Observation\.subject\.reference.*00000002/);
    t.same(answer.outcome.issue[0]?.expression, ['Bundle.entry[1].resource.subject.reference']);
    t.same(await stored(), before);
  });

  t.test('conditional references are resolved, and must find one', async (t) => {
    const system = 'http://example.org/mrn';
    const withValue = (value: string) => ({ ...PATIENT, identifier: [{ system, value }] });
    const { id } = await create(withValue('one'));
    await create(withValue('two'));
    await create(withValue('two'));
    const before = await stored();
    const found = await transact([post(observation(`Patient?identifier=${system}|one`))]);
    t.equal(found.status, 200, found.text);
    t.equal(subjectOf(found.json<Bundle>().entry?.[0]), `Patient/${id}`);
    for (const value of ['none', 'two']) {
      const refused = await transact([post(PATIENT), post(observation(`Patient?identifier=${system}|${value}`))]);
      t.equal(refused.status, 412, value);
      t.match(refused.diagnostics, /Entry 1/);
    }
    t.equal(await count('Patient'), before[0]);
    t.equal(await count('Observation'), (before[1] ?? 0) + 1);
  });

  t.test('a reference to a conditional create means what that found', async (t) => {
    const { id } = await create({ ...PATIENT, identifier: [{ value: 'linked' }] });
    const answer = await transact([
      post(observation(uuid(1))),
      post(PATIENT, { fullUrl: uuid(1) }, { ifNoneExist: 'identifier=linked' }),
    ]);
    const { entry = [] } = answer.json<Bundle>();
    t.equal(subjectOf(entry[0]), `Patient/${id}`);
    t.match(entry[1]?.response, { status: '200 OK', location: `Patient/${id}/_history/1`, etag: 'W/"1"' });
  });

  t.test('two writes to one resource are refused', async (t) => {
    const before = await stored();
    const twice = [
      [put('t', PATIENT), put('t', { ...PATIENT, active: false })],
      [put('t', PATIENT), { request: { method: 'DELETE', url: 'Patient/t' } }],
      [
        put('t', PATIENT),
        { resource: { ...PATIENT, id: 't' }, request: { method: 'PUT', url: `${baseUrl}/Patient/t` } },
      ],
      [post(PATIENT, {}, { ifNoneExist: 'identifier=t' }), post(PATIENT, {}, { ifNoneExist: 'identifier=t' })],
    ];
    for (const entries of twice) {
      const answer = await transact(entries);
      t.equal(answer.status, 400);
      t.match(answer.diagnostics, /Entries 0 and 1/);
    }
    t.same(await stored(), before);
  });

  t.test('one entry at fault leaves nothing of the others, and is named with the reason', async (t) => {
    const { id } = await create(PATIENT);
    const before = await stored();
    const faults: [status: number, entry: object, reason: RegExp][] = [
      [400, post({ resourceType: 'Patient', birthDate: '1980-13-01' } as never), /Patient\.birthDate/],
      [412, put(id, PATIENT, { ifMatch: 'W/"9"' }), /version 9/],
      [400, put(id, PATIENT, { ifMatch: 'nine' }), /If-Match/],
      [400, { resource: PATIENT, request: { method: 'PUT', url: 'Patient/other' } }, /id/],
      [404, post(PATIENT, {}, { url: 'Patent' }), /Patent/],
      [400, post(PATIENT, {}, { url: 'Patient/1' }), /Patient\/1/],
      [400, { request: { method: 'POST', url: 'Patient' } }, /resource/],
      [400, { request: { method: 'PATCH', url: `Patient/${id}` } }, /PATCH/],
      [400, { resource: PATIENT, request: { method: 'PUT', url: 'Patient?' } }, /criteria/],
      [404, { request: { method: 'GET', url: 'Patient/none' } }, /Patient\/none/],
      [400, { request: { method: 'GET', url: 'Patient?birthdate=x' } }, /birthdate/],
      [412, { request: { method: 'DELETE', url: `Patient/${id}`, ifMatch: 'W/"9"' } }, /version 9/],
    ];
    for (const [status, entry, reason] of faults) {
      const answer = await transact([post(PATIENT), put('fresh', PATIENT), entry, post(observation(`Patient/${id}`))]);
      t.equal(answer.status, status, JSON.stringify(entry));
      t.match(answer.diagnostics, /Entry 2 /);
      t.match(answer.diagnostics, reason);
      t.match(answer.outcome.issue[0]?.expression?.[0], /^Bundle\.entry\[2\]/);
    }
    t.same(await stored(), before);
    t.equal((await send('GET', 'Patient/fresh')).status, 404);
  });

  t.test('the faults of several entries are all told', async (t) => {
    const bad = { resourceType: 'Patient', gender: 'x' } as never;
    const answer = await transact([post(bad), post(PATIENT), post(bad)]);
    t.same(
      answer.json<OperationOutcome>().issue.flatMap(({ expression = [] }) => expression),
      ['Bundle.entry[0].resource.gender', 'Bundle.entry[2].resource.gender'],
    );
  });

  t.test('the answers come in the order of the entries, with status, location, etag and time', async (t) => {
    const { id } = await create(PATIENT);
    const answer = await transact([
      { request: { method: 'GET', url: 'Patient/ordered' } },
      put('ordered', PATIENT),
      { request: { method: 'DELETE', url: `Patient/${id}` } },
      post(PATIENT),
      { request: { method: 'GET', url: 'Patient?_id=ordered' } },
    ]);
    t.equal(answer.status, 200, answer.text);
    const bundle = answer.json<Bundle<Patient>>();
    t.equal(bundle.type, 'transaction-response');
    const [read, updated, deleted, created, search] = bundle.entry ?? [];
    t.equal(read?.response?.status, '200 OK');
    t.equal(read?.resource?.id, 'ordered', 'a read sees what the transaction wrote');
    t.match(updated?.response, { status: '201 Created', location: 'Patient/ordered/_history/1', etag: 'W/"1"' });
    t.match(deleted?.response, { status: '204 No Content', etag: 'W/"2"' });
    t.match(created?.response, { status: '201 Created', location: `Patient/${created?.resource?.id}/_history/1` });
    t.equal(created?.response?.lastModified, created?.resource?.meta?.lastUpdated, 'to the millisecond');
    t.match(search?.resource, { resourceType: 'Bundle', type: 'searchset', entry: [{ resource: { id: 'ordered' } }] });
  });

  t.test('a read of what the same transaction deletes is refused', async (t) => {
    const { id } = await create(PATIENT);
    const url = `Patient/${id}`;
    const answer = await transact([{ request: { method: 'GET', url } }, { request: { method: 'DELETE', url } }]);
    t.equal(answer.status, 410);
    t.equal((await send('GET', url)).status, 200);
  });

  t.test('Prefer chooses what the entries answer', async (t) => {
    const preferring = (prefer: string) =>
      send('POST', '', { body: bundleOf([post(PATIENT)]), headers: { prefer: `return=${prefer}` } });
    const minimal = (await preferring('minimal')).json<Bundle>().entry?.[0];
    t.equal(minimal?.resource, undefined);
    t.match(minimal?.response, { status: '201 Created', etag: 'W/"1"' });
    const outcome = (await preferring('OperationOutcome')).json<Bundle>().entry?.[0];
    t.equal(outcome?.resource, undefined);
    t.equal(outcome?.response?.outcome?.resourceType, 'OperationOutcome');
    t.equal((await preferring('all')).status, 400);
  });

  t.test('a Bundle that is none of requests is refused', async (t) => {
    const before = await stored();
    const refused = async (status: number, reason: RegExp, body: unknown): Promise<void> => {
      const answer = await send('POST', '', { body });
      t.equal(answer.status, status, JSON.stringify(body).slice(0, 200));
      t.match(answer.diagnostics, reason);
    };
    await refused(400, /Bundle\.type/, bundleOf([post(PATIENT)], { type: 'collection' }));
    await refused(400, /Bundle\.type/, bundleOf([post(PATIENT)], { type: undefined }));
    await refused(400, /Bundle\.type/, bundleOf([post(PATIENT)], { type: { a: 1 } }));
    await refused(400, /Bundle\.entry\[1\]\.request/, bundleOf([post(PATIENT), { resource: PATIENT }]));
    await refused(400, /request/, bundleOf([post(PATIENT), null]));
    await refused(400, /request/, bundleOf(['x', 5, []]));
    await refused(400, /method/, bundleOf([post(PATIENT, {}, { method: 'FETCH' })]));
    await refused(400, /method/, bundleOf([{ resource: PATIENT, request: { url: 'Patient' } }]));
    await refused(400, /Bundle\.entry/, bundleOf([], { entry: { a: 1 } }));
    await refused(400, /Bundle/, PATIENT);
    await refused(400, /Bundle/, []);
    await refused(400, /Bundle/, null);
    await refused(413, /CONSILIUM_BUNDLE_ENTRIES/, bundleOf(Array.from({ length: 21 }, () => post(PATIENT))));
    await refused(400, /fullUrl/, bundleOf([post(PATIENT, { fullUrl: uuid(1) }), post(PATIENT, { fullUrl: uuid(1) })]));
    await refused(400, /Entry 0/, bundleOf([post(5 as never, {}, { url: 'Patient' })]));
    t.same(await stored(), before);
    t.equal(
      (await transact(Array.from({ length: 20 }, () => post(PATIENT)))).status,
      200,
      'the limit itself is allowed',
    );
    t.equal((await send('POST', '', { body: bundleOf([], { entry: undefined }) })).status, 200);
  });
});

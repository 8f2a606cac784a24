import type { Bundle, Observation, Patient } from '@medplum/fhirtypes';
import { test } from 'tap';
import { startTestServer } from '../http/test-server.ts';

const system = 'http://example.org/mrn';
const identified = (value: string, more: object = {}) => ({
  resourceType: 'Patient' as const,
  identifier: [{ system, value }],
  ...more,
});
const criteria = (value: string): string => `Patient?identifier=${system}|${value}`;
const put = (url: string, resource: object, request: object = {}) => ({
  resource,
  request: { method: 'PUT', url, ...request },
});
const jsonPatch = (operations: readonly object[]) => ({
  resourceType: 'Binary',
  contentType: 'application/json-patch+json',
  data: Buffer.from(JSON.stringify(operations)).toString('base64'),
});
const ACTIVATE = jsonPatch([{ op: 'add', path: '/active', value: true }]);

for (const type of ['batch', 'transaction'])
  test(`In a ${type}`, async (t) => {
    const { create, send } = await startTestServer(t);
    const post = (entry: readonly unknown[]) => send('POST', '', { body: { resourceType: 'Bundle', type, entry } });
    /** The status of the only entry, also if that is the whole transaction's. */
    const statusOf = async (entry: object): Promise<number> => {
      const answer = await post([entry]);
      if (answer.status !== 200) return answer.status;
      return Number.parseInt(answer.json<Bundle>().entry?.[0]?.response?.status ?? '', 10);
    };

    t.test('urls with criteria update, patch and delete what they find', async (t) => {
      t.equal(await statusOf(put(criteria('a'), identified('a'))), 201);
      t.equal(await statusOf(put(criteria('a'), identified('a', { active: false }))), 200);
      t.equal(await statusOf(put(criteria('a'), identified('a', { id: 'other' }))), 400);
      t.equal(await statusOf({ resource: ACTIVATE, request: { method: 'PATCH', url: criteria('a') } }), 200);
      const found = (await send('GET', criteria('a'))).json<Bundle<Patient>>();
      t.match(found.entry, [{ resource: { active: true, meta: { versionId: '3' } } }]);
      t.equal(await statusOf({ resource: ACTIVATE, request: { method: 'PATCH', url: criteria('none') } }), 404);
      t.equal(await statusOf({ request: { method: 'DELETE', url: criteria('a') } }), 204);
      t.equal(await statusOf({ request: { method: 'DELETE', url: criteria('a') } }), 204);
      await create(identified('many'));
      await create(identified('many'));
      t.equal(await statusOf(put(criteria('many'), identified('many'))), 412);
      t.equal(await statusOf({ request: { method: 'DELETE', url: criteria('many') } }), 412);
    });

    t.test('ifMatch and ifNoneMatch are checked', async (t) => {
      await send('PUT', 'Patient/m', { body: identified('m', { id: 'm' }) });
      const m = identified('m', { id: 'm', active: true });
      t.equal(await statusOf(put('Patient/m', m, { ifMatch: 'W/"7"' })), 412);
      t.equal(await statusOf(put('Patient/m', m, { ifNoneMatch: '*' })), 412);
      t.equal(await statusOf(put('Patient/m', m, { ifNoneMatch: 'x' })), 400);
      t.equal(await statusOf(put('Patient/m', m, { ifMatch: 'W/"1"' })), 200);
      t.equal(await statusOf(put('Patient/fresh', { ...m, id: 'fresh' }, { ifNoneMatch: '*' })), 201);
      const patch = { method: 'PATCH', url: 'Patient/m' };
      t.equal(await statusOf({ resource: ACTIVATE, request: { ...patch, ifMatch: 'W/"1"' } }), 412);
      t.equal(await statusOf({ resource: ACTIVATE, request: { ...patch, ifMatch: 'W/"2"' } }), 200);
    });

    t.test('a JSON Patch stands in a Binary, a FHIRPath Patch in Parameters', async (t) => {
      const { id } = await create<Patient>(identified('patched'));
      const parameters = {
        resourceType: 'Parameters',
        parameter: [
          {
            name: 'operation',
            part: [
              { name: 'type', valueCode: 'add' },
              { name: 'path', valueString: 'Patient' },
              { name: 'name', valueString: 'birthDate' },
              { name: 'value', valueDate: '1930-01-01' },
            ],
          },
        ],
      };
      const request = { method: 'PATCH', url: `Patient/${id}` };
      t.equal(await statusOf({ resource: ACTIVATE, request }), 200);
      t.equal(await statusOf({ resource: parameters, request }), 200);
      t.match((await send('GET', `Patient/${id}`)).json(), { active: true, birthDate: '1930-01-01' });
      const wrong = jsonPatch([{ op: 'test', path: '/active', value: false }]);
      t.equal(await statusOf({ resource: wrong, request }), 422);
    });
  });

test('A transaction', async (t) => {
  const { create, send, count } = await startTestServer(t);
  const transact = (entry: readonly unknown[]) =>
    send('POST', '', { body: { resourceType: 'Bundle', type: 'transaction', entry } });
  const postEntry = (resource: { resourceType: string }, request: object = {}) => ({
    resource,
    request: { method: 'POST', url: resource.resourceType, ...request },
  });

  t.test('is carried out in the order DELETE, POST, PUT/PATCH, GET', async (t) => {
    const { id } = await create<Patient>(identified('order'));
    const answer = await transact([
      { request: { method: 'GET', url: criteria('order') } },
      put('Patient/put', identified('put', { id: 'put' })),
      postEntry(identified('order'), { ifNoneExist: `identifier=${system}|order` }),
      { request: { method: 'DELETE', url: `Patient/${id}` } },
    ]);
    t.equal(answer.status, 200, answer.text);
    const { entry = [] } = answer.json<Bundle>();
    t.same(
      entry.map(({ response }) => response?.status),
      ['200 OK', '201 Created', '201 Created', '204 No Content'],
      'the answers are in the order of the entries, and the deletion came before the condition of the create',
    );
    const found = entry[0]?.resource as Bundle | undefined;
    t.same(
      found?.entry?.map(({ resource }) => resource?.id),
      [entry[2]?.resource?.id],
    );
    const history = (await send('GET', '_history?_count=3')).json<Bundle>();
    t.same(
      history.entry?.map(({ request }) => request?.method),
      ['PUT', 'POST', 'DELETE'],
      'newest first',
    );
  });

  t.test('refuses with 400 two creates under the same condition, however it is written', async (t) => {
    const before = await count('Patient');
    const answer = await transact([
      postEntry(identified('same'), { ifNoneExist: `identifier=${system}|same&active=true` }),
      postEntry(identified('same'), { ifNoneExist: `active=true&identifier=${encodeURIComponent(`${system}|same`)}` }),
    ]);
    t.equal(answer.status, 400);
    t.match(answer.diagnostics, /Entries 0 and 1/);
    const mixed = await transact([
      postEntry(identified('same'), { ifNoneExist: `identifier=${system}|same` }),
      put(criteria('same'), identified('same')),
    ]);
    t.equal(mixed.status, 400, 'a conditional create and a conditional update');
    t.equal(await count('Patient'), before);
  });

  t.test('refuses with 400 the same resource twice, also if criteria lead to it', async (t) => {
    const { id } = await create<Patient>(identified('twice'));
    const answer = await transact([
      put(`Patient/${id}`, identified('twice', { id })),
      put(criteria('twice'), identified('twice')),
    ]);
    t.equal(answer.status, 400);
    t.match(answer.diagnostics, /Entries 0 and 1/);
  });

  t.test('resolves a conditional reference to what the same transaction makes under that condition', async (t) => {
    const answer = await transact([
      postEntry({
        resourceType: 'Observation',
        status: 'final',
        code: { text: 'x' },
        subject: { reference: criteria('made') },
      } as Observation),
      put(criteria('made'), identified('made')),
    ]);
    t.equal(answer.status, 200, answer.text);
    const { entry = [] } = answer.json<Bundle>();
    t.equal((entry[0]?.resource as Observation | undefined)?.subject?.reference, `Patient/${entry[1]?.resource?.id}`);
  });

  t.test('answers ifNoneExist with 201, and then with 200', async (t) => {
    const entry = [postEntry(identified('again'), { ifNoneExist: `identifier=${system}|again` })];
    const statusOf = async () => (await transact(entry)).json<Bundle>().entry?.[0]?.response?.status;
    t.equal(await statusOf(), '201 Created');
    t.equal(await statusOf(), '200 OK');
  });

  t.test('sent a hundred times at once with the same conditional update, leaves one resource', async (t) => {
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => transact([put(criteria('race'), identified('race'))])),
    );
    t.ok(answers.every(({ status }) => status === 200));
    t.equal((await send('GET', `${criteria('race')}&_summary=count`)).json<Bundle>().total, 1);
  });

  t.test('applies parallel patches of one resource one after the other, and loses none', async (t) => {
    const { id } = await create<Patient>(identified('patches', { telecom: [{ value: 'first' }] }));
    const patchOf = (at: number) => jsonPatch([{ op: 'add', path: '/telecom/-', value: { value: `${at}` } }]);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, at) =>
        transact([{ resource: patchOf(at), request: { method: 'PATCH', url: `Patient/${id}` } }]),
      ),
    );
    t.ok(answers.every(({ status }) => status === 200));
    t.equal((await send('GET', `Patient/${id}`)).json<Patient>().telecom?.length, 21);
  });
});

/**
 * Granular scopes on every path.
 *
 * @see https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html#finer-grained-resource-constraints-using-search-parameters
 */
import type { Bundle, Resource } from '@medplum/fhirtypes';
import { type Test, test } from 'tap';
import { checkScopeParameters } from '../../src/access/scope-clauses.ts';
import { FhirError } from '../../src/fhir/fhir-error.ts';
import { type AccessTestServer, actorWith, patients, startAccessServer } from './access-server.ts';
import { observation, recordOf } from './records.ts';

const LAB = actorWith(
  'patient/Patient.rs patient/Condition.rs patient/Observation.cruds?category=urn:codes|laboratory patient/List.rs',
  { patient: 'pat-a', reach: patients('pat-a'), role: 'patient' },
);

const prepared = async (t: Test): Promise<AccessTestServer> => {
  const server = await startAccessServer(t);
  await server.put('Organization/a', ...recordOf('a'));
  await server.put('Organization/a', observation('lab-a', 'pat-a', 'vital-signs'));
  await server.put('Organization/a', observation('lab-a', 'pat-a', 'laboratory', { status: 'amended' }));
  return server;
};

test('us_core granular_scope_read_test: reads of an in-scope resource are answered, of another one 404, with an OperationOutcome', async (t) => {
  const { send } = await prepared(t);
  t.equal((await send(LAB, 'GET', 'Observation/lab-a')).status, 200);
  const hidden = await send(LAB, 'GET', 'Observation/vital-a');
  t.equal(hidden.status, 404);
  t.equal(hidden.json().resourceType, 'OperationOutcome');
});

test('each version is judged by itself (vread and history)', async (t) => {
  const { send } = await prepared(t);
  const statuses = [];
  for (const version of [1, 2, 3])
    statuses.push((await send(LAB, 'GET', `Observation/lab-a/_history/${version}`)).status);
  t.same(statuses, [200, 404, 200]);
  for (const path of ['Observation/lab-a/_history', 'Observation/_history', '_history?_since=2020-01-01']) {
    const { entry = [] } = (await send(LAB, 'GET', path)).json<Bundle>();
    const tags = entry.filter(({ fullUrl }) => fullUrl?.endsWith('/lab-a')).map(({ response }) => response?.etag);
    t.same(tags, ['W/"3"', 'W/"1"'], path);
    t.notOk(
      entry.some(({ fullUrl }) => /vital-a|Encounter/.test(fullUrl ?? '')),
      path,
    );
  }
  const count = (await send(LAB, 'GET', 'Observation/_history?_summary=count')).json<Bundle>();
  t.equal(count.total, 2, 'and so is the total');
});

test('us_core granular_scope_search_test: searches find what at least one scope permits, by GET and by POST, and totals count no more', async (t) => {
  const { send } = await prepared(t);
  for (const query of ['', 'patient=pat-a', 'category=urn:codes|laboratory', 'code:missing=false', '_sort=-date']) {
    const got = await send(LAB, 'GET', `Observation?${query}&_total=accurate`);
    t.same(got.names, ['Observation/lab-a'], query);
    t.equal(got.json<Bundle>().total, 1, query);
    const posted = await send(LAB, 'POST', 'Observation/_search', { body: query });
    t.same(posted.names, got.names, query);
  }
  t.same((await send(LAB, 'GET', 'Observation?category=vital-signs')).names, []);
  const both = actorWith(
    'user/Observation.rs?category=laboratory user/Observation.rs?category=vital-signs&date=gt2024-05-01',
  );
  t.same((await send(both, 'GET', 'Observation')).names, ['Observation/lab-a', 'Observation/vital-a']);
});

test('includes, reverse includes, chains and _has go over what is in scope', async (t) => {
  const { send, put } = await prepared(t);
  const list = (id: string, item: string): Resource & { id: string } => ({
    ...{ resourceType: 'List', id, status: 'current', mode: 'working', subject: { reference: 'Patient/pat-a' } },
    entry: [{ item: { reference: item } }],
  });
  await put('Organization/a', list('of-lab', 'Observation/lab-a'), list('of-vital', 'Observation/vital-a'));
  const cases: [path: string, names: string[]][] = [
    ['Patient?_revinclude=Observation:patient', ['Observation/lab-a', 'Patient/pat-a']],
    ['List?_id=of-lab,of-vital&_include=List:item', ['List/of-lab', 'List/of-vital', 'Observation/lab-a']],
    ['List?item:Observation.code:missing=false&_id=of-lab,of-vital', ['List/of-lab']],
    ['Patient?_has:Observation:patient:code=vital-a', []],
    ['Patient?_has:Observation:patient:category=laboratory', ['Patient/pat-a']],
  ];
  for (const [path, names] of cases) t.same((await send(LAB, 'GET', path)).names, names, path);
});

test('chains and _has through a type without a scope are refused with the scope that is missing', async (t) => {
  const { send } = await prepared(t);
  const narrow = actorWith('user/Observation.rs');
  for (const path of [
    'Observation?patient.family=x',
    'Observation?_has:Condition:evidence-detail:code=x',
    'Observation?_list=list-a',
  ]) {
    const answer = await send(narrow, 'GET', path);
    t.equal(answer.status, 403, path);
    t.match(
      answer.headers.get('www-authenticate'),
      /error="insufficient_scope", scope="user\/(Patient|Condition|List)\.s"/,
    );
  }
  t.equal(
    (await send(actorWith('user/Observation.rs user/Patient.rs'), 'GET', 'Observation?subject.name=x')).status,
    200,
  );
});

test('REQ-S 130: $everything, $lastn, batches and transactions keep to the scope', async (t) => {
  const { send } = await prepared(t);
  const everything = await send(LAB, 'GET', 'Patient/pat-a/$everything');
  t.same(everything.names, ['Condition/cond-a', 'List/list-a', 'Observation/lab-a', 'Patient/pat-a']);
  const lastn = await send(LAB, 'GET', 'Observation/$lastn?patient=pat-a&category=laboratory,vital-signs');
  t.same(lastn.names, ['Observation/lab-a']);
  const entry = ['Observation/lab-a', 'Observation/vital-a', 'Observation', 'Encounter'].map((url) => ({
    request: { method: 'GET', url },
  }));
  const batch = await send(LAB, 'POST', '', { body: { resourceType: 'Bundle', type: 'batch', entry } });
  const statuses = batch.json<Bundle>().entry?.map(({ response }) => response?.status.slice(0, 3));
  t.same(statuses, ['200', '404', '200', '403']);
  const transaction = await send(LAB, 'POST', '', {
    body: { resourceType: 'Bundle', type: 'transaction', entry: entry.slice(2) },
  });
  t.equal(transaction.status, 403, 'one entry without a scope refuses the whole');
});

test('writes stay within the scope, before and after', async (t) => {
  const { send } = await prepared(t);
  const put = (id: string, category: string) =>
    send(LAB, 'PUT', `Observation/${id}`, { body: observation(id, 'pat-a', category) }).then(({ status }) => status);
  t.equal(await put('lab-a', 'laboratory'), 200);
  t.equal(await put('lab-a', 'vital-signs'), 403, 'not out of the scope');
  t.equal(await put('vital-a', 'laboratory'), 404, 'not into it');
  t.equal(await put('new', 'laboratory'), 201);
  t.equal(await put('newer', 'vital-signs'), 403);
  t.equal((await send(LAB, 'DELETE', 'Observation/vital-a')).status, 404);
  t.equal((await send(LAB, 'DELETE', 'Observation/lab-a')).status, 204);
  t.equal((await send(LAB, 'GET', 'Observation/lab-a')).status, 410, 'who saw it sees that it is deleted');
  t.equal(
    (
      await send(LAB, 'POST', 'Condition', {
        body: { resourceType: 'Condition', subject: { reference: 'Patient/pat-a' } },
      })
    ).status,
    403,
  );
});

test('conditional writes see what is in scope, and need s', async (t) => {
  const { send } = await prepared(t);
  const create = (by: typeof LAB, criteria: string) =>
    send(by, 'POST', 'Observation', {
      body: observation('x', 'pat-a', 'laboratory'),
      headers: { 'if-none-exist': criteria },
    });
  t.equal((await create(LAB, 'code=lab-a')).status, 200);
  t.equal((await create(LAB, 'code=vital-a')).status, 201, 'what is hidden is no match');
  const blind = actorWith('patient/Observation.c', { patient: 'pat-a' });
  t.equal((await create(blind, 'code=lab-a')).status, 403);
  const entry = [
    {
      resource: observation('x', 'pat-a', 'laboratory'),
      request: { method: 'POST', url: 'Observation', ifNoneExist: 'code=lab-a' },
    },
  ];
  t.equal(
    (await send(blind, 'POST', '', { body: { resourceType: 'Bundle', type: 'transaction', entry } })).status,
    403,
  );
});

test('a scope takes any search parameter that can be judged by the resource alone', async (t) => {
  const { server } = await startAccessServer(t);
  const check = (type: string, name: string, value: string) => checkScopeParameters(server, type, [[name, value]]);
  check('Observation', 'category', 'http://a|b');
  check('Observation', 'value-quantity', 'gt5||mg');
  check('Observation', 'code-value-quantity', '8480-6$gt100');
  check('Observation', 'category:not', 'x');
  check('Observation', 'category:missing', 'true');
  check('Observation', 'subject:identifier', 'a|b');
  check('*', '_security', 'http://a|N');
  const refused: [string, string, string][] = [
    ['Observation', 'patient.name', 'x'],
    ['Patient', '_has:Observation:patient:code', 'x'],
    ['Observation', '_list', 'x'],
    ['Observation', '_text', 'x'],
    ['Observation', '_content', 'x'],
    ['Location', 'near', '1|2'],
    ['Location', 'partof:below', 'Location/1'],
    ['Observation', 'unknown', 'x'],
    ['Observation', '_sort', 'date'],
    ['Observation', '_include', 'Observation:patient'],
    ['Observation', 'date', 'yesterday'],
    ['*', 'category', 'x'],
  ];
  for (const [type, name, value] of refused) t.throws(() => check(type, name, value), FhirError, `${type} ${name}`);
});

/** Who is let in, and what who is not is told. @see https://www.rfc-editor.org/rfc/rfc6750 */
import type { Bundle, Resource } from '@medplum/fhirtypes';
import { test } from 'tap';
import { reading } from '../../src/access/access-rule.ts';
import { createDispatch, type Operation, ROUTES } from '../../src/interactions/route.ts';
import { OPERATIONS } from '../../src/operations/operations.ts';
import { actorWith, patients, sources, startAccessServer } from './access-server.ts';
import { observation, recordOf } from './records.ts';

const nothing = async () => ({ status: 200, headers: {} });

test('a route or an operation without an access rule does not start', async (t) => {
  t.doesNotThrow(() => createDispatch(nothing, OPERATIONS));
  const route = { path: 'new', methods: ['GET', 'POST'], access: { GET: reading('r') } };
  t.throws(() => createDispatch(nothing, OPERATIONS, [...ROUTES, route]), /POST new has no access rule/);
  const operation: Operation = {
    name: 'new',
    levels: ['system', 'type'],
    methods: ['GET'],
    access: { system: reading() },
    run: nothing,
  };
  t.throws(() => createDispatch(nothing, [...OPERATIONS, operation]), /\$new has no access rule at the level type/);
});

test('g10_unauthorized_access: without a token everything but the CapabilityStatement is 401, with an OperationOutcome', async (t) => {
  const { send } = await startAccessServer(t);
  t.equal((await send(undefined, 'GET', 'metadata')).status, 200);
  const paths = [
    '',
    'Patient',
    'Patient/1',
    'Patient/1/_history',
    'Patient/$everything',
    '$reindex',
    'Nonsense',
    'a/b/c/d/e',
    'Patient/not_an_id!',
  ];
  for (const path of paths) {
    const answer = await send(undefined, 'GET', path);
    t.equal(answer.status, 401, path);
    t.equal(answer.json().resourceType, 'OperationOutcome');
    t.match(answer.headers.get('www-authenticate'), /^Bearer realm="http[^"]+"$/);
  }
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'])
    t.equal((await send(undefined, method, 'Patient/1', { body: { resourceType: 'Patient' } })).status, 401, method);
});

test('a token that is malformed or unknown is 401 invalid_token, everywhere', async (t) => {
  const { send } = await startAccessServer(t);
  for (const authorization of [
    'Bearer',
    'Bearer ',
    'Bearer x',
    'Bearer a b',
    `Bearer ${'a'.repeat(22)}.${'b'.repeat(43)}`,
    'bearer %00',
  ])
    for (const path of ['Patient', 'metadata']) {
      const answer = await send(undefined, 'GET', path, { headers: { authorization } });
      t.equal(answer.status, 401, authorization);
      t.match(answer.headers.get('www-authenticate'), /error="invalid_token"/);
    }
  t.equal((await send(undefined, 'GET', 'Patient', { headers: { authorization: 'Basic YTpi' } })).status, 401);
});

test('a token in the url is refused', async (t) => {
  const { send } = await startAccessServer(t);
  for (const actor of [undefined, actorWith('system/*.rs')]) {
    const answer = await send(actor, 'GET', 'Patient?access_token=abc');
    t.equal(answer.status, 400);
    t.match(answer.headers.get('www-authenticate'), /error="invalid_request"/);
  }
});

test('REQ-S 9, 266, g10_restricted_resource_type_access: a token without the scope is 403, and says which is missing', async (t) => {
  const { send } = await startAccessServer(t);
  const actor = actorWith('system/Patient.r');
  const cases: [method: string, path: string, scope: string][] = [
    ['GET', 'Observation/1', 'system/Observation.r'],
    ['GET', 'Patient', 'system/Patient.s'],
    ['PUT', 'Patient/1', 'system/Patient.u'],
    ['DELETE', 'Patient?_id=1', 'system/Patient.ds'],
    ['GET', 'Patient/1/Observation', 'system/Observation.s'],
    ['GET', 'Patient/_history', 'system/Patient.s'],
    ['POST', 'Patient/1/$meta-add', 'system/Patient.u'],
    ['GET', '?_id=1', 'system/*.s'],
  ];
  for (const [method, path, scope] of cases) {
    const body = method === 'PUT' ? { body: { resourceType: 'Patient', id: '1' } } : {};
    const answer = await send(actor, method, path, body);
    t.equal(answer.status, 403, `${method} ${path}`);
    t.ok(answer.headers.get('www-authenticate')?.endsWith(`error="insufficient_scope", scope="${scope}"`), scope);
    t.ok(answer.diagnostics.includes(scope));
  }
  t.equal((await send(actorWith('patient/*.rs'), 'GET', 'Patient/1')).status, 403, 'patient/ scopes need a patient');
});

test('clinical answers are not stored by anybody', async (t) => {
  const { send, put } = await startAccessServer(t);
  await put('Organization/a', ...recordOf('a'));
  const actor = actorWith('system/*.rs');
  for (const path of ['Patient/pat-a', 'Patient', 'Patient/nobody', 'Binary/bin-a'])
    t.equal((await send(actor, 'GET', path)).headers.get('cache-control'), 'no-store', path);
});

test('update-as-create needs c and u', async (t) => {
  const { send } = await startAccessServer(t);
  const put = (scopes: string) =>
    send(actorWith(scopes), 'PUT', 'Patient/new', { body: { resourceType: 'Patient', id: 'new' } }).then(
      ({ status }) => status,
    );
  t.equal(await put('system/Patient.c'), 403);
  t.equal(await put('system/Patient.u'), 403);
  t.equal(await put('system/Patient.cu'), 201);
  t.equal(await put('system/Patient.u'), 200);
});

test('a page link is of one client and one user', async (t) => {
  const { send, put } = await startAccessServer(t);
  await put('Organization/a', ...recordOf('a'));
  const next = async (clientId: string, userId: string) =>
    (await send(actorWith('user/*.rs', { clientId, userId }), 'GET', 'Observation?_count=1'))
      .json<Bundle>()
      .link?.find(({ relation }) => relation === 'next')
      ?.url?.split('/fhir/')[1] ?? '';
  const link = await next('one', 'first');
  const follow = async (clientId: string, userId: string) =>
    (await send(actorWith('user/*.rs', { clientId, userId }), 'GET', link)).status;
  t.equal(await follow('one', 'first'), 200);
  t.equal(await follow('two', 'first'), 400);
  t.equal(await follow('one', 'second'), 400);
});

test('$explain is for clients that may do everything, $reindex for operators as well', async (t) => {
  const { send } = await startAccessServer(t);
  const status = async (...given: Parameters<typeof actorWith>) => {
    const actor = actorWith(...given);
    return [
      (await send(actor, 'GET', 'Patient/$explain?family=x')).status,
      (await send(actor, 'GET', '$reindex')).status,
    ];
  };
  const [yes, no] = [
    [200, 404],
    [403, 403],
  ];
  t.same(await status('system/*.cruds'), yes);
  const operator = await status('user/*.rs', { role: 'operator', reach: { kind: 'none' } });
  t.same(operator, [403, 404], 'what $explain counts depends on records');
  t.same(await status('system/*.rs'), no);
  t.same(await status('system/*.cruds', { reach: sources('Organization/a') }), no);
  t.same(await status('user/*.cruds', { role: 'case-manager' }), no);
});

test('roles narrow what is reached: an operator sees nothing, a privacy officer what that role is for', async (t) => {
  const { send, put } = await startAccessServer(t);
  await put('Organization/a', ...recordOf('a'));
  const operator = actorWith('user/*.cruds', { role: 'operator', reach: { kind: 'none' } });
  t.equal((await send(operator, 'GET', 'Patient/pat-a')).status, 404);
  t.same((await send(operator, 'GET', 'Patient')).names, []);
  t.same((await send(operator, 'GET', '')).names, []);
  t.equal(
    (await send(operator, 'PUT', 'Patient/pat-a', { body: { resourceType: 'Patient', id: 'pat-a' } })).status,
    404,
  );
  const officer = actorWith('user/*.rs', {
    role: 'privacy-officer',
    reach: { kind: 'all', types: ['AuditEvent', 'Consent'] },
  });
  t.equal((await send(officer, 'GET', 'Patient/pat-a')).status, 404);
  t.equal((await send(officer, 'GET', 'Consent')).status, 200);
});

test('what is written has the source of its writer, and another hospital sees none of it', async (t) => {
  const { send } = await startAccessServer(t);
  const of = (letter: string) =>
    actorWith('system/*.cruds', { reach: sources(`Organization/${letter}`), organization: `Organization/${letter}` });
  const [a, b] = [of('a'), of('b')];
  t.equal((await send(a, 'PUT', 'Patient/x', { body: { resourceType: 'Patient', id: 'x' } })).status, 201);
  t.equal((await send(a, 'GET', 'Patient/x')).status, 200);
  t.equal((await send(b, 'GET', 'Patient/x')).status, 404);
  t.same((await send(b, 'GET', 'Patient')).names, []);
  t.equal((await send(b, 'PUT', 'Patient/x', { body: { resourceType: 'Patient', id: 'x' } })).status, 404);
  t.equal((await send(a, 'DELETE', 'Patient/x')).status, 204);
  t.equal(
    (await send(b, 'PUT', 'Patient/x', { body: { resourceType: 'Patient', id: 'x' } })).status,
    404,
    'also once it is deleted',
  );
  const nobody = actorWith('system/*.cruds', { reach: sources() });
  t.equal(
    (await send(nobody, 'POST', 'Patient', { body: { resourceType: 'Patient' } })).status,
    403,
    'what nobody would see is not written',
  );
});

test('a reference to what is hidden leads to nothing, and what refers to a resource is not told', async (t) => {
  const { send, put } = await startAccessServer(t, { CONSILIUM_REFERENCES: 'refuse' });
  await put('Organization/b', { resourceType: 'Patient', id: 'pat-b' });
  await put('Organization/a', { resourceType: 'Patient', id: 'pat-a' });
  const a = actorWith('system/*.cruds', { reach: sources('Organization/a'), organization: 'Organization/a' });
  const create = async (patient: string) =>
    (await send(a, 'POST', 'Observation', { body: observation('x', patient, 'y') })).status;
  t.equal(await create('pat-a'), 201);
  t.equal(await create('pat-b'), 422);
  t.equal(await create('nobody'), 422);
  await put('Organization/a', { resourceType: 'Patient', id: 'free' });
  const linked: Resource & { id: string } = {
    resourceType: 'Patient',
    id: 'linked',
    link: [{ other: { reference: 'Patient/free' }, type: 'seealso' }],
  };
  await put('Organization/b', linked);
  const refused = await send(a, 'DELETE', 'Patient/free');
  t.equal(refused.status, 409);
  t.notMatch(refused.text, /linked/);
  await put('Organization/b', { resourceType: 'Patient', id: 'linked' });
  t.equal((await send(a, 'DELETE', 'Patient/free')).status, 204);
});

test('two writers who overtake each other both get through, and nobody writes onto what was hidden in between', async (t) => {
  const { send, put } = await startAccessServer(t);
  await put('Organization/a', ...recordOf('a'));
  await put('Organization/b', ...recordOf('b'));
  const app = actorWith('user/*.cruds', { reach: patients('pat-a') });
  const bodies = Array.from({ length: 12 }, (_, at) => observation('lab-a', 'pat-a', `category-${at}`));
  const statuses = await Promise.all(
    bodies.map((body) => send(app, 'PUT', 'Observation/lab-a', { body }).then(({ status }) => status)),
  );
  t.ok(
    statuses.every((status) => status === 200),
    statuses.join(),
  );
  const moves = Promise.all(
    Array.from({ length: 6 }, () => put('Organization/b', observation('vital-a', 'pat-b', 'moved'))),
  );
  await Promise.all(
    bodies.map((body) => send(app, 'PUT', 'Observation/vital-a', { body: { ...body, id: 'vital-a' } })),
  );
  await moves;
  const entry =
    (await send(actorWith('system/*.rs'), 'GET', 'Observation/vital-a/_history?_count=100')).json<Bundle>().entry ?? [];
  const owners = entry
    .toReversed()
    .map(({ resource }) => JSON.stringify(resource).match(/Patient\/pat-(.)/)?.[1] ?? '');
  t.notMatch(owners.join(''), /ba/, 'once moved it stays moved');
});

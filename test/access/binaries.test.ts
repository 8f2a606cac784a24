/** Who may see a Binary. @see https://hl7.org/fhir/R4/binary.html#security */
import { type Test, test } from 'tap';
import { type AccessTestServer, actorWith, patients, sources, startAccessServer } from './access-server.ts';
import { binary, document, recordOf } from './records.ts';

const prepared = async (t: Test): Promise<AccessTestServer> => {
  const server = await startAccessServer(t);
  for (const letter of ['a', 'b']) await server.put(`Organization/${letter}`, ...recordOf(letter));
  await server.put(
    'Organization/a',
    binary('dangling', 'Patient/nobody'),
    binary('elsewhere', 'http://elsewhere.org/Patient/pat-a'),
    binary('alone'),
    binary('across', 'Patient/pat-b'),
    binary('of-lab', 'Observation/lab-a'),
  );
  return server;
};

const ALL = ['bin-a', 'bin-b', 'secret-a', 'secret-b', 'dangling', 'elsewhere', 'alone', 'across', 'of-lab'];

const seenBy = async (
  { send }: AccessTestServer,
  actor: Parameters<AccessTestServer['send']>[0],
): Promise<string[]> => {
  const seen: string[] = [];
  for (const id of ALL) {
    const json = await send(actor, 'GET', `Binary/${id}`);
    const content = await send(actor, 'GET', `Binary/${id}`, { headers: { accept: 'text/plain' } });
    const version = await send(actor, 'GET', `Binary/${id}/_history/1`);
    if (json.status !== content.status || json.status !== version.status)
      throw new Error(`${id} is not the same each way`);
    if (json.status === 200) seen.push(id);
    else if (json.status !== 404) throw new Error(`${id}: ${json.text}`);
  }
  return seen;
};

test('a Binary is seen by its securityContext, by its source, or through a document', async (t) => {
  const server = await prepared(t);
  t.same(await seenBy(server, actorWith('system/*.rs')), ALL, 'who reaches everything sees all');
  const hospital = { reach: sources('Organization/a') };
  t.same(
    await seenBy(server, actorWith('system/*.rs', hospital)),
    ['bin-a', 'secret-a', 'dangling', 'elsewhere', 'alone', 'of-lab'],
    'what belongs to nothing that is there is its hospital’s',
  );
  t.same(
    await seenBy(server, actorWith('system/Binary.r', hospital)),
    ['bin-a', 'dangling', 'elsewhere', 'alone'],
    'without a scope for what a Binary belongs to, it is not seen',
  );
  const launched = ['bin-a', 'secret-a', 'of-lab'];
  t.same(await seenBy(server, actorWith('patient/*.rs', { patient: 'pat-a' })), launched);
  t.same(await seenBy(server, actorWith('user/*.rs', { reach: patients('pat-a') })), launched);
  const both = actorWith('patient/*.rs', { patient: 'pat-b', reach: sources('Organization/a') });
  t.same(await seenBy(server, both), [], 'the launch and the reach must agree');
  const withoutDocuments = actorWith('patient/Binary.rs patient/Patient.rs', { patient: 'pat-a' });
  t.same(await seenBy(server, withoutDocuments), ['secret-a'], 'what is not in scope shows nothing');
  for (const [category, seen] of [
    ['laboratory', ['of-lab']],
    ['vital-signs', []],
  ] as const) {
    const scopes = (level: string): string => `${level}/Binary.rs ${level}/Observation.rs?category=${category}`;
    t.same(await seenBy(server, actorWith(scopes('patient'), { patient: 'pat-a' })), seen, `patient ${category}`);
    const pushed = ['bin-a', 'dangling', 'elsewhere', 'alone', ...seen];
    t.same(await seenBy(server, actorWith(scopes('system'), hospital)), pushed, `hospital ${category}`);
    const anyones = ['bin-a', 'bin-b', 'dangling', 'elsewhere', 'alone', ...seen];
    t.same(await seenBy(server, actorWith(scopes('system'))), anyones, `who reaches everything ${category}`);
  }
  await server.put('Organization/a', binary('nested', 'Binary/bin-a'));
  for (const [scopes, status] of [
    ['system/*.rs', 200],
    ['system/Binary.r', 200],
    ['system/Patient.r', 403],
  ] as const)
    t.equal((await server.send(actorWith(scopes, hospital), 'GET', 'Binary/nested')).status, status, scopes);
});

test('a Binary needs a scope of its own', async (t) => {
  const { send } = await prepared(t);
  const actor = actorWith('patient/DocumentReference.rs patient/Patient.rs', { patient: 'pat-a' });
  t.equal((await send(actor, 'GET', 'Binary/bin-a')).status, 403);
});

test('Binaries are not searched where it depends on each one', async (t) => {
  const { send } = await prepared(t);
  t.equal((await send(actorWith('system/*.rs'), 'GET', 'Binary?_id=bin-a')).names.length, 1);
  for (const actor of [
    actorWith('patient/*.rs', { patient: 'pat-a' }),
    actorWith('system/*.rs', { reach: sources('Organization/a') }),
  ]) {
    t.equal((await send(actor, 'GET', 'Binary?_id=bin-a')).status, 403);
    t.same(
      (await send(actor, 'GET', '?_id=bin-a,lab-a')).names,
      ['Observation/lab-a'],
      'a system search leaves them out',
    );
  }
});

test('a Binary is written into what its writer reaches', async (t) => {
  const { send } = await prepared(t);
  const app = actorWith('patient/*.cruds', { patient: 'pat-a' });
  const status = async (method: string, path: string, body: object) => (await send(app, method, path, { body })).status;
  t.equal(await status('POST', 'Binary', binary('x', 'Patient/pat-a')), 201);
  t.equal(await status('POST', 'Binary', binary('x', 'Observation/lab-a')), 201);
  t.equal(await status('POST', 'Binary', binary('x', 'Patient/pat-b')), 403);
  t.equal(await status('POST', 'Binary', binary('x')), 403, 'nobody could say whose it is');
  t.equal(await status('PUT', 'Binary/secret-a', binary('secret-a', 'Patient/pat-b')), 403);
  t.equal(await status('PUT', 'Binary/secret-b', binary('secret-b', 'Patient/pat-a')), 404);
  const uploaded = await send(app, 'POST', 'Binary', {
    body: 'hello',
    headers: { 'content-type': 'text/plain', 'x-security-context': 'Patient/pat-b' },
  });
  t.equal(uploaded.status, 403);
});

test('a Binary comes together with the document or the patient that it belongs to', async (t) => {
  const { send } = await prepared(t);
  const put = (resource: { resourceType: string; id?: string }) => ({
    resource,
    request: { method: 'PUT', url: `${resource.resourceType}/${resource.id}` },
  });
  const transaction = (...entry: object[]) => ({ body: { resourceType: 'Bundle', type: 'transaction', entry } });
  const app = actorWith('patient/*.cruds', { patient: 'pat-a' });
  const own = await send(app, 'POST', '', transaction(put(binary('new')), put(document('new', 'pat-a', 'new'))));
  t.equal(own.status, 200, own.text);
  t.equal((await send(app, 'GET', 'Binary/new')).status, 200);
  const foreign = await send(
    app,
    'POST',
    '',
    transaction(put(binary('other')), put(document('other', 'pat-b', 'other'))),
  );
  t.equal(foreign.status, 403);
  const hospital = actorWith('system/*.cruds', { reach: sources('Organization/c'), organization: 'Organization/c' });
  const pushed = await send(
    hospital,
    'POST',
    '',
    transaction(put({ resourceType: 'Patient', id: 'pat-c' }), put(binary('c', 'Patient/pat-c'))),
  );
  t.equal(pushed.status, 200, pushed.text);
  t.equal((await send(hospital, 'GET', 'Binary/c')).status, 200);
});

test('a hospital keeps the Binary of a patient whom it has deleted, can delete it, and bring both back together', async (t) => {
  const { send } = await startAccessServer(t);
  const hospital = actorWith('system/*.cruds', { reach: sources('Organization/a'), organization: 'Organization/a' });
  const [patient, content] = [{ resourceType: 'Patient', id: 'p' }, binary('c', 'Patient/p')];
  const both = [patient, content].map((resource) => ({
    resource,
    request: { method: 'PUT', url: `${resource.resourceType}/${resource.id}` },
  }));
  const push = () => send(hospital, 'POST', '', { body: { resourceType: 'Bundle', type: 'transaction', entry: both } });
  t.equal((await push()).status, 200);
  t.equal((await send(hospital, 'DELETE', 'Patient/p')).status, 204);
  t.equal((await send(hospital, 'GET', 'Binary/c')).status, 200);
  t.equal((await send(actorWith('patient/*.rs', { patient: 'p' }), 'GET', 'Binary/c')).status, 404);
  t.equal((await send(hospital, 'DELETE', 'Binary/c')).status, 204);
  t.equal((await push()).status, 200);
  t.equal((await send(hospital, 'GET', 'Binary/c')).status, 200);
  const orphan = binary('new', 'Patient/not-yet');
  t.equal((await send(hospital, 'PUT', 'Binary/new', { body: orphan })).status, 403, 'whose it would be is open');
});

/** Nobody comes to see, or to change, more by what they write themselves. */
import { type Test, test } from 'tap';
import { reachOfUser } from '../../src/access/reach.ts';
import type { User } from '../../src/auth/users/user.ts';
import { type AccessTestServer, actorWith, patients, sources, startAccessServer } from './access-server.ts';
import { binary, document, observation, recordOf } from './records.ts';

const [A, B] = ['Organization/a', 'Organization/b'];

const prepared = async (t: Test, environment = {}): Promise<AccessTestServer> => {
  const server = await startAccessServer(t, environment);
  for (const letter of ['a', 'b']) await server.put(`Organization/${letter}`, ...recordOf(letter));
  return server;
};

const PATIENTS = {
  'an app in a launch': actorWith('patient/*.cruds', {
    ...{ patient: 'pat-a', reach: patients('pat-a'), role: 'patient', organization: 'Organization/app' },
  }),
  'an app without an organization': actorWith('user/*.cruds', { reach: patients('pat-a'), role: 'patient' }),
};

test('a reference that a patient writes opens nothing: what is hidden stays hidden', async (t) => {
  const { send, put } = await prepared(t);
  await put(B, { resourceType: 'Bundle', id: 'mail-b', type: 'collection' });
  await put(undefined, { resourceType: 'Bundle', id: 'mail-0', type: 'collection' });
  const hidden = ['Bundle/mail-b', 'Bundle/mail-0', 'Practitioner/stranger-b', 'Practitioner/stranger-a'];
  for (const [who, actor] of Object.entries(PATIENTS))
    for (const name of [...hidden, 'Bundle/not-there-yet']) {
      const body = observation('bait', 'pat-a', 'x', { focus: [{ reference: name }] });
      const created = await send(actor, 'POST', 'Observation', { body: { ...body, id: undefined } });
      const put = await send(actor, 'PUT', 'Observation/lab-a', { body: { ...body, id: 'lab-a' } });
      t.same([created.status, put.status], [403, 403], `${who}: ${name} is not to be referred to`);
      t.equal((await send(actor, 'GET', name)).status, 404, `${who}: ${name}`);
      const [type = '', id = ''] = name.split('/');
      t.same((await send(actor, 'GET', `${type}?_id=${id}`)).names, []);
    }
  const body = observation('fair', 'pat-a', 'x', { performer: [{ reference: 'Practitioner/performer-a' }] });
  t.equal(
    (await send(PATIENTS['an app in a launch'], 'PUT', 'Observation/fair', { body })).status,
    201,
    'what is seen',
  );
});

test('an app of staff, launched for a patient, refers to colleagues, and to nothing of other patients', async (t) => {
  const { send, put } = await prepared(t);
  await put(A, { resourceType: 'Bundle', id: 'mail-a', type: 'collection' });
  const actor = actorWith('patient/*.cruds', { patient: 'pat-a', reach: sources(A), organization: A });
  const refers = (reference: string) => observation('note', 'pat-a', 'x', { focus: [{ reference }] });
  const statuses: number[] = [];
  for (const name of ['Practitioner/stranger-a', 'Practitioner/stranger-b', 'Practitioner/somebody', 'Bundle/mail-a'])
    statuses.push((await send(actor, 'PUT', 'Observation/note', { body: refers(name) })).status);
  t.same(statuses, [201, 403, 200, 403], 'a colleague, a stranger, who signed in, and a Bundle');
});

test('a reference that one hospital writes opens to its patients of another no more than its directory', async (t) => {
  const { send, put } = await prepared(t);
  await put(B, { resourceType: 'Bundle', id: 'mail-b', type: 'collection' });
  const hospital = actorWith('system/*.cruds', { reach: sources(A), organization: A });
  const body = observation('bait', 'pat-a', 'x', {
    performer: [{ reference: 'Practitioner/performer-b' }],
    focus: [{ reference: 'Bundle/mail-b' }],
  });
  t.equal((await send(hospital, 'PUT', 'Observation/bait', { body })).status, 201);
  for (const [who, actor] of Object.entries(PATIENTS)) {
    t.equal((await send(actor, 'GET', 'Bundle/mail-b')).status, 404, who);
    t.equal((await send(actor, 'GET', 'Practitioner/performer-b')).status, 200, who);
    const seen = ['general-a', 'performer-a', 'performer-b'].map((id) => `Practitioner/${id}`);
    t.same((await send(actor, 'GET', 'Practitioner')).names.toSorted(), seen);
    const included = await send(actor, 'GET', 'Observation?_id=bait&_include=*');
    t.notMatch(included.text, /mail-b","type/, 'nor by an include');
  }
});

test('a document opens no Binary that is not its writer’s', async (t) => {
  const { send, put } = await prepared(t);
  const hospital = actorWith('system/*.cruds', { reach: sources(B), organization: B });
  const theft = (id: string) => document(id, 'pat-a', 'other');
  await put(undefined, binary('other'));
  for (const [who, actor] of Object.entries(PATIENTS)) {
    t.equal((await send(actor, 'PUT', 'DocumentReference/theft', { body: theft('theft') })).status, 403, who);
    t.equal((await send(actor, 'GET', 'Binary/other')).status, 404, who);
  }
  await put(A, { ...binary('of-a'), id: 'of-a' });
  t.equal((await send(hospital, 'PUT', 'DocumentReference/t', { body: document('t', 'pat-b', 'of-a') })).status, 201);
  const ofB = actorWith('patient/*.rs', { patient: 'pat-b' });
  t.equal((await send(ofB, 'GET', 'Binary/of-a')).status, 404, 'a hospital gives its patients what is its own');
});

test('a patient writes into no record but the own, also where both are named', async (t) => {
  const { send } = await prepared(t);
  for (const [who, actor] of Object.entries(PATIENTS)) {
    const both = observation('both', 'pat-b', 'x', { performer: [{ reference: 'Patient/pat-a' }] });
    t.equal((await send(actor, 'PUT', 'Observation/both', { body: both })).status, 403, who);
    const moved = observation('lab-a', 'pat-b', 'x', { performer: [{ reference: 'Patient/pat-a' }] });
    t.equal((await send(actor, 'PUT', 'Observation/lab-a', { body: moved })).status, 403, who);
    const linked = { resourceType: 'Patient', link: [{ other: { reference: 'Patient/pat-a' }, type: 'seealso' }] };
    t.equal((await send(actor, 'POST', 'Patient', { body: linked })).status, 403, who);
  }
});

const user = (fhirUser: string): User => ({
  ...{ id: 'u', login: 'u', fhirUser, role: 'representative', reach: 'source', validFrom: 0, isDisabled: false },
});

test('a hospital makes nobody the representative of another hospital’s patient', async (t) => {
  const { server, send } = await prepared(t);
  const hospital = actorWith('system/*.cruds', { reach: sources(A), organization: A });
  const standsFor = async (patient: string) => {
    const body = { resourceType: 'RelatedPerson', id: 'rp', patient: { reference: `Patient/${patient}` } };
    t.match((await send(hospital, 'PUT', 'RelatedPerson/rp', { body })).status, /^20[01]$/);
    return reachOfUser(server, user('RelatedPerson/rp'));
  };
  t.same(await standsFor('pat-a'), patients('pat-a'));
  t.same(await standsFor('pat-b'), { kind: 'none' });
  t.same(await standsFor('not-there-yet'), { kind: 'none' });
});

test('a role that another hospital pushes does not take over what somebody writes', async (t) => {
  const { server, put } = await prepared(t);
  const role = (id: string, organization: string) => ({
    ...{ resourceType: 'PractitionerRole' as const, id, practitioner: { reference: 'Practitioner/shared' } },
    organization: { reference: organization },
  });
  await put(undefined, { resourceType: 'Practitioner', id: 'shared' });
  await put(B, role('0-first', B));
  await put(undefined, role('z-last', A));
  const reach = await reachOfUser(server, { ...user('Practitioner/shared'), role: 'referring-doctor' });
  t.same(reach, sources(A, B), 'the one whose role the operator has written comes first');
});

test('search parameters are for everybody, and defined by who reaches everything', async (t) => {
  const { send } = await prepared(t);
  const body = {
    ...{ resourceType: 'SearchParameter', url: 'urn:x:mine', name: 'mine', status: 'active', description: 'x' },
    ...{ code: 'mine', base: ['Observation'], type: 'string', expression: 'Observation.id' },
  };
  const hospital = actorWith('system/*.cruds', { reach: sources(A), organization: A });
  t.equal((await send(hospital, 'POST', 'SearchParameter', { body })).status, 403);
  t.equal((await send(actorWith('system/*.cruds'), 'POST', 'SearchParameter', { body })).status, 201);
});

const JSON_PATCH = { 'content-type': 'application/json-patch+json' };

test('who may change a resource and not read it learns nothing of it by a patch', async (t) => {
  const { send, store } = await prepared(t);
  const asPatch = (patch: object[]) => ({ body: patch, headers: JSON_PATCH });
  const blind = actorWith('system/Observation.r?category=laboratory system/Observation.u', { clientId: 'blind' });
  const entry = (patch: object[]) => ({
    ...{ fullUrl: 'urn:uuid:0b1c6d1e-7a64-4d5e-9f3a-2c8f4d5e6f70' },
    resource: {
      ...{ resourceType: 'Binary', contentType: 'application/json-patch+json' },
      data: Buffer.from(JSON.stringify(patch)).toString('base64'),
    },
    request: { method: 'PATCH', url: 'Observation/vital-a' },
  });
  const from = '/category/0/coding/0/code';
  for (const [patch, status] of [
    [[{ op: 'copy', from, path: '/status' }], 403],
    [[{ op: 'move', from, path: '/status' }], 403],
    [[{ op: 'test', path: from, value: 'vital-signs' }], 403],
    [[{ op: 'replace', path: '/status', value: 'x' }], 422],
    [[{ op: 'remove', path: '/not-there' }], 422],
    [
      [
        { op: 'remove', path: '/category' },
        { op: 'add', path: '/category', value: 7 },
      ],
      422,
    ],
  ] as const) {
    const answers = [await send(blind, 'PATCH', 'Observation/vital-a', asPatch([...patch]))];
    const body = (type: string) => ({ body: { resourceType: 'Bundle', type, entry: [entry([...patch])] } });
    answers.push(await send(blind, 'POST', '', body('transaction')));
    for (const answer of answers) t.equal(answer.status, status, JSON.stringify(patch));
    answers.push(await send(blind, 'POST', '', body('batch')));
    for (const { text } of answers) t.notMatch(text, /vital-signs|final|'x'|not-there/, JSON.stringify(patch));
  }
  const fhirPath = (type: string, path: string, ...more: object[]) => ({
    resourceType: 'Parameters',
    parameter: [
      {
        name: 'operation',
        part: [{ name: 'type', valueCode: type }, { name: 'path', valueString: path }, ...more],
      },
    ],
  });
  const amended = { name: 'value', valueCode: 'amended' };
  for (const [patch, status] of [
    [fhirPath('replace', "Observation.where(category.coding.code = 'vital-signs').status", amended), 403],
    [
      fhirPath(
        'move',
        'Observation.category',
        { name: 'source', valueInteger: 0 },
        { name: 'destination', valueInteger: 1 },
      ),
      403,
    ],
    [fhirPath('replace', 'Observation.note', amended), 422],
    [fhirPath('replace', 'Observation.status', amended), 200],
  ] as const) {
    const answer = await send(blind, 'PATCH', 'Observation/vital-a', { body: patch });
    t.equal(answer.status, status, answer.text);
    t.notMatch(answer.text, /vital-signs/);
  }
  t.equal((await store.read({ type: 'Observation', id: 'vital-a' }))?.version, 2, 'only the last one is applied');
  const simple = await send(
    blind,
    'PATCH',
    'Observation/vital-a',
    asPatch([{ op: 'replace', path: '/status', value: 'final' }]),
  );
  t.same([simple.status, simple.text], [200, '']);
  const shown = await send(blind, 'PATCH', 'Observation/lab-a', asPatch([{ op: 'copy', from, path: '/status' }]));
  t.match([shown.status, shown.text], [422, /laboratory/], 'who may read is told why');
  const only = actorWith('system/Observation.u');
  t.equal(
    (await send(only, 'PATCH', 'Observation/lab-a', asPatch([{ op: 'replace', path: '/status', value: 'amended' }])))
      .status,
    200,
  );
  const meta = {
    resourceType: 'Parameters',
    parameter: [{ name: 'meta', valueMeta: { tag: [{ system: 'urn:x', code: 'y' }] } }],
  };
  t.equal((await send(only, 'POST', 'Observation/vital-a/$meta-add', { body: meta })).status, 403);
});

test('a patch is answered with the resource only if that may be read as it is then', async (t) => {
  const { send } = await prepared(t);
  const patch = [{ op: 'replace', path: '/category/0/coding/0/code', value: 'vital-signs' }];
  const some = actorWith('system/Observation.r?category=laboratory system/Observation.u');
  const moved = await send(some, 'PATCH', 'Observation/lab-a', { body: patch, headers: JSON_PATCH });
  t.same([moved.status, moved.text], [200, '']);
  t.equal(moved.headers.get('etag'), 'W/"2"');
});

test('a link between Patients opens neither record', async (t) => {
  const { send, put } = await prepared(t);
  const app = actorWith('patient/*.cruds', { patient: 'pat-a' });
  const link = [{ op: 'add', path: '/link', value: [{ other: { reference: 'Patient/pat-b' }, type: 'seealso' }] }];
  t.equal((await send(app, 'PATCH', 'Patient/pat-a', { body: link, headers: JSON_PATCH })).status, 200);
  await put(B, {
    resourceType: 'Patient',
    id: 'old',
    link: [{ other: { reference: 'Patient/pat-b' }, type: 'replaced-by' }],
  });
  for (const [own, other] of [
    ['pat-b', 'pat-a'],
    ['pat-a', 'pat-b'],
    ['pat-b', 'old'],
  ] as const)
    for (const reader of [
      actorWith('patient/*.rs', { patient: own }),
      actorWith('user/*.rs', { reach: patients(own) }),
    ]) {
      t.equal((await send(reader, 'GET', `Patient/${other}`)).status, 404);
      t.same((await send(reader, 'GET', 'Patient')).names, [`Patient/${own}`]);
      const everything = await send(reader, 'GET', `Patient/${own}/$everything`);
      t.notMatch(everything.text, new RegExp(`"id":"${other}"`));
    }
});

test('where references are checked, what is hidden is told apart from what is not there by nobody', async (t) => {
  const { send, put } = await prepared(t, { CONSILIUM_REFERENCES: 'refuse' });
  await put(
    B,
    { resourceType: 'Location', id: 'ward-b' },
    { resourceType: 'Basic', id: 'basic-b', code: { text: 'x' } },
  );
  const told = async (actor: Parameters<typeof send>[0], type: string, id: string): Promise<unknown> => {
    const reference = { reference: `${type}/${id}` };
    const body =
      type === 'Patient'
        ? { ...observation('x', 'pat-a', 'x'), subject: reference }
        : { ...observation('x', 'pat-a', 'x'), extension: [{ url: 'urn:x', valueReference: reference }] };
    const entry = [{ resource: body, request: { method: 'PUT', url: 'Observation/x' } }];
    const answers = [
      await send(actor, 'PUT', 'Observation/x', { body }),
      await send(actor, 'POST', '', { body: { resourceType: 'Bundle', type: 'transaction', entry } }),
      await send(actor, 'POST', '', { body: { resourceType: 'Bundle', type: 'batch', entry } }),
    ];
    return answers.map(({ status, text }) => [status, text.replaceAll(id, '[id]')]);
  };
  const hospital = actorWith('system/*.cruds', { reach: sources(A), organization: A });
  for (const actor of [...Object.values(PATIENTS), hospital])
    for (const [type, hidden] of [
      ['Patient', 'pat-b'],
      ['Location', 'ward-b'],
      ['Basic', 'basic-b'],
      ['Practitioner', 'stranger-b'],
    ] as const)
      t.same(await told(actor, type, hidden), await told(actor, type, 'not-there'), `${actor.clientId} ${type}`);
});

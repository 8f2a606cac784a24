/** What belongs to no patient is seen through what may be seen. */
import { type Test, test } from 'tap';
import { actorWith, patients, sources, startAccessServer } from './access-server.ts';
import { recordOf } from './records.ts';

const prepared = async (t: Test, environment = {}) => {
  const server = await startAccessServer(t, environment);
  for (const letter of ['a', 'b']) await server.put(`Organization/${letter}`, ...recordOf(letter));
  return server;
};

const NAMES = [
  'Practitioner/performer-a',
  'Practitioner/general-a',
  'Practitioner/stranger-a',
  'PractitionerRole/role-a',
  'Organization/hospital-a',
  'Location/ward-a',
  'Location/house-a',
  'Practitioner/performer-b',
];

test('what the resources of the patient refer to is read and searched, and what that refers to', async (t) => {
  const { send } = await prepared(t);
  const seenWith = async (actor: Parameters<typeof send>[0]): Promise<string[]> => {
    const seen: string[] = [];
    for (const name of NAMES) {
      const [type = '', id = ''] = name.split('/');
      const { status } = await send(actor, 'GET', name);
      const found = await send(actor, 'GET', `${type}?_id=${id}`);
      const isFound = found.status === 200 && found.names.length === 1;
      t.equal(status === 200, isFound, `${name} is read and found alike`);
      if (status === 200) seen.push(name.split('/')[1] ?? '');
    }
    return seen;
  };
  const all = ['performer-a', 'general-a', 'role-a', 'hospital-a', 'ward-a', 'house-a'];
  t.same(await seenWith(actorWith('patient/*.rs', { patient: 'pat-a' })), all);
  t.same(await seenWith(actorWith('user/*.rs', { reach: patients('pat-a') })), all);
  const withoutRoles = actorWith('patient/Patient.rs patient/Observation.rs patient/Practitioner.rs', {
    patient: 'pat-a',
  });
  t.same(await seenWith(withoutRoles), ['performer-a'], 'not through a role that may not be seen');
  const withRoles = actorWith('patient/Patient.rs patient/PractitionerRole.rs patient/Practitioner.rs', {
    patient: 'pat-a',
  });
  t.same(await seenWith(withRoles), ['general-a', 'role-a'], 'not through observations that may not be seen');
  const ofVitals = actorWith('patient/Observation.rs?category=vital-signs patient/Practitioner.rs', {
    patient: 'pat-a',
  });
  t.same(await seenWith(ofVitals), []);
  const ofHospital = actorWith('patient/*.rs', { patient: 'pat-a', reach: sources('Organization/b') });
  t.same(await seenWith(ofHospital), [], 'a scope does not widen the reach');
});

test('what is only referred to is not changed', async (t) => {
  const { send } = await prepared(t);
  const actor = actorWith('patient/*.cruds', { patient: 'pat-a' });
  const body = { resourceType: 'Practitioner', id: 'performer-a' };
  t.equal((await send(actor, 'PUT', 'Practitioner/performer-a', { body })).status, 403);
  t.equal((await send(actor, 'DELETE', 'Practitioner/performer-a')).status, 403);
  t.equal((await send(actor, 'POST', 'Practitioner', { body: { resourceType: 'Practitioner' } })).status, 403);
});

test('who the user is can be read with fhirUser, whatever else is permitted', async (t) => {
  const { send, store, put } = await prepared(t);
  await put('Organization/a', { resourceType: 'Practitioner', id: 'somebody' });
  const actor = actorWith('patient/Patient.rs', { patient: 'pat-a', reach: sources('Organization/a') });
  t.equal((await send(actor, 'GET', 'Practitioner/somebody')).status, 403);
  const [record] = await store.records.list('grant/', 1);
  const grant = JSON.parse(record?.value ?? '');
  grant.access[0].scopes.push('openid', 'fhirUser');
  await store.records.put(record?.key ?? '', JSON.stringify(grant), { expires: Date.now() + 60_000 });
  t.equal((await send(actor, 'GET', 'Practitioner/somebody')).status, 200);
  t.equal((await send(actor, 'GET', 'Practitioner/performer-a')).status, 404);
  t.equal((await send(actor, 'GET', 'Practitioner')).status, 403);
});

test('a record that is too large to be looked through is refused, and not cut', async (t) => {
  const { send, put } = await prepared(t, { CONSILIUM_ACCESS_RESOURCES: '100' });
  const many = Array.from({ length: 101 }, (_, at) => ({
    ...{ resourceType: 'Condition' as const, id: `c${at}`, subject: { reference: 'Patient/pat-a' } },
  }));
  await put('Organization/a', ...many);
  const actor = actorWith('patient/*.rs', { patient: 'pat-a' });
  const answer = await send(actor, 'GET', 'Practitioner/performer-a');
  t.equal(answer.status, 422);
  t.match(answer.diagnostics, /CONSILIUM_ACCESS_RESOURCES/);
  t.equal((await send(actor, 'GET', 'Condition/c1')).status, 200, 'what is the patient’s own needs no looking');
  t.equal((await send(actor, 'GET', 'Condition/_history?_summary=count')).status, 422);
});

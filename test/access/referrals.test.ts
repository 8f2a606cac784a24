/** What belongs to no patient is seen through what may be seen. */
import { setTimeout as pause } from 'node:timers/promises';
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

test('a device is seen by its patient, also where nothing refers to it', async (t) => {
  const { send, put } = await prepared(t);
  const implant = (id: string, patient: string) => ({
    ...{ resourceType: 'Device' as const, id, patient: { reference: `Patient/${patient}` } },
  });
  await put('Organization/a', implant('implant-a', 'pat-a'), { resourceType: 'Device', id: 'scanner' });
  await put('Organization/b', implant('implant-b', 'pat-b'));
  for (const actor of [
    actorWith('patient/*.cruds', { patient: 'pat-a' }),
    actorWith('user/Device.cruds', { reach: patients('pat-a') }),
  ]) {
    t.same((await send(actor, 'GET', 'Device?patient=pat-a')).names, ['Device/implant-a']);
    t.same((await send(actor, 'GET', 'Device')).names, ['Device/implant-a']);
    t.equal((await send(actor, 'GET', 'Device/implant-a')).status, 200);
    for (const id of ['implant-b', 'scanner']) t.equal((await send(actor, 'GET', `Device/${id}`)).status, 404, id);
    t.equal((await send(actor, 'DELETE', 'Device/implant-a')).status, 403);
  }
});

test('where something is from is seen by who sees it', async (t) => {
  const { send, put } = await prepared(t);
  const provenance = (id: string, target: string) => ({
    ...{ resourceType: 'Provenance' as const, id, recorded: '2024-05-01T00:00:00Z' },
    ...{ target: [{ reference: target }], agent: [{ who: { reference: 'Organization/hospital-a' } }] },
  });
  await put('Organization/a', provenance('of-lab', 'Observation/lab-a'), provenance('of-cond', 'Condition/cond-a'));
  await put('Organization/a', provenance('of-ward', 'Location/ward-a'), provenance('of-patient', 'Patient/pat-a'));
  await put('Organization/b', provenance('of-other', 'Observation/lab-b'));
  const whole = actorWith('patient/*.cruds', { patient: 'pat-a' });
  const own = ['Provenance/of-cond', 'Provenance/of-lab', 'Provenance/of-patient'];
  t.same((await send(whole, 'GET', 'Provenance')).names, own);
  const found = await send(whole, 'GET', 'Observation?_id=lab-a&_revinclude=Provenance:target');
  t.same(found.names, ['Observation/lab-a', 'Provenance/of-lab']);
  for (const id of ['of-lab', 'of-patient']) t.equal((await send(whole, 'GET', `Provenance/${id}`)).status, 200, id);
  for (const id of ['of-ward', 'of-other']) t.equal((await send(whole, 'GET', `Provenance/${id}`)).status, 404, id);
  t.equal((await send(whole, 'DELETE', 'Provenance/of-lab')).status, 403);
  const narrow = actorWith('patient/Observation.rs patient/Provenance.rs', { patient: 'pat-a' });
  t.same((await send(narrow, 'GET', 'Provenance')).names, ['Provenance/of-lab', 'Provenance/of-patient']);
  t.equal((await send(narrow, 'GET', 'Provenance/of-cond')).status, 404, 'the Condition is not seen');
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
  // Written past the server, which remembers grants for a second.
  await pause(1100);
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

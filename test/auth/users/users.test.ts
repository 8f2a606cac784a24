import { test } from 'tap';
import { ROLES } from '../../../src/auth/users/user.ts';
import { PASSWORD, startPeople } from './test-users.ts';

test('A user is added, found by login in any case, and listed', async (t) => {
  const { people } = await startPeople(t);
  const { users } = people;
  const user = await users.add({
    login: 'Marie.Curie',
    fhirUser: 'Practitioner/1',
    role: 'expert',
    password: PASSWORD,
  });
  t.match(user, {
    login: 'marie.curie',
    fhirUser: 'Practitioner/1',
    role: 'expert',
    reach: 'source',
    isDisabled: false,
  });
  t.same(await users.findByLogin(' MARIE.CURIE '), user);
  t.same(await users.find(user.id), user);
  t.same(await users.findByFhirUser('Practitioner/1'), [user]);
  t.same(await users.findByFhirUser('Practitioner/11'), []);
  await users.add({ login: 'anna', fhirUser: 'Patient/1', role: 'patient', password: PASSWORD });
  t.same(
    (await users.list()).map(({ login }) => login),
    ['anna', 'marie.curie'],
  );
});

test('Neither the password nor a trace of it is in the record of the user', async (t) => {
  const { people, records } = await startPeople(t);
  const { id } = await people.users.add({ login: 'anna', fhirUser: 'Patient/1', role: 'patient', password: PASSWORD });
  t.notMatch((await records.get(`user/${id}`))?.value ?? '', /hash|salt|password|correct/);
  t.notMatch((await records.get(`credentials/${id}`))?.value ?? '', /correct horse/);
});

test('The role fits what the person is', async (t) => {
  const { people } = await startPeople(t);
  const fitting = {
    patient: ['Patient'],
    representative: ['RelatedPerson'],
    'case-manager': ['Practitioner', 'PractitionerRole'],
    expert: ['Practitioner', 'PractitionerRole'],
    'referring-doctor': ['Practitioner', 'PractitionerRole'],
    'privacy-officer': ['Practitioner', 'PractitionerRole'],
    operator: ['Practitioner', 'PractitionerRole'],
  };
  let count = 0;
  for (const role of ROLES)
    for (const type of ['Patient', 'RelatedPerson', 'Practitioner', 'PractitionerRole', 'Person', 'Group']) {
      const added = people.users.add({ login: `user${count++}`, fhirUser: `${type}/1`, role });
      if (fitting[role].includes(type)) t.ok(await added, `${role} ${type}`);
      else await t.rejects(added, { name: 'UserRefused', message: /is a/ }, `${role} ${type}`);
    }
});

test('A user is refused whose login is taken or malformed, who is nowhere, or whose password is weak', async (t) => {
  const { people } = await startPeople(t);
  const user = { login: 'anna', fhirUser: 'Patient/1', role: 'patient', password: PASSWORD } as const;
  await people.users.add(user);
  const refused = (changes: object, message: RegExp) =>
    t.rejects(people.users.add({ ...user, login: 'berta', ...changes }), { name: 'UserRefused', message });
  await refused({ login: 'ANNA' }, /taken/);
  await refused({ login: 'a b' }, /login/);
  await refused({ login: 'x/y' }, /login/);
  await refused({ login: '' }, /login/);
  await refused({ fhirUser: 'Patient/nobody' }, /no Patient\/nobody/);
  await refused({ fhirUser: 'Patient/1/2' }, /Patient/);
  await refused({ fhirUser: 'Patient/a b' }, /Patient/);
  await refused({ fhirUser: `Patient/${'a'.repeat(65)}` }, /Patient/);
  await refused({ reach: 'all' }, /own record/);
  await refused({ password: 'short' }, /fewer than 8/);
  t.equal((await people.users.list()).length, 1, 'nothing is left of those that were refused');
  t.same(await people.users.findByFhirUser('Patient/nobody'), []);
});

test('Of two who take the same login at once, one gets it', async (t) => {
  const { people } = await startPeople(t);
  const add = (id: string) => people.users.add({ login: 'anna', fhirUser: `Patient/${id}`, role: 'patient' });
  const outcomes = await Promise.allSettled([add('1'), add('2')]);
  t.same(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  t.equal((await people.users.list()).length, 1);
});

test('A second factor is required of staff by default, and of nobody else; an operator can decide otherwise', async (t) => {
  const { people } = await startPeople(t);
  const needs = async (login: string, fhirUser: string, role: (typeof ROLES)[number], needed?: boolean) => {
    const user = await people.users.add({
      ...{ login, fhirUser, role },
      ...(needed === undefined ? {} : { needsSecondFactor: needed }),
    });
    return (await people.users.credentials(user.id))?.needsSecondFactor;
  };
  t.equal(await needs('doctor', 'Practitioner/1', 'referring-doctor'), true);
  t.equal(await needs('operator', 'Practitioner/1', 'operator'), true);
  t.equal(await needs('patient', 'Patient/1', 'patient'), false);
  t.equal(await needs('parent', 'RelatedPerson/1', 'representative'), false);
  t.equal(await needs('robot', 'Practitioner/1', 'expert', false), false);
});

test('A reset and a disabling are refused for a login that is not there', async (t) => {
  const { people } = await startPeople(t);
  await t.rejects(people.users.reset('nobody', PASSWORD), { name: 'UserRefused' });
  await t.rejects(people.users.disable('nobody'), { name: 'UserRefused' });
});

import type { Resource } from '@medplum/fhirtypes';
import { test } from 'tap';
import { reachOfUser } from '../../src/access/reach.ts';
import type { User } from '../../src/auth/users/user.ts';
import { patients, sources, startAccessServer } from './access-server.ts';

const user = (fhirUser: string, more: Partial<User> = {}): User => ({
  ...{ id: 'u', login: 'u', fhirUser, role: 'referring-doctor', reach: 'source', validFrom: 0, isDisabled: false },
  ...more,
});

const role = (id: string, organization: string, more: object = {}): Resource & { id: string } => ({
  ...{ resourceType: 'PractitionerRole', id, ...more },
  practitioner: { reference: 'Practitioner/d' },
  organization: { reference: organization },
});

test('a user reaches what the resource that stands for the person says', async (t) => {
  const { server, put } = await startAccessServer(t);
  const reach = (fhirUser: string, more: Partial<User> = {}) => reachOfUser(server, user(fhirUser, more));
  await put('Organization/own', { resourceType: 'Practitioner', id: 'd' }, { resourceType: 'Patient', id: 'p' });
  await put(undefined, { resourceType: 'Practitioner', id: 'free' });
  t.same(await reach('Practitioner/d'), sources('Organization/own'));
  t.same(await reach('Practitioner/free'), sources());
  t.same(await reach('Practitioner/nobody'), { kind: 'none' });
  t.same(await reach('Practitioner/d', { reach: 'all' }), { kind: 'all' });
  t.same(await reach('Patient/p', { role: 'patient' }), patients('p'));
  t.same(await reach('Practitioner/d', { role: 'operator', reach: 'all' }), { kind: 'none' });
  const officer = await reach('Practitioner/d', { role: 'privacy-officer', reach: 'all' });
  t.same(officer, { kind: 'all', types: ['AuditEvent', 'Consent'] });
});

test('a role counts if it is active, and if its own organization, or nobody, has pushed it', async (t) => {
  const { server, put } = await startAccessServer(t);
  await put('Organization/own', { resourceType: 'Practitioner', id: 'd' });
  await put('Organization/second', role('second', 'Organization/second'));
  await put(undefined, role('third', 'Organization/third'));
  await put('Organization/thief', role('stolen', 'Organization/fourth'));
  await put('Organization/past', role('past', 'Organization/past', { period: { end: '2020' } }));
  await put('Organization/off', role('off', 'Organization/off', { active: false }));
  const found = await reachOfUser(server, user('Practitioner/d'));
  t.same(found, sources('Organization/own', 'Organization/third', 'Organization/second'));
  const ofRole = await reachOfUser(server, user('PractitionerRole/second'));
  t.same(ofRole, sources('Organization/second'));
});

test('who stands for a patient reaches the patient as long as that holds', async (t) => {
  const { server, put } = await startAccessServer(t);
  const person = (id: string, more: object): Resource & { id: string } => ({
    ...{ resourceType: 'RelatedPerson', id, patient: { reference: 'Patient/p' }, ...more },
  });
  const day = 86_400_000;
  const date = (ahead: number): string => new Date(Date.now() + ahead * day).toISOString().slice(0, 10);
  await put(
    'Organization/a',
    { resourceType: 'Patient', id: 'p' },
    person('always', {}),
    person('off', { active: false }),
  );
  await put('Organization/a', person('today', { period: { start: date(-1), end: date(0) } }));
  await put(
    'Organization/a',
    person('past', { period: { end: date(-2) } }),
    person('future', { period: { start: date(2) } }),
  );
  const reach = (id: string) => reachOfUser(server, user(`RelatedPerson/${id}`, { role: 'representative' }));
  t.same(await reach('always'), patients('p'));
  t.same(await reach('today'), patients('p'));
  for (const id of ['off', 'past', 'future', 'nobody']) t.same(await reach(id), { kind: 'none' }, id);
});

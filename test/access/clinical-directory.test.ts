/** The patients from whom somebody picks one. */
import type { Identifier, Patient } from '@medplum/fhirtypes';
import { test } from 'tap';
import { startPeopleServer } from '../auth/test-people.ts';

const NORTH = { kind: 'sources', organizations: ['Organization/pick'] } as const;

const patient = (id: string, names: Patient['name'], identifier?: Identifier[]): Patient & { id: string } => ({
  resourceType: 'Patient',
  id,
  ...(names === undefined ? {} : { name: names }),
  ...(identifier === undefined ? {} : { identifier }),
});

test('Patients come by family name, whatever else they are called', async (t) => {
  const { auth, put } = await startPeopleServer(t);
  await put(
    'Organization/pick',
    patient('zoe', [{ given: ['Zoe'], family: 'Abbott' }]),
    patient('adam', [{ prefix: ['Aa'], given: ['Adam'], family: 'Zimmer' }]),
    patient('mia', [{ text: 'Aaa Mia Moser', given: ['Mia'], family: 'Moser' }]),
    patient('nobody', undefined),
  );
  const found = async (text: string, count = 10) =>
    (await auth.directory.patientsWithin(NORTH, text, count)).map(({ id }) => id);
  t.same(await found(''), ['zoe', 'mia', 'adam', 'nobody'], 'who has none comes last');
  t.same(await found('', 2), ['zoe', 'mia']);
  t.same(await found('a'), ['zoe', 'mia', 'adam'], 'among those who are searched for, too');
});

test('Patients are told apart by one identifier: the record number, else the first with a value', async (t) => {
  const { auth, put } = await startPeopleServer(t);
  const name = [{ given: ['Ana'], family: 'Sanz' }];
  const type = { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v2-0203', code: 'MR' }] };
  const insurance = { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v2-0203', code: 'SN' }] };
  await put(
    'Organization/pick',
    patient('a', name, [
      { system: 'urn:x', value: 'INS-1', type: insurance },
      { type, value: 'MR-1' },
    ]),
    patient('b', name, [{ type, system: 'urn:mr' }, { system: 'urn:x' }, { system: 'urn:x', value: 'X-2' }]),
    patient('c', name, [{ system: 'urn:x', value: '\u{1F600}'.repeat(50) }]),
    patient('d', name),
  );
  const shown = await auth.directory.patientsWithin(NORTH, 'sanz', 10);
  t.same(Object.fromEntries(shown.map(({ id, identifier }) => [id, identifier])), {
    ...{ a: 'MR-1', b: 'X-2' },
    c: `${'\u{1F600}'.repeat(39)}…`,
    d: undefined,
  });
});

/** A few records of two patients of two hospitals, and of what belongs to no patient. */
import type { Resource } from '@medplum/fhirtypes';

type Stored = Resource & { id: string };

const coded = (code: string) => ({ coding: [{ system: 'urn:codes', code }] });

export const observation = (id: string, patient: string, category: string, more: object = {}): Stored =>
  ({
    resourceType: 'Observation',
    id,
    status: 'final',
    code: coded(id),
    category: [coded(category)],
    subject: { reference: `Patient/${patient}` },
    ...more,
  }) as Stored;

export const document = (id: string, patient: string, binary: string): Stored => ({
  resourceType: 'DocumentReference',
  id,
  status: 'current',
  subject: { reference: `Patient/${patient}` },
  content: [{ attachment: { contentType: 'text/plain', url: `Binary/${binary}` } }],
});

export const binary = (id: string, context?: string): Stored => ({
  resourceType: 'Binary',
  id,
  contentType: 'text/plain',
  ...(context === undefined ? {} : { securityContext: { reference: context } }),
  data: 'aGVsbG8=',
});

/** Of each patient: `[Type]/[letter]...`, all of which name the patient `pat-[letter]`. */
export const recordOf = (letter: string): Stored[] => {
  const patient = `pat-${letter}`;
  const reference = `Patient/${patient}`;
  return [
    {
      resourceType: 'Patient',
      id: patient,
      identifier: [{ system: 'urn:mrn', value: letter }],
      name: [{ family: `Family${letter}` }],
      generalPractitioner: [{ reference: `PractitionerRole/role-${letter}` }],
    },
    observation(`lab-${letter}`, patient, 'laboratory', {
      performer: [{ reference: `Practitioner/performer-${letter}` }],
      effectiveDateTime: '2024-05-01',
    }),
    observation(`vital-${letter}`, patient, 'vital-signs', { effectiveDateTime: '2024-05-02' }),
    {
      resourceType: 'Condition',
      id: `cond-${letter}`,
      subject: { reference },
      code: coded('cough'),
      evidence: [{ detail: [{ reference: `Observation/lab-${letter}` }] }],
    },
    {
      resourceType: 'Encounter',
      id: `enc-${letter}`,
      status: 'finished',
      class: { code: 'AMB' },
      subject: { reference },
      location: [{ location: { reference: `Location/ward-${letter}` } }],
    },
    document(`doc-${letter}`, patient, `bin-${letter}`),
    binary(`bin-${letter}`),
    binary(`secret-${letter}`, reference),
    {
      resourceType: 'Composition',
      id: `comp-${letter}`,
      status: 'final',
      type: coded('summary'),
      subject: { reference },
      date: '2024-05-03',
      author: [{ reference: `Practitioner/performer-${letter}` }],
      title: 'Summary',
    },
    {
      resourceType: 'List',
      id: `list-${letter}`,
      status: 'current',
      mode: 'working',
      subject: { reference },
      entry: [{ item: { reference: `Observation/lab-${letter}` } }],
    },
    { resourceType: 'Practitioner', id: `performer-${letter}`, name: [{ family: `Performer${letter}` }] },
    { resourceType: 'Practitioner', id: `general-${letter}`, name: [{ family: `General${letter}` }] },
    {
      resourceType: 'PractitionerRole',
      id: `role-${letter}`,
      practitioner: { reference: `Practitioner/general-${letter}` },
      organization: { reference: `Organization/hospital-${letter}` },
    },
    { resourceType: 'Organization', id: `hospital-${letter}`, name: `Hospital ${letter}` },
    { resourceType: 'Location', id: `house-${letter}`, name: 'House' },
    { resourceType: 'Location', id: `ward-${letter}`, name: 'Ward', partOf: { reference: `Location/house-${letter}` } },
    { resourceType: 'Practitioner', id: `stranger-${letter}` },
  ];
};

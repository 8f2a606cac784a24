/** What is pushed: valid R4, each resource marked so that it is found again without knowing its id. */
import type { Bundle, BundleEntry, Observation, Patient } from '@medplum/fhirtypes';

/** The system of the tags and identifiers that mark what is pushed. */
export const MARK_SYSTEM = 'urn:oid:2.16.840.1.113883.4.642.4.1.9999';
/** Observations of one transaction, beside one Patient. */
export const OBSERVATIONS = 20;

const LOINC = [
  ['8480-6', 'Systolic blood pressure', 'mm[Hg]'],
  ['8867-4', 'Heart rate', '/min'],
  ['2160-0', 'Creatinine [Mass/volume] in Serum or Plasma', 'mg/dL'],
  ['718-7', 'Hemoglobin [Mass/volume] in Blood', 'g/dL'],
] as const;

export const markedObservation = (mark: string, subject: string, index: number): Observation => {
  const [code, display, unit] = LOINC[index % LOINC.length]!;
  const day = String(1 + (index % 28)).padStart(2, '0');
  return {
    resourceType: 'Observation',
    meta: { tag: [{ system: MARK_SYSTEM, code: mark }] },
    identifier: [{ system: MARK_SYSTEM, value: `${mark}-${index}` }],
    status: 'final',
    code: { coding: [{ system: 'http://loinc.org', code, display }] },
    subject: { reference: subject },
    effectiveDateTime: `2026-03-${day}T08:30:00Z`,
    valueQuantity: { value: 50 + (index % 50), unit, system: 'http://unitsofmeasure.org', code: unit },
  };
};

/** A Patient with a name that says how often it has been written. */
export const countedPatient = (id: string, count: number): Patient => ({
  resourceType: 'Patient',
  id,
  active: count % 2 === 0,
  name: [{ family: `Count ${count}`, given: ['Kill'] }],
  telecom: [{ system: 'phone', value: `+49 30 ${String(count).padStart(7, '0')}` }],
});

/** One new Patient, Observations that refer to it, and the next version of the Patient `ledger`. */
export const transactionBundle = (mark: string, ledger: Patient): Bundle => {
  const patientUrl = `urn:uuid:${mark}`;
  const patient: Patient = {
    resourceType: 'Patient',
    meta: { tag: [{ system: MARK_SYSTEM, code: mark }] },
    name: [{ family: 'Transaction', given: [mark] }],
    birthDate: '1968-02-29',
  };
  const post = (resource: Patient | Observation): BundleEntry => ({
    resource,
    request: { method: 'POST', url: resource.resourceType },
  });
  return {
    resourceType: 'Bundle',
    type: 'transaction',
    entry: [
      // The Observations come first, so that their references lead forward.
      ...Array.from({ length: OBSERVATIONS }, (_, index) => post(markedObservation(mark, patientUrl, index))),
      { fullUrl: patientUrl, ...post(patient) },
      { resource: ledger, request: { method: 'PUT', url: `Patient/${ledger.id}` } },
    ],
  };
};

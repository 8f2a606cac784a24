/** The data that is measured with: valid R4 as hospitals send it, the same in every run. */
import type { Bundle, Observation, Patient } from '@medplum/fhirtypes';

const LABORATORY = [
  ['2160-0', 'Creatinine [Mass/volume] in Serum or Plasma', 'mg/dL'],
  ['718-7', 'Hemoglobin [Mass/volume] in Blood', 'g/dL'],
  ['2951-2', 'Sodium [Moles/volume] in Serum or Plasma', 'mmol/L'],
  ['2823-3', 'Potassium [Moles/volume] in Serum or Plasma', 'mmol/L'],
  ['1920-8', 'Aspartate aminotransferase [Enzymatic activity/volume] in Serum or Plasma', 'U/L'],
  ['1742-6', 'Alanine aminotransferase [Enzymatic activity/volume] in Serum or Plasma', 'U/L'],
  ['24108-3', 'Cancer Ag 19-9 [Units/volume] in Serum or Plasma', 'U/mL'],
  ['1975-2', 'Bilirubin.total [Mass/volume] in Serum or Plasma', 'mg/dL'],
  ['777-3', 'Platelets [#/volume] in Blood by Automated count', '10*3/uL'],
  ['6690-2', 'Leukocytes [#/volume] in Blood by Automated count', '10*3/uL'],
] as const;

export const CODES: readonly string[] = LABORATORY.map(([code]) => `http://loinc.org|${code}`);
export const IDENTIFIER_SYSTEM = 'https://hospital.example.org/patients';
const FIRST_DAY = Date.UTC(2024, 0, 1);
const DAYS = 900;
const DAY_MS = 86_400_000;

/** Numbers from 0 to below 1, the same sequence for the same seed (mulberry32). */
export const createRandom = (seed: number): (() => number) => {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};

export const randomDay = (random: () => number): string =>
  new Date(FIRST_DAY + Math.floor(random() * DAYS) * DAY_MS).toISOString().slice(0, 10);

export const laboratoryResult = (subject: string, random: () => number): Observation => {
  const [code, display, unit] = LABORATORY[Math.floor(random() * LABORATORY.length)]!;
  const day = randomDay(random);
  const number = Math.floor(random() * 1e9);
  return {
    resourceType: 'Observation',
    identifier: [{ system: 'https://laboratory.example.org/results', value: `R-${number}` }],
    status: 'final',
    category: [
      {
        coding: [
          {
            system: 'http://terminology.hl7.org/CodeSystem/observation-category',
            code: 'laboratory',
            display: 'Laboratory',
          },
        ],
      },
    ],
    code: { coding: [{ system: 'http://loinc.org', code, display }], text: display },
    subject: { reference: subject },
    effectiveDateTime: `${day}T07:45:00+01:00`,
    issued: `${day}T11:20:31.000+01:00`,
    performer: [{ reference: 'Organization/laboratory', display: 'Central laboratory' }],
    valueQuantity: {
      value: Math.round(random() * 20_000) / 100,
      unit,
      system: 'http://unitsofmeasure.org',
      code: unit,
    },
    referenceRange: [{ low: { value: 10, unit }, high: { value: 120, unit }, text: '10 to 120' }],
  };
};

const patient = (number: number): Patient => ({
  resourceType: 'Patient',
  identifier: [{ system: IDENTIFIER_SYSTEM, value: `P-${number}` }],
  name: [{ use: 'official', family: `Family${number % 997}`, given: [`Given${number % 89}`] }],
  gender: number % 2 === 0 ? 'female' : 'male',
  birthDate: `${1930 + (number % 80)}-0${1 + (number % 9)}-1${number % 10}`,
});

/** A transaction of one Patient and its results, `entries` in all. */
export const recordBundle = (number: number, entries: number, random: () => number): Bundle => {
  const fullUrl = `urn:uuid:00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
  const results = Array.from({ length: entries - 1 }, () => laboratoryResult(fullUrl, random));
  return {
    resourceType: 'Bundle',
    type: 'transaction',
    entry: [
      { fullUrl, resource: patient(number), request: { method: 'POST', url: 'Patient' } },
      ...results.map((resource) => ({ resource, request: { method: 'POST', url: 'Observation' } as const })),
    ],
  };
};

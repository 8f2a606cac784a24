/** Definitions and resources for tests of own search parameters. */
import type { Patient, SearchParameter } from '@medplum/fhirtypes';

/** The maiden names of a Patient. */
export const MAIDEN: SearchParameter & { readonly id: string } = {
  resourceType: 'SearchParameter',
  id: 'maiden',
  url: 'http://x.example/SearchParameter/maiden',
  name: 'Maiden',
  status: 'active',
  description: 'A maiden name',
  code: 'maiden',
  base: ['Patient'],
  type: 'string',
  expression: "Patient.name.where(use='maiden').family",
};

export const patientBorn = (family: string): Patient => ({
  resourceType: 'Patient',
  name: [
    { use: 'maiden', family },
    { use: 'official', family: `Official ${family}` },
  ],
});

/** Backtracks for ever on what `ENDLESS_NAME` is. */
export const ENDLESS = {
  ...MAIDEN,
  id: 'endless',
  url: 'http://x.example/SearchParameter/endless',
  code: 'endless',
  expression: "Patient.name.where(family.matches('^(a+)+$')).family",
};

export const ENDLESS_NAME = `${'a'.repeat(45)}!`;

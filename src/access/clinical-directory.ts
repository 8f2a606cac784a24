/** What the authorization server may know of the clinical records: names of patients and encounters, within a reach. */
import type { Encounter, Patient } from '@medplum/fhirtypes';
import type { ClinicalDirectory, ListedEncounter, ListedPatient } from '../auth/clinical-directory.ts';
import type { Reach } from '../auth/reach.ts';
import { nameOfPerson } from '../auth/users/person-records.ts';
import { foldString } from '../search/index-entry.ts';
import type { Clause } from '../search/search-query.ts';
import type { Store, Version } from '../store/store.ts';

interface ClinicalDirectoryParts {
  /** The store, narrowed to what somebody with this reach and the scope to read everything sees. */
  storeWithin(reach: Reach): Store;
  readonly reachOfUser: ClinicalDirectory['reachOfUser'];
}

const parsed = <T>({ text }: Version): T => JSON.parse(text.toString()) as T;

const listedPatient = (version: Version): ListedPatient => {
  const { name = [], birthDate, gender } = parsed<Patient>(version);
  return {
    id: version.id,
    name: nameOfPerson(name) ?? version.id,
    ...(birthDate === undefined ? {} : { birthDate }),
    ...(gender === undefined ? {} : { gender }),
  };
};

const listedEncounter = (version: Version): ListedEncounter => {
  const { type, class: kind, period } = parsed<Encounter>(version);
  const title = type?.[0]?.text ?? type?.[0]?.coding?.[0]?.display ?? kind.display ?? kind.code ?? version.id;
  return { id: version.id, title, ...(period?.start === undefined ? {} : { start: period.start }) };
};

/** Each word begins a part of the name, or is an identifier. */
const wordClauses = (text: string): Clause[] =>
  text
    .split(/\s+/)
    .filter((word) => word !== '')
    .map((word) => {
      const identifier: Clause = { kind: 'token', param: 'identifier', values: [{ code: word }] };
      const folded = foldString(word);
      if (folded === '') return identifier;
      return {
        kind: 'any',
        clauses: [{ kind: 'string', param: 'name', match: 'starts', values: [folded] }, identifier],
      };
    });

const referenceOf = (text: string): { type: string; id: string } => {
  const [type = '', id = ''] = text.split('/');
  return { type, id };
};

export const createClinicalDirectory = ({ storeWithin, reachOfUser }: ClinicalDirectoryParts): ClinicalDirectory => ({
  reachOfUser,
  isWithin: async (reach, reference) => {
    const found = await storeWithin(reach).read(referenceOf(reference));
    return found !== undefined && !found.isDeleted;
  },
  isEncounterOf: async (encounter, patient) => {
    const searches = [
      {
        type: 'Encounter',
        clauses: [
          { kind: 'id', values: [encounter] },
          { kind: 'reference', param: 'patient', values: [{ type: 'Patient', id: patient }] },
        ] satisfies Clause[],
      },
    ];
    return (await storeWithin({ kind: 'all' }).count({ searches, sort: [], count: 0 })) > 0;
  },
  patientsWithin: async (reach, text, count) => {
    const searches = [{ type: 'Patient', clauses: wordClauses(text) }];
    const sort = [{ by: 'param', param: 'name', entries: 'string', isDescending: false }] as const;
    return (await storeWithin(reach).search({ searches, sort, count })).items.map(listedPatient);
  },
  encountersWithin: async (reach, patient, count) => {
    const clause: Clause = { kind: 'reference', param: 'patient', values: [{ type: 'Patient', id: patient }] };
    const sort = [{ by: 'param', param: 'date', entries: 'date', isDescending: true }] as const;
    const searches = [{ type: 'Encounter', clauses: [clause] }];
    return (await storeWithin(reach).search({ searches, sort, count })).items.map(listedEncounter);
  },
});

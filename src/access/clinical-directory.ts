/** What the authorization server may know of the clinical records: names of patients and encounters, within a reach. */
import type { Encounter, Identifier, Patient } from '@medplum/fhirtypes';
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

/** The code of record numbers. @see https://terminology.hl7.org/CodeSystem-v2-0203.html */
const RECORD_NUMBER = 'MR';

const LONGEST_IDENTIFIER = 40;

/** The value of one identifier, the record number if there is one, cut to what fits beside a name. */
const shownIdentifier = (identifiers: readonly Identifier[]): string | undefined => {
  const given = identifiers.filter(({ value = '' }) => value !== '');
  const isRecordNumber = ({ type }: Identifier): boolean =>
    type?.coding?.some(({ code }) => code === RECORD_NUMBER) ?? false;
  const characters = [...((given.find(isRecordNumber) ?? given[0])?.value ?? '')];
  if (characters.length === 0) return undefined;
  const isCut = characters.length > LONGEST_IDENTIFIER;
  return isCut ? `${characters.slice(0, LONGEST_IDENTIFIER - 1).join('')}…` : characters.join('');
};

const listedPatient = (version: Version): ListedPatient => {
  const { name = [], identifier: identifiers = [], birthDate, gender } = parsed<Patient>(version);
  const identifier = shownIdentifier(identifiers);
  return {
    id: version.id,
    name: nameOfPerson(name) ?? version.id,
    ...(birthDate === undefined ? {} : { birthDate }),
    ...(gender === undefined ? {} : { gender }),
    ...(identifier === undefined ? {} : { identifier }),
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
    // By one key alone, whose index is read in order: a later one needs all that match at once.
    const sort = [{ by: 'param', param: 'family', entries: 'string', isDescending: false }] as const;
    return (await storeWithin(reach).search({ searches, sort, count })).items.map(listedPatient);
  },
  encountersWithin: async (reach, patient, count) => {
    const clause: Clause = { kind: 'reference', param: 'patient', values: [{ type: 'Patient', id: patient }] };
    const sort = [{ by: 'param', param: 'date', entries: 'date', isDescending: true }] as const;
    const searches = [{ type: 'Encounter', clauses: [clause] }];
    return (await storeWithin(reach).search({ searches, sort, count })).items.map(listedEncounter);
  },
});

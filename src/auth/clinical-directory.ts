/** What the authorization server asks of the clinical records: who may reach what, and which patients can be picked. */
import type { Reach } from './reach.ts';
import type { User } from './users/user.ts';

/** A patient, as shown to somebody who picks one. */
export interface ListedPatient {
  readonly id: string;
  readonly name: string;
  readonly birthDate?: string;
  readonly gender?: string;
  /** By which the hospital knows the patient, as its record number; cut if it is long. */
  readonly identifier?: string;
}

export interface ListedEncounter {
  readonly id: string;
  readonly title: string;
  /** Of its period, as FHIR writes it. */
  readonly start?: string;
}

export interface ClinicalDirectory {
  /** What a user may reach, as found now. */
  reachOfUser(user: User): Promise<Reach>;
  /** Whether the Patient, or another resource such as an Encounter (`Encounter/[id]`), is there and within the reach. */
  isWithin(reach: Reach, reference: string): Promise<boolean>;
  /** Whether the Encounter (an id) is one of the Patient (an id). */
  isEncounterOf(encounter: string, patient: string): Promise<boolean>;
  /** At most `count` patients within the reach, by family name; each word of `text` begins a name, or is an identifier. */
  patientsWithin(reach: Reach, text: string, count: number): Promise<readonly ListedPatient[]>;
  /** The newest encounters of a patient within the reach. */
  encountersWithin(reach: Reach, patient: string, count: number): Promise<readonly ListedEncounter[]>;
}

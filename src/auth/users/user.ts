/** A person who signs in: a Practitioner, PractitionerRole, Patient or RelatedPerson with credentials. */

export const ROLES = [
  'case-manager',
  'expert',
  'referring-doctor',
  'patient',
  'representative',
  'privacy-officer',
  'operator',
] as const;
export type Role = (typeof ROLES)[number];

/** What everybody needs to know of a user; credentials are kept elsewhere, in a record of their own. */
export interface User {
  /** Random; the `sub` of tokens. Stays when the login changes. */
  readonly id: string;
  /** Lower case. */
  readonly login: string;
  /** `Practitioner/[id]` and so on. */
  readonly fhirUser: string;
  readonly role: Role;
  /** `source`: what the organizations of a practitioner pushed, the compartment of a patient; `all`: everything. */
  readonly reach: 'source' | 'all';
  /** Sessions and grants from before this instant, in milliseconds since 1970 UTC, are worth nothing. */
  readonly validFrom: number;
  readonly isDisabled: boolean;
}

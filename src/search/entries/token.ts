/**
 * Token entries. What is the system and what the code of each type is the table in the specification.
 *
 * @see https://hl7.org/fhir/R4/search.html#token
 */
import type { CodeableConcept, Coding, ContactPoint, Identifier } from '@medplum/fhirtypes';
import type { IndexEntry } from '../index-entry.ts';
import type { AddEntries } from './add-entries.ts';

const addToken = (param: string, system: string | undefined, code: string | undefined, entries: IndexEntry[]): void => {
  if (system === undefined && code === undefined) return;
  entries.push({ kind: 'token', param, system: system ?? '', code: code ?? '' });
};

const addCodings = (param: string, codings: readonly Coding[] | undefined, entries: IndexEntry[]): void => {
  if (codings === undefined) return;
  for (const coding of codings) if (coding !== null) addToken(param, coding.system, coding.code, entries);
};

/** Undefined for types that R4 does not search as tokens. A ContactPoint's `use` and `system` are no token system. */
export const tokenEntries = (param: string, type: string): AddEntries | undefined => {
  switch (type) {
    case 'Coding':
      return (value, entries) => addToken(param, (value as Coding).system, (value as Coding).code, entries);
    case 'CodeableConcept':
      return (value, entries) => addCodings(param, (value as CodeableConcept).coding, entries);
    case 'Identifier':
      return (value, entries) => addToken(param, (value as Identifier).system, (value as Identifier).value, entries);
    case 'ContactPoint':
      return (value, entries) => addToken(param, undefined, (value as ContactPoint).value, entries);
    case 'code':
    case 'string':
    case 'id':
    case 'uri':
    case 'boolean':
      return (value, entries) => addToken(param, undefined, String(value), entries);
    default:
      return undefined;
  }
};

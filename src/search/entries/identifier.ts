/**
 * What `:of-type` and `:identifier` search: identifiers by the type they have, and references by the identifier they
 * carry.
 *
 * @see https://hl7.org/fhir/R4/search.html#token
 * @see https://hl7.org/fhir/R4/search.html#reference
 */
import type { Identifier, Reference } from '@medplum/fhirtypes';
import type { IndexEntry } from '../index-entry.ts';
import type { AddEntries } from './add-entries.ts';

/** `code|value` of `:of-type`, as one code. */
export const typedIdentifier = (code: string, value: string): string => `${code}|${value}`;

const addTyped = (param: string, { type, value }: Identifier, entries: IndexEntry[]): void => {
  if (value === undefined) return;
  for (const { system = '', code = '' } of type?.coding ?? [])
    entries.push({ kind: 'token', param, system, code: typedIdentifier(code, value) });
};

/** Undefined for all types but Identifier. */
export const typedIdentifierEntries = (param: string, type: string): AddEntries | undefined =>
  type === 'Identifier' ? (value, entries) => addTyped(param, value as Identifier, entries) : undefined;

/** Undefined for all types but Reference. */
export const referenceIdentifierEntries = (param: string, type: string): AddEntries | undefined =>
  type === 'Reference'
    ? (reference, entries) => {
        const { system = '', value = '' } = (reference as Reference).identifier ?? {};
        if (system !== '' || value !== '') entries.push({ kind: 'token', param, system, code: value });
      }
    : undefined;

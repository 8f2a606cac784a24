/**
 * Token entries. What is the system and what the code of each type is the table in the specification.
 *
 * @see https://hl7.org/fhir/R4/search.html#token
 */
import type { CodeableConcept, Coding, ContactPoint, Identifier } from '@medplum/fhirtypes';
import { foldCase, type IndexEntry, modifiedParam } from '../index-entry.ts';
import type { AddEntries } from './add-entries.ts';

const addToken = (param: string, system: string | undefined, code: string | undefined, entries: IndexEntry[]): void => {
  if (system === undefined && code === undefined) return;
  entries.push({ kind: 'token', param, system: system ?? '', code: code ?? '' });
};

const addCodings = (param: string, codings: readonly Coding[] | undefined, entries: IndexEntry[]): void => {
  if (codings === undefined) return;
  for (const coding of codings) if (coding !== null) addToken(param, coding.system, coding.code, entries);
};

/** `text/xml; charset=utf-8`: a MIME type with parameters. No other code has both signs. */
const MIME_PARAMETERS = /^([^;]*\/[^;]*);/;

const addCode = (param: string, code: unknown, entries: IndexEntry[]): void => {
  addToken(param, undefined, String(code), entries);
  const base = MIME_PARAMETERS.exec(String(code))?.[1];
  if (base !== undefined) addToken(modifiedParam(param, 'below'), undefined, base.trim(), entries);
};

/** "If the underlying data type is string then the search is not case sensitive"; mail addresses have no case either. */
const addFolded = (param: string, value: unknown, entries: IndexEntry[]): void => {
  if (typeof value === 'string') addToken(param, undefined, foldCase(value), entries);
};

/** The types of which the values are compared without case. */
export const CASELESS_TYPES: readonly string[] = ['string', 'ContactPoint'];

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
      return (value, entries) => addFolded(param, (value as ContactPoint).value, entries);
    case 'string':
      return (value, entries) => addFolded(param, value, entries);
    case 'code':
      return (value, entries) => addCode(param, value, entries);
    case 'id':
    case 'uri':
    case 'boolean':
      return (value, entries) => addToken(param, undefined, String(value), entries);
    default:
      return undefined;
  }
};

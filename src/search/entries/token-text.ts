/**
 * What `:text` searches: the words that go with a code, identifier or reference.
 *
 * @see https://hl7.org/fhir/R4/search.html#modifiers
 */
import type { CodeableConcept, Coding, Identifier, Reference } from '@medplum/fhirtypes';
import { foldString, type IndexEntry } from '../index-entry.ts';
import type { AddEntries } from './add-entries.ts';

/** The search of the text of a parameter is a search of strings; what was written exactly is not needed. */
const addText = (param: string, text: string | undefined, entries: IndexEntry[]): void => {
  if (typeof text !== 'string') return;
  const value = foldString(text);
  if (value !== '') entries.push({ kind: 'string', param, value, exact: '' });
};

const addConcept = (param: string, { text, coding }: CodeableConcept, entries: IndexEntry[]): void => {
  addText(param, text, entries);
  for (const item of coding ?? []) addText(param, item?.display, entries);
};

/** Undefined for types without text of their own. */
export const tokenTextEntries = (param: string, type: string): AddEntries | undefined => {
  switch (type) {
    case 'CodeableConcept':
      return (value, entries) => addConcept(param, value as CodeableConcept, entries);
    case 'Coding':
      return (value, entries) => addText(param, (value as Coding).display, entries);
    case 'Identifier':
      return (value, entries) => addText(param, (value as Identifier).type?.text, entries);
    case 'Reference':
      return (value, entries) => addText(param, (value as Reference).display, entries);
    default:
      return undefined;
  }
};

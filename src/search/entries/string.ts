/**
 * String entries: one for each part of a name or an address, so that a search matches the start of any part.
 *
 * @see https://hl7.org/fhir/R4/search.html#string
 */
import type { Address, HumanName } from '@medplum/fhirtypes';
import { foldString, type IndexEntry, STRING_LIMIT } from '../index-entry.ts';
import type { AddEntries } from './add-entries.ts';

/**
 * Longer texts are cut before they are folded as well, so that a markdown of megabytes costs no more than a line.
 * Folding makes a text shorter only by its marks and repeated white space.
 */
const FOLDED_LIMIT = 4 * STRING_LIMIT;

const addText = (param: string, text: unknown, entries: IndexEntry[]): void => {
  if (typeof text !== 'string') return;
  const value = foldString(text.length > FOLDED_LIMIT ? text.slice(0, FOLDED_LIMIT) : text);
  entries.push({ kind: 'string', param, value, exact: text.slice(0, STRING_LIMIT) });
};

const addTexts = (param: string, texts: readonly unknown[] | undefined, entries: IndexEntry[]): void => {
  if (texts === undefined) return;
  for (const text of texts) addText(param, text, entries);
};

const addHumanName = (param: string, name: HumanName, entries: IndexEntry[]): void => {
  addText(param, name.family, entries);
  addTexts(param, name.given, entries);
  addTexts(param, name.prefix, entries);
  addTexts(param, name.suffix, entries);
  addText(param, name.text, entries);
};

const addAddress = (param: string, address: Address, entries: IndexEntry[]): void => {
  addTexts(param, address.line, entries);
  addText(param, address.city, entries);
  addText(param, address.district, entries);
  addText(param, address.state, entries);
  addText(param, address.country, entries);
  addText(param, address.postalCode, entries);
  addText(param, address.text, entries);
};

/** Undefined for types that R4 does not search as strings. */
export const stringEntries = (param: string, type: string): AddEntries | undefined => {
  switch (type) {
    case 'string':
    case 'markdown':
      return (value, entries) => addText(param, value, entries);
    case 'HumanName':
      return (value, entries) => addHumanName(param, value as HumanName, entries);
    case 'Address':
      return (value, entries) => addAddress(param, value as Address, entries);
    default:
      return undefined;
  }
};

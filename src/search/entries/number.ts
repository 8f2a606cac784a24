/**
 * Number entries.
 *
 * @see https://hl7.org/fhir/R4/search.html#number
 */
import type { Range } from '@medplum/fhirtypes';
import type { AddEntries } from './add-entries.ts';
import { rangeInterval } from './interval.ts';

/** Undefined for types that are no number. */
export const numberEntries = (param: string, type: string): AddEntries | undefined => {
  switch (type) {
    case 'integer':
    case 'positiveInt':
    case 'unsignedInt':
    case 'decimal':
      return (value, entries) => {
        if (typeof value === 'number') entries.push({ kind: 'number', param, lo: value, hi: value });
      };
    case 'Range':
      return (value, entries) => {
        const interval = rangeInterval(value as Range);
        if (interval !== undefined) entries.push({ kind: 'number', param, lo: interval.lo, hi: interval.hi });
      };
    default:
      return undefined;
  }
};

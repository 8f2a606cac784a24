/**
 * Quantity entries, in the unit as written and, if that is one of UCUM, in its base units.
 *
 * @see https://hl7.org/fhir/R4/search.html#quantity
 */
import type { Money, Quantity, Range } from '@medplum/fhirtypes';
import { type IndexEntry, modifiedParam } from '../index-entry.ts';
import { canonicalQuantity, UCUM } from '../ucum.ts';
import type { AddEntries } from './add-entries.ts';
import { type Interval, includedLimits, quantityInterval, rangeInterval } from './interval.ts';

/** The code system of currencies. @see https://hl7.org/fhir/R4/datatypes.html#Money */
const CURRENCIES = 'urn:iso:std:iso:4217';

const addCanonical = (param: string, interval: Interval, code: string, entries: IndexEntry[]): void => {
  const [from, to] = [canonicalQuantity(interval.lo, code), canonicalQuantity(interval.hi, code)];
  if (from === undefined || to === undefined) return;
  entries.push({
    kind: 'quantity',
    param: modifiedParam(param, 'canonical'),
    ...includedLimits({ ...interval, lo: from.value, hi: to.value }),
    system: '',
    code: from.code,
    unit: '',
  });
};

const addQuantity = (
  param: string,
  interval: Interval | undefined,
  { system, code, unit }: Quantity,
  entries: IndexEntry[],
): void => {
  if (interval === undefined) return;
  const { lo, hi } = includedLimits(interval);
  entries.push({ kind: 'quantity', param, lo, hi, system: system ?? '', code: code ?? '', unit: unit ?? '' });
  if (system === UCUM && code !== undefined) addCanonical(param, interval, code, entries);
};

const addMoney = (param: string, { value, currency }: Money, entries: IndexEntry[]): void => {
  const unit = currency === undefined ? {} : { system: CURRENCIES, code: currency };
  addQuantity(param, value === undefined ? undefined : { lo: value, hi: value }, unit as Quantity, entries);
};

/** Undefined for types without one comparable value, such as SampledData. */
export const quantityEntries = (param: string, type: string): AddEntries | undefined => {
  switch (type) {
    case 'Quantity':
    case 'SimpleQuantity':
    case 'Age':
    case 'Count':
    case 'Distance':
    case 'Duration':
      return (value, entries) => addQuantity(param, quantityInterval(value as Quantity), value as Quantity, entries);
    case 'Money':
      return (value, entries) => addMoney(param, value as Money, entries);
    case 'Range':
      return (value, entries) => {
        const range = value as Range;
        addQuantity(param, rangeInterval(range), range.low ?? range.high ?? {}, entries);
      };
    default:
      return undefined;
  }
};

/**
 * Date entries: the range of instants that the value covers, at the precision in which it is written. A date without a
 * time has no zone; it is of the server's, as the one that is searched for.
 *
 * @see https://hl7.org/fhir/R4/search.html#date
 */
import type { Period, Timing } from '@medplum/fhirtypes';
import { type InstantRange, instantRange } from '../../fhir/date-time.ts';
import type { IndexEntry } from '../index-entry.ts';
import type { AddEntries } from './add-entries.ts';

const rangeOf = (text: unknown, zoneOffsetMinutes: number): InstantRange | undefined =>
  typeof text === 'string' ? instantRange(text, zoneOffsetMinutes) : undefined;

/** Undefined without a start and an end, where one of them is no date, and where it ends before it starts. */
const periodRange = ({ start, end }: Period, zoneOffsetMinutes: number): InstantRange | undefined => {
  if (start === undefined && end === undefined) return undefined;
  const lo = start === undefined ? Number.NEGATIVE_INFINITY : rangeOf(start, zoneOffsetMinutes)?.lo;
  const hi = end === undefined ? Number.POSITIVE_INFINITY : rangeOf(end, zoneOffsetMinutes)?.hi;
  return lo === undefined || hi === undefined || lo >= hi ? undefined : { lo, hi };
};

/** The outer limits of the events and of the bounds; how often the events repeat in between does not count. */
const timingRange = ({ event, repeat }: Timing, zoneOffsetMinutes: number): InstantRange | undefined => {
  const bounds = repeat?.boundsPeriod === undefined ? undefined : periodRange(repeat.boundsPeriod, zoneOffsetMinutes);
  let lo = bounds?.lo ?? Number.POSITIVE_INFINITY;
  let hi = bounds?.hi ?? Number.NEGATIVE_INFINITY;
  for (const text of event ?? []) {
    const range = rangeOf(text, zoneOffsetMinutes);
    if (range === undefined) continue;
    lo = Math.min(lo, range.lo);
    hi = Math.max(hi, range.hi);
  }
  return lo < hi ? { lo, hi } : undefined;
};

const addRange = (param: string, range: InstantRange | undefined, entries: IndexEntry[]): void => {
  if (range !== undefined) entries.push({ kind: 'date', param, lo: range.lo, hi: range.hi });
};

/** Undefined for types that are no date; R4 has a few parameters with such a choice, as `Procedure.performedAge`. */
export const dateEntries = (param: string, type: string, zoneOffsetMinutes: number): AddEntries | undefined => {
  switch (type) {
    case 'date':
    case 'dateTime':
    case 'instant':
      return (value, entries) => addRange(param, rangeOf(value, zoneOffsetMinutes), entries);
    case 'Period':
      return (value, entries) => addRange(param, periodRange(value as Period, zoneOffsetMinutes), entries);
    case 'Timing':
      return (value, entries) => addRange(param, timingRange(value as Timing, zoneOffsetMinutes), entries);
    default:
      return undefined;
  }
};

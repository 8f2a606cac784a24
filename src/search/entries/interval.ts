/**
 * The numbers that a value with a comparator or limits may stand for.
 *
 * @see https://hl7.org/fhir/R4/search.html#quantity
 */
import type { Quantity, Range } from '@medplum/fhirtypes';

/** A point has `lo` = `hi`; an open end is -Infinity or Infinity. */
export interface Interval {
  readonly lo: number;
  readonly hi: number;
}

/** Undefined without a value. */
export const quantityInterval = ({ value, comparator }: Quantity): Interval | undefined => {
  if (typeof value !== 'number') return undefined;
  if (comparator === '<' || comparator === '<=') return { lo: Number.NEGATIVE_INFINITY, hi: value };
  if (comparator === '>' || comparator === '>=') return { lo: value, hi: Number.POSITIVE_INFINITY };
  return { lo: value, hi: value };
};

/** Undefined if neither limit has a value, and if the limits are in the wrong order. */
export const rangeInterval = ({ low, high }: Range): Interval | undefined => {
  if (low?.value === undefined && high?.value === undefined) return undefined;
  const lo = low?.value ?? Number.NEGATIVE_INFINITY;
  const hi = high?.value ?? Number.POSITIVE_INFINITY;
  return lo <= hi ? { lo, hi } : undefined;
};

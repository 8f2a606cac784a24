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
  /** The end that the value comes close to but cannot be, as 5 in `< 5`. */
  readonly excluded?: 'lo' | 'hi';
}

/** The next larger number that a double can hold. */
const nextAbove = (value: number): number => {
  if (value === 0) return Number.MIN_VALUE;
  const bits = new BigInt64Array(1);
  const double = new Float64Array(bits.buffer);
  double[0] = value;
  bits[0] = (bits[0] ?? 0n) + (value > 0 ? 1n : -1n);
  return double[0];
};

/** The limits as entries have them, both included: `< 5` ends at the last number before 5, so that `ge5` does not find it. */
export const includedLimits = ({ lo, hi, excluded }: Interval): { lo: number; hi: number } => ({
  lo: excluded === 'lo' ? nextAbove(lo) : lo,
  hi: excluded === 'hi' ? -nextAbove(-hi) : hi,
});

/** Undefined without a value. */
export const quantityInterval = ({ value, comparator }: Quantity): Interval | undefined => {
  if (typeof value !== 'number') return undefined;
  switch (comparator) {
    case '<':
      return { lo: Number.NEGATIVE_INFINITY, hi: value, excluded: 'hi' };
    case '<=':
      return { lo: Number.NEGATIVE_INFINITY, hi: value };
    case '>=':
      return { lo: value, hi: Number.POSITIVE_INFINITY };
    case '>':
      return { lo: value, hi: Number.POSITIVE_INFINITY, excluded: 'lo' };
    default:
      return { lo: value, hi: value };
  }
};

/** Undefined if neither limit has a value, and if the limits are in the wrong order. */
export const rangeInterval = ({ low, high }: Range): Interval | undefined => {
  if (low?.value === undefined && high?.value === undefined) return undefined;
  const lo = low?.value ?? Number.NEGATIVE_INFINITY;
  const hi = high?.value ?? Number.POSITIVE_INFINITY;
  return lo <= hi ? { lo, hi } : undefined;
};

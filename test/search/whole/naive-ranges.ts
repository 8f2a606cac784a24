/**
 * Dates and numbers as the ranges that R4 gives them, and what its nine prefixes say of two ranges.
 *
 * @see https://hl7.org/fhir/R4/search.html#prefix
 */

/** From `lo` to `hi`; each end belongs to it or not. Open ends are infinite. */
export interface Range {
  readonly lo: number;
  readonly hi: number;
  readonly hasLo: boolean;
  readonly hasHi: boolean;
}

export interface Searched {
  readonly prefix: string;
  /** What stands behind the prefix. */
  readonly text: string;
}

export const prefixed = (text: string): Searched => {
  const prefix = /^(?:eq|ne|gt|lt|ge|le|sa|eb|ap)/.exec(text)?.[0] ?? '';
  return { prefix: prefix === '' ? 'eq' : prefix, text: text.slice(prefix.length) };
};

const isEmpty = ({ lo, hi, hasLo, hasHi }: Range): boolean => lo > hi || (lo === hi && !(hasLo && hasHi));

const intersection = (one: Range, other: Range): Range => {
  const lo = Math.max(one.lo, other.lo);
  const hi = Math.min(one.hi, other.hi);
  return {
    lo,
    hi,
    hasLo: [one, other].every((each) => each.lo < lo || each.hasLo),
    hasHi: [one, other].every((each) => each.hi > hi || each.hasHi),
  };
};

const overlaps = (one: Range, other: Range): boolean => !isEmpty(intersection(one, other));

const above = ({ hi, hasHi }: Range): Range => ({ lo: hi, hi: Infinity, hasLo: !hasHi, hasHi: true });
const below = ({ lo, hasLo }: Range): Range => ({ lo: -Infinity, hi: lo, hasLo: true, hasHi: !hasLo });

const isPoint = ({ lo, hi }: Range): boolean => lo === hi;

/** Nothing of the target is left outside. */
const contains = (outer: Range, inner: Range): boolean =>
  !overlaps(above(outer), inner) && !overlaps(below(outer), inner);

/** Whether a target matches, in the words of the table of prefixes. */
export const compares = (prefix: string, search: Range, target: Range): boolean => {
  switch (prefix) {
    case 'eq':
      return contains(search, target);
    case 'ne':
      return !contains(search, target);
    case 'gt':
      return overlaps(above(search), target);
    case 'lt':
      return overlaps(below(search), target);
    // A target may be more than one number, of which the least is the one that is searched.
    case 'ge':
      return (
        overlaps(above(search), target) || contains(search, target) || (isPoint(search) && overlaps(search, target))
      );
    case 'le':
      return (
        overlaps(below(search), target) || contains(search, target) || (isPoint(search) && overlaps(search, target))
      );
    case 'sa':
      return !overlaps(search, target) && contains(above(search), target);
    case 'eb':
      return !overlaps(search, target) && contains(below(search), target);
    default:
      return overlaps(search, target);
  }
};

const DATE = /^(\d{4})(-\d\d)?(-\d\d)?(?:T(\d\d:\d\d)(:\d\d)?(\.\d+)?(Z|[+-]\d\d:\d\d)?)?$/;

/** "2024-02" with what it leaves out: the first instant of the month. `zone` is that of the server, as `+05:30`. */
const firstInstant = (text: string, zone: string): number => {
  const [, year, month = '-01', day = '-01', time = '00:00', seconds = ':00', fraction = '', given] =
    DATE.exec(text) ?? [];
  return Date.parse(`${year}${month}${day}T${time}${seconds}${fraction.slice(0, 4)}${given ?? zone}`);
};

/** The first day of the next month or year, or the next day, as text. */
const nextDate = (year: string, month: string | undefined, day: string | undefined): string => {
  const date = new Date(`${year}${month ?? '-01'}${day ?? '-01'}T00:00:00Z`);
  if (day !== undefined) date.setUTCDate(date.getUTCDate() + 1);
  else if (month !== undefined) date.setUTCMonth(date.getUTCMonth() + 1);
  else date.setUTCFullYear(date.getUTCFullYear() + 1);
  return date.toISOString().slice(0, 10);
};

/** All instants that a date may be, in milliseconds since 1970 UTC; undefined if it is none. */
export const dateRange = (text: string, zone: string): Range | undefined => {
  const match = DATE.exec(text);
  if (match === null) return undefined;
  const [, year = '', month, day, time, seconds, fraction] = match;
  const lo = firstInstant(text, zone);
  const step = seconds === undefined ? 60_000 : fraction === undefined ? 1000 : 10 ** Math.max(0, 4 - fraction.length);
  const hi = time === undefined ? firstInstant(nextDate(year, month, day), zone) : lo + step;
  return { lo, hi, hasLo: true, hasHi: false };
};

/** `ap` reaches a share of the time between the date and now to both sides. */
export const searchedDates = ({ prefix, text }: Searched, zone: string, share: number): Range => {
  const range = dateRange(text, zone);
  if (range === undefined) throw new Error(`${text} is no date`);
  if (prefix !== 'ap') return range;
  const reach = Math.abs(Date.now() - (range.lo + range.hi) / 2) * share;
  return { ...range, lo: range.lo - reach, hi: range.hi + reach };
};

export const point = (value: number): Range => ({ lo: value, hi: value, hasLo: true, hasHi: true });

/** `5.40` is from 5.395 to 5.405: half of what the last digit counts to both sides. The value of `1e2` has one digit. */
const impliedRange = (text: string): Range => {
  const [digits = '', exponent = '0'] = text.toLowerCase().split('e');
  const places = digits.split('.')[1]?.length ?? 0;
  const half = 0.5 * 10 ** -places;
  const end = (value: number): number => Number(`${value.toFixed(places + 1)}e${exponent}`);
  return { lo: end(Number(digits) - half), hi: end(Number(digits) + half), hasLo: true, hasHi: false };
};

/** The precision counts for equality; for comparisons a number is exactly itself. */
export const searchedNumbers = ({ prefix, text }: Searched, share: number): Range => {
  const value = Number(text);
  if (text === '' || Number.isNaN(value)) throw new Error(`${text} is no number`);
  const implied = impliedRange(text);
  if (prefix === 'eq' || prefix === 'ne') return implied;
  if (prefix !== 'ap') return point(value);
  const reach = Math.abs(value) * share;
  return { ...implied, lo: Math.min(implied.lo, value - reach), hi: Math.max(implied.hi, value + reach) };
};

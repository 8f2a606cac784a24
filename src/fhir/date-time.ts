/**
 * FHIR dates and times as ranges of instants: `2024` is the whole year, `2024-02-29T10:00:00Z` is one second.
 *
 * @see https://hl7.org/fhir/R4/datatypes.html#dateTime
 * @see https://hl7.org/fhir/R4/search.html#date
 */

/** Milliseconds since 1970 UTC: from `lo`, included, to `hi`, excluded. */
export interface InstantRange {
  readonly lo: number;
  readonly hi: number;
}

const PATTERN = /^(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(Z|[+-]\d\d:\d\d)?)?)?)?$/;

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** Whole days since 1970 UTC; `month` counts from 1 and may be 13. `Date.UTC` alone takes the years 0 to 99 for 1900 to 1999. */
const utcMidnight = (year: number, month: number, day: number): number =>
  year >= 100 ? Date.UTC(year, month - 1, day) : new Date(0).setUTCFullYear(year, month - 1, day);

const daysInMonth = (year: number, month: number): number =>
  (utcMidnight(year, month + 1, 1) - utcMidnight(year, month, 1)) / DAY_MS;

const offsetMinutes = (zone: string): number => {
  if (zone === 'Z') return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4, 6));
  if (minutes > 14 * 60 || Number(zone.slice(4, 6)) > 59) return Number.NaN;
  return zone.startsWith('-') ? -minutes : minutes;
};

/**
 * The range that `text` stands for, or undefined if it is not a real date (`2023-02-29`, `12:00`, `2023-1-1`).
 * A time without a zone is in the zone `defaultOffsetMinutes` east of UTC; R4 forbids that in resources and allows it
 * in searches, as it does minutes without seconds.
 */
export const instantRange = (text: string, defaultOffsetMinutes = 0): InstantRange | undefined => {
  const match = PATTERN.exec(text);
  if (match === null) return undefined;
  const [, yyyy, mm, dd, hours, minutes, seconds, fraction, zone] = match;
  const year = Number(yyyy);
  if (year === 0) return undefined;
  const shift = defaultOffsetMinutes * MINUTE_MS;
  if (mm === undefined) return { lo: utcMidnight(year, 1, 1) - shift, hi: utcMidnight(year + 1, 1, 1) - shift };
  const month = Number(mm);
  if (month < 1 || month > 12) return undefined;
  if (dd === undefined) return { lo: utcMidnight(year, month, 1) - shift, hi: utcMidnight(year, month + 1, 1) - shift };
  const day = Number(dd);
  if (day < 1 || day > daysInMonth(year, month)) return undefined;
  const midnight = utcMidnight(year, month, day);
  if (hours === undefined) return { lo: midnight - shift, hi: midnight + DAY_MS - shift };
  if (Number(hours) > 23 || Number(minutes) > 59 || Number(seconds ?? 0) > 60) return undefined;
  const offset = zone === undefined ? defaultOffsetMinutes : offsetMinutes(zone);
  if (Number.isNaN(offset)) return undefined;
  const start = midnight + (Number(hours) * 60 + Number(minutes) - offset) * MINUTE_MS;
  if (seconds === undefined) return { lo: start, hi: start + MINUTE_MS };
  const lo = start + Number(seconds) * 1000;
  if (fraction === undefined) return { lo, hi: lo + 1000 };
  const precision = 10 ** Math.max(0, 3 - fraction.length);
  const milliseconds = Number(fraction.slice(0, 3).padEnd(3, '0'));
  return { lo: lo + milliseconds, hi: lo + milliseconds + precision };
};

/** The ISO text of an instant as the server writes it, in UTC with milliseconds. */
export const instantText = (milliseconds: number): string => new Date(milliseconds).toISOString();

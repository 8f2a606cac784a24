/**
 * One value of a search parameter, parsed by the parameter's type.
 *
 * @see https://hl7.org/fhir/R4/search.html#ptypes
 */
import { instantRange } from '../fhir/date-time.ts';
import { invalid } from '../fhir/fhir-error.ts';
import { isId, parseReference, type Reference } from '../fhir/reference.ts';
import type { SearchContext } from './search-context.ts';
import {
  type NearValue,
  PREFIXES,
  type Prefix,
  type QuantityValue,
  type RangeValue,
  type TokenValue,
} from './search-query.ts';
import { splitEscaped, unescaped } from './split-value.ts';

const PREFIXED = new RegExp(`^(${PREFIXES.join('|')})?(.*)$`, 's');
/** More digits than any measurement has are refused, as exact arithmetic with millions of them takes its time. */
const NUMBER = /^([+-]?)(\d{1,64})(?:\.(\d{1,64}))?(?:[eE]([+-]?\d{1,3}))?$/;

const prefixed = (text: string): { prefix: Prefix; rest: string } => {
  const [, prefix = 'eq', rest = ''] = PREFIXED.exec(text) ?? [];
  return { prefix: prefix as Prefix, rest };
};

/** `[system]|[code]`, `|[code]` (no system), `[system]|` or `[code]`. */
export const parseToken = (text: string, name: string): TokenValue => {
  const [first = '', ...rest] = splitEscaped(text, '|');
  if (rest.length === 0) return { code: unescaped(first) };
  const code = unescaped(rest.join('|'));
  if (first === '' && code === '') throw invalid(`${name}: '${text}' has neither a system nor a code`);
  return code === '' ? { system: unescaped(first) } : { system: unescaped(first), code };
};

type DateContext = Pick<SearchContext, 'now' | 'zoneOffsetMinutes' | 'approximateShare'>;

/** A date with its prefix. In a query string a `+` that was not encoded has become a space. */
export const parseDate = (text: string, name: string, context: DateContext): RangeValue => {
  const { prefix, rest } = prefixed(unescaped(text));
  const range = instantRange(rest.replace(' ', '+'), context.zoneOffsetMinutes);
  if (range === undefined)
    throw invalid(`${name}: '${rest}' is not a date such as 2024, 2024-02, 2024-02-29 or 2024-02-29T13:45:00Z`);
  if (prefix !== 'ap') return { prefix, ...range };
  const reach = Math.abs(context.now() - (range.lo + range.hi) / 2) * context.approximateShare;
  return { prefix, lo: range.lo - reach, hi: range.hi + reach };
};

/**
 * Half a unit of the last digit to both sides: in decimals, because 5.4 - 0.05 is not 5.35 in binary floating point,
 * and a stored 5.35 would be missed.
 */
const impliedRange = ([, sign, whole, fraction = '', exponent = '0']: readonly string[]): {
  lo: number;
  hi: number;
} => {
  const digits = BigInt(`${whole}${fraction}`) * (sign === '-' ? -10n : 10n);
  const scale = Number(exponent) - fraction.length - 1;
  return { lo: Number(`${digits - 5n}e${scale}`), hi: Number(`${digits + 5n}e${scale}`) };
};

/**
 * A number with its prefix. `100` is all that rounds to it, [99.5, 100.5), and `1.00` is [0.995, 1.005); for
 * comparisons it is exactly the number.
 *
 * @see https://hl7.org/fhir/R4/search.html#number
 */
export const parseNumber = (text: string, name: string, approximateShare: number): RangeValue => {
  const { prefix, rest } = prefixed(text.trim());
  const match = NUMBER.exec(rest);
  if (match === null) throw invalid(`${name}: '${rest}' is not a number such as 5.4, -3 or 1e2`);
  const value = Number(rest);
  if (!Number.isFinite(value)) throw invalid(`${name}: '${rest}' is too large a number`);
  const { lo, hi } = impliedRange(match);
  switch (prefix) {
    case 'eq':
    case 'ne':
      return { prefix, lo, hi };
    case 'ap': {
      const reach = Math.abs(value) * approximateShare;
      return { prefix, lo: Math.min(lo, value - reach), hi: Math.max(hi, value + reach) };
    }
    default:
      return { prefix, lo: value, hi: value };
  }
};

/** `[number]`, `[number]|[system]|[code]` or `[number]||[code or unit]`. */
export const parseQuantity = (text: string, name: string, approximateShare: number): QuantityValue => {
  const [number = '', ...unit] = splitEscaped(text, '|').map(unescaped);
  const range = parseNumber(number, name, approximateShare);
  if (unit.length === 0) return range;
  const [system = '', code = ''] = unit;
  if (unit.length !== 2) throw invalid(`${name}: '${text}' is not [number]|[system]|[code]`);
  return { ...range, system, ...(code === '' ? {} : { code }) };
};

export interface ReferenceContext {
  readonly baseUrl: string;
  /** The types that an id without type may mean. */
  readonly targets: readonly string[];
  /** The only type that is asked for, by the modifier `:[type]`. */
  readonly type?: string;
}

/** `[type]/[id]`, `[id]` (any of the targets), or a url; a version is left out, as the index knows none. */
export const parseReferenceValue = (text: string, name: string, context: ReferenceContext): Reference[] => {
  const value = unescaped(text);
  if (isId(value)) return context.targets.map((type) => ({ type, id: value }));
  const parsed = parseReference(value, context.baseUrl);
  if (parsed?.kind === 'local') {
    const { type, id } = parsed;
    if (context.type !== undefined && type !== context.type) throw invalid(`${name}: '${value}' is no ${context.type}`);
    return [{ type, id }];
  }
  if (parsed?.kind === 'absolute') return [{ type: '', id: parsed.url.replace(/\/_history\/.*$/s, '') }];
  throw invalid(
    `${name}: '${value}' is not a reference such as Patient/123, 123 or http://example.org/fhir/Patient/123`,
  );
};

const KILOMETRES: Readonly<Record<string, number>> = { km: 1, m: 0.001, '[mi_i]': 1.609344, '[mi_us]': 1.609347 };
const DEFAULT_KILOMETRES = 50;

/** `[latitude]|[longitude]|[distance]|[units]`, the last two optional. @see https://hl7.org/fhir/R4/location.html#search */
export const parseNear = (text: string, name: string): NearValue => {
  const [latitude, longitude, distance, unit = 'km', ...more] = splitEscaped(text, '|').map(unescaped);
  const factor = KILOMETRES[unit === '' ? 'km' : unit];
  const kilometres = distance === undefined || distance === '' ? DEFAULT_KILOMETRES : Number(distance) * (factor ?? 0);
  const value = { latitude: Number(latitude || 'x'), longitude: Number(longitude || 'x'), kilometres };
  const isPlace = Math.abs(value.latitude) <= 90 && Math.abs(value.longitude) <= 180;
  if (more.length > 0 || factor === undefined || !isPlace || !(kilometres >= 0))
    throw invalid(`${name}: '${text}' is not [latitude]|[longitude]|[distance]|km`);
  return value;
};

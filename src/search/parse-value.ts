/**
 * One value of a search parameter, parsed by the parameter's type.
 *
 * @see https://hl7.org/fhir/R4/search.html#ptypes
 */
import { instantRange } from '../fhir/date-time.ts';
import { invalid } from '../fhir/fhir-error.ts';
import { isId, parseReference, type Reference } from '../fhir/reference.ts';
import { PREFIXES, type Prefix, type QuantityValue, type RangeValue, type TokenValue } from './search-query.ts';
import { splitEscaped, unescaped } from './split-value.ts';

/** `ap` reaches this share of the value, or of the time between a date and now, to both sides. */
const APPROXIMATE_SHARE = 0.1;

const PREFIXED = new RegExp(`^(${PREFIXES.join('|')})?(.*)$`, 's');
const NUMBER = /^[+-]?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,3}))?$/;

const prefixed = (text: string): { prefix: Prefix; rest: string } => {
  const [, prefix = 'eq', rest = ''] = PREFIXED.exec(text) ?? [];
  return { prefix: prefix as Prefix, rest };
};

/** `[system]|[code]`, `|[code]` (no system), `[system]|` or `[code]`. */
export const parseToken = (text: string): TokenValue => {
  const [first = '', ...rest] = splitEscaped(text, '|');
  if (rest.length === 0) return { code: unescaped(first) };
  const code = unescaped(rest.join('|'));
  return code === '' ? { system: unescaped(first) } : { system: unescaped(first), code };
};

/** A date with its prefix; `now` is for `ap`. In a query string a `+` that was not encoded has become a space. */
export const parseDate = (text: string, name: string, now: number): RangeValue => {
  const { prefix, rest } = prefixed(unescaped(text));
  const range = instantRange(rest.replace(' ', '+'));
  if (range === undefined)
    throw invalid(`${name}: '${rest}' is not a date such as 2024, 2024-02, 2024-02-29 or 2024-02-29T13:45:00Z`);
  if (prefix !== 'ap') return { prefix, ...range };
  const reach = Math.abs(now - (range.lo + range.hi) / 2) * APPROXIMATE_SHARE;
  return { prefix, lo: range.lo - reach, hi: range.hi + reach };
};

/**
 * A number with its prefix. `100` is all that rounds to it, [99.5, 100.5), and `1.00` is [0.995, 1.005); for
 * comparisons it is exactly the number.
 *
 * @see https://hl7.org/fhir/R4/search.html#number
 */
export const parseNumber = (text: string, name: string): RangeValue => {
  const { prefix, rest } = prefixed(text.trim());
  const match = NUMBER.exec(rest);
  if (match === null) throw invalid(`${name}: '${rest}' is not a number such as 5.4, -3 or 1e2`);
  const value = Number(rest);
  const half = 0.5 * 10 ** (Number(match[3] ?? 0) - (match[2] ?? '').length);
  if (prefix === 'ap') {
    const reach = Math.max(half, Math.abs(value) * APPROXIMATE_SHARE);
    return { prefix, lo: value - reach, hi: value + reach };
  }
  return prefix === 'eq' || prefix === 'ne'
    ? { prefix, lo: value - half, hi: value + half }
    : { prefix, lo: value, hi: value };
};

/** `[number]`, `[number]|[system]|[code]` or `[number]||[code or unit]`. */
export const parseQuantity = (text: string, name: string): QuantityValue => {
  const [number = '', ...unit] = splitEscaped(text, '|').map(unescaped);
  const range = parseNumber(number, name);
  if (unit.length === 0) return range;
  const [system = '', code = ''] = unit;
  if (unit.length !== 2) throw invalid(`${name}: '${text}' is not [number]|[system]|[code]`);
  return { ...range, system, ...(code === '' ? {} : { code }) };
};

export interface ReferenceContext {
  readonly baseUrl: string;
  /** The types that an id without type may mean. */
  readonly targets: readonly string[];
}

/** `[type]/[id]`, `[id]` (any of the targets), or a url; a version is left out, as the index knows none. */
export const parseReferenceValue = (text: string, name: string, context: ReferenceContext): Reference[] => {
  const value = unescaped(text);
  if (isId(value)) return context.targets.map((type) => ({ type, id: value }));
  const parsed = parseReference(value, context.baseUrl);
  if (parsed?.kind === 'local') return [{ type: parsed.type, id: parsed.id }];
  if (parsed?.kind === 'absolute') return [{ type: '', id: parsed.url }];
  throw invalid(
    `${name}: '${value}' is not a reference such as Patient/123, 123 or http://example.org/fhir/Patient/123`,
  );
};

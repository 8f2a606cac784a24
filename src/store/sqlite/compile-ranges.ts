/**
 * Prefixed comparisons as SQL over the columns `lo` and `hi` of an index table. Their columns have a `+`, which keeps
 * SQLite from looking for an index: the bounds of a leg are what it seeks by, and planning a thousand ORs takes seconds.
 *
 * @see https://hl7.org/fhir/R4/search.html#prefix
 */
import type { RangeValue } from '../../search/search-query.ts';
import { FORMS, loBounds, longestOf } from '../range-forms.ts';
import type { Leg } from './leg.ts';
import { allOf, type Sql, sql } from './sql.ts';

/** Stored dates are [lo, hi): the end is not included. */
export const dateCondition = (alias: string, { prefix, lo, hi }: RangeValue): Sql => {
  const a = `+${alias}`;
  switch (prefix) {
    case 'eq':
      return sql(`(${a}.lo >= ? AND ${a}.hi <= ?)`, lo, hi);
    case 'ne':
      return sql(`(${a}.lo < ? OR ${a}.hi > ?)`, lo, hi);
    case 'gt':
      return sql(`${a}.hi > ?`, hi);
    case 'lt':
      return sql(`${a}.lo < ?`, lo);
    case 'ge':
      return sql(`(${a}.hi > ? OR (${a}.lo >= ? AND ${a}.hi <= ?))`, hi, lo, hi);
    case 'le':
      return sql(`(${a}.lo < ? OR (${a}.lo >= ? AND ${a}.hi <= ?))`, lo, lo, hi);
    case 'sa':
      return sql(`${a}.lo >= ?`, hi);
    case 'eb':
      return sql(`${a}.hi <= ?`, lo);
    case 'ap':
      return sql(`(${a}.lo < ? AND ${a}.hi > ?)`, hi, lo);
  }
};

/** Stored numbers are [lo, hi] and mostly points; the searched [lo, hi) is a point for `gt`, `lt`, `ge`, `le`, `sa`, `eb`. */
export const numberCondition = (alias: string, { prefix, lo, hi }: RangeValue): Sql => {
  const a = `+${alias}`;
  switch (prefix) {
    case 'eq':
      return sql(`(${a}.lo >= ? AND ${a}.hi < ?)`, lo, hi);
    case 'ne':
      return sql(`(${a}.lo < ? OR ${a}.hi >= ?)`, lo, hi);
    case 'gt':
      return sql(`${a}.hi > ?`, hi);
    case 'lt':
      return sql(`${a}.lo < ?`, lo);
    case 'ge':
      return sql(`${a}.hi >= ?`, lo);
    case 'le':
      return sql(`${a}.lo <= ?`, hi);
    case 'sa':
      return sql(`${a}.lo > ?`, hi);
    case 'eb':
      return sql(`${a}.hi < ?`, lo);
    case 'ap':
      return sql(`(${a}.lo < ? AND ${a}.hi >= ?)`, hi, lo);
  }
};

/** A resource's `lastUpdated` is a point. */
export const instantCondition = (column: string, { prefix, lo, hi }: RangeValue): Sql => {
  switch (prefix) {
    case 'eq':
    case 'ap':
      return sql(`(${column} >= ? AND ${column} < ?)`, lo, hi);
    case 'ne':
      return sql(`(${column} < ? OR ${column} >= ?)`, lo, hi);
    case 'gt':
    case 'sa':
      return sql(`${column} >= ?`, hi);
    case 'lt':
    case 'eb':
      return sql(`${column} < ?`, lo);
    case 'ge':
      return sql(`${column} >= ?`, lo);
    case 'le':
      return sql(`${column} < ?`, hi);
  }
};

/** Conditions that bound the column `lo` of stored ranges of at most `length` as far as all values together allow. */
export const boundsOn = (column: string, values: readonly RangeValue[], length: number): Sql[] => {
  const bounds = values.map((value) => loBounds(value, length));
  const least = Math.min(...bounds.map(([from]) => from));
  const most = Math.max(...bounds.map(([, to]) => to));
  return [
    ...(Number.isFinite(least) ? [sql(`${column} >= ?`, least)] : []),
    ...(Number.isFinite(most) ? [sql(`${column} <= ?`, most)] : []),
  ];
};

/** What the tables hold. */
const KINDS = { date: 'date', quantity: 'number' } as const;

/**
 * The scans of a clause over dates or quantities: one a form, first those that are the only one of their resource.
 * `match` is what a row must fulfil to match one of the values.
 */
export const rangeLegs = (
  table: 'date' | 'quantity',
  param: number,
  values: readonly RangeValue[],
  match: (alias: string) => Sql,
): Leg[] =>
  [FORMS.sole, FORMS.several, FORMS.long].map((form) => ({
    table,
    index: `${table}_by_resource`,
    seek: (alias) =>
      allOf([
        sql(`${alias}.param = ? AND ${alias}.form = ${form}`, param),
        ...boundsOn(`${alias}.lo`, values, longestOf(KINDS[table], form)),
      ]),
    match,
  }));

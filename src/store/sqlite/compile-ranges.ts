/**
 * Prefixed comparisons as SQL over the columns `lo` and `hi` of an index table.
 *
 * @see https://hl7.org/fhir/R4/search.html#prefix
 */
import type { RangeValue } from '../../search/search-query.ts';
import { LONG_RANGE } from './index-rows.ts';
import { anyOf, type Sql, sql } from './sql.ts';

/** Stored dates are [lo, hi): the end is not included. */
export const dateCondition = (alias: string, { prefix, lo, hi }: RangeValue): Sql => {
  const a = alias;
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
  const a = alias;
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

/** Between which values of `lo` a stored range of at most `length` can match; both bounds may be infinite. */
const loBounds = ({ prefix, lo, hi }: RangeValue, length: number): [number, number] => {
  const none = Number.POSITIVE_INFINITY;
  switch (prefix) {
    case 'eq':
      return [lo, hi];
    case 'ne':
      return [-none, none];
    case 'gt':
      return [hi - length, none];
    case 'ge':
      return [Math.min(lo, hi - length), none];
    case 'lt':
      return [-none, lo];
    case 'le':
      return [-none, hi];
    case 'sa':
      return [hi, none];
    case 'eb':
      return [-none, lo];
    case 'ap':
      return [lo - length, hi];
  }
};

/** The conditions of a date clause on the ranges up to 32 days, and on the longer ones, with bounds that an index can use. */
export const dateLegs = (param: number, values: readonly RangeValue[]): ((alias: string) => Sql)[] =>
  [0, 1].map((long) => (alias) => {
    const bounds = values.map((value) => loBounds(value, long === 1 ? Number.POSITIVE_INFINITY : LONG_RANGE));
    const least = Math.min(...bounds.map(([from]) => from));
    const most = Math.max(...bounds.map(([, to]) => to));
    const matches = anyOf(values.map((value) => dateCondition(alias, value)));
    let text = `${alias}.param = ? AND ${alias}.long = ${long}`;
    const numbers: number[] = [param];
    if (Number.isFinite(least)) {
      text += ` AND ${alias}.lo >= ?`;
      numbers.push(least);
    }
    if (Number.isFinite(most)) {
      text += ` AND ${alias}.lo <= ?`;
      numbers.push(most);
    }
    return sql(`${text} AND ${matches.text}`, ...numbers, ...matches.values);
  });

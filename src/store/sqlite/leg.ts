/** The index scans that find the resources of a clause. */
import { allOf, type Sql, sql } from './sql.ts';

/** A scan of `table`. Its conditions are made for the name under which the table stands in a statement. */
export interface Leg {
  readonly table: string;
  /** The index that leads from a resource to its rows, where that is not the primary key. */
  readonly index?: string;
  /** What the index is sought by: the rows that are read. */
  seek(alias: string): Sql;
  /** Which of the rows that are read match; all of them if absent. */
  match?(alias: string): Sql;
  /** No index leads from a resource to its rows, so that a probe reads all rows once, not once a resource. */
  readonly isScan?: boolean;
}

/** The condition of a leg as a whole. */
export const whereOf = ({ seek, match }: Leg, alias: string): Sql =>
  match === undefined ? seek(alias) : allOf([seek(alias), match(alias)]);

/** The rows of a leg that belong to the resource with the rid that the expression `rid` gives, under the name `i`. */
export const rowsOf = ({ table, index }: Leg, rid: string): string =>
  `SELECT 1 FROM ${table} i ${index === undefined ? '' : `INDEXED BY ${index} `}WHERE i.rid = ${rid}`;

/** Whether a resource has a row of this leg. */
export const probeOf = (leg: Leg, rid: string): Sql => {
  const { text, values } = whereOf(leg, 'i');
  return leg.isScan
    ? sql(`${rid} IN (SELECT i.rid FROM ${leg.table} i WHERE ${text})`, ...values)
    : sql(`EXISTS (${rowsOf(leg, rid)} AND ${text})`, ...values);
};

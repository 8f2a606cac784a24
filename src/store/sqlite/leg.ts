/** The index scans that find the resources of a clause. */
import { counted } from './budget.ts';
import { ELEMENTS } from './index-rows.ts';
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
  /** Whether the rows belong to elements of resources, numbered `rid * ELEMENTS + element`. */
  readonly isElement?: boolean;
  /** No index leads from a resource to its rows, so that a probe reads all rows once, not once a resource. */
  readonly isScan?: boolean;
}

/** The condition of a leg as a whole; every row that is read counts against the limits of the search. */
export const whereOf = ({ seek, match }: Leg, alias: string): Sql =>
  allOf([sql(counted(`${alias}.rid`)), seek(alias), ...(match === undefined ? [] : [match(alias)])]);

/** The rid of the resource that a row of a leg belongs to. */
export const ridOf = ({ isElement }: Leg, alias: string): string =>
  isElement ? `(${alias}.rid / ${ELEMENTS})` : `${alias}.rid`;

/** The rows of a leg that belong to the resource with the rid that the expression `rid` gives. */
export const rowsOf = ({ table, index, isElement }: Leg, rid: string, alias: string): string => {
  const from = `SELECT 1 FROM ${table} ${alias} ${index === undefined ? '' : `INDEXED BY ${index} `}WHERE`;
  return isElement
    ? `${from} ${alias}.rid >= (${rid}) * ${ELEMENTS} AND ${alias}.rid < ((${rid}) + 1) * ${ELEMENTS}`
    : `${from} ${alias}.rid = ${rid}`;
};

/** Whether a resource has a row of this leg. */
export const probeOf = (leg: Leg, rid: string, alias: string): Sql => {
  const { text, values } = whereOf(leg, alias);
  return leg.isScan
    ? sql(`${rid} IN (SELECT ${ridOf(leg, alias)} FROM ${leg.table} ${alias} WHERE ${text})`, ...values)
    : sql(`EXISTS (${rowsOf(leg, rid, alias)} AND ${text})`, ...values);
};

/** SQLite takes no more than 500 parts in one UNION. */
const UNION_PARTS = 400;

/** One SELECT after the other, without order and with repetitions. */
export const unionOf = (selects: readonly Sql[]): Sql => {
  if (selects.length === 0) return sql('SELECT 0 AS rid WHERE 0');
  if (selects.length <= UNION_PARTS)
    return {
      text: selects.map(({ text }) => text).join(' UNION ALL '),
      values: selects.flatMap(({ values }) => values),
    };
  const parts: Sql[] = [];
  for (let at = 0; at < selects.length; at += UNION_PARTS) {
    const { text, values } = unionOf(selects.slice(at, at + UNION_PARTS));
    // The LIMIT keeps SQLite from drawing the part into the whole again.
    parts.push(sql(`SELECT rid FROM (${text} LIMIT -1)`, ...values));
  }
  return unionOf(parts);
};

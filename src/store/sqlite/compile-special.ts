/** Clauses that are no comparison of a value: words of a text, and distances. */
import { foldText } from '../../search/index-entry.ts';
import type { Clause } from '../../search/search-query.ts';
import { type CompileContext, type CompiledClause, compiled, NOTHING } from './compiled-clause.ts';
import { ELEMENTS } from './index-rows.ts';
import { anyOf, type Sql, sql } from './sql.ts';

/** A query of the full-text index: every word must be there, folded as the index has it. */
const matchOf = (column: string, text: string): string => {
  const words = foldText(text).match(/[\p{L}\p{N}]+/gu) ?? [];
  return words.length === 0 ? `${column}:"\u{10FFFF}"` : words.map((word) => `${column}:"${word}"`).join(' AND ');
};

export const compileText = (
  { param, values }: Extract<Clause, { kind: 'text' }>,
  type: string,
  context: CompileContext,
): CompiledClause => {
  const { names } = context;
  const column = param === '_content' ? 'content' : 'narrative';
  return compiled(
    values.map((text) => ({
      table: 'resource',
      seek: (alias) => sql(`${alias}.rid IN (SELECT rowid FROM words WHERE words MATCH ?)`, matchOf(column, text)),
      match: (alias) => sql(`${alias}.type = ? AND ${alias}.live = 1`, names.symbol(type) ?? NOTHING),
    })),
    context,
  );
};

const EARTH_KILOMETRES = 6371;

/** The distance on a sphere between the place of two rows and a point. @see https://en.wikipedia.org/wiki/Haversine_formula */
const distance = (latitude: string, longitude: string): string =>
  `${2 * EARTH_KILOMETRES} * asin(min(1, sqrt(power(sin(radians(${latitude} - ?) / 2), 2)` +
  ` + cos(radians(?)) * cos(radians(${latitude})) * power(sin(radians(${longitude} - ?) / 2), 2))))`;

export const compileNear =
  ({ param, values }: Extract<Clause, { kind: 'near' }>, type: string, { names, alias }: CompileContext) =>
  (rid: string): Sql =>
    anyOf(
      values.map(({ latitude, longitude, kilometres }) => {
        const [north, east] = [alias(), alias()];
        return sql(
          `EXISTS (SELECT 1 FROM quantity ${north} JOIN quantity ${east} ON ${east}.rid = ${north}.rid` +
            ` WHERE ${north}.rid = (${rid}) * ${ELEMENTS} AND ${north}.param = ? AND ${east}.param = ?` +
            ` AND ${distance(`${north}.lo`, `${east}.lo`)} <= ?)`,
          names.param(type, `${param}#0`) ?? NOTHING,
          names.param(type, `${param}#1`) ?? NOTHING,
          latitude,
          latitude,
          longitude,
          kilometres,
        );
      }),
    );

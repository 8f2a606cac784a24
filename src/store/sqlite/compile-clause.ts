/**
 * One clause of a search as SQL, in two forms: a condition on a resource that is already at hand (a probe of the
 * covering index), and, if the clause is to lead the search, the index scans that find the resources (its legs).
 */
import type { Reference } from '../../fhir/reference.ts';
import { foldString } from '../../search/index-entry.ts';
import type { Clause, QuantityValue, StringMatch, TokenValue } from '../../search/search-query.ts';
import { dateLegs, instantCondition, numberCondition } from './compile-ranges.ts';
import { allOf, anyOf, type Sql, sql } from './sql.ts';

/** Looks up what the database calls things; undefined where nothing stored has that name. */
export interface Names {
  symbol(text: string): number | undefined;
  param(type: string, param: string): number | undefined;
  rid(reference: Reference): number | undefined;
}

/** An index scan: the rows of `table`, under the name `alias`, for which `where` holds. */
export interface Leg {
  readonly table: string;
  where(alias: string): Sql;
  /** Whether no index leads from a resource to its rows, so that a probe reads all rows once, not once a resource. */
  readonly isScan?: boolean;
}

export interface CompiledClause {
  /** `points`: each leg is one value and comes in the order of rid. `ranges`: each leg comes in the order of `key`. */
  readonly lead: 'points' | 'ranges';
  readonly legs: readonly Leg[];
  /** For ranges: the columns that order a leg, and those that part several rows of one resource. */
  readonly key: readonly string[];
  readonly rowKey: readonly string[];
  /** Whether the resource with the rid that the expression `rid` gives matches. The name `i` is taken. */
  probe(rid: string): Sql;
}

/** No stored row has this number, so that an unknown name matches nothing. */
const NOTHING = -1;

const probeOf = ({ table, where, isScan }: Leg, rid: string): Sql => {
  const { text, values } = where('i');
  return isScan
    ? sql(`${rid} IN (SELECT i.rid FROM ${table} i WHERE ${text})`, ...values)
    : sql(`EXISTS (SELECT 1 FROM ${table} i WHERE i.rid = ${rid} AND ${text})`, ...values);
};

const compiled = (
  legs: readonly Leg[],
  lead: CompiledClause['lead'] = 'points',
  key: readonly string[] = [],
  rowKey: readonly string[] = key,
): CompiledClause => ({ lead, legs, key, rowKey, probe: (rid) => anyOf(legs.map((leg) => probeOf(leg, rid))) });

/** The smallest string above all that begin with `prefix`; U+10FFFF sorts behind every other character. */
const behindPrefix = (prefix: string): string => `${prefix}\u{10FFFF}`;

const stringCondition = (match: StringMatch, value: string, alias: string): Sql => {
  switch (match) {
    case 'starts':
      return sql(`${alias}.value >= ? AND ${alias}.value < ?`, value, behindPrefix(value));
    case 'exact':
      return sql(`${alias}.value = ? AND ${alias}.exact = ?`, foldString(value), value);
    case 'contains':
      return sql(`instr(${alias}.value, ?) > 0`, value);
  }
};

const compileToken = (values: readonly TokenValue[], param: number, names: Names): CompiledClause =>
  compiled(
    values.map(({ system, code }) => ({
      table: 'token',
      isScan: code === undefined,
      where: (alias) =>
        allOf([
          sql(`${alias}.param = ?`, param),
          ...(code === undefined ? [] : [sql(`${alias}.code = ?`, code)]),
          ...(system === undefined ? [] : [sql(`${alias}.system = ?`, names.symbol(system) ?? NOTHING)]),
        ]),
    })),
  );

const unitCondition = ({ system, code }: QuantityValue, names: Names, alias: string): Sql => {
  const conditions: Sql[] = [];
  if (system) conditions.push(sql(`${alias}.system = ?`, names.symbol(system) ?? NOTHING));
  if (code !== undefined)
    conditions.push(
      system ? sql(`${alias}.code = ?`, code) : sql(`(${alias}.code = ? OR ${alias}.unit = ?)`, code, code),
    );
  return allOf(conditions);
};

const compileQuantity = (values: readonly QuantityValue[], param: number, names: Names): CompiledClause => {
  const where = (alias: string): Sql =>
    allOf([
      sql(`${alias}.param = ?`, param),
      anyOf(values.map((value) => allOf([numberCondition(alias, value), unitCondition(value, names, alias)]))),
    ]);
  return compiled([{ table: 'quantity', where }], 'ranges', ['lo', 'hi'], ['lo', 'hi', 'system', 'code', 'unit']);
};

const compileString = (match: StringMatch, values: readonly string[], param: number): CompiledClause =>
  compiled(
    values.map((value) => ({
      table: 'string',
      where: (alias) => allOf([sql(`${alias}.param = ?`, param), stringCondition(match, value, alias)]),
    })),
    'ranges',
    ['value'],
    ['value', 'exact'],
  );

/** `_id` and `_lastUpdated` are columns of the resource itself. */
const compileOwn = (clause: Extract<Clause, { kind: 'id' | 'lastUpdated' }>, type: number): CompiledClause => {
  const live = (alias: string): Sql => sql(`${alias}.type = ? AND ${alias}.live = 1`, type);
  if (clause.kind === 'id')
    return compiled(
      clause.values.map((id) => ({
        table: 'resource',
        where: (alias) => allOf([live(alias), sql(`${alias}.id = ?`, id)]),
      })),
    );
  const where = (alias: string): Sql =>
    allOf([live(alias), anyOf(clause.values.map((value) => instantCondition(`${alias}.updated`, value)))]);
  return compiled([{ table: 'resource', where }], 'ranges', ['updated']);
};

/** Compiles one clause of a search for resources of `type`. */
export const compileClause = (clause: Clause, type: string, names: Names): CompiledClause => {
  if (clause.kind === 'id' || clause.kind === 'lastUpdated') return compileOwn(clause, names.symbol(type) ?? NOTHING);
  const param = names.param(type, clause.param) ?? NOTHING;
  switch (clause.kind) {
    case 'token':
      return compileToken(clause.values, param, names);
    case 'string':
      return compileString(clause.match, clause.values, param);
    case 'date':
      return compiled(
        dateLegs(param, clause.values).map((where) => ({ table: 'date', where })),
        'ranges',
        ['lo', 'hi'],
      );
    case 'number':
    case 'quantity':
      return compileQuantity(clause.values, param, names);
    case 'reference':
      return compiled(
        clause.values.map((target) => ({
          table: 'reference',
          where: (alias) => sql(`${alias}.param = ? AND ${alias}.target = ?`, param, names.rid(target) ?? NOTHING),
        })),
      );
    case 'uri':
      return compiled(
        clause.values.map((value) => ({
          table: 'uri',
          where: (alias) => sql(`${alias}.param = ? AND ${alias}.value = ?`, param, value),
        })),
      );
  }
};

/**
 * One clause of a search as SQL, in two forms: a condition on a resource that is already at hand (a probe of the
 * covering index), and, if the clause is to lead the search, the index scans that find the resources (its legs).
 */
import type { Reference } from '../../fhir/reference.ts';
import { foldString, STRING_LIMIT } from '../../search/index-entry.ts';
import type { Clause, QuantityValue, RangeValue, StringMatch, TokenValue } from '../../search/search-query.ts';
import { boundsOn, dateCondition, instantCondition, numberCondition, rangeLegs } from './compile-ranges.ts';
import { type Leg, probeOf } from './leg.ts';
import { allOf, anyOf, type Sql, sql } from './sql.ts';

/** Looks up what the database calls things; undefined where nothing stored has that name. */
export interface Names {
  symbol(text: string): number | undefined;
  param(type: string, param: string): number | undefined;
  rid(reference: Reference): number | undefined;
}

export interface CompiledClause {
  /** `points`: each leg is one value and comes in the order of rid. `ranges`: each leg comes in the order of `key`. */
  readonly lead: 'points' | 'ranges';
  readonly legs: readonly Leg[];
  /** For ranges: the columns that order a leg, and those that part several rows of one resource. */
  readonly key: readonly string[];
  readonly rowKey: readonly string[];
  /**
   * For ranges whose first leg has one row a resource: clauses with the same `column` can be asked of that row at once.
   */
  readonly column?: string;
  /** Whether the resource with the rid that the expression `rid` gives matches. The name `i` is taken. */
  probe(rid: string): Sql;
}

/** No stored row has this number, so that an unknown name matches nothing. */
const NOTHING = -1;

/** A leg for each value; `probe` asks for all values at once, as a thousand subqueries take long to plan. */
const points = (legs: readonly Leg[], probe: CompiledClause['probe']): CompiledClause => ({
  lead: 'points',
  legs,
  key: [],
  rowKey: [],
  probe,
});

/** The smallest string above all that begin with `prefix`; U+10FFFF sorts behind every other character. */
const behindPrefix = (prefix: string): string => `${prefix}\u{10FFFF}`;

/** The part of an exact text that its folded form must begin with: the last character may fold as its context says. */
const foldedStart = (text: string): string => foldString(text.slice(0, STRING_LIMIT / 2)).slice(0, -1);

/** The folded strings among which a searched one is: from, included, and up to, excluded. Undefined: anywhere. */
const stringBounds = (match: StringMatch, value: string): [from: string, to: string] | undefined => {
  switch (match) {
    case 'starts':
      return [value, behindPrefix(value)];
    case 'exact': {
      const start = foldedStart(value);
      // A text that was not cut has one folded form, and the string behind it is the same with a NUL.
      return value.length < STRING_LIMIT ? [foldString(value), `${foldString(value)}\0`] : [start, behindPrefix(start)];
    }
    case 'contains':
      return undefined;
  }
};

const stringCondition = (match: StringMatch, value: string, alias: string): Sql => {
  switch (match) {
    case 'starts':
      return sql(`(+${alias}.value >= ? AND +${alias}.value < ?)`, value, behindPrefix(value));
    case 'exact':
      return sql(`+${alias}.exact = ?`, value);
    case 'contains':
      return sql(`instr(${alias}.value, ?) > 0`, value);
  }
};

const compileString = (match: StringMatch, values: readonly string[], param: number): CompiledClause => {
  const table = 'string';
  const index = 'string_by_resource';
  const seekAll = (alias: string): Sql => sql(`${alias}.param = ?`, param);
  const matchAny = (alias: string): Sql => anyOf(values.map((value) => stringCondition(match, value, alias)));
  const any: Leg = { table, index, seek: seekAll, match: matchAny };
  const legs = values.map((value): Leg => {
    const [from, to] = stringBounds(match, value) ?? [];
    return {
      table,
      index,
      seek: (alias) =>
        from === undefined || to === undefined
          ? seekAll(alias)
          : sql(`${alias}.param = ? AND ${alias}.value >= ? AND ${alias}.value < ?`, param, from, to),
      match: (alias) => stringCondition(match, value, alias),
    };
  });
  return {
    lead: 'ranges',
    legs: match === 'contains' ? [any] : legs,
    key: ['value'],
    rowKey: ['value', 'exact'],
    probe: (rid) => probeOf(any, rid),
  };
};

const placeholders = (values: readonly unknown[]): string => values.map(() => '?').join(', ');

const compileToken = (values: readonly TokenValue[], param: number, names: Names): CompiledClause => {
  const match = (alias: string, { system, code }: TokenValue): Sql =>
    allOf([
      ...(code === undefined ? [] : [sql(`+${alias}.code = ?`, code)]),
      ...(system === undefined ? [] : [sql(`+${alias}.system = ?`, names.symbol(system) ?? NOTHING)]),
    ]);
  const codes = [...new Set(values.map(({ code }) => code).filter((code) => code !== undefined))];
  const coded: Leg = {
    table: 'token',
    seek: (alias) => sql(`${alias}.param = ? AND ${alias}.code IN (${placeholders(codes)})`, param, ...codes),
    match: (alias) => anyOf(values.filter(({ code }) => code !== undefined).map((value) => match(alias, value))),
  };
  const legs = values.map(
    (value): Leg => ({
      table: 'token',
      isScan: value.code === undefined,
      seek: (alias) =>
        allOf([
          sql(`${alias}.param = ?`, param),
          ...(value.code === undefined ? [] : [sql(`${alias}.code = ?`, value.code)]),
        ]),
      match: (alias) => match(alias, value),
    }),
  );
  const probed = [coded, ...legs.filter(({ isScan }) => isScan)];
  return points(legs, (rid) => anyOf(probed.map((leg) => probeOf(leg, rid))));
};

const unitCondition = ({ system, code }: QuantityValue, names: Names, alias: string): Sql => {
  const conditions: Sql[] = [];
  if (system) conditions.push(sql(`+${alias}.system = ?`, names.symbol(system) ?? NOTHING));
  if (code !== undefined)
    conditions.push(
      system ? sql(`+${alias}.code = ?`, code) : sql(`(+${alias}.code = ? OR +${alias}.unit = ?)`, code, code),
    );
  return allOf(conditions);
};

const compileRange = (
  table: 'date' | 'quantity',
  param: number,
  values: readonly RangeValue[],
  condition: (alias: string) => Sql,
): CompiledClause => {
  const anyForm: Leg = {
    table,
    index: `${table}_by_resource`,
    seek: (alias) => sql(`${alias}.param = ?`, param),
    match: condition,
  };
  const key = ['lo', 'hi'];
  return {
    lead: 'ranges',
    legs: rangeLegs(table, param, values, condition),
    key,
    rowKey: table === 'date' ? key : [...key, 'system', 'code', 'unit'],
    column: `${table} ${param}`,
    probe: (rid) => probeOf(anyForm, rid),
  };
};

const compileQuantity = (values: readonly QuantityValue[], param: number, names: Names): CompiledClause =>
  compileRange('quantity', param, values, (alias) =>
    anyOf(values.map((value) => allOf([numberCondition(alias, value), unitCondition(value, names, alias)]))),
  );

/** A target that nothing stored names is referenced by nothing. */
const compileReference = (values: readonly Reference[], param: number, names: Names): CompiledClause => {
  const targets = [...new Set(values.map(names.rid).filter((rid) => rid !== undefined))];
  const seekAny = (alias: string): Sql =>
    sql(`${alias}.param = ? AND ${alias}.target IN (${placeholders(targets)})`, param, ...targets);
  return points(
    targets.map((target) => ({
      table: 'reference',
      seek: (alias) => sql(`${alias}.param = ? AND ${alias}.target = ?`, param, target),
    })),
    (rid) => probeOf({ table: 'reference', seek: seekAny }, rid),
  );
};

const compileUri = (values: readonly string[], param: number): CompiledClause => {
  const any: Leg = {
    table: 'uri',
    seek: (alias) => sql(`${alias}.param = ? AND ${alias}.value IN (${placeholders(values)})`, param, ...values),
  };
  const legs = values.map(
    (value): Leg => ({ table: 'uri', seek: (alias) => sql(`${alias}.param = ? AND ${alias}.value = ?`, param, value) }),
  );
  return points(legs, (rid) => probeOf(any, rid));
};

/** `_id` and `_lastUpdated` are of the resource itself. */
const compileOwn = (
  clause: Extract<Clause, { kind: 'id' | 'lastUpdated' }>,
  type: string,
  names: Names,
): CompiledClause => {
  if (clause.kind === 'id') {
    const rids = [...new Set(clause.values.map((id) => names.rid({ type, id })).filter((rid) => rid !== undefined))];
    const legs = rids.map(
      (rid): Leg => ({
        table: 'resource',
        seek: (alias) => sql(`${alias}.rid = ?`, rid),
        match: (alias) => sql(`${alias}.live = 1`),
      }),
    );
    return points(legs, (rid) => sql(`${rid} IN (${placeholders(rids)})`, ...rids));
  }
  const symbol = names.symbol(type) ?? NOTHING;
  const leg: Leg = {
    table: 'resource',
    seek: (alias) =>
      allOf([
        sql(`${alias}.type = ? AND ${alias}.live = 1`, symbol),
        ...boundsOn(`${alias}.updated`, clause.values, 0),
      ]),
    match: (alias) => anyOf(clause.values.map((value) => instantCondition(`+${alias}.updated`, value))),
  };
  return { lead: 'ranges', legs: [leg], key: ['updated'], rowKey: ['updated'], probe: (rid) => probeOf(leg, rid) };
};

/** Compiles one clause of a search for resources of `type`. */
export const compileClause = (clause: Clause, type: string, names: Names): CompiledClause => {
  if (clause.kind === 'id' || clause.kind === 'lastUpdated') return compileOwn(clause, type, names);
  const param = names.param(type, clause.param) ?? NOTHING;
  switch (clause.kind) {
    case 'token':
      return compileToken(clause.values, param, names);
    case 'string':
      return compileString(clause.match, clause.values, param);
    case 'date':
      return compileRange('date', param, clause.values, (alias) =>
        anyOf(clause.values.map((value) => dateCondition(alias, value))),
      );
    case 'number':
    case 'quantity':
      return compileQuantity(clause.values, param, names);
    case 'reference':
      return compileReference(clause.values, param, names);
    case 'uri':
      return compileUri(clause.values, param);
  }
};

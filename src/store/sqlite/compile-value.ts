/** Clauses about the values of one parameter, each a condition on the rows of one index table. */
import type { Reference } from '../../fhir/reference.ts';
import { foldString, STRING_LIMIT } from '../../search/index-entry.ts';
import type {
  Clause,
  QuantityValue,
  RangeValue,
  StringMatch,
  TokenValue,
  ValueClause,
} from '../../search/search-query.ts';
import { boundsOn, dateCondition, instantCondition, numberCondition, rangeLegs } from './compile-ranges.ts';
import { type CompileContext, type CompiledClause, compiled, type Names, NOTHING } from './compiled-clause.ts';
import { type Leg, probeOf } from './leg.ts';
import { allOf, anyOf, type Sql, sql } from './sql.ts';

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

const compileString = (
  match: StringMatch,
  values: readonly string[],
  param: number,
  context: CompileContext,
): CompiledClause => {
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
  return compiled(match === 'contains' ? [any] : legs, context, {
    lead: 'ranges',
    key: ['value'],
    rowKey: ['value', 'exact'],
    probe: (rid) => probeOf(any, rid, context.alias()),
  });
};

const questionMarks = (values: readonly unknown[]): string => values.map(() => '?').join(', ');

/** From so many values on (those of a value set) they share one scan, as a leg each would take long to plan. */
const MANY_TOKENS = 50;

const compileToken = (values: readonly TokenValue[], param: number, context: CompileContext): CompiledClause => {
  const match = (alias: string, { system, code }: TokenValue): Sql =>
    allOf([
      ...(code === undefined ? [] : [sql(`+${alias}.code = ?`, code)]),
      ...(system === undefined ? [] : [sql(`+${alias}.system = ?`, context.names.symbol(system) ?? NOTHING)]),
    ]);
  const codes = [...new Set(values.map(({ code }) => code).filter((code) => code !== undefined))];
  const coded: Leg = {
    table: 'token',
    seek: (alias) => sql(`${alias}.param = ? AND ${alias}.code IN (${questionMarks(codes)})`, param, ...codes),
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
  const scans = legs.filter(({ isScan }) => isScan);
  const probed = codes.length === 0 ? scans : [coded, ...scans];
  return compiled(legs.length > MANY_TOKENS ? probed : legs, context, {
    probe: (rid) => anyOf(probed.map((leg) => probeOf(leg, rid, context.alias()))),
  });
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
  context: CompileContext,
): CompiledClause => {
  const anyForm: Leg = {
    table,
    index: `${table}_by_resource`,
    seek: (alias) => sql(`${alias}.param = ?`, param),
    match: condition,
  };
  const key = ['lo', 'hi'];
  return compiled(rangeLegs(table, param, values, condition), context, {
    lead: 'ranges',
    key,
    rowKey: table === 'date' ? key : [...key, 'system', 'code', 'unit'],
    column: `${table} ${param}`,
    probe: (rid) => probeOf(anyForm, rid, context.alias()),
  });
};

const compileQuantity = (values: readonly QuantityValue[], param: number, context: CompileContext): CompiledClause =>
  compileRange(
    'quantity',
    param,
    values,
    (alias) =>
      anyOf(values.map((value) => allOf([numberCondition(alias, value), unitCondition(value, context.names, alias)]))),
    context,
  );

/** Up to so many targets are sought one by one when a resource is probed. */
const FEW_TARGETS = 8;

/** References to one of `targets`; each has a leg of its own, so that the first of all need no sort. */
export const compileTargets = (targets: readonly number[], param: number, context: CompileContext): CompiledClause => {
  const anyTarget: Leg = {
    table: 'reference',
    ...(targets.length > FEW_TARGETS ? { index: 'reference_by_resource' } : {}),
    seek: (alias) => sql(`${alias}.param = ? AND ${alias}.target IN (${questionMarks(targets)})`, param, ...targets),
  };
  const legs = targets.map(
    (target): Leg => ({
      table: 'reference',
      seek: (alias) => sql(`${alias}.param = ? AND ${alias}.target = ?`, param, target),
    }),
  );
  return compiled(legs, context, { probe: (rid) => probeOf(anyTarget, rid, context.alias()) });
};

/** A target that nothing stored names is referenced by nothing. */
const compileReference = (values: readonly Reference[], param: number, context: CompileContext): CompiledClause => {
  const targets = new Set(values.map(context.names.rid).filter((rid) => rid !== undefined));
  return compileTargets([...targets], param, context);
};

const compileUri = (
  { match, values }: Extract<ValueClause, { kind: 'uri' }>,
  param: number,
  context: CompileContext,
): CompiledClause => {
  const exact = values.map(
    (value): Leg => ({ table: 'uri', seek: (alias) => sql(`${alias}.param = ? AND ${alias}.value = ?`, param, value) }),
  );
  const any: Leg = {
    table: 'uri',
    seek: (alias) => sql(`${alias}.param = ? AND ${alias}.value IN (${questionMarks(values)})`, param, ...values),
  };
  const below = (match === 'below' ? values : []).map((value): Leg => {
    const start = `${value.replace(/\/$/, '')}/`;
    return {
      table: 'uri',
      isScan: true,
      seek: (alias) =>
        sql(`${alias}.param = ? AND ${alias}.value >= ? AND ${alias}.value < ?`, param, start, behindPrefix(start)),
    };
  });
  return compiled([...exact, ...below], context, {
    probe: (rid) => anyOf([any, ...below].map((leg) => probeOf(leg, rid, context.alias()))),
  });
};

/** `_id` is of the resource itself. */
const compileId = (ids: readonly string[], type: string, context: CompileContext): CompiledClause => {
  const { names } = context;
  const rids = [...new Set(ids.map((id) => names.rid({ type, id })).filter((rid) => rid !== undefined))];
  const legs = rids.map(
    (rid): Leg => ({
      table: 'resource',
      seek: (alias) => sql(`${alias}.rid = ?`, rid),
      match: (alias) => sql(`${alias}.live = 1`),
    }),
  );
  return compiled(legs, context, { probe: (rid) => sql(`${rid} IN (${questionMarks(rids)})`, ...rids) });
};

const compileLastUpdated = (values: readonly RangeValue[], type: number, context: CompileContext): CompiledClause => {
  const leg: Leg = {
    table: 'resource',
    seek: (alias) =>
      allOf([sql(`${alias}.type = ? AND ${alias}.version > 0`, type), ...boundsOn(`${alias}.updated`, values, 0)]),
    match: (alias) =>
      allOf([sql(`${alias}.live = 1`), anyOf(values.map((value) => instantCondition(`+${alias}.updated`, value)))]),
  };
  return compiled([leg], context, { lead: 'ranges', key: ['updated'] });
};

/** In the order of rid; what is found is of the type and not deleted. */
const compileSource = (values: readonly string[], type: number, context: CompileContext): CompiledClause => {
  const symbols = [...new Set(values)].flatMap((value) => context.names.symbol(value) ?? []);
  const sourced = (alias: string, among: readonly number[]): Sql =>
    sql(`${alias}.source IN (${questionMarks(among)}) AND ${alias}.type = ? AND ${alias}.live = 1`, ...among, type);
  const legs = symbols.map((symbol): Leg => ({ table: 'resource', seek: (alias) => sourced(alias, [symbol]) }));
  const probe = (rid: string): Sql => {
    if (symbols.length === 0) return sql('0');
    const row = context.alias();
    const { text, values: bound } = sourced(row, symbols);
    // The index is small beside the table, to which SQLite would go by the rid.
    const from = `FROM resource ${row} INDEXED BY resource_by_source`;
    return sql(`EXISTS (SELECT 1 ${from} WHERE ${text} AND ${row}.rid = ${rid})`, ...bound);
  };
  return compiled(legs, context, { probe, name: `source ${type} ${symbols.join()}` });
};

/** Compiles a clause about values, or about a column of the resource. */
export const compileValue = (
  clause: ValueClause | Extract<Clause, { kind: 'id' | 'lastUpdated' | 'source' }>,
  type: string,
  context: CompileContext,
): CompiledClause => {
  const { names } = context;
  if (clause.kind === 'id') return compileId(clause.values, type, context);
  if (clause.kind === 'lastUpdated') return compileLastUpdated(clause.values, names.symbol(type) ?? NOTHING, context);
  if (clause.kind === 'source') return compileSource(clause.values, names.symbol(type) ?? NOTHING, context);
  const param = names.param(type, clause.param) ?? NOTHING;
  switch (clause.kind) {
    case 'token':
      return compileToken(clause.values, param, context);
    case 'string':
      return compileString(clause.match, clause.values, param, context);
    case 'date': {
      const matches = (alias: string): Sql => anyOf(clause.values.map((value) => dateCondition(alias, value)));
      return compileRange('date', param, clause.values, matches, context);
    }
    case 'number':
    case 'quantity':
      return compileQuantity(clause.values, param, context);
    case 'reference':
      return compileReference(clause.values, param, context);
    case 'uri':
      return compileUri(clause, param, context);
  }
};

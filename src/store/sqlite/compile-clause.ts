/**
 * Compiles the clauses of a search. A clause about resources of another type (a chain, `_has`) is resolved before, if it
 * finds few, and else probed for each resource.
 */
import type { Clause, ValueClause } from '../../search/search-query.ts';
import { counted } from './budget.ts';
import { compileNear, compileText } from './compile-special.ts';
import { compileTargets, compileValue } from './compile-value.ts';
import { type CompileContext, type CompiledClause, compiled, foundBy, NOTHING, probeOnly } from './compiled-clause.ts';
import type { Leg } from './leg.ts';
import { allOf, anyOf, type Sql, sql } from './sql.ts';

/** So many resources of another type are looked up before the search; more are probed one by one. */
const FEW = 500;

const isLive = (rid: string, type: number, alias: string): Sql =>
  sql(
    `EXISTS (SELECT 1 FROM resource ${alias} WHERE ${alias}.rid = ${rid} AND ${alias}.type = ? AND ${alias}.live = 1)`,
    type,
  );

const inList = (column: string, rids: readonly number[]): string =>
  rids.length === 0 ? '0' : `${column} IN (${rids.join(', ')})`;

/** All rows of a kind stand in the resource's own lines; they are looked for there, as not every table leads back. */
const compileMissing = (
  { param, entries, isMissing }: Extract<Clause, { kind: 'missing' }>,
  type: string,
  { names, alias }: CompileContext,
): CompiledClause => {
  const tag = { token: 't', string: 's', date: 'd', number: 'q', quantity: 'q', reference: 'r', uri: 'u', text: 'x' }[
    entries
  ];
  const line = `["${tag}",${names.param(type, param) ?? NOTHING},`;
  return probeOnly((rid) => {
    const row = alias();
    const test = `instr(${row}.index_rows, ?) ${isMissing ? '=' : '>'} 0`;
    return sql(`EXISTS (SELECT 1 FROM resource ${row} WHERE ${row}.rid = ${rid} AND ${test})`, line);
  });
};

/** The first component leads; the others are probed in the same element. */
const compileComposite = (
  values: readonly (readonly ValueClause[])[],
  type: string,
  context: CompileContext,
): CompiledClause =>
  compiled(
    values.flatMap(([first, ...others]): Leg[] => {
      if (first === undefined) return [];
      const rest = others.map((clause) => compileValue(clause, type, context));
      return compileValue(first, type, context).legs.map((leg) => ({
        ...leg,
        isElement: true,
        match: (alias) =>
          allOf([
            ...(leg.match === undefined ? [] : [leg.match(alias)]),
            ...rest.map(({ probe }) => probe(`${alias}.rid`)),
          ]),
      }));
    }),
    context,
  );

const compileChain = (
  { param, type: target, clause }: Extract<Clause, { kind: 'chain' }>,
  type: string,
  context: CompileContext,
): CompiledClause => {
  const { names, alias } = context;
  const inner = compileClause(clause, target, context);
  const symbol = names.param(type, param) ?? NOTHING;
  const union = foundBy(inner, context);
  const few = union === undefined ? undefined : context.fewRids(union, FEW);
  if (few !== undefined) return compileTargets(few, symbol, context);
  return probeOnly((rid) => {
    const row = alias();
    const matches = allOf([
      isLive(`${row}.target`, names.symbol(target) ?? NOTHING, alias()),
      inner.probe(`${row}.target`),
    ]);
    return sql(
      `EXISTS (SELECT 1 FROM reference ${row} WHERE ${row}.rid = ${rid} AND ${row}.param = ? AND ${matches.text})`,
      symbol,
      ...matches.values,
    );
  });
};

/** All that is above or below some resources, themselves included; each once, so that a circle ends. */
const relativesOf = (
  { type, parent, direction }: Extract<Clause, { kind: 'hierarchy' }>,
  rids: readonly number[],
  { names, alias }: CompileContext,
): Sql => {
  const [all, row] = [alias(), alias()];
  const [from, to] = direction === 'below' ? ['target', 'rid'] : ['rid', 'target'];
  const step =
    `SELECT ${row}.${to} FROM ${all} JOIN reference ${row} ON ${row}.${from} = ${all}.rid AND ${row}.param = ?` +
    ` WHERE ${counted(`${row}.rid`)}`;
  const starts = `SELECT rid FROM resource WHERE ${inList('rid', rids)}`;
  return sql(
    `WITH RECURSIVE ${all}(rid) AS (${starts} UNION ${step}) SELECT rid FROM ${all}`,
    names.param(type, parent) ?? NOTHING,
  );
};

const compileHierarchy = (
  clause: Extract<Clause, { kind: 'hierarchy' }>,
  type: string,
  context: CompileContext,
): CompiledClause => {
  const { names, alias } = context;
  const symbol = names.param(type, clause.param) ?? NOTHING;
  const rids = [...new Set(clause.values.map(names.rid).filter((rid) => rid !== undefined))];
  if (rids.length === 0) return compileTargets([], symbol, context);
  const relatives = relativesOf(clause, rids, context);
  const few = context.fewRids(relatives, FEW);
  if (few !== undefined) return compileTargets(few, symbol, context);
  return probeOnly((rid) => {
    const row = alias();
    return sql(
      `EXISTS (SELECT 1 FROM reference ${row} WHERE ${row}.rid = ${rid} AND ${row}.param = ? AND ${row}.target IN (${relatives.text}))`,
      symbol,
      ...relatives.values,
    );
  });
};

const compileHas = (
  { param, type: source, clause }: Extract<Clause, { kind: 'has' }>,
  type: string,
  context: CompileContext,
): CompiledClause => {
  const { names, alias } = context;
  const inner = compileClause(clause, source, context);
  const symbol = names.param(source, param) ?? NOTHING;
  const union = foundBy(inner, context);
  const few = union === undefined ? undefined : context.fewRids(union, FEW);
  if (few !== undefined) {
    const own = names.symbol(type) ?? NOTHING;
    return compiled(
      [
        {
          table: 'resource',
          seek: (name) => {
            const row = alias();
            const sources = inList(`${row}.rid`, few);
            return sql(
              `${name}.rid IN (SELECT ${row}.target FROM reference ${row} WHERE ${sources} AND ${row}.param = ?)`,
              symbol,
            );
          },
          match: (name) => sql(`${name}.type = ? AND ${name}.live = 1`, own),
        },
      ],
      context,
    );
  }
  return probeOnly((rid) => {
    const row = alias();
    const matches = allOf([isLive(`${row}.rid`, names.symbol(source) ?? NOTHING, alias()), inner.probe(`${row}.rid`)]);
    return sql(
      `EXISTS (SELECT 1 FROM reference ${row} WHERE ${row}.param = ? AND ${row}.target = ${rid} AND ${matches.text})`,
      symbol,
      ...matches.values,
    );
  });
};

const compileAny = (clauses: readonly Clause[], type: string, context: CompileContext): CompiledClause => {
  const parts = clauses.map((clause) => compileClause(clause, type, context));
  const isPoints = parts.every(({ lead }) => lead === 'points');
  const probe = (rid: string): Sql => anyOf(parts.map((part) => part.probe(rid)));
  return isPoints
    ? compiled(
        parts.flatMap(({ legs }) => legs),
        context,
        { probe },
      )
    : probeOnly(probe);
};

/** The first part that can leads, and the others are asked of what it finds. */
const compileAll = (clauses: readonly Clause[], type: string, context: CompileContext): CompiledClause => {
  const parts = clauses.map((clause) => compileClause(clause, type, context));
  const probe = (rid: string): Sql => allOf(parts.map((part) => part.probe(rid)));
  const leading = parts.find(({ lead, legs }) => lead !== 'none' && !legs.some(({ isElement }) => isElement));
  if (leading === undefined) return probeOnly(probe);
  const others = parts.filter((part) => part !== leading);
  const { lead, key, rowKey } = leading;
  const legs = leading.legs.map(
    (leg): Leg => ({
      ...leg,
      match: (alias) =>
        allOf([
          ...(leg.match === undefined ? [] : [leg.match(alias)]),
          ...others.map((other) => other.probe(`${alias}.rid`)),
        ]),
    }),
  );
  return compiled(legs, context, { lead, key, rowKey, probe });
};

/** Compiles one clause of a search for resources of `type`. */
export const compileClause = (clause: Clause, type: string, context: CompileContext): CompiledClause => {
  switch (clause.kind) {
    case 'missing':
      return compileMissing(clause, type, context);
    case 'composite':
      return compileComposite(clause.values, type, context);
    case 'text':
      return compileText(clause, type, context);
    case 'near':
      return probeOnly(compileNear(clause, type, context));
    case 'not': {
      const inner = compileClause(clause.clause, type, context);
      return probeOnly((rid) => {
        const { text, values } = inner.probe(rid);
        return sql(`NOT (${text})`, ...values);
      });
    }
    case 'any':
      return compileAny(clause.clauses, type, context);
    case 'all':
      return compileAll(clause.clauses, type, context);
    case 'chain':
      return compileChain(clause, type, context);
    case 'hierarchy':
      return compileHierarchy(clause, type, context);
    case 'has':
      return compileHas(clause, type, context);
    default:
      return compileValue(clause, type, context);
  }
};

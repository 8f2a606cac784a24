/** A search of one type made ready: its clauses compiled, and the one chosen that leads. */
import type { TypeSearch } from '../../search/search-query.ts';
import { compileClause } from './compile-clause.ts';
import { type CompileContext, type CompiledClause, type Names, readBy } from './compiled-clause.ts';
import type { Connection, Statement } from './database.ts';
import type { Leg } from './leg.ts';
import { allOf, type Sql, sql } from './sql.ts';

/** The rows that a clause reads are counted no further than this. */
export const COUNT_LIMIT = 2000;

/** A clause that may lead, and its place among the clauses. */
export interface Leader extends CompiledClause {
  readonly position: number;
  /** How many rows are read to find all that it finds, up to the limit. */
  readonly rows: number;
}

export interface Plan {
  /** The type's name, and its number. */
  readonly name: string;
  readonly type: number;
  readonly clauses: readonly CompiledClause[];
  readonly leader: Leader | undefined;
}

type Value = string | number | null;

/** Runs statements, and makes names for their tables. */
export interface Runner extends CompileContext {
  rows(statement: Sql): Value[][];
  value(statement: Sql): number;
}

/** Statements are prepared once; as many different ones as these are kept. */
const STATEMENTS = 500;

export const createRunner = (connection: Connection, names: Names): Runner => {
  const statements = new Map<string, Statement>();
  let aliases = 0;
  const prepared = (text: string): Statement => {
    const known = statements.get(text);
    if (known !== undefined) return known;
    if (statements.size >= STATEMENTS) statements.clear();
    const made = connection.prepare(text).raw();
    statements.set(text, made);
    return made;
  };
  const rows = ({ text, values }: Sql): Value[][] => {
    aliases = 0;
    return prepared(text).all(...values) as Value[][];
  };
  return {
    names,
    // No name twice in a statement, as one within another would hide it; the same search is the same text.
    alias: () => `i${aliases++}`,
    rows,
    value: (statement) => rows(statement)[0]?.[0] as number,
    fewRids: ({ text, values }, limit) => {
      const found = rows(sql(`SELECT DISTINCT rid FROM (${text}) LIMIT ?`, ...values, limit + 1));
      return found.length > limit ? undefined : found.map(([rid]) => rid as number);
    },
  };
};

/** The conditions of the clauses for the resource with this rid. */
export const probes = (clauses: readonly CompiledClause[], rid: string): Sql =>
  allOf(clauses.map(({ probe }) => probe(rid)));

/** All clauses but the one that leads. */
export const othersOf = ({ clauses, leader }: Plan): CompiledClause[] =>
  clauses.filter((_, position) => position !== leader?.position);

/** Asks the only row of a resource for all clauses about its column at once, so that each narrows the scan. */
const narrowed = (clause: CompiledClause, clauses: readonly CompiledClause[]): CompiledClause => {
  const [first, ...rest] = clause.legs;
  if (clause.column === undefined || first === undefined) return clause;
  const others = clauses.filter(({ column }) => column === clause.column).map(({ legs }) => legs[0] as Leg);
  const sole: Leg = {
    ...first,
    seek: (alias) => allOf(others.map((leg) => leg.seek(alias))),
    match: (alias) => allOf(others.map((leg) => leg.match?.(alias) ?? sql('1'))),
  };
  return { ...clause, legs: [sole, ...rest] };
};

/** How many rows are read to find all that a clause finds, counted no further than the limit. */
const rowsRead = (clause: CompiledClause, runner: Runner): number => {
  const read = readBy(clause, runner);
  if (read === undefined) return COUNT_LIMIT;
  return runner.value(sql(`SELECT count(*) FROM (${read.text} LIMIT ${COUNT_LIMIT})`, ...read.values));
};

/** What is scanned last if there is a choice: no index seeks a system without a code. */
const reluctance = ({ lead, legs }: CompiledClause): number => {
  if (legs.some(({ isScan }) => isScan)) return 2;
  return lead === 'points' ? 0 : 1;
};

/**
 * The clause that reads the fewest rows leads; of those that read many, one that comes in the order of rid. The pages
 * that follow keep the leader of the first one, whatever has been written since: it gives the order.
 */
const leaderOf = (clauses: readonly CompiledClause[], kept: number | undefined, runner: Runner): Leader | undefined => {
  const leaders = clauses.flatMap((clause, position) =>
    clause.lead === 'none' || (kept !== undefined && kept !== position)
      ? []
      : [{ ...narrowed(clause, clauses), position }],
  );
  const [only, another] = leaders.map((leader): Leader => ({ ...leader, rows: rowsRead(leader, runner) }));
  if (only === undefined || another === undefined) return only;
  return leaders
    .map((leader): Leader => ({ ...leader, rows: rowsRead(leader, runner) }))
    .reduce((best, next) =>
      next.rows < best.rows || (next.rows === best.rows && reluctance(next) < reluctance(best)) ? next : best,
    );
};

/** No clause leads: the index of the type does. */
export const NO_LEADER = -1;

/** Undefined if nothing of the type is stored. `kept` is the position of the leader of the page before. */
export const planOf = ({ type, clauses }: TypeSearch, runner: Runner, kept?: number): Plan | undefined => {
  const symbol = runner.names.symbol(type);
  if (symbol === undefined) return undefined;
  const compiled = clauses.map((clause) => compileClause(clause, type, runner));
  return { name: type, type: symbol, clauses: compiled, leader: leaderOf(compiled, kept, runner) };
};

/** All resources of a type, in the order of rid. */
export const legOfType = (type: number): Leg => ({
  table: 'resource',
  seek: (alias) => sql(`${alias}.type = ? AND ${alias}.live = 1`, type),
});

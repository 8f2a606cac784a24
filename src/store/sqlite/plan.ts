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
  /** How many rows are read to find all that it finds, counted up to `limit`. */
  readonly rows: number;
  readonly limit: number;
}

export interface Plan {
  /** The type's name, and its number. */
  readonly name: string;
  readonly type: number;
  readonly clauses: readonly CompiledClause[];
  /** The clauses of which the leader was chosen. */
  readonly leaders: readonly Leader[];
  readonly leader: Leader | undefined;
}

/**
 * What a statement is for: a page or total of the search itself, the count of a clause's rows, what a chain leads to,
 * whether there is anything of the type.
 */
export type Purpose = 'search' | 'count' | 'resolve' | 'is there any';

/** Is told what is done for a search. */
export interface Watch {
  planned(plan: Plan): void;
  ran(purpose: Purpose, statement: Sql, found: readonly Value[][]): void;
}

type Value = string | number | null;

/** Runs statements, and makes names for their tables. */
export interface Runner extends CompileContext {
  readonly watch: Watch | undefined;
  rows(statement: Sql, purpose?: Purpose): Value[][];
  value(statement: Sql, purpose?: Purpose): number;
  /** Names of clauses that read as many rows as are counted. */
  readonly largeClauses: Set<string>;
}

/** Statements are prepared once; as many different ones as these are kept. */
const STATEMENTS = 500;

export const createRunner = (connection: Connection, names: Names, watch?: Watch): Runner => {
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
  const rows = (statement: Sql, purpose: Purpose = 'search'): Value[][] => {
    aliases = 0;
    const found = prepared(statement.text).all(...statement.values) as Value[][];
    watch?.ran(purpose, statement, found);
    return found;
  };
  return {
    names,
    watch,
    largeClauses: new Set(),
    // No name twice in a statement, as one within another would hide it; the same search is the same text.
    alias: () => `i${aliases++}`,
    rows,
    value: (statement, purpose) => rows(statement, purpose)[0]?.[0] as number,
    fewRids: ({ text, values }, limit) => {
      const found = rows(sql(`SELECT DISTINCT rid FROM (${text}) LIMIT ?`, ...values, limit + 1), 'resolve');
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

/** How many rows are read to find all that a clause finds, counted no further than `limit`. */
const rowsRead = (clause: CompiledClause, limit: number, runner: Runner): number => {
  const read = readBy(clause, runner);
  if (read === undefined) return limit;
  return runner.value(sql(`SELECT count(*) FROM (${read.text} LIMIT ?)`, ...read.values, limit), 'count');
};

/** What is scanned last if there is a choice: no index seeks a system without a code. */
const reluctance = ({ lead, legs }: CompiledClause): number => {
  if (legs.some(({ isScan }) => isScan)) return 2;
  return lead === 'points' ? 0 : 1;
};

/** More names than these are forgotten. */
const LARGE_CLAUSES = 10_000;

/** Whether a clause need not be looked at, as another leads for sure, or as well. */
const isPassedOver = ({ name }: CompiledClause, others: readonly Leader[], { largeClauses }: Runner): boolean =>
  name !== undefined && others.length > 0 && (largeClauses.has(name) || others.some(({ rows }) => rows < COUNT_LIMIT));

const rememberLarge = ({ name, rows, limit }: Leader, { largeClauses }: Runner): void => {
  if (name === undefined || limit < COUNT_LIMIT || rows < COUNT_LIMIT) return;
  if (largeClauses.size >= LARGE_CLAUSES) largeClauses.clear();
  largeClauses.add(name);
};

/** The clauses that may lead. The pages that follow keep the leader of the first one, `kept`: it gives the order. */
const leadersOf = (clauses: readonly CompiledClause[], kept: number | undefined, runner: Runner): Leader[] => {
  // What reads more than another one will not lead: how much more is not counted.
  let limit = COUNT_LIMIT;
  const leaders: Leader[] = [];
  const placed = clauses.map((clause, position) => ({ ...narrowed(clause, clauses), position }));
  // Those with a name last.
  for (const clause of placed.toSorted(
    (one, other) => Number(one.name !== undefined) - Number(other.name !== undefined),
  )) {
    if (clause.lead === 'none' || (kept !== undefined && kept !== clause.position)) continue;
    if (isPassedOver(clause, leaders, runner)) continue;
    const counted = { ...clause, limit, rows: rowsRead(clause, limit, runner) };
    rememberLarge(counted, runner);
    limit = Math.min(limit, counted.rows + 1);
    leaders.push(counted);
  }
  return leaders;
};

/** The clause that reads the fewest rows leads; of those that read many, one that comes in the order of rid. */
const leaderOf = (leaders: readonly Leader[]): Leader | undefined => {
  if (leaders.length === 0) return undefined;
  return leaders.reduce((best, next) =>
    next.rows < best.rows || (next.rows === best.rows && reluctance(next) < reluctance(best)) ? next : best,
  );
};

/** How many resources of a type there are: a search of many types, as of a compartment, passes over most at once. */
export const liveOf = (type: number, runner: Runner, purpose: Purpose = 'search'): number =>
  runner.value(sql('SELECT coalesce(max(live), 0) FROM type_count WHERE type = ?', type), purpose);

/** No clause leads: the index of the type does. */
export const NO_LEADER = -1;

/** Undefined if nothing of the type is stored. `kept` is the position of the leader of the page before. */
export const planOf = ({ type, clauses }: TypeSearch, runner: Runner, kept?: number): Plan | undefined => {
  const symbol = runner.names.symbol(type);
  if (symbol === undefined || liveOf(symbol, runner, 'is there any') === 0) return undefined;
  const compiled = clauses.map((clause) => compileClause(clause, type, runner));
  const leaders = leadersOf(compiled, kept, runner);
  const plan: Plan = { name: type, type: symbol, clauses: compiled, leaders, leader: leaderOf(leaders) };
  runner.watch?.planned(plan);
  return plan;
};

/** All resources of a type, in the order of rid. */
export const legOfType = (type: number): Leg => ({
  table: 'resource',
  seek: (alias) => sql(`${alias}.type = ? AND ${alias}.live = 1`, type),
});

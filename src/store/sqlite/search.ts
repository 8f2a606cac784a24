/**
 * Runs a SearchQuery. One clause leads: its index is scanned in order, from where the page before ended, and the other
 * clauses are probed for each resource found, until the page is full. So a page costs what it shows, not what matches.
 */

import type { PageKey, SearchQuery } from '../../search/search-query.ts';
import type { Page } from '../store.ts';
import { type CompiledClause, compileClause, type Leg, type Names } from './compile-clause.ts';
import type { Connection } from './database.ts';
import { allOf, anyOf, joined, type Sql, sql } from './sql.ts';

/** Up to this many matches of a leading clause are sorted; above, the index of the sort key is scanned and all is probed. */
const SORTED_LIMIT = 2000;

interface Found {
  readonly rid: number;
  readonly key: PageKey;
}

interface Searcher {
  /** The rids of one page, at most `query.count`. */
  page(query: SearchQuery): Page<number>;
  count(query: SearchQuery): number;
}

const all = (connection: Connection, { text, values }: Sql): number[][] =>
  connection
    .prepare(text)
    .raw()
    .all(...values) as number[][];

const value = (connection: Connection, { text, values }: Sql): number =>
  connection
    .prepare(text)
    .pluck()
    .get(...values) as number;

const selectOf = ({ table, where }: Leg): Sql => {
  const { text, values } = where('i');
  return sql(`SELECT i.rid FROM ${table} i WHERE ${text}`, ...values);
};

/** All resources that a clause finds, in no order and perhaps twice. */
const unionOf = (clause: CompiledClause): Sql => joined(clause.legs.map(selectOf), ' UNION ALL ');

/** How many rows a clause finds, counted no further than `limit`. */
const boundedCount = (connection: Connection, clause: CompiledClause, limit: number): number => {
  const union = unionOf(clause);
  return value(connection, sql(`SELECT count(*) FROM (SELECT 1 FROM (${union.text}) LIMIT ${limit})`, ...union.values));
};

const probes = (clauses: readonly CompiledClause[], leader: CompiledClause | undefined, rid: string): Sql =>
  allOf(clauses.filter((clause) => clause !== leader).map((clause) => clause.probe(rid)));

/** The clause that finds the fewest resources leads; points before ranges, as their order is that of rid. */
const leaderOf = (connection: Connection, clauses: readonly CompiledClause[]): CompiledClause | undefined => {
  const candidates = clauses.filter(({ lead }) => lead === 'points');
  if (candidates.length <= 1) return candidates[0] ?? clauses[0];
  const counts = candidates.map((clause) => ({ clause, count: boundedCount(connection, clause, SORTED_LIMIT) }));
  return counts.reduce((least, next) => (next.count < least.count ? next : least)).clause;
};

/** In the order of rid: every value's scan gives its first, and the first of all of them are the page. */
const pointPage = (
  connection: Connection,
  legs: readonly Leg[],
  rest: Sql,
  limit: number,
  after: PageKey | undefined,
): Found[] => {
  const rids = new Set<number>();
  for (const leg of legs) {
    const where = leg.where('o');
    const rows = all(
      connection,
      sql(
        `SELECT o.rid FROM ${leg.table} o WHERE ${where.text} AND o.rid > ? AND ${rest.text} GROUP BY o.rid ORDER BY o.rid LIMIT ?`,
        ...where.values,
        after?.[0] ?? 0,
        ...rest.values,
        limit,
      ),
    );
    for (const [rid = 0] of rows) rids.add(rid);
  }
  return [...rids]
    .sort((a, b) => a - b)
    .slice(0, limit)
    .map((rid) => ({ rid, key: [rid] }));
};

const columns = (alias: string, names: readonly string[]): string => names.map((name) => `${alias}.${name}`).join(', ');

/**
 * In the order of the leader's keys, one leg behind the other. A resource with several matching rows is shown at the
 * first of them: a row counts only if the resource has none in an earlier leg and none before it in this leg.
 */
const rangePage = (
  connection: Connection,
  leader: CompiledClause,
  rest: Sql,
  limit: number,
  after: PageKey | undefined,
): Found[] => {
  const found: Found[] = [];
  const { key, rowKey, legs } = leader;
  const [firstLeg = 0, ...afterKey] = after ?? [];
  for (let at = Number(firstLeg); at < legs.length && found.length < limit; at++) {
    const { table, where } = legs[at] as Leg;
    const before = where('i');
    const shown = anyOf([
      ...legs.slice(0, at).map((leg) => leg.where('i')),
      sql(`(${columns('i', rowKey)}) < (${columns('o', rowKey)}) AND ${before.text}`, ...before.values),
    ]);
    const isFirst = sql(`NOT EXISTS (SELECT 1 FROM ${table} i WHERE i.rid = o.rid AND ${shown.text})`, ...shown.values);
    const resumes = after !== undefined && at === Number(firstLeg);
    const order = columns('o', [...key, 'rid']);
    const conditions = [
      where('o'),
      ...(resumes ? [sql(`(${order}) > (${afterKey.map(() => '?').join(', ')})`, ...afterKey)] : []),
      isFirst,
      rest,
    ];
    const condition = allOf(conditions);
    const rows = all(
      connection,
      sql(
        `SELECT DISTINCT ${order} FROM ${table} o WHERE ${condition.text} ORDER BY ${order} LIMIT ?`,
        ...condition.values,
        limit - found.length,
      ),
    );
    for (const row of rows) found.push({ rid: row.at(-1) as number, key: [at, ...row] });
  }
  return found;
};

/** In the order of a sort key of the resource itself. */
const sortedPage = (
  connection: Connection,
  clauses: readonly CompiledClause[],
  query: SearchQuery,
  type: number,
  limit: number,
): Found[] => {
  const { by, descending } = query.sort ?? { by: 'lastUpdated', descending: false };
  const column = by === 'id' ? 'r.id' : 'r.updated';
  const direction = descending ? 'DESC' : 'ASC';
  const leader = leaderOf(connection, clauses);
  const isFew = leader !== undefined && boundedCount(connection, leader, SORTED_LIMIT) < SORTED_LIMIT;
  const union = leader === undefined ? sql('') : unionOf(leader);
  const conditions = [
    sql('r.type = ? AND r.live = 1', type),
    ...(isFew ? [sql(`r.rid IN (${union.text})`, ...union.values)] : []),
    ...(query.after === undefined ? [] : [sql(`(${column}, r.rid) ${descending ? '<' : '>'} (?, ?)`, ...query.after)]),
    probes(clauses, isFew ? leader : undefined, 'r.rid'),
  ];
  const condition = allOf(conditions);
  const rows = all(
    connection,
    sql(
      `SELECT ${column}, r.rid FROM resource r WHERE ${condition.text} ORDER BY ${column} ${direction}, r.rid ${direction} LIMIT ?`,
      ...condition.values,
      limit,
    ),
  );
  return rows.map((row) => ({ rid: row[1] as number, key: row }));
};

export const createSearcher = (connection: Connection, names: Names): Searcher => {
  const ofType = (type: number): Leg => ({
    table: 'resource',
    where: (alias) => sql(`${alias}.type = ? AND ${alias}.live = 1`, type),
  });

  const find = (query: SearchQuery, limit: number): Found[] => {
    const type = names.symbol(query.type);
    if (type === undefined) return [];
    const clauses = query.clauses.map((clause) => compileClause(clause, query.type, names));
    if (query.sort !== undefined) return sortedPage(connection, clauses, query, type, limit);
    const leader = leaderOf(connection, clauses);
    const rest = probes(clauses, leader, 'o.rid');
    if (leader?.lead === 'ranges') return rangePage(connection, leader, rest, limit, query.after);
    return pointPage(connection, leader?.legs ?? [ofType(type)], rest, limit, query.after);
  };

  return {
    page: (query) => {
      const found = find(query, query.count + 1);
      const items = found.slice(0, query.count).map(({ rid }) => rid);
      const last = found[query.count - 1];
      return found.length > query.count && last !== undefined ? { items, next: last.key } : { items };
    },
    count: (query) => {
      const type = names.symbol(query.type);
      if (type === undefined) return 0;
      const clauses = query.clauses.map((clause) => compileClause(clause, query.type, names));
      const leader = leaderOf(connection, clauses);
      const union = leader === undefined ? selectOf(ofType(type)) : unionOf(leader);
      const rest = probes(clauses, leader, 'f.rid');
      return value(
        connection,
        sql(
          `SELECT count(*) FROM (SELECT DISTINCT rid FROM (${union.text})) f WHERE ${rest.text}`,
          ...union.values,
          ...rest.values,
        ),
      );
    },
  };
};

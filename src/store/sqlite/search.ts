/**
 * Runs a SearchQuery. One clause leads: its index is scanned in order, from where the page before ended, and the other
 * clauses are probed for each resource found, until the page is full. So a page costs what it shows, not what matches.
 */

import type { PageKey, SearchQuery } from '../../search/search-query.ts';
import type { Page } from '../store.ts';
import { type CompiledClause, compileClause, type Names } from './compile-clause.ts';
import type { Connection } from './database.ts';
import { type Leg, rowsOf, whereOf } from './leg.ts';
import { allOf, anyOf, joined, type Sql, sql } from './sql.ts';

/** Up to this many rows of a leading clause are sorted; above, the index of the sort key is scanned and all is probed. */
const SORTED_LIMIT = 2000;

/** SQLite takes no more than 500 parts in one UNION. */
const UNION_PARTS = 400;

interface Found {
  readonly rid: number;
  readonly key: PageKey;
}

interface Searcher {
  /** The rids of one page, at most `query.count`. */
  page(query: SearchQuery): Page<number>;
  count(query: SearchQuery): number;
}

/** A clause that may lead, and its place among the clauses. */
interface Leader extends CompiledClause {
  readonly position: number;
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

/** One SELECT after the other, without order and with repetitions. */
const unionOf = (selects: readonly Sql[]): Sql => {
  if (selects.length === 0) return sql('SELECT 0 AS rid WHERE 0');
  if (selects.length <= UNION_PARTS) return joined(selects, ' UNION ALL ');
  const parts: Sql[] = [];
  for (let at = 0; at < selects.length; at += UNION_PARTS) {
    const { text, values } = unionOf(selects.slice(at, at + UNION_PARTS));
    // The LIMIT keeps SQLite from drawing the part into the whole again.
    parts.push(sql(`SELECT rid FROM (${text} LIMIT -1)`, ...values));
  }
  return unionOf(parts);
};

/** All resources that a clause finds, in no order and perhaps twice. */
const foundBy = ({ legs }: Pick<CompiledClause, 'legs'>): Sql =>
  unionOf(
    legs.map((leg) => {
      const { text, values } = whereOf(leg, 'i');
      return sql(`SELECT i.rid FROM ${leg.table} i WHERE ${text}`, ...values);
    }),
  );

/** How many rows are read to find all that a clause finds, counted no further than the limit. */
const rowsRead = (connection: Connection, { legs }: CompiledClause): number => {
  const read = unionOf(
    legs.map(({ table, seek }) => {
      const { text, values } = seek('i');
      return sql(`SELECT i.rid FROM ${table} i WHERE ${text}`, ...values);
    }),
  );
  return value(connection, sql(`SELECT count(*) FROM (${read.text} LIMIT ${SORTED_LIMIT})`, ...read.values));
};

const probes = (clauses: readonly CompiledClause[], rid: string): Sql => allOf(clauses.map(({ probe }) => probe(rid)));

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

/** What is scanned last if there is a choice: no index seeks a system without a code. */
const reluctance = ({ lead, legs }: CompiledClause): number => {
  if (legs.some(({ isScan }) => isScan)) return 2;
  return lead === 'points' ? 0 : 1;
};

/**
 * The clause that reads the fewest rows leads; of those that read many, one that comes in the order of rid. The pages
 * that follow keep the leader of the first one, whatever has been written since: it gives the order.
 */
const leaderOf = (
  connection: Connection,
  clauses: readonly CompiledClause[],
  kept: number | undefined,
): Leader | undefined => {
  const candidates = clauses.map((clause, position): Leader => ({ ...narrowed(clause, clauses), position }));
  if (kept !== undefined) return candidates[kept];
  if (candidates.length <= 1) return candidates[0];
  return candidates
    .map((leader) => ({ leader, rows: rowsRead(connection, leader) }))
    .reduce((best, next) =>
      next.rows < best.rows || (next.rows === best.rows && reluctance(next.leader) < reluctance(best.leader))
        ? next
        : best,
    ).leader;
};

/** In the order of rid: every value's scan gives its first, and the first of all of them are the page. */
const pointPage = (
  connection: Connection,
  legs: readonly Leg[],
  rest: Sql,
  limit: number,
  after: string | number = 0,
): [rid: number][] => {
  const rids = new Set<number>();
  for (const leg of legs) {
    const where = whereOf(leg, 'o');
    const rows = all(
      connection,
      sql(
        `SELECT o.rid FROM ${leg.table} o WHERE ${where.text} AND o.rid > ? AND ${rest.text} GROUP BY o.rid ORDER BY o.rid LIMIT ?`,
        ...where.values,
        after,
        ...rest.values,
        limit,
      ),
    );
    for (const [rid = 0] of rows) rids.add(rid);
  }
  return [...rids]
    .sort((a, b) => a - b)
    .slice(0, limit)
    .map((rid) => [rid]);
};

const columns = (alias: string, names: readonly string[]): string => names.map((name) => `${alias}.${name}`).join(', ');

/**
 * A resource with several matching rows is shown at the first of them: a row counts only if the resource has none in an
 * earlier leg and none before it in this leg.
 */
const isShownFirst = ({ legs, column, rowKey }: CompiledClause, at: number): Sql => {
  const leg = legs[at] as Leg;
  // Resources with one row are in the first leg alone.
  if (column !== undefined && at === 0) return sql('1');
  const earlier = legs.slice(column === undefined ? 0 : 1, at).map((each) => whereOf(each, 'i'));
  const before = allOf([sql(`(${columns('i', rowKey)}) < (${columns('o', rowKey)})`), whereOf(leg, 'i')]);
  const shown = anyOf([...earlier, before]);
  return sql(`NOT EXISTS (${rowsOf(leg, 'o.rid')} AND ${shown.text})`, ...shown.values);
};

/** In the order of the leader's keys, one leg behind the other; rows of leg number, keys and rid. */
const rangePage = (
  connection: Connection,
  leader: Leader,
  clauses: readonly CompiledClause[],
  limit: number,
  after: PageKey | undefined,
): number[][] => {
  const found: number[][] = [];
  const { key, legs, column } = leader;
  const [firstLeg = 0, ...afterKey] = after ?? [];
  const others = clauses.filter((_, position) => position !== leader.position);
  for (let at = Number(firstLeg); at < legs.length && found.length < limit; at++) {
    const leg = legs[at] as Leg;
    const isNarrowed = column !== undefined && at === 0;
    const order = columns('o', [...key, 'rid']);
    const condition = allOf([
      whereOf(leg, 'o'),
      ...(afterKey.length > 0 && at === firstLeg
        ? [sql(`(${order}) > (${afterKey.map(() => '?').join(', ')})`, ...afterKey)]
        : []),
      isShownFirst(leader, at),
      probes(isNarrowed ? others.filter((clause) => clause.column !== column) : others, 'o.rid'),
    ]);
    const rows = all(
      connection,
      sql(
        `SELECT DISTINCT ${order} FROM ${leg.table} o WHERE ${condition.text} ORDER BY ${order} LIMIT ?`,
        ...condition.values,
        limit - found.length,
      ),
    );
    for (const row of rows) found.push([at, ...row]);
  }
  return found;
};

/** In the order of a sort key of the resource itself; rows of key and rid. */
const sortedPage = (
  connection: Connection,
  clauses: readonly CompiledClause[],
  { sort, after }: SearchQuery,
  type: number,
  limit: number,
): number[][] => {
  const { by, descending } = sort ?? { by: 'lastUpdated', descending: false };
  const column = by === 'id' ? 'r.id' : 'r.updated';
  const direction = descending ? 'DESC' : 'ASC';
  const leader = leaderOf(connection, clauses, undefined);
  const isFew = leader !== undefined && rowsRead(connection, leader) < SORTED_LIMIT;
  const found = isFew ? foundBy(leader) : sql('');
  const condition = allOf([
    sql('r.type = ? AND r.live = 1', type),
    ...(after === undefined ? [] : [sql(`(${column}, r.rid) ${descending ? '<' : '>'} (?, ?)`, ...after)]),
    probes(
      clauses.filter((_, position) => !isFew || position !== leader.position),
      'r.rid',
    ),
  ]);
  const source = isFew
    ? `(SELECT DISTINCT rid FROM (${found.text})) f CROSS JOIN resource r ON r.rid = f.rid`
    : 'resource r';
  return all(
    connection,
    sql(
      `SELECT ${column}, r.rid FROM ${source} WHERE ${condition.text} ORDER BY ${column} ${direction}, r.rid ${direction} LIMIT ?`,
      ...found.values,
      ...condition.values,
      limit,
    ),
  );
};

export const createSearcher = (connection: Connection, names: Names): Searcher => {
  const ofType = (type: number): Leg => ({
    table: 'resource',
    seek: (alias) => sql(`${alias}.type = ? AND ${alias}.live = 1`, type),
  });

  const find = (query: SearchQuery, limit: number): Found[] => {
    const type = names.symbol(query.type);
    if (type === undefined) return [];
    const clauses = query.clauses.map((clause) => compileClause(clause, query.type, names));
    const foundIn = (rows: readonly (readonly number[])[], ...start: number[]): Found[] =>
      rows.map((row) => ({ rid: row.at(-1) as number, key: [...start, ...row] }));
    if (query.sort !== undefined) return foundIn(sortedPage(connection, clauses, query, type, limit));
    const [kept, ...after] = query.after ?? [];
    const leader = leaderOf(connection, clauses, kept === undefined ? undefined : Number(kept));
    const position = leader?.position ?? -1;
    if (leader?.lead === 'ranges') return foundIn(rangePage(connection, leader, clauses, limit, after), position);
    const legs = leader?.legs ?? [ofType(type)];
    const rest = probes(
      clauses.filter((_, at) => at !== position),
      'o.rid',
    );
    return foundIn(pointPage(connection, legs, rest, limit, after[0]), position);
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
      const leader = leaderOf(connection, clauses, undefined);
      const found = foundBy(leader ?? { legs: [ofType(type)] });
      const rest = probes(
        clauses.filter((_, at) => at !== leader?.position),
        'f.rid',
      );
      return value(
        connection,
        sql(
          `SELECT count(*) FROM (SELECT DISTINCT rid FROM (${found.text})) f WHERE ${rest.text}`,
          ...found.values,
          ...rest.values,
        ),
      );
    },
  };
};

/**
 * Runs a SearchQuery. One clause leads: its index is scanned in order, from where the page before ended, and the other
 * clauses are probed for each resource found, until the page is full. So a page costs what it shows, not what matches.
 */
import type { PageKey, SearchQuery, TypeSearch } from '../../search/search-query.ts';
import type { Page } from '../store.ts';
import { type CompiledClause, foundBy } from './compiled-clause.ts';
import { ELEMENTS } from './index-rows.ts';
import { type Leg, ridOf, rowsOf, whereOf } from './leg.ts';
import { type Leader, legOfType, liveOf, NO_LEADER, othersOf, type Plan, planOf, probes, type Runner } from './plan.ts';
import { pageSortedByKeys } from './sorted-page.ts';
import { allOf, anyOf, type Sql, sql } from './sql.ts';

export interface Found {
  readonly rid: number;
  readonly key: PageKey;
}

interface Searcher {
  /** One page, at most `query.count`; `query.bytes` is for whoever loads it. */
  page(query: SearchQuery): Page<Found>;
  count(query: SearchQuery): number;
}

/** In the order of rid: every value's scan gives its first, and the first of all of them are the page. */
const pointPage = (plan: Plan, limit: number, after: PageKey, runner: Runner): Found[] => {
  const rids = new Set<number>();
  const from = Number(after[0] ?? 0);
  for (const leg of plan.leader?.legs ?? [legOfType(plan.type)]) {
    const where = whereOf(leg, 'o');
    const rid = ridOf(leg, 'o');
    const rest = probes(othersOf(plan), rid);
    // In SQL, as the number of an element may be more than a double holds exactly.
    const isBehind = leg.isElement ? `o.rid >= (CAST(? AS INTEGER) + 1) * ${ELEMENTS}` : 'o.rid > ?';
    const rows = runner.rows(
      sql(
        `SELECT ${rid} FROM ${leg.table} o WHERE ${where.text} AND ${isBehind} AND ${rest.text} GROUP BY ${rid} ORDER BY ${rid} LIMIT ?`,
        ...where.values,
        from,
        ...rest.values,
        limit,
      ),
    );
    for (const [found] of rows) rids.add(found as number);
  }
  return [...rids]
    .sort((a, b) => a - b)
    .slice(0, limit)
    .map((rid) => ({ rid, key: [rid] }));
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
  const earlier = legs.slice(column === undefined ? 0 : 1, at).map((each) => whereOf(each, 'e'));
  const before = allOf([sql(`(${columns('e', rowKey)}) < (${columns('o', rowKey)})`), whereOf(leg, 'e')]);
  const shown = anyOf([...earlier, before]);
  return sql(`NOT EXISTS (${rowsOf(leg, 'o.rid', 'e')} AND ${shown.text})`, ...shown.values);
};

/** In the order of the leader's keys, one leg behind the other; the key begins with the number of the leg. */
const rangePage = (plan: Plan, leader: Leader, limit: number, after: PageKey, runner: Runner): Found[] => {
  const found: Found[] = [];
  const { key, legs, column } = leader;
  const [firstLeg = 0, ...afterKey] = after;
  const others = othersOf(plan);
  for (let at = Number(firstLeg); at < legs.length && found.length < limit; at++) {
    const leg = legs[at] as Leg;
    const isNarrowed = column !== undefined && at === 0;
    const order = columns('o', [...key, 'rid']);
    const condition = allOf([
      whereOf(leg, 'o'),
      ...(afterKey.length > 0 && at === firstLeg
        ? [sql(`(${order}) > (${afterKey.map(() => '?').join(', ')})`, ...(afterKey as (string | number)[]))]
        : []),
      isShownFirst(leader, at),
      probes(isNarrowed ? others.filter((clause) => clause.column !== column) : others, 'o.rid'),
    ]);
    const rows = runner.rows(
      sql(
        `SELECT DISTINCT ${order} FROM ${leg.table} o WHERE ${condition.text} ORDER BY ${order} LIMIT ?`,
        ...condition.values,
        limit - found.length,
      ),
    );
    for (const row of rows) found.push({ rid: row.at(-1) as number, key: [at, ...row] });
  }
  return found;
};

/** One type behind the other; the key begins with the number of the type and the position of the leader. */
const unsortedPage = ({ searches, after }: SearchQuery, limit: number, runner: Runner): Found[] => {
  const found: Found[] = [];
  const [first = 0, kept, ...rest] = after ?? [];
  for (let at = Number(first); at < searches.length && found.length < limit; at++) {
    const resumes = after !== undefined && at === first;
    const plan = planOf(searches[at] as TypeSearch, runner, resumes ? Number(kept) : undefined);
    if (plan === undefined) continue;
    const key = resumes ? rest : [];
    const needed = limit - found.length;
    const page =
      plan.leader?.lead === 'ranges'
        ? rangePage(plan, plan.leader, needed, key, runner)
        : pointPage(plan, needed, key, runner);
    const position = plan.leader?.position ?? NO_LEADER;
    for (const item of page) found.push({ rid: item.rid, key: [at, position, ...item.key] });
  }
  return found;
};

const countOf = (search: TypeSearch, runner: Runner): number => {
  const symbol = runner.names.symbol(search.type);
  if (symbol !== undefined && search.clauses.length === 0) return liveOf(symbol, runner);
  const plan = planOf(search, runner);
  if (plan === undefined) return 0;
  const all = foundBy(plan.leader ?? { lead: 'points', legs: [legOfType(plan.type)] }, runner) as Sql;
  const rest = probes(othersOf(plan), 'f.rid');
  return runner.value(
    sql(
      `SELECT count(*) FROM (SELECT DISTINCT rid FROM (${all.text})) f WHERE ${rest.text}`,
      ...all.values,
      ...rest.values,
    ),
  );
};

export const createSearcher = (runner: Runner): Searcher => ({
  page: (query) => {
    const limit = query.count + 1;
    const found =
      query.sort.length === 0
        ? unsortedPage(query, limit, runner)
        : pageSortedByKeys(
            query.sort,
            query.searches.flatMap((search) => planOf(search, runner) ?? []),
            limit,
            query.after,
            runner,
          );
    const items = found.slice(0, query.count);
    const last = found[query.count - 1];
    return found.length > query.count && last !== undefined ? { items, next: last.key } : { items };
  },
  count: ({ searches }) => searches.reduce((total, search) => total + countOf(search, runner), 0),
});

/**
 * Versions newest first: of one resource, of a type, or of all. Current versions and superseded ones stand in two
 * tables; a page takes the newest of both.
 *
 * @see https://hl7.org/fhir/R4/http.html#history
 */
import type { PageKey } from '../../search/search-query.ts';
import type { HistoryPage, HistoryScope, HistoryTimes, Page } from '../store.ts';
import { counted } from './budget.ts';
import { NOTHING } from './compiled-clause.ts';
import type { Connection } from './database.ts';
import type { Runner } from './plan.ts';
import { allOf, type Sql, sql } from './sql.ts';

interface Found {
  readonly rid: number;
  readonly version: number;
  readonly updated: number;
}

const newestFirst = (a: Found, b: Found): number => b.updated - a.updated || b.rid - a.rid || b.version - a.version;

/** Versions of the period: begun before its end, and not superseded before its start. */
const wasCurrent = ({ lo, hi }: { lo: number; hi: number }): Sql =>
  sql(
    'v.updated < ? AND NOT EXISTS (SELECT 1 FROM resource n WHERE n.rid = v.rid AND n.version > v.version AND n.updated <= ?)' +
      ' AND NOT EXISTS (SELECT 1 FROM history n WHERE n.rid = v.rid AND n.version > v.version AND n.updated <= ?)',
    hi,
    lo,
    lo,
  );

const isWithin = (scope: Sql, { since, at }: HistoryTimes): Sql =>
  allOf([
    sql(counted('v.rid')),
    scope,
    sql('v.version > 0'),
    ...(since === undefined ? [] : [sql('v.updated >= ?', since)]),
    ...(at === undefined ? [] : [wasCurrent(at)]),
  ]);

const rowsOf = (
  table: 'resource' | 'history',
  scope: Sql,
  page: HistoryPage,
  limit: number,
  runner: Runner,
): Found[] => {
  const { after } = page;
  const condition = allOf([
    isWithin(scope, page),
    ...(after === undefined
      ? []
      : [
          sql(
            'v.updated <= ? AND (v.updated, v.rid, v.version) < (?, ?, ?)',
            after[0] as number,
            ...(after as number[]),
          ),
        ]),
  ]);
  const rows = runner.rows(
    sql(
      `SELECT v.rid, v.version, v.updated FROM ${table} v WHERE ${condition.text} ORDER BY v.updated DESC, v.rid DESC, v.version DESC LIMIT ?`,
      ...condition.values,
      limit,
    ),
  );
  return rows.map(([rid, version, updated]) => ({ rid, version, updated }) as Found);
};

const scopesOf = ({ type, id, sources }: HistoryScope, connection: Connection, { names }: Runner): Sql[] => {
  const symbols = sources === undefined ? undefined : [...new Set(sources)].flatMap((text) => names.symbol(text) ?? []);
  /** Each source by itself, as each has an order of its own in the index. */
  const ofSources = (part: Sql, column = 'v.source'): Sql[] =>
    symbols === undefined ? [part] : symbols.map((symbol) => allOf([part, sql(`${column} = ?`, symbol)]));
  if (type !== undefined && id !== undefined)
    // The sign keeps SQLite from the index of all that the source has pushed.
    return ofSources(sql('v.rid = ?', names.rid({ type, id }) ?? NOTHING), '+v.source');
  if (type !== undefined) return ofSources(sql('v.type = ?', names.symbol(type) ?? NOTHING));
  const types = connection.prepare('SELECT DISTINCT type FROM resource').pluck().all() as number[];
  return types.flatMap((symbol) => ofSources(sql('v.type = ?', symbol)));
};

/** What `after` must be to go on behind a version. */
export const historyKey = ({ updated, rid, version }: Found): PageKey => [updated, rid, version];

/** The versions of one page, without their texts. */
export const historyPage = (
  scope: HistoryScope,
  page: HistoryPage,
  connection: Connection,
  runner: Runner,
): Page<Found> => {
  const limit = page.count + 1;
  const found = scopesOf(scope, connection, runner)
    .flatMap((part) => [
      ...rowsOf('resource', part, page, limit, runner),
      ...rowsOf('history', part, page, limit, runner),
    ])
    .sort(newestFirst);
  const items = found.slice(0, page.count);
  const last = items.at(-1);
  return found.length > page.count && last !== undefined ? { items, next: historyKey(last) } : { items };
};

/** When something of the scope was written last. The next commit is of the same instant or later. */
export const newestInstant = (scope: HistoryScope, connection: Connection, runner: Runner): number | undefined => {
  const instants = scopesOf(scope, connection, runner).map(({ text, values }) =>
    runner.value(sql(`SELECT max(v.updated) FROM resource v WHERE ${text} AND v.version > 0`, ...values)),
  );
  return instants.reduce<number | undefined>(
    (newest, instant) => Math.max(newest ?? 0, instant ?? 0) || undefined,
    undefined,
  );
};

/** How many versions all pages have together. */
export const historyCount = (
  scope: HistoryScope,
  times: HistoryTimes,
  connection: Connection,
  runner: Runner,
): number => {
  const counts = scopesOf(scope, connection, runner).flatMap((part) =>
    ['resource', 'history'].map((table) => {
      const { text, values } = isWithin(part, times);
      return runner.value(sql(`SELECT count(*) FROM ${table} v WHERE ${text}`, ...values));
    }),
  );
  return counts.reduce((total, count) => total + count, 0);
};

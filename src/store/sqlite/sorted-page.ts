/**
 * A page in the order of sort keys. Few candidates are sorted; for many, the index of the key is walked in its order.
 * Both give the same order and the same page keys, `[...keys, rid]`, so that a later page may go the other way. Resources
 * without a value come last in either direction; ties go by rid, in the direction of the first key.
 *
 * @see https://hl7.org/fhir/R4/search.html#sort
 */
import type { PageKey, SortKey } from '../../search/search-query.ts';
import { FORMS } from '../range-forms.ts';
import { counted } from './budget.ts';
import { type CompiledClause, foundBy, NOTHING } from './compiled-clause.ts';
import { COUNT_LIMIT, othersOf, type Plan, probes, type Runner } from './plan.ts';
import type { Found } from './search.ts';
import { allOf, anyOf, type Sql, sql } from './sql.ts';

type ParamKey = Extract<SortKey, { by: 'param' }>;
/** Tables that lead from a resource to its values. */
const VALUE_TABLES: Readonly<Partial<Record<ParamKey['entries'], { table: string; column: string }>>> = {
  date: { table: 'date', column: 'lo' },
  string: { table: 'string', column: 'value' },
  number: { table: 'quantity', column: 'lo' },
  quantity: { table: 'quantity', column: 'lo' },
};
/** The others are found in the lines of the resource, by their tag. */
const TAGS: Readonly<Partial<Record<ParamKey['entries'], string>>> = { token: 't', uri: 'u', reference: 'r' };

const paramsOf = ({ param }: ParamKey, plans: readonly Plan[], { names }: Runner): string =>
  plans.map(({ name }) => names.param(name, param) ?? NOTHING).join(', ');

/** The key of the resource `r`; NULL if it has no value. */
const keyOf = (key: SortKey, plans: readonly Plan[], runner: Runner): string => {
  if (key.by !== 'param') return key.by === 'id' ? 'r.id' : 'r.updated';
  const params = paramsOf(key, plans, runner);
  const pick = key.isDescending ? 'max' : 'min';
  const known = VALUE_TABLES[key.entries];
  if (known !== undefined) {
    const { table, column } = known;
    return `(SELECT ${pick}(k.${column}) FROM ${table} k WHERE k.rid = r.rid AND k.param IN (${params}))`;
  }
  const lines = `json_each('[' || replace(r.index_rows, char(10), ',') || ']')`;
  const isOfParam = `json_extract(k.value, '$[0]') = '${TAGS[key.entries]}' AND json_extract(k.value, '$[1]') IN (${params})`;
  const value = `json_extract(k.value, '$[2]')`;
  return key.entries === 'reference'
    ? `(SELECT ${pick}(t.id) FROM ${lines} k JOIN resource t ON t.rid = ${value} WHERE ${isOfParam})`
    : `(SELECT ${pick}(${value}) FROM ${lines} k WHERE ${isOfParam})`;
};

/** Whether a row comes behind the last of the page before. */
const isBehind = (sort: readonly SortKey[], after: PageKey): Sql => {
  const directions = [...sort.map(({ isDescending }) => isDescending), sort[0]?.isDescending ?? false];
  const columns = [...sort.map((_, at) => `k${at}`), 'rid'];
  const alternatives = columns.map((column, at): Sql => {
    const equal = columns.slice(0, at).map((name, before) => {
      const value = after[before] ?? null;
      return value === null ? sql(`${name} IS NULL`) : sql(`${name} = ?`, value);
    });
    const value = after[at] ?? null;
    if (value === null) return sql('0');
    const isNext = sql(`(${column} ${directions[at] ? '<' : '>'} ? OR ${column} IS NULL)`, value);
    return allOf([...equal, isNext]);
  });
  return anyOf(alternatives);
};

/** Whether so few resources can match that they are better sorted than looked for in the order of an index. */
export const isFew = ({ leader }: Plan): boolean => leader !== undefined && leader.rows < COUNT_LIMIT;

const sortedCandidates = (
  sort: readonly SortKey[],
  plans: readonly Plan[],
  limit: number,
  after: PageKey | undefined,
  runner: Runner,
): Found[] => {
  const candidates = anyOf(
    plans.map((plan) => {
      const few = isFew(plan) ? foundBy(plan.leader as CompiledClause, runner) : undefined;
      return allOf([
        sql(`${counted('r.rid')} AND r.type = ? AND r.live = 1`, plan.type),
        ...(few === undefined ? [] : [sql(`r.rid IN (${few.text})`, ...few.values)]),
        probes(few === undefined ? plan.clauses : othersOf(plan), 'r.rid'),
      ]);
    }),
  );
  const keys = sort.map((key, at) => `${keyOf(key, plans, runner)} AS k${at}`);
  const behind = after === undefined ? sql('1') : isBehind(sort, after);
  const order = sort.flatMap(({ isDescending }, at) => [`k${at} IS NULL`, `k${at} ${isDescending ? 'DESC' : 'ASC'}`]);
  const rows = runner.rows(
    sql(
      `SELECT * FROM (SELECT ${keys.join(', ')}, r.rid AS rid FROM resource r WHERE ${candidates.text}) WHERE ${behind.text}` +
        ` ORDER BY ${order.join(', ')}, rid ${sort[0]?.isDescending ? 'DESC' : 'ASC'} LIMIT ?`,
      ...candidates.values,
      ...behind.values,
      limit,
    ),
  );
  return rows.map((row) => ({ rid: row.at(-1) as number, key: row }));
};

/** Walks an index of `resource` itself. */
const walkedColumn = (key: SortKey, plan: Plan, limit: number, after: PageKey | undefined, runner: Runner): Found[] => {
  const column = key.by === 'id' ? 'r.id' : 'r.updated';
  const direction = key.isDescending ? 'DESC' : 'ASC';
  const behind =
    after === undefined
      ? sql('1')
      : sql(`(${column}, r.rid) ${key.isDescending ? '<' : '>'} (?, ?)`, ...(after as [string | number, number]));
  const rest = probes(plan.clauses, 'r.rid');
  const rows = runner.rows(
    sql(
      `SELECT ${column}, r.rid FROM resource r WHERE ${counted('r.rid')} AND r.type = ? AND r.live = 1 AND r.version > 0 AND ${behind.text} AND ${rest.text}` +
        ` ORDER BY ${column} ${direction}, r.rid ${direction} LIMIT ?`,
      plan.type,
      ...behind.values,
      ...rest.values,
      limit,
    ),
  );
  return rows.map((row) => ({ rid: row[1] as number, key: row }));
};

/** The rows of one range of an index table, each resource at its first (or, descending, last) value. */
const walkedRows = (
  { isDescending }: SortKey,
  { table, column }: { table: string; column: string },
  rows: Sql,
  plan: Plan,
  limit: number,
  after: PageKey | undefined,
  runner: Runner,
): Found[] => {
  const direction = isDescending ? 'DESC' : 'ASC';
  const behind =
    after === undefined
      ? sql('1')
      : sql(`(o.${column}, o.rid) ${isDescending ? '<' : '>'} (?, ?)`, ...(after as [string | number, number]));
  const bound =
    after === undefined ? sql('1') : sql(`o.${column} ${isDescending ? '<=' : '>='} ?`, after[0] as string | number);
  const isEnd = `NOT EXISTS (SELECT 1 FROM ${table} e WHERE e.rid = o.rid AND e.param = o.param AND e.${column} ${isDescending ? '>' : '<'} o.${column})`;
  const rest = probes(plan.clauses, 'o.rid');
  const found = runner.rows(
    sql(
      `SELECT DISTINCT o.${column}, o.rid FROM ${table} o WHERE ${counted('o.rid')} AND ${rows.text} AND ${bound.text} AND ${behind.text} AND ${isEnd} AND ${rest.text}` +
        ` ORDER BY o.${column} ${direction}, o.rid ${direction} LIMIT ?`,
      ...rows.values,
      ...bound.values,
      ...behind.values,
      ...rest.values,
      limit,
    ),
  );
  return found.map((row) => ({ rid: row[1] as number, key: row }));
};

const isBefore = (a: Found, b: Found, isDescending: boolean): number => {
  const [one, oneRid] = a.key as [string | number, number];
  const [other, otherRid] = b.key as [string | number, number];
  const order = one === other ? oneRid - otherRid : one < other ? -1 : 1;
  return isDescending ? -order : order;
};

/** Behind all that have a value: those that have none. */
const walkedMissing = (
  key: ParamKey,
  { table }: { table: string },
  plan: Plan,
  limit: number,
  after: PageKey | undefined,
  runner: Runner,
): Found[] => {
  const param = runner.names.param(plan.name, key.param) ?? NOTHING;
  const rest = probes(plan.clauses, 'r.rid');
  const from = after === undefined || after[0] !== null ? undefined : (after[1] as number);
  const bound = from === undefined ? sql('1') : sql(`r.rid ${key.isDescending ? '<' : '>'} ?`, from);
  const rows = runner.rows(
    sql(
      `SELECT r.rid FROM resource r WHERE ${counted('r.rid')} AND r.type = ? AND r.live = 1 AND ${bound.text}` +
        ` AND NOT EXISTS (SELECT 1 FROM ${table} e WHERE e.rid = r.rid AND e.param = ?) AND ${rest.text}` +
        ` ORDER BY r.rid ${key.isDescending ? 'DESC' : 'ASC'} LIMIT ?`,
      plan.type,
      ...bound.values,
      param,
      ...rest.values,
      limit,
    ),
  );
  return rows.map(([rid]) => ({ rid: rid as number, key: [null, rid as number] }));
};

const walkedParam = (key: ParamKey, plan: Plan, limit: number, after: PageKey | undefined, runner: Runner): Found[] => {
  const known = VALUE_TABLES[key.entries];
  if (known === undefined) throw new Error(`No index is in the order of values of the kind ${key.entries}`);
  const param = runner.names.param(plan.name, key.param) ?? NOTHING;
  const found: Found[] = [];
  if (after === undefined || after[0] !== null) {
    const parts =
      key.entries === 'string'
        ? [sql('o.param = ?', param)]
        : Object.values(FORMS).map((form) => sql(`o.param = ? AND o.form = ${form}`, param));
    const pages = parts.flatMap((rows) => walkedRows(key, known, rows, plan, limit, after, runner));
    // A value may stand in two forms, as [2024-01-01, 2024-01-02) and as [2024-01-01, ...).
    const each = new Map(pages.sort((a, b) => isBefore(a, b, key.isDescending)).map((item) => [item.rid, item]));
    found.push(...[...each.values()].slice(0, limit));
  }
  const missing = limit - found.length;
  return missing === 0 ? found : [...found, ...walkedMissing(key, known, plan, missing, after, runner)];
};

/** Whether the index of the sort key is walked, and not what was found sorted. */
export const isWalked = ([key, second]: readonly SortKey[], [plan, another]: readonly Plan[]): boolean =>
  key !== undefined &&
  plan !== undefined &&
  second === undefined &&
  another === undefined &&
  !isFew(plan) &&
  (key.by !== 'param' || VALUE_TABLES[key.entries] !== undefined);

/** One page of the matches of all plans together. */
export const pageSortedByKeys = (
  sort: readonly SortKey[],
  plans: readonly Plan[],
  limit: number,
  after: PageKey | undefined,
  runner: Runner,
): Found[] => {
  const [key] = sort;
  const [plan] = plans;
  if (plan === undefined || key === undefined) return [];
  if (!isWalked(sort, plans)) return sortedCandidates(sort, plans, limit, after, runner);
  return key.by === 'param'
    ? walkedParam(key, plan, limit, after, runner)
    : walkedColumn(key, plan, limit, after, runner);
};

/**
 * Tells how a search is answered: runs it with a runner that notes each statement, and asks SQLite for the plans of those
 * same statements.
 *
 * @see https://www.sqlite.org/eqp.html
 */
import { clauseText, sortText } from '../../search/clause-text.ts';
import type { SearchQuery, TypeSearch } from '../../search/search-query.ts';
import type { ExplainedClause, ExplainedSearch, Explanation } from '../store.ts';
import type { Budget } from './budget.ts';
import { foundBy, type Names } from './compiled-clause.ts';
import type { Connection } from './database.ts';
import { COUNT_LIMIT, createRunner, type Leader, type Plan, type Purpose, type Runner } from './plan.ts';
import { createSearcher } from './search.ts';
import { isFew, isWalked } from './sorted-page.ts';
import { type Sql, sql } from './sql.ts';

interface Step {
  readonly id: number;
  readonly parent: number;
  readonly detail: string;
}

/** Statements of one text, which differ in their values. */
interface Ran {
  readonly purpose: Exclude<Purpose, 'is there any'>;
  readonly statement: Sql;
  times: number;
  rows: number;
  /** Of what was looked up before the search: whether there was too much. */
  isCut: boolean;
}

/** The plan of a statement; SQLite names tables by their alias, here the table stands before it. */
const stepsOf = ({ text, values }: Sql, connection: Connection): Step[] => {
  const tables = new Map(
    [...text.matchAll(/\b(?:FROM|JOIN) (\w+) (?!JOIN|WHERE)(\w+)/g)].map(([, table, alias]) => [alias, table]),
  );
  const steps = connection.prepare<unknown[], Step>(`EXPLAIN QUERY PLAN ${text}`).all(...values);
  return steps.map(({ id, parent, detail }) => {
    const named = detail.replace(/^(SEARCH|SCAN) (\w+)/, (whole, verb: string, alias: string) => {
      const table = tables.get(alias);
      return table === undefined ? whole : `${verb} ${table} ${alias}`;
    });
    return { id, parent, detail: named };
  });
};

/** A step a line, indented by two spaces below the one that it is part of. */
const linesOf = (steps: readonly Step[]): string[] => {
  const depths = new Map([[0, 0]]);
  return steps.map(({ id, parent, detail }) => {
    const depth = (depths.get(parent) ?? 0) + 1;
    depths.set(id, depth);
    return `${'  '.repeat(depth)}${detail}`;
  });
};

const headingOf = ({ purpose, times, rows, isCut }: Ran): string => {
  const many = times === 1 ? '' : `, ${times} times`;
  switch (purpose) {
    case 'resolve':
      return isCut
        ? `resolved before the search${many}: too many, so each resource is asked for its own`
        : `resolved before the search${many}: found ${rows}`;
    case 'count':
      return `counted up to ${COUNT_LIMIT} rows to choose what leads${many}: found ${rows}`;
    case 'search':
      return `searched${many}: found ${rows}`;
  }
};

/** `SEARCH date i0 USING COVERING INDEX date_by_resource (rid=? AND param=?)` uses `date (date_by_resource)`. */
const STEP =
  /^(?:SEARCH|SCAN) (\w+) (?:(\w+) )??(?:EXISTS )?(?:USING [A-Z ]*?(?:INDEX (\w+)|PRIMARY KEY)|(VIRTUAL TABLE))/;

const indexesOf = (steps: readonly Step[]): string[] => {
  const used = steps.flatMap(({ detail }) => {
    const [match, table, alias, index, isVirtual] = STEP.exec(detail) ?? [];
    if (match === undefined || alias === SUBJECT) return [];
    return [`${table} (${isVirtual === undefined ? (index ?? 'primary key') : 'full text'})`];
  });
  return [...new Set(used)];
};

/** The name of the resource of which a clause is asked. */
const SUBJECT = 'subject';

const probeIndexes = ({ clauses }: Plan, position: number, connection: Connection): string[] => {
  const probe = clauses[position]?.probe(`${SUBJECT}.rid`) ?? sql('1');
  const statement = sql(
    `SELECT 1 FROM resource ${SUBJECT} WHERE ${SUBJECT}.rid = ? AND ${probe.text}`,
    0,
    ...probe.values,
  );
  return indexesOf(stepsOf(statement, connection));
};

/** Which clause is read for resources; none where the index of a sort key, or of the type, is read instead. */
const leadingOf = ({ sort, count }: SearchQuery, plan: Plan): Leader | undefined =>
  sort.length === 0 || count === 0 || isFew(plan) ? plan.leader : undefined;

const explainedClauses = (
  { clauses }: TypeSearch,
  plan: Plan | undefined,
  leading: Leader | undefined,
  connection: Connection,
  runner: Runner,
): ExplainedClause[] =>
  clauses.map((clause, position) => {
    const text = clauseText(clause);
    if (plan === undefined) return { text, role: 'unused', indexes: [] };
    const candidate = plan.leaders.find((leader) => leader.position === position);
    const counted =
      candidate === undefined ? {} : { rows: candidate.rows, hasMoreRows: candidate.rows >= candidate.limit };
    if (leading?.position !== position)
      return { text, role: 'probed', indexes: probeIndexes(plan, position, connection), ...counted };
    const found = foundBy(leading, runner) ?? sql('SELECT 1');
    return { text, role: 'leads', indexes: indexesOf(stepsOf(found, connection)), ...counted };
  });

const RID = 'the number of the resource in the store';

const sortedOrder = ({ sort }: SearchQuery, plans: readonly Plan[], leading: Leader | undefined): string => {
  const how = isWalked(sort, plans)
    ? 'an index of the sort key is read in its order'
    : leading === undefined
      ? 'all resources of the type are sorted'
      : 'what the leading clause finds is sorted';
  return `by ${sort.map(sortText).join('; then ')}; without a value last; then by ${RID}: ${how}`;
};

const unsortedOrder = ({ searches }: SearchQuery, leading: Leader | undefined): string => {
  const after = searches.length > 1 ? '; one type behind the other' : '';
  if (leading === undefined) return `by ${RID}, as the index of the type has it${after}`;
  if (leading.lead === 'points') return `by ${RID}, as the index of the leading clause has it${after}`;
  const parts = leading.legs.length > 1 ? ', one part of it behind the other' : '';
  return `by ${leading.key.join(', ')}, then ${RID}, as the index of the leading clause has it${parts}${after}`;
};

const orderOf = (
  query: SearchQuery,
  type: string,
  plans: readonly Plan[],
  leading: Leader | undefined,
  names: Names,
): string => {
  if (names.symbol(type) === undefined) return 'none: nothing of this type is stored';
  if (query.count === 0) return 'none: only the total is asked for';
  if (!plans.some(({ name }) => name === type)) return 'none: the page was full before this type';
  return query.sort.length > 0 ? sortedOrder(query, plans, leading) : unsortedOrder(query, leading);
};

/** Makes the function that runs a search within the budget and tells how; it throws what the search throws. */
export const createExplainer =
  (connection: Connection, names: Names, budget: Budget): ((query: SearchQuery) => Explanation) =>
  (query) => {
    const plans: Plan[] = [];
    const statements = new Map<string, Ran>();
    const runner = createRunner(connection, names, {
      planned: (plan) => plans.push(plan),
      ran: (purpose, statement, found) => {
        if (purpose === 'is there any') return;
        const known = statements.get(statement.text);
        const ran = known ?? { purpose, statement, times: 0, rows: 0, isCut: false };
        ran.times++;
        ran.rows += purpose === 'count' ? Number(found[0]?.[0]) : found.length;
        // What is resolved is limited to one more than is wanted.
        ran.isCut ||= purpose === 'resolve' && found.length === statement.values.at(-1);
        if (known === undefined) statements.set(statement.text, ran);
      },
    });
    const searcher = createSearcher(runner);
    const begin = performance.now();
    const { result, rows } = budget.spend(() => {
      if (query.count === 0) return { matches: searcher.count(query), hasMore: false };
      const { items, next } = searcher.page(query);
      return { matches: items.length, hasMore: next !== undefined };
    });
    const milliseconds = Math.round((performance.now() - begin) * 1000) / 1000;

    const searches = query.searches.map((search): ExplainedSearch => {
      const { type } = search;
      const plan = plans.find(({ name }) => name === type);
      const leading = plan === undefined ? undefined : leadingOf(query, plan);
      const clauses = explainedClauses(search, plan, leading, connection, runner);
      return { type, clauses, order: orderOf(query, type, plans, leading, names) };
    });
    const plan = [...statements.values()].flatMap((ran) => [
      headingOf(ran),
      ...linesOf(stepsOf(ran.statement, connection)),
    ]);
    return { searches, plan, rowsTouched: rows, milliseconds, ...result };
  };

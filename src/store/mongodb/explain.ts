/** Tells how a search is answered: runs it, and asks the database for the plans of the commands that it was. */
import { clauseText, sortText } from '../../search/clause-text.ts';
import type { SearchQuery, TypeSearch } from '../../search/search-query.ts';
import type { ExplainedClause, ExplainedSearch, Explanation } from '../store.ts';
import { type Commands, type Ran, startCommands } from './commands.ts';
import { createClauseCompiler } from './compile-clause.ts';
import type { SearchContext } from './context.ts';
import { commandPlan } from './explain-command.ts';
import { foundCount, foundPage } from './pages.ts';
import type { Plan } from './plan.ts';
import { walkOf } from './sorted.ts';
import { storedTypes } from './stored-types.ts';

const headingOf = ({ purpose, found, command: { collection, hint } }: Ran, { few }: Commands): string => {
  const by = `${collection}, by ${hint ?? 'an index of its choice'}`;
  switch (purpose) {
    case 'choose':
      return `counted up to ${few + 1} documents for each clause to choose what leads: ${by}`;
    case 'resolve':
      return `resolved before the search: ${by}: found ${found}`;
    case 'search':
      return `searched: ${by}: found ${found}`;
  }
};

/** Whether an index in the order of the sort is read, and not what a clause finds. */
const isWalked = (query: SearchQuery, { leader }: Plan): boolean => {
  const walk = query.count === 0 ? undefined : walkOf(query);
  return walk !== undefined && (leader === undefined || walk.index === 'patient_1');
};

const explainedClause = (
  query: SearchQuery,
  search: TypeSearch,
  position: number,
  plan: Plan | undefined,
  { few }: Commands,
): ExplainedClause => {
  const clause = search.clauses[position];
  const text = clause === undefined ? '' : clauseText(clause);
  if (plan === undefined) return { text, role: 'unused', indexes: [] };
  const candidate = plan.candidates.find(({ positions }) => positions.includes(position));
  const counted =
    candidate?.rows === undefined ? {} : { rows: Math.min(candidate.rows, few), hasMoreRows: candidate.rows > few };
  const leads = !isWalked(query, plan) && plan.leader?.positions[0] === position;
  return leads
    ? { text, role: 'leads', indexes: [`resources (${plan.leader?.lead.index})`], ...counted }
    : { text, role: 'probed', indexes: ['resources (the document that was found)'], ...counted };
};

const RID = 'the number of the resource in the store';

const sortedOrder = (query: SearchQuery, plan: Plan): string => {
  const walk = walkOf(query);
  const found =
    plan.leader === undefined ? 'all resources of the type are sorted' : 'what the leading clause finds is sorted';
  const how = isWalked(query, plan) ? `the index ${walk?.index} is read in its order` : found;
  return `by ${query.sort.map(sortText).join('; then ')}; without a value last; then by ${RID}: ${how}`;
};

const orderOf = (query: SearchQuery, isStored: boolean, plan: Plan | undefined): string => {
  if (!isStored) return 'none: nothing of this type is stored';
  if (query.count === 0) return 'none: only the total is asked for';
  if (plan === undefined) return 'none: the page was full before this type';
  if (query.sort.length > 0) return sortedOrder(query, plan);
  const after = query.searches.length > 1 ? '; one type behind the other' : '';
  const { leader } = plan;
  if (leader === undefined) return `by ${RID}, as the index of the type has it${after}`;
  const how =
    leader.lead.points === undefined
      ? 'what the leading clause finds is sorted'
      : 'as the index of the leading clause has it';
  return `by ${RID}, ${how}${after}`;
};

/** Runs a search, and tells how; it throws what the search throws. */
export const explained = async (query: SearchQuery, context: SearchContext): Promise<Explanation> => {
  const plans: Plan[] = [];
  const ran: Ran[] = [];
  const commands = startCommands(context, (each) => ran.push(each));
  const compile = createClauseCompiler(commands);
  const searching = { commands, compile, now: context.now, planned: (plan: Plan) => plans.push(plan) };
  const begin = performance.now();
  const page = query.count === 0 ? undefined : await foundPage(query, searching);
  const matches = page === undefined ? await foundCount(query, searching) : page.documents.length;
  const milliseconds = Math.round((performance.now() - begin) * 1000) / 1000;

  const told = await Promise.all(
    ran.map(async (each) => {
      // What was counted to choose a clause is no part of the answer.
      if (each.purpose === 'choose') return { lines: [headingOf(each, commands)], rows: 0 };
      const { lines, documentsExamined } = await commandPlan(each, context);
      return { lines: [headingOf(each, commands), ...lines], rows: Math.max(documentsExamined, each.found) };
    }),
  );
  const stored = new Set(await storedTypes(startCommands(context)));
  const searches = query.searches.map((search): ExplainedSearch => {
    const { type, clauses } = search;
    const known = stored.has(type) ? plans.find(({ types }) => types.includes(type)) : undefined;
    return {
      type,
      clauses: clauses.map((_, position) => explainedClause(query, search, position, known, commands)),
      order: orderOf(query, stored.has(type), known),
    };
  });
  return {
    searches,
    plan: told.flatMap(({ lines }) => lines),
    rowsTouched: told.reduce((sum, { rows }) => sum + rows, 0),
    milliseconds,
    matches,
    hasMore: page?.next !== undefined,
  };
};

/** Everything that the store reads by searching: pages, totals, includes, histories, and how a search is answered. */
import { sortParams } from '../../search/sort-params.ts';
import type { Store } from '../store.ts';
import { startCommands } from './commands.ts';
import { createClauseCompiler } from './compile-clause.ts';
import type { SearchContext } from './context.ts';
import { explained } from './explain.ts';
import { versionsOfFound } from './found.ts';
import { historyCount, historyPage } from './history.ts';
import { foundCount, foundPage, type Searching } from './pages.ts';
import { relatedDocuments } from './related.ts';

type Searches = Pick<Store, 'search' | 'related' | 'count' | 'history' | 'countHistory' | 'explain'>;

/** What one search is made with, in the time of a search. */
export const searchingWith = (context: SearchContext): Searching => {
  const commands = startCommands(context);
  return { commands, compile: createClauseCompiler(commands), now: context.now, planned: () => {} };
};

/** Each call has the time of a search. */
export const createSearches = (context: SearchContext): Searches => ({
  search: async (query) => {
    const { documents, next } = await foundPage(query, searchingWith(context));
    const items = await versionsOfFound(documents, context);
    const orderedBy = sortParams(query.sort);
    if (next === undefined) return { items, orderedBy };
    return { items, next, orderedBy, ...(query.after === undefined ? { asOf: context.now() } : {}) };
  },
  count: (query) => foundCount(query, searchingWith(context)),
  related: async (matches, includes, limit, bytes) => {
    const { documents, ...cut } = await relatedDocuments(matches, includes, { limit, bytes }, startCommands(context));
    return { items: await versionsOfFound(documents, context), ...cut };
  },
  history: async (scope, page) => {
    // Before the page is read: what another instance is still about to commit may have its instant from before.
    const asOf = context.now() - context.lateMilliseconds;
    return { ...(await historyPage(scope, page, context, startCommands(context))), asOf };
  },
  countHistory: (scope, times) => historyCount(scope, times, startCommands(context)),
  explain: (query) => explained(query, context),
});

/** Searches on a database of their own, beside a store that writes to it; every command that they send is noted. */
import { MongoClient } from 'mongodb';
import type { Test } from 'tap';
import type { SearchQuery } from '../../../src/search/search-query.ts';
import { openBodies } from '../../../src/store/mongodb/bodies.ts';
import { openCollections } from '../../../src/store/mongodb/collections.ts';
import { type Ran, startCommands } from '../../../src/store/mongodb/commands.ts';
import { createClauseCompiler } from '../../../src/store/mongodb/compile-clause.ts';
import type { SearchContext } from '../../../src/store/mongodb/context.ts';
import { foundPage } from '../../../src/store/mongodb/pages.ts';
import type { Plan } from '../../../src/store/mongodb/plan.ts';
import { createSearches } from '../../../src/store/mongodb/search.ts';
import type { Store } from '../../../src/store/store.ts';
import { OPTIONS, openInstance, temporaryDatabase } from './temporary-store.ts';

/** What one page was made of. */
interface Watched {
  readonly plans: readonly Plan[];
  readonly ran: readonly Ran[];
  /** In the order in which they were found. */
  readonly ids: readonly string[];
}

interface TemporarySearches {
  readonly store: Store;
  readonly searches: ReturnType<typeof createSearches>;
  readonly context: SearchContext;
  /** The names of the commands that reached the database while `action` ran. */
  commandsOf(action: () => Promise<unknown>): Promise<string[]>;
  watched(query: SearchQuery): Promise<Watched>;
}

export const openTemporarySearches = async (
  t: Test,
  searchLimits = OPTIONS.searchLimits,
): Promise<TemporarySearches> => {
  const place = temporaryDatabase(t);
  const store = await openInstance(t, place);
  const client = new MongoClient(place.url, { monitorCommands: true });
  t.teardown(() => client.close());
  const sent: string[] = [];
  client.on('commandStarted', ({ commandName }) => sent.push(commandName));
  const { database, resources, history } = openCollections(client, place.database);
  const now = Date.now;
  const { versionsOf } = openBodies({ database, resources, history, now });
  const context: SearchContext = { resources, history, versionsOf, searchLimits, now, lateMilliseconds: 120_000 };
  // The connection is made before anything is noted.
  await database.command({ ping: 1 });
  return {
    store,
    searches: createSearches(context),
    context,
    commandsOf: async (action) => {
      sent.length = 0;
      await action();
      return [...sent];
    },
    watched: async (query) => {
      const ran: Ran[] = [];
      const plans: Plan[] = [];
      const commands = startCommands(context, (each) => ran.push(each));
      const compile = createClauseCompiler(commands);
      const { documents } = await foundPage(query, { commands, compile, now, planned: (plan) => plans.push(plan) });
      return { plans, ran, ids: documents.map(({ id }) => id) };
    },
  };
};

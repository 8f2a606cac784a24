/**
 * The one doorway: a store that shows and takes what a caller's rights permit. What is hidden is as if it were not there,
 * in reads and histories, in searches and their totals, in includes, chains and conditions.
 */
import { forbidden } from '../fhir/fhir-error.ts';
import type { SearchQuery } from '../search/search-query.ts';
import type { Records, Store, Transfer } from '../store/store.ts';
import type { ScopedRule } from './access-rule.ts';
import type { Visit } from './access-server.ts';
import { guardedCommit } from './guard-commit.ts';
import { isUnlimited, narrowedRelated } from './guard-related.ts';
import { isVersionSeen, isVersionWithin, narrowedHistory, narrowedHistoryCount } from './guard-versions.ts';
import { limitsOf, onlySources } from './limits.ts';
import { narrowedQuery } from './narrow-query.ts';

const refuse = async (): Promise<never> => {
  throw forbidden('This is for the server itself, and for nobody who asks it');
};

// One for all requests: to make objects with so many members takes longer than the rest of a read's judgement.
const NO_RECORDS: Records = { get: refuse, list: refuse, put: refuse, delete: refuse };
const NO_TRANSFER: Transfer = { histories: refuse, references: refuse, reserve: refuse, restore: refuse };
const stay = async (): Promise<void> => undefined;

/** The store as the caller of a visit may use it by a rule. */
export const guardStore = (visit: Visit, rule: ScopedRule): Store => {
  const { store } = visit.server;
  const { reads, searches, isSilent } = rule;
  return {
    records: NO_RECORDS,
    transfer: NO_TRANSFER,
    read: async (reference, version) => {
      const limits = limitsOf(visit, reference.type, reads);
      if (limits === 'unscoped') return undefined;
      const found = await store.read(reference, version, onlySources(limits));
      if (found === undefined || limits === 'everything') return found;
      const isSeen = version === undefined ? isVersionWithin(visit, limits, found) : isVersionSeen(visit, reads, found);
      return (await isSeen) ? found : undefined;
    },
    history: (scope, page) => narrowedHistory(visit, scope, page, reads),
    countHistory: (scope, times) => narrowedHistoryCount(visit, scope, times, reads),
    search: async (query) => {
      const narrowed = await narrowedQuery(visit, query, searches, isSilent);
      return narrowed === undefined ? { items: [], orderedBy: [] } : store.search(narrowed);
    },
    findEach: async (queries) => {
      const narrowed: (SearchQuery | undefined)[] = [];
      for (const query of queries) narrowed.push(await narrowedQuery(visit, query, searches, isSilent));
      const found = (await store.findEach(narrowed.filter((query) => query !== undefined))).values();
      return narrowed.map((query) => (query === undefined ? [] : (found.next().value ?? [])));
    },
    count: async (query) => {
      const narrowed = await narrowedQuery(visit, query, searches, isSilent);
      return narrowed === undefined ? 0 : store.count(narrowed);
    },
    related: async (matches, includes, limit, bytes) =>
      isUnlimited(visit, includes)
        ? store.related(matches, includes, limit, bytes)
        : narrowedRelated(visit, matches, includes, limit, bytes),
    explain: refuse,
    commit: (writes, expected) => guardedCommit(visit, rule, writes, expected),
    close: stay,
  };
};

/** Searches and histories on a reading connection, each in one snapshot and within the limits of a search. */
import type { Reference } from '../../fhir/reference.ts';
import type { Include, SearchQuery } from '../../search/search-query.ts';
import type { Explanation, HistoryPage, HistoryScope, HistoryTimes, Page, Version } from '../store.ts';
import { createBudget, type SearchLimits } from './budget.ts';
import type { Connection } from './database.ts';
import { createExplainer } from './explain.ts';
import { fittingVersions, openFittingVersions } from './fitting-versions.ts';
import { historyCount, historyKey, historyPage, newestInstant } from './history.ts';
import { openNames } from './names.ts';
import { orderParams } from './page-order.ts';
import { createRunner } from './plan.ts';
import { relatedRids } from './related.ts';
import { createSearcher } from './search.ts';

/** What a reading thread can be asked. */
export type ReadRequest =
  | { readonly kind: 'search'; readonly query: SearchQuery }
  | { readonly kind: 'count'; readonly query: SearchQuery }
  | { readonly kind: 'find-each'; readonly queries: readonly SearchQuery[] }
  | { readonly kind: 'explain'; readonly query: SearchQuery }
  | { readonly kind: 'history'; readonly scope: HistoryScope; readonly page: HistoryPage }
  | { readonly kind: 'count-history'; readonly scope: HistoryScope; readonly times: HistoryTimes }
  | {
      readonly kind: 'related';
      readonly matches: readonly Reference[];
      readonly includes: readonly Include[];
      readonly limit: number;
      readonly bytes: number | undefined;
    };

export interface ReadResult {
  /** Of a history, and of the first page of a search in an order that may change. */
  readonly asOf?: number;
  /** Of a search. */
  readonly orderedBy?: readonly string[];
  readonly versions?: Page<Version>;
  readonly isCut?: boolean;
  readonly isOverBytes?: boolean;
  readonly count?: number;
  /** What each search found. */
  readonly found?: readonly (readonly Reference[])[];
  readonly explanation?: Explanation;
}

/** Throws TooCostly at a limit; at that of time what `timeIsUp` makes, if it is given. */
export const createReader = (
  connection: Connection,
  limits: SearchLimits,
  timeIsUp?: () => Error,
): ((request: ReadRequest) => ReadResult) => {
  const budget = createBudget(connection, limits, timeIsUp);
  const names = openNames(connection);
  const runner = createRunner(connection, names);
  const searcher = createSearcher(runner);
  const explained = createExplainer(connection, names, budget);
  const { currentOf, versionAt } = openFittingVersions(connection);
  const selectReference = connection.prepare<[number], Reference>(
    'SELECT s.text AS type, r.id FROM resource r JOIN symbol s ON s.id = r.type WHERE r.rid = ?',
  );

  const newestOf = (scope: HistoryScope): number | undefined => newestInstant(scope, connection, runner);

  const found = ({ searches, count }: SearchQuery): Reference[] =>
    searcher.page({ searches, sort: [], count }).items.map(({ rid }) => selectReference.get(rid) as Reference);

  const read = (request: ReadRequest): ReadResult => {
    switch (request.kind) {
      case 'search': {
        const { query } = request;
        const page = searcher.page(query);
        const { versions: items, last } = fittingVersions(page.items, query.bytes, 1, currentOf);
        const next = last?.key ?? page.next;
        const orderedBy = orderParams(query, [query.after, next]);
        const isFirst = query.after === undefined && next !== undefined;
        const instants = isFirst && orderedBy.length > 0 ? query.searches.map(({ type }) => newestOf({ type })) : [];
        const asOf = Math.max(0, ...instants.map((instant) => instant ?? 0));
        return {
          versions: { items, ...(next === undefined ? {} : { next }) },
          orderedBy,
          ...(asOf === 0 ? {} : { asOf }),
        };
      }
      case 'count':
        return { count: searcher.count(request.query) };
      case 'find-each':
        return { found: request.queries.map(found) };
      case 'explain':
        return { explanation: explained(request.query) };
      case 'count-history':
        return { count: historyCount(request.scope, request.times, connection, runner) };
      case 'history': {
        const page = historyPage(request.scope, request.page, connection, runner);
        const { versions: items, last } = fittingVersions(page.items, request.page.bytes, 1, versionAt);
        const next = last === undefined ? page.next : historyKey(last);
        const asOf = newestOf(request.scope);
        return {
          versions: { items, ...(next === undefined ? {} : { next }) },
          ...(asOf === undefined ? {} : { asOf }),
        };
      }
      case 'related': {
        const rids = request.matches.flatMap((match) => names.rid(match) ?? []);
        const found = relatedRids(rids, request.includes, request.limit, connection, runner);
        const loaded = fittingVersions(
          found.rids.map((rid) => ({ rid })),
          request.bytes,
          0,
          currentOf,
        );
        return {
          versions: { items: loaded.versions },
          isCut: found.isCut || loaded.isCut,
          isOverBytes: loaded.isCut,
        };
      }
    }
  };
  /** Several statements must see one state of the database. */
  const inSnapshot = connection.transaction(read) as (request: ReadRequest) => ReadResult;
  return (request) => budget.spend(() => inSnapshot(request)).result;
};

/** Searches and histories on a reading connection, each in one snapshot and within the limits of a search. */
import type { Reference } from '../../fhir/reference.ts';
import type { Include, SearchQuery } from '../../search/search-query.ts';
import type { Action, Explanation, HistoryPage, HistoryScope, HistoryTimes, Page, Version } from '../store.ts';
import { unpackedBody } from './body.ts';
import { createBudget, type SearchLimits } from './budget.ts';
import type { Connection } from './database.ts';
import { createExplainer } from './explain.ts';
import { historyCount, historyPage, newestInstant } from './history.ts';
import { openNames } from './names.ts';
import { createRunner } from './plan.ts';
import { relatedRids } from './related.ts';
import { createSearcher } from './search.ts';

/** What a reading thread can be asked. */
export type ReadRequest =
  | { readonly kind: 'search'; readonly query: SearchQuery }
  | { readonly kind: 'count'; readonly query: SearchQuery }
  | { readonly kind: 'explain'; readonly query: SearchQuery }
  | { readonly kind: 'history'; readonly scope: HistoryScope; readonly page: HistoryPage }
  | { readonly kind: 'count-history'; readonly scope: HistoryScope; readonly times: HistoryTimes }
  | {
      readonly kind: 'related';
      readonly matches: readonly Reference[];
      readonly includes: readonly Include[];
      readonly limit: number;
    };

export interface ReadResult {
  /** Of a history. */
  readonly asOf?: number;
  readonly versions?: Page<Version>;
  readonly isCut?: boolean;
  readonly count?: number;
  readonly explanation?: Explanation;
}

export interface VersionRow {
  readonly type: string;
  readonly id: string;
  readonly version: number;
  readonly updated: number;
  readonly live: number;
  /** An index of `ACTIONS`. */
  readonly action: number;
  readonly body: Buffer;
}

/** As they are numbered in the database. */
export const ACTIONS: readonly Action[] = ['delete', 'create', 'update-as-create', 'update'];

export const versionOf = ({ type, id, version, updated, live, action, body }: VersionRow): Version => ({
  type,
  id,
  version,
  lastUpdated: updated,
  isDeleted: live === 0,
  action: ACTIONS[action] ?? 'update',
  text: unpackedBody(body),
});

const COLUMNS = 's.text AS type, r.id, v.version, v.updated, v.live, v.action, v.body';

/** The current version of a resource, and a superseded one, by rid. */
export const versionStatements = (connection: Connection) => ({
  current: connection.prepare<[number], VersionRow>(
    `SELECT ${COLUMNS} FROM resource r JOIN resource v ON v.rid = r.rid JOIN symbol s ON s.id = r.type WHERE r.rid = ?`,
  ),
  superseded: connection.prepare<[number, number], VersionRow>(
    `SELECT ${COLUMNS} FROM history v JOIN resource r ON r.rid = v.rid JOIN symbol s ON s.id = r.type WHERE v.rid = ? AND v.version = ?`,
  ),
});

export const createReader = (connection: Connection, limits: SearchLimits): ((request: ReadRequest) => ReadResult) => {
  const budget = createBudget(connection, limits);
  const names = openNames(connection);
  const runner = createRunner(connection, names);
  const searcher = createSearcher(runner);
  const explained = createExplainer(connection, names, budget);
  const { current, superseded } = versionStatements(connection);
  const currentOf = (rid: number): Version => versionOf(current.get(rid) as VersionRow);
  const versionAt = ({ rid, version }: { rid: number; version: number }): Version => {
    const newest = current.get(rid) as VersionRow;
    return versionOf(newest.version === version ? newest : (superseded.get(rid, version) as VersionRow));
  };

  const read = (request: ReadRequest): ReadResult => {
    switch (request.kind) {
      case 'search': {
        const { items, ...next } = searcher.page(request.query);
        return { versions: { items: items.map(currentOf), ...next } };
      }
      case 'count':
        return { count: searcher.count(request.query) };
      case 'explain':
        return { explanation: explained(request.query) };
      case 'count-history':
        return { count: historyCount(request.scope, request.times, connection, runner) };
      case 'history': {
        const { items, ...next } = historyPage(request.scope, request.page, connection, runner);
        const asOf = newestInstant(request.scope, connection, runner);
        return { versions: { items: items.map(versionAt), ...next }, ...(asOf === undefined ? {} : { asOf }) };
      }
      case 'related': {
        const rids = request.matches.flatMap((match) => names.rid(match) ?? []);
        const found = relatedRids(rids, request.includes, request.limit, connection, runner);
        return { versions: { items: found.rids.map(currentOf) }, isCut: found.isCut };
      }
    }
  };
  /** Several statements must see one state of the database. */
  const inSnapshot = connection.transaction(read) as (request: ReadRequest) => ReadResult;
  return (request) => budget.spend(() => inSnapshot(request)).result;
};

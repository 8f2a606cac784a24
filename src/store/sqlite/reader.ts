/** Searches and histories on a reading connection, each in one snapshot and within the limits of a search. */
import type { Reference } from '../../fhir/reference.ts';
import type { Include, SearchQuery } from '../../search/search-query.ts';
import type { Action, HistoryPage, HistoryScope, Page, Version } from '../store.ts';
import { createBudget, type SearchLimits } from './budget.ts';
import type { Connection } from './database.ts';
import { historyPage } from './history.ts';
import { openNames } from './names.ts';
import { createRunner } from './plan.ts';
import { relatedRids } from './related.ts';
import { createSearcher } from './search.ts';

/** What a reading thread can be asked. */
export type ReadRequest =
  | { readonly kind: 'search'; readonly query: SearchQuery }
  | { readonly kind: 'count'; readonly query: SearchQuery }
  | { readonly kind: 'history'; readonly scope: HistoryScope; readonly page: HistoryPage }
  | {
      readonly kind: 'related';
      readonly matches: readonly Reference[];
      readonly includes: readonly Include[];
      readonly limit: number;
    };

export interface ReadResult {
  readonly versions?: Page<Version>;
  readonly isCut?: boolean;
  readonly count?: number;
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
  text: body,
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
      case 'history': {
        const { items, ...next } = historyPage(request.scope, request.page, connection, runner);
        return { versions: { items: items.map(versionAt), ...next } };
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

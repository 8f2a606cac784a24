/**
 * Applies commits to the database: the only place that changes it. Knows no FHIR beyond types, ids and versions; what
 * is to be indexed comes with each write.
 */
import { FhirError, type Issue, issue } from '../../fhir/fhir-error.ts';
import { type Reference, referenceText } from '../../fhir/reference.ts';
import { type ResourceText, stampedText } from '../../fhir/resource-text.ts';
import { type Action, type Expectation, RefusedWrite, StaleExpectation, type Write, type Written } from '../store.ts';
import { createBudget } from './budget.ts';
import type { Connection } from './database.ts';
import { indexLines, NO_LINES, openIndexTables } from './index-rows.ts';
import { openNames } from './names.ts';
import { createRunner } from './plan.ts';
import { ACTIONS } from './reader.ts';
import { createSearcher } from './search.ts';
import { openSymbols } from './symbols.ts';

export interface Commit {
  readonly writes: readonly Write[];
  readonly expected: readonly Expectation[];
}

type CommitResult = { readonly written: readonly Written[] } | { readonly error: unknown };

interface Writer {
  /** Applies all, each whole or not at all, and returns when they are durable. Throws if the database itself fails. */
  commitAll(commits: readonly Commit[]): CommitResult[];
}

type Saved = Exclude<Write, { kind: 'delete' }>;

interface Row {
  readonly rid: number;
  readonly version: number;
  readonly updated: number;
  readonly live: number;
  readonly index_rows: string;
  readonly body: Buffer;
}

const EMPTY = Buffer.alloc(0);
/** Rids of resources that were written or referenced lately. */
const RID_CACHE_LIMIT = 100_000;

const refusal = (status: number, code: Issue['code'], text: string): FhirError =>
  new FhirError(status, [issue(code, text)]);

const actionNumber = (action: Action): number => ACTIONS.indexOf(action);

const linesOf = (rows: string): string[] => (rows === '' ? [] : rows.split('\n'));

export const createWriter = (connection: Connection, now: () => number): Writer => {
  const symbols = openSymbols(connection);
  // A condition within a commit has been searched before, within the limits of a search.
  createBudget(connection, { milliseconds: Number.POSITIVE_INFINITY, rows: Number.POSITIVE_INFINITY });
  const searcher = createSearcher(createRunner(connection, openNames(connection, symbols)));
  const index = openIndexTables(connection);
  const select = connection.prepare<[number, string], Row>(
    'SELECT rid, version, updated, live, index_rows, body FROM resource WHERE type = ? AND id = ?',
  );
  const selectRid = connection.prepare('SELECT rid FROM resource WHERE type = ? AND id = ?').pluck();
  const selectId = connection.prepare('SELECT id FROM resource WHERE rid = ?').pluck();
  const insert = connection.prepare(
    `INSERT INTO resource (type, id, version, updated, live, action, index_rows, body) VALUES (?, ?, 0, 0, 0, 0, '', x'')`,
  );
  const change = connection.prepare(
    'UPDATE resource SET version = ?, updated = ?, live = ?, action = ?, index_rows = ?, body = ? WHERE rid = ?',
  );
  const archive = connection.prepare(
    'INSERT INTO history (rid, type, version, updated, live, action, body) SELECT rid, type, version, updated, live, action, body FROM resource WHERE rid = ?',
  );
  const rids = new Map<string, number>();
  const freshRids: string[] = [];
  let clock = 0;

  const remember = (key: string, rid: number): number => {
    if (rids.size >= RID_CACHE_LIMIT) rids.clear();
    rids.set(key, rid);
    return rid;
  };

  /** The rid of a reference's target; a target that is not there gets a row of version 0. */
  const ridOf = (target: Reference): number => {
    const key = referenceText(target);
    const known = rids.get(key);
    if (known !== undefined) return known;
    const type = symbols.intern(target.type);
    const found = selectRid.get(type, target.id) as number | undefined;
    if (found !== undefined) return remember(key, found);
    freshRids.push(key);
    return remember(key, Number(insert.run(type, target.id).lastInsertRowid));
  };

  const supersede = (row: Row): void => {
    archive.run(row.rid);
  };

  const save = ({ kind, resource, entries }: Saved, row: Row | undefined, lastUpdated: number): Written => {
    const version = (row?.version ?? 0) + 1;
    const body = Buffer.from(stampedText(resource, { version, lastUpdated }));
    const rid = row?.rid ?? ridOf(resource);
    if (row !== undefined && row.version > 0) supersede(row);
    const rows = indexLines(resource.type, entries, symbols, ridOf);
    index.replace(rid, linesOf(row?.index_rows ?? ''), rows);
    const outcome = row === undefined || row.live === 0 ? 'created' : 'updated';
    const asCreate = kind === 'create' ? 'create' : 'update-as-create';
    const action = actionNumber(outcome === 'created' ? asCreate : 'update');
    change.run(version, lastUpdated, 1, action, rows.lines.join('\n'), body, rid);
    return { type: resource.type, id: resource.id, outcome, version, lastUpdated };
  };

  const isSame = (row: Row, resource: ResourceText): boolean =>
    row.live === 1 &&
    row.body.equals(Buffer.from(stampedText(resource, { version: row.version, lastUpdated: row.updated })));

  const checkMatch = (reference: Reference, row: Row | undefined, ifMatch: number | undefined): void => {
    if (ifMatch === undefined) return;
    const current = row === undefined || row.live === 0 ? undefined : row.version;
    if (current === ifMatch) return;
    const state = current === undefined ? 'is not there' : `is at version ${current}`;
    throw refusal(412, 'conflict', `If-Match asks for version ${ifMatch}, but ${referenceText(reference)} ${state}`);
  };

  const apply = (write: Write, at: number): Written => {
    const reference = write.kind === 'delete' ? write.reference : write.resource;
    const { type, id } = reference;
    const row = select.get(symbols.intern(type), id);
    const lastUpdated = Math.max(at, row?.updated ?? 0);
    if (write.kind === 'create') {
      if (row !== undefined && row.version > 0)
        throw refusal(409, 'conflict', `${referenceText(reference)} exists already`);
      return save(write, row, lastUpdated);
    }
    checkMatch(reference, row, write.ifMatch);
    if (write.kind === 'update') {
      if (row !== undefined && isSame(row, write.resource))
        return { type, id, outcome: 'unchanged', version: row.version, lastUpdated: row.updated };
      return save(write, row, lastUpdated);
    }
    if (row === undefined || row.live === 0)
      return { type, id, outcome: 'unchanged', version: row?.version ?? 0, lastUpdated: row?.updated ?? 0 };
    supersede(row);
    index.replace(row.rid, linesOf(row.index_rows), NO_LINES);
    change.run(row.version + 1, lastUpdated, 0, actionNumber('delete'), '', EMPTY, row.rid);
    return { type, id, outcome: 'deleted', version: row.version + 1, lastUpdated };
  };

  const checkExpected = ({ query, found }: Expectation): void => {
    const { items } = searcher.page({ ...query, count: found.length + 1 });
    const ids = new Set(found.map(({ id }) => id));
    if (items.length !== found.length || !items.every((rid) => ids.has(selectId.get(rid) as string)))
      throw new StaleExpectation('A condition does not hold any more');
  };

  const checkRequired = (write: Write): void => {
    for (const target of write.kind === 'delete' ? [] : (write.requires ?? []))
      if (select.get(symbols.intern(target.type), target.id)?.live !== 1)
        throw refusal(422, 'business-rule', `The reference ${referenceText(target)} leads to nothing`);
  };

  const eachWrite = <T>(writes: readonly Write[], action: (write: Write) => T): T[] =>
    writes.map((write, position) => {
      try {
        return action(write);
      } catch (error) {
        throw error instanceof FhirError ? new RefusedWrite(error, position) : error;
      }
    });

  const commitOne = ({ writes, expected }: Commit): CommitResult => {
    connection.exec('SAVEPOINT one');
    try {
      for (const expectation of expected) checkExpected(expectation);
      const written = eachWrite(writes, (write) => apply(write, clock));
      eachWrite(writes, checkRequired);
      connection.exec('RELEASE one');
      symbols.settle('kept');
      freshRids.length = 0;
      return { written };
    } catch (error) {
      if (!connection.inTransaction) throw error;
      connection.exec('ROLLBACK TO one; RELEASE one');
      symbols.settle('rolled back');
      for (const key of freshRids.splice(0)) rids.delete(key);
      if (error instanceof RefusedWrite || error instanceof StaleExpectation) return { error };
      throw error;
    }
  };

  return {
    commitAll: (commits) => {
      clock = Math.max(clock, now());
      connection.exec('BEGIN IMMEDIATE');
      try {
        const results = commits.map(commitOne);
        connection.exec('COMMIT');
        return results;
      } catch (error) {
        // What this group had interned is gone with it; the caches must not outlive it.
        rids.clear();
        symbols.reset();
        if (connection.inTransaction) connection.exec('ROLLBACK');
        throw error;
      }
    },
  };
};

/**
 * Applies one write to the tables: the current version, the superseded one, the index rows. Knows no FHIR beyond types,
 * ids and versions; what is to be indexed comes with each write.
 */
import { FhirError, type Issue, issue } from '../../fhir/fhir-error.ts';
import { type Reference, referenceText } from '../../fhir/reference.ts';
import { isStamped, type ResourceText, stampedBytes, stampedLength } from '../../fhir/resource-text.ts';
import type { Action, IfMatch, Write, Written } from '../store.ts';
import { LARGE, packedBody, unpackedBody } from './body.ts';
import type { Connection } from './database.ts';
import { indexLines, NO_LINES, openIndexTables } from './index-rows.ts';
import type { Rids } from './rids.ts';
import type { WritableSymbols } from './symbols.ts';
import type { TypeCounts } from './type-counts.ts';
import { originOf } from './version-row.ts';

interface Row {
  readonly rid: number;
  readonly version: number;
  readonly updated: number;
  readonly live: number;
  readonly source: number | null;
  readonly index_rows: string;
  /** Null for a large one, which is read only where it may matter. */
  readonly body: Buffer | null;
  /** The length of the stored body, in bytes. */
  readonly size: number;
}

export interface WriteTarget {
  readonly connection: Connection;
  readonly symbols: WritableSymbols;
  readonly rids: Rids;
  readonly counts: TypeCounts;
}

export interface AppliedWrites {
  /** Applies a write at the instant `at`. Throws a FhirError if it breaks a rule. */
  apply(write: Write, at: number): Written;
  /** Throws a FhirError 422 if a resource that the write requires is not there. */
  checkRequired(write: Write): void;
}

type Saved = Extract<Write, { kind: 'create' | 'update' }>;

const EMPTY = Buffer.alloc(0);

const refusal = (status: number, code: Issue['code'], text: string): FhirError =>
  new FhirError(status, [issue(code, text)]);

/** The lines of a resource as they stand in its row. */
export const linesOf = (rows: string): string[] => (rows === '' ? [] : rows.split('\n'));

const checkMatch = (reference: Reference, row: Row | undefined, ifMatch: IfMatch | undefined): void => {
  if (ifMatch === undefined) return;
  const current = row === undefined || row.live === 0 ? undefined : row.version;
  if (ifMatch === '*' ? current !== undefined : current === ifMatch) return;
  const state = current === undefined ? 'is not there' : `is at version ${current}`;
  throw refusal(
    412,
    'conflict',
    `If-Match asks for ${ifMatch === '*' ? 'any version' : `version ${ifMatch}`}, but ${referenceText(reference)} ${state}`,
  );
};

const unchanged = ({ type, id }: Reference, row: Row | undefined): Written => ({
  type,
  id,
  outcome: 'unchanged',
  version: row?.version ?? 0,
  lastUpdated: row?.updated ?? 0,
});

/** A large text would stay until this thread, which may have nothing to do, collects its garbage. */
const freeLarge = ({ length, buffer }: Buffer): void => {
  if (length >= LARGE) (buffer as ArrayBuffer).transfer(0);
};

export const openWrites = ({ connection, symbols, rids, counts }: WriteTarget): AppliedWrites => {
  const index = openIndexTables(connection);
  const select = connection.prepare<[number, string], Row>(
    `SELECT rid, version, updated, live, source, index_rows, length(body) AS size,
      CASE WHEN length(body) < ${LARGE} THEN body END AS body FROM resource WHERE type = ? AND id = ?`,
  );
  const selectBody = connection.prepare<[number], Buffer>('SELECT body FROM resource WHERE rid = ?').pluck();
  const change = connection.prepare(
    'UPDATE resource SET version = ?, updated = ?, live = ?, origin = ?, index_rows = ?, body = ? WHERE rid = ?',
  );
  const changeRows = connection.prepare('UPDATE resource SET index_rows = ? WHERE rid = ?');
  const archive = connection.prepare(
    'INSERT INTO history (rid, type, version, updated, live, origin, body) SELECT rid, type, version, updated, live, origin, body FROM resource WHERE rid = ?',
  );

  const isSame = ({ rid, version, updated, live, size, body }: Row, resource: ResourceText): boolean => {
    const stamp = { version, lastUpdated: updated };
    if (live === 0) return false;
    if (body !== null) return isStamped(unpackedBody(body), resource, stamp);
    // A large body is the text itself.
    if (size !== stampedLength(resource, stamp)) return false;
    const text = selectBody.get(rid) as Buffer;
    const isEqual = isStamped(text, resource, stamp);
    freeLarge(text);
    return isEqual;
  };

  const save = (
    { kind, resource, entries, source: ofWriter }: Saved,
    row: Row | undefined,
    lastUpdated: number,
  ): Written => {
    const { type, id } = resource;
    const version = (row?.version ?? 0) + 1;
    const body = packedBody(stampedBytes(resource, { version, lastUpdated }));
    const rid = row?.rid ?? rids.of(resource);
    if (row !== undefined && row.version > 0) archive.run(rid);
    const rows = indexLines(type, entries, symbols, rids.of);
    index.replace(rid, linesOf(row?.index_rows ?? ''), rows);
    const outcome = row === undefined || row.live === 0 ? 'created' : 'updated';
    const asCreate: Action = kind === 'create' ? 'create' : 'update-as-create';
    const source = row?.source ?? (ofWriter === undefined ? null : symbols.intern(ofWriter));
    const origin = originOf(outcome === 'created' ? asCreate : 'update', source);
    if (outcome === 'created') counts.add(symbols.intern(type), 1);
    change.run(version, lastUpdated, 1, origin, rows.lines.join('\n'), body, rid);
    freeLarge(body);
    return { type, id, outcome, version, lastUpdated };
  };

  const remove = ({ type, id }: Reference, row: Row, lastUpdated: number): Written => {
    const version = row.version + 1;
    archive.run(row.rid);
    index.replace(row.rid, linesOf(row.index_rows), NO_LINES);
    counts.add(symbols.intern(type), -1);
    change.run(version, lastUpdated, 0, originOf('delete', row.source), '', EMPTY, row.rid);
    return { type, id, outcome: 'deleted', version, lastUpdated };
  };

  /** Only what differs is touched, so that indexing what is indexed already costs no write. */
  const indexAgain = ({ reference, version, entries }: Extract<Write, { kind: 'index' }>, row: Row | undefined) => {
    if (row === undefined || row.live === 0 || row.version !== version) return;
    const rows = indexLines(reference.type, entries, symbols, rids.of);
    const lines = rows.lines.join('\n');
    if (lines === row.index_rows) return;
    index.replace(row.rid, linesOf(row.index_rows), rows);
    changeRows.run(lines, row.rid);
  };

  return {
    apply: (write, at) => {
      const reference = 'resource' in write ? write.resource : write.reference;
      const row = select.get(symbols.intern(reference.type), reference.id);
      const lastUpdated = Math.max(at, row?.updated ?? 0);
      switch (write.kind) {
        case 'create':
          if (row !== undefined && row.version > 0)
            throw refusal(409, 'conflict', `${referenceText(reference)} exists already`);
          return save(write, row, lastUpdated);
        case 'update':
          checkMatch(reference, row, write.ifMatch);
          if (row !== undefined && isSame(row, write.resource)) return unchanged(reference, row);
          return save(write, row, lastUpdated);
        case 'delete':
          checkMatch(reference, row, write.ifMatch);
          if (row === undefined || row.live === 0) return unchanged(reference, row);
          return remove(reference, row, lastUpdated);
        case 'index':
          indexAgain(write, row);
          return unchanged(reference, row);
      }
    },
    checkRequired: (write) => {
      for (const target of 'requires' in write ? (write.requires ?? []) : [])
        if (select.get(symbols.intern(target.type), target.id)?.live !== 1)
          throw refusal(422, 'business-rule', `The reference ${referenceText(target)} leads to nothing`);
    },
  };
};

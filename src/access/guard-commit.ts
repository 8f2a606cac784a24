/**
 * Commits for a caller who may not do everything. What is overwritten must be visible to it, or else it is not there; what
 * is written must be within its rights, so that nobody writes into the records of another patient or hospital. The
 * versions that were looked at are pinned, and looked at again if others have overtaken.
 */
import type { Letter } from '../auth/scopes.ts';
import {
  conflict,
  type FhirError,
  forbidden,
  notFound,
  preconditionFailed,
  unprocessable,
} from '../fhir/fhir-error.ts';
import { type Reference, referenceText } from '../fhir/reference.ts';
import { stampedBytes } from '../fhir/resource-text.ts';
import type { SearchQuery } from '../search/search-query.ts';
import {
  type Expectation,
  RefusedWrite,
  StaleExpectation,
  type Version,
  type Write,
  type Written,
} from '../store/store.ts';
import type { ScopedRule } from './access-rule.ts';
import type { AccessServer, Visit } from './access-server.ts';
import type { Actor } from './actor.ts';
import { type Judged, judgedVersion } from './candidate.ts';
import { isVersionWithin } from './guard-versions.ts';
import { type Limits, limitsOf, visibleLimits } from './limits.ts';
import { narrowedQuery } from './narrow-query.ts';
import { scopeMissing } from './refusals.ts';
import { type Beside, isWithin } from './visible.ts';
import { checkReferences } from './written-references.ts';

type Saving = Extract<Write, { kind: 'create' | 'update' }>;
type Deleting = Extract<Write, { kind: 'delete' }>;

/** A write that was found to be permitted, under a condition. */
interface Permitted {
  readonly write: Write;
  readonly expected: readonly Expectation[];
  /** Whether the version is one that was looked at here, and not one that the caller named. */
  readonly isPinned: boolean;
  /** Whether its writer may not read what it makes of the resource. */
  readonly isHidden?: boolean;
}

/** Each try fails only if another commit went through. */
const ATTEMPTS = 20;

const hidden = (reference: Reference): FhirError => notFound(`There is no ${referenceText(reference)}`);

const outside = (reference: Reference): FhirError =>
  forbidden(`The token does not permit ${referenceText(reference)} as it would be written, or as it is`);

const absence = ({ type, id }: Reference): Expectation => ({
  query: { searches: [{ type, clauses: [{ kind: 'id', values: [id] }] }], sort: [], count: 1 },
  found: [],
});

/** The write onto the version that was looked at. Throws a FhirError 412 if the caller means another one. */
const pinned = (write: Deleting | Extract<Saving, { kind: 'update' }>, current: Version): Permitted => {
  const { ifMatch } = write;
  if (typeof ifMatch !== 'number')
    return { write: { ...write, ifMatch: current.version }, expected: [], isPinned: true };
  if (ifMatch === current.version) return { write, expected: [], isPinned: false };
  throw preconditionFailed(
    `If-Match asks for version ${ifMatch}, but ${referenceText(current)} is at version ${current.version}`,
  );
};

/** What would be written, on behalf of `source`. */
const judgedWrite = (server: AccessServer, { resource, entries }: Saving, source: string | undefined): Judged => {
  const { type, id } = resource;
  const lastUpdated = server.now();
  return {
    ...{ type, id, lastUpdated, source, entries, isNew: true },
    get securityContext() {
      const text = stampedBytes(resource, { version: 1, lastUpdated });
      return judgedVersion(server, { type, id, lastUpdated, text }).securityContext;
    },
  };
};

/** Search parameters are indexed and offered for everybody's records. */
const checkShared = ({ reach }: Actor, write: Write): void => {
  const { type } = 'resource' in write ? write.resource : write.reference;
  if (type === 'SearchParameter' && reach.kind !== 'all')
    throw forbidden('Search parameters are for all records: they are defined by who reaches everything');
};

/** Judges the writes of one commit. */
const createJudge = (visit: Visit, beside: Beside) => {
  const { server, actor } = visit;
  const { organization } = actor;
  const permitted = (write: Write): Permitted => ({ write, expected: [], isPinned: false });

  const scoped = (type: string, letter: Letter): Limits => {
    const limits = limitsOf(visit, type, [letter]);
    if (limits === 'unscoped') throw scopeMissing(server.baseUrl, actor, type, [letter]);
    return limits;
  };

  const checkWritten = async (
    limits: Limits,
    write: Saving,
    source: string | undefined,
    before?: Version,
  ): Promise<void> => {
    if (limits === 'everything') return;
    const { resource } = write;
    const judged = judgedWrite(server, write, source);
    if (!(await isWithin(visit, limits, judged, beside))) throw outside(resource);
    await checkReferences(visit, limits, { resource, judged, before }, beside);
  };

  /** What is there must be within the limits; what is seen, and must not be changed, is not hidden. */
  const checkThere = async (limits: Limits, version: Version): Promise<void> => {
    if (await isVersionWithin(visit, limits, version)) return;
    const isSeen = await isVersionWithin(visit, limitsOf(visit, version.type, ['r', 's']), version);
    throw isSeen ? outside(version) : hidden(version);
  };

  const created = async (write: Saving): Promise<Permitted> => {
    await checkWritten(scoped(write.resource.type, 'c'), write, organization);
    return permitted(write);
  };

  const createdByUpdate = async (write: Saving, limits: Limits, before: Version | undefined): Promise<Permitted> => {
    const { resource } = write;
    if (before !== undefined && !(await isVersionWithin(visit, limits, before, beside))) throw hidden(resource);
    // Whether it is there, and hidden, is told to nobody.
    if (limits !== 'everything' && limitsOf(visit, resource.type, ['c']) === 'unscoped') throw hidden(resource);
    const source = before?.source ?? organization;
    await checkWritten(scoped(resource.type, 'c'), write, source);
    await checkWritten(limits, write, source);
    return { write, expected: [absence(resource)], isPinned: false };
  };

  const updated = async (write: Extract<Saving, { kind: 'update' }>): Promise<Permitted> => {
    const { type, id } = write.resource;
    const limits = scoped(type, 'u');
    const readable = limitsOf(visit, type, ['r', 's']);
    const isWhole = limits === 'everything' && limitsOf(visit, type, ['c']) === 'everything';
    if (isWhole && typeof readable === 'string') return { ...permitted(write), isHidden: readable === 'unscoped' };
    const current = await server.store.read({ type, id });
    if (current === undefined || current.isDeleted) return createdByUpdate(write, limits, current);
    await checkThere(limits, current);
    const source = current.source ?? organization;
    await checkWritten(limits, write, source, current);
    const isHidden = !(await isWithin(visit, readable, judgedWrite(server, write, source), beside));
    return { ...pinned(write, current), isHidden };
  };

  const deleted = async (write: Deleting): Promise<Permitted> => {
    const { reference } = write;
    const limits = scoped(reference.type, 'd');
    if (limits === 'everything') return permitted(write);
    const current = await server.store.read(reference);
    if (current === undefined) throw hidden(reference);
    await checkThere(limits, current);
    return current.isDeleted ? { write, expected: [absence(reference)], isPinned: false } : pinned(write, current);
  };

  /** A reference to what is hidden is one that leads to nothing; it is refused before, and as, one to what is not there. */
  const checkRequired = async (write: Write): Promise<void> => {
    for (const target of 'requires' in write ? (write.requires ?? []) : []) {
      if (beside.has(referenceText(target))) continue;
      const limits = visibleLimits(visit, target.type);
      if (limits === 'everything') continue;
      const there = await server.store.read(target);
      const isThere = there !== undefined && !there.isDeleted;
      if (isThere && (await isVersionWithin(visit, limits, there))) continue;
      throw unprocessable(`The reference ${referenceText(target)} leads to nothing`);
    }
  };

  return async (write: Write): Promise<Permitted> => {
    await checkRequired(write);
    checkShared(actor, write);
    switch (write.kind) {
      case 'create':
        return created(write);
      case 'update':
        return updated(write);
      case 'delete':
        return deleted(write);
      case 'index':
        throw forbidden('Index entries are made by the server alone');
    }
  };
};

/** Whether a query only asks whether resources with some ids are there. */
const isOfIds = ({ searches }: SearchQuery): boolean =>
  searches.every(({ clauses }) => clauses.length > 0 && clauses.every(({ kind }) => kind === 'id'));

/** What a condition has found is what the caller may see of it; nothing found of what it may not, holds for ever. */
const narrowedExpectation = async (
  visit: Visit,
  expectation: Expectation,
  { searches }: ScopedRule,
): Promise<Expectation[]> => {
  const { query, isOfWholeStore } = expectation;
  if (isOfWholeStore || isOfIds(query)) return [expectation];
  const narrowed = await narrowedQuery(visit, query, searches, true);
  if (narrowed === undefined) return [];
  return narrowed === query ? [expectation] : [{ ...expectation, query: narrowed, asked: query }];
};

const sourced = (write: Write, organization: string | undefined): Write =>
  organization === undefined || (write.kind !== 'create' && write.kind !== 'update')
    ? write
    : { ...write, source: organization };

const judgedWrites = async (visit: Visit, writes: readonly Write[]): Promise<Permitted[]> => {
  const { server, actor } = visit;
  const beside = new Map(
    writes.flatMap((write) =>
      'resource' in write
        ? [[referenceText(write.resource), judgedWrite(server, write, actor.organization)] as const]
        : [],
    ),
  );
  const judge = createJudge(visit, beside);
  const judged: Permitted[] = [];
  for (const [position, write] of writes.entries())
    try {
      judged.push(await judge(sourced(write, actor.organization)));
    } catch (error) {
      const { status = 0 } = error as { status?: number };
      throw status >= 400 && status < 500 ? new RefusedWrite(error as FhirError, position) : error;
    }
  return judged;
};

/** As `Store.commit`. Throws a RefusedWrite 403 for what is not permitted, 404 for what is hidden. */
export const guardedCommit = async (
  visit: Visit,
  rule: ScopedRule,
  writes: readonly Write[],
  expected: readonly Expectation[] = [],
): Promise<readonly Written[]> => {
  const { store } = visit.server;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const judged = await judgedWrites(visit, writes);
    const conditions: Expectation[] = [];
    for (const each of expected) conditions.push(...(await narrowedExpectation(visit, each, rule)));
    try {
      const written = await store.commit(
        judged.map(({ write }) => write),
        [...conditions, ...judged.flatMap((each) => each.expected)],
      );
      return written.map((one, position) => (judged[position]?.isHidden ? { ...one, isHidden: true } : one));
    } catch (error) {
      const isOvertaken = error instanceof RefusedWrite && error.status === 412 && judged[error.position]?.isPinned;
      // Who has conditions of its own resolves them anew.
      const isStale = error instanceof StaleExpectation && expected.length === 0;
      if (!isOvertaken && !isStale) throw error;
    } finally {
      visit.known.clear();
    }
  }
  throw conflict(`What is written here changed ${ATTEMPTS} times in the meantime; try again`);
};

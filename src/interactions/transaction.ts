/**
 * Carries out a transaction: all entries or none. References between the entries are rewritten to the ids that the
 * server gives.
 *
 * @see https://hl7.org/fhir/R4/http.html#trules
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { FhirError, type Issue } from '../fhir/fhir-error.ts';
import { parseJson } from '../fhir/json-text.ts';
import { type IfMatch, RefusedWrite, type Write, type Written } from '../store/store.ts';
import { type BundleBudget, createBundleBudget, readingTime } from './bundle-budget.ts';
import { entryIssues, type RequestEntry, responseEntry, urlBelowBase } from './bundle-entry.ts';
import { type BundleEntry, bundleText } from './bundle-text.ts';
import { commitResolved, type Resolution } from './commit-resolved.ts';
import { matchedVersion } from './conditions.ts';
import { deletedResponse } from './delete.ts';
import type { FhirRequest, FhirResponse, FhirServer } from './fhir-request.ts';
import { patchDocument, patchOfEntry, patchWrite } from './patch.ts';
import { type Preferences, preferencesOf } from './preferences.ts';
import { checkWhole, preparedResource, validResource } from './prepare-write.ts';
import { checkProvenance, withProvenance } from './provenance.ts';
import { withoutReferrers } from './referrers.ts';
import { patchedResponse, writtenResponse } from './respond.ts';
import { rewrittenLinks } from './rewritten-links.ts';
import { inEntry, type PlannedEntry, transactionPlan } from './transaction-plan.ts';
import { checkReads, matchedEntry, matchedVersions, readEntry } from './transaction-reads.ts';

/** The most issues of a refused transaction. */
const ISSUE_LIMIT = 20;
/** Other requests get their turn after so many entries. */
const ENTRIES_A_TURN = 32;

/** An entry with the writes that it has become; none for a read and for what was there already. */
interface WritingEntry extends PlannedEntry {
  readonly writes: readonly Write[];
}

/** The order in which R4 has the entries carried out. */
const RANKS: Readonly<Record<PlannedEntry['kind'], number>> = { delete: 0, create: 1, update: 2, patch: 2, read: 3 };

const patchOf = async (
  server: FhirServer,
  { entry, reference }: PlannedEntry,
  replacements: ReadonlyMap<string, string>,
  ifMatch: IfMatch | undefined,
): Promise<Write> => {
  const { contentType, body } = patchOfEntry(entry.text ?? '');
  const document = patchDocument(server, contentType, body);
  const text = rewrittenLinks(document.text, reference.type, entry.fullUrl, replacements);
  return patchWrite(server, reference, { ...document, text }, ifMatch);
};

const writesOf = async (
  server: FhirServer,
  planned: PlannedEntry,
  replacements: ReadonlyMap<string, string>,
): Promise<readonly Write[]> => {
  const { entry, kind, reference, written, isFoundByCriteria = false } = planned;
  const ifMatch = matchedVersion(entry.request.ifMatch);
  const condition = ifMatch === undefined ? {} : { ifMatch };
  if (kind === 'delete') return written.map((target) => ({ kind, reference: target, ...condition }));
  if (kind === 'patch') return [await patchOf(server, planned, replacements, ifMatch)];
  const { type, id } = reference;
  const json = parseJson(rewrittenLinks(entry.text ?? '', type, entry.fullUrl, replacements), server.limits.jsonDepth);
  const value = validResource(server, json, type, kind === 'update' && !isFoundByCriteria ? id : undefined);
  if (kind === 'update') checkWhole(value);
  const prepared = preparedResource(server, json, value, id);
  return [kind === 'update' ? { kind, ...prepared, ...condition } : { kind: 'create', ...prepared }];
};

/** The writes of all entries. Fails with the faults of all entries, up to a limit. */
const writingEntries = async (
  server: FhirServer,
  planned: readonly PlannedEntry[],
  replacements: ReadonlyMap<string, string>,
): Promise<WritingEntry[]> => {
  const faults: { status: number; issues: readonly Issue[] }[] = [];
  const writing: WritingEntry[] = [];
  for (const [position, item] of planned.entries()) {
    if (position % ENTRIES_A_TURN === ENTRIES_A_TURN - 1) await nextTurn();
    if (item.written.length === 0) {
      writing.push({ ...item, writes: [] });
      continue;
    }
    try {
      writing.push({ ...item, writes: await writesOf(server, item, replacements) });
    } catch (error) {
      if (!(error instanceof FhirError)) throw error;
      faults.push({ status: error.status, issues: entryIssues(item.entry, error.issues) });
      if (faults.length >= ISSUE_LIMIT) break;
    }
  }
  const issues = faults.flatMap((fault) => fault.issues);
  if (issues.length === 0) return writing.toSorted((a, b) => RANKS[a.kind] - RANKS[b.kind]);
  const [status = 400, ...others] = new Set(faults.map((fault) => fault.status));
  throw new FhirError(others.length === 0 ? status : 400, issues.slice(0, ISSUE_LIMIT));
};

/** Patches that hold for whatever version is current. */
const madeOfCurrent = (writing: readonly WritingEntry[]): Set<Write> =>
  new Set(
    writing.flatMap(({ kind, entry, writes }) =>
      kind === 'patch' && typeof matchedVersion(entry.request.ifMatch) !== 'number' ? writes : [],
    ),
  );

const writtenEntry = (
  server: FhirServer,
  { kind, writes }: WritingEntry,
  written: readonly Written[],
  preferences: Preferences,
  budget: BundleBudget,
): BundleEntry => {
  const [write] = writes;
  const [first] = written;
  if (kind === 'delete') return responseEntry(server, deletedResponse(written));
  if (write === undefined || first === undefined || !('resource' in write))
    throw new Error('A commit answered other writes than it was given');
  const response = kind === 'patch' ? patchedResponse : writtenResponse;
  return responseEntry(server, budget.fitted(response(server, first, write.resource, preferences.return)));
};

/** An entry that its sender may not send by itself makes the whole fail before anything is looked at. */
const checkEntry = (server: FhirServer, { request }: RequestEntry): void => {
  const [path = ''] = urlBelowBase(request.url ?? '', server.baseUrl).split('?');
  server.checkPermitted({ method: request.method ?? '', path: path.replace(/\/$/, '') });
};

export const transaction = async (
  server: FhirServer,
  request: FhirRequest,
  entries: readonly RequestEntry[],
): Promise<FhirResponse> => {
  const { limits } = server;
  for (const entry of entries) await inEntry(entry, () => checkEntry(server, entry));
  const preferences = preferencesOf(request);
  checkProvenance(server, request);
  const ids = entries.map(() => server.newId());
  const provenanceId = server.newId();
  let writing: WritingEntry[] = [];
  // The reads are made twice: before the commit, when the whole can still be refused, and after it.
  const half = limits.bundleMilliseconds / 2;
  const isCheckTimeOver = readingTime(half);

  const resolve = async (): Promise<Resolution<WritingEntry[]>> => {
    const { entries: planned, expected, replacements } = await transactionPlan(server, entries, ids);
    writing = await writingEntries(server, planned, replacements);
    await checkReads(server, planned, createBundleBudget(limits, isCheckTimeOver));
    const writes = writing.flatMap((item) => item.writes);
    const resolution = { writes, expected, madeOfCurrent: madeOfCurrent(writing), plan: writing };
    return withProvenance(server, request, await withoutReferrers(server, resolution), provenanceId);
  };

  const { plan, written } = await commitResolved(server.store, resolve).catch((error: unknown) => {
    if (!(error instanceof RefusedWrite)) throw error;
    const refused = writing.flatMap((item) => item.writes.map(() => item))[error.position];
    throw refused === undefined ? error : new FhirError(error.status, entryIssues(refused.entry, error.issues));
  });

  const budget = createBundleBudget(limits, readingTime(half));
  const answers: BundleEntry[] = [];
  // Reads first: they were found to fit, and what was written need not be shown.
  for (const { entry, kind } of plan)
    if (kind === 'read') answers[entry.index] = await readEntry(server, entry, budget, request);
  const known = await matchedVersions(server, plan);
  let next = 0;
  for (const item of plan) {
    const { entry, kind, reference, writes } = item;
    const own = written.slice(next, next + writes.length);
    next += writes.length;
    if (kind === 'read') continue;
    await budget.turn();
    if (item.isMatched) answers[entry.index] = await matchedEntry(server, reference, known, preferences, budget);
    else answers[entry.index] = writtenEntry(server, item, own, preferences, budget);
  }
  return { status: 200, headers: {}, body: bundleText({ type: 'transaction-response', entries: answers }) };
};

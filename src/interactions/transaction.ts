/**
 * Carries out a transaction: all entries or none. References between the entries are rewritten to the ids that the
 * server gives.
 *
 * @see https://hl7.org/fhir/R4/http.html#trules
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { FhirError, type Issue } from '../fhir/fhir-error.ts';
import { parseJson } from '../fhir/json-text.ts';
import type { ResourceText } from '../fhir/resource-text.ts';
import { RefusedWrite, type Write, type Written } from '../store/store.ts';
import { entryIssues, type RequestEntry, responseEntry } from './bundle-entry.ts';
import { type BundleEntry, bundleText } from './bundle-text.ts';
import { commitResolved, type Resolution } from './commit-resolved.ts';
import { matchedVersion } from './conditions.ts';
import type { FhirRequest, FhirResponse, FhirServer } from './fhir-request.ts';
import { type Preferences, preferencesOf } from './preferences.ts';
import { preparedResource, validResource } from './prepare-write.ts';
import { versionPath, writtenResponse } from './respond.ts';
import { rewrittenLinks } from './rewritten-links.ts';
import { type PlannedEntry, transactionPlan } from './transaction-plan.ts';
import { checkReads, matchedEntry, readEntry } from './transaction-reads.ts';

/** The most issues of a refused transaction. */
const ISSUE_LIMIT = 20;
/** Other requests get their turn after so many entries. */
const ENTRIES_A_TURN = 32;

/** An entry with the write that it has become; none for a read and for what was there already. */
interface WritingEntry extends PlannedEntry {
  readonly write?: Write;
}

const writeOf = (
  server: FhirServer,
  { entry, kind, reference }: PlannedEntry,
  replacements: ReadonlyMap<string, string>,
): Write => {
  const ifMatch = matchedVersion(entry.request.ifMatch);
  const condition = ifMatch === undefined ? {} : { ifMatch };
  if (kind === 'delete') return { kind, reference, ...condition };
  const { type, id } = reference;
  const json = parseJson(rewrittenLinks(entry.text ?? '', type, entry.fullUrl, replacements), server.limits.jsonDepth);
  const value = validResource(server, json, type, kind === 'update' ? id : undefined);
  const prepared = preparedResource(server, json, value, id);
  return kind === 'update' ? { kind, ...prepared, ...condition } : { kind: 'create', ...prepared };
};

/** The writes of all entries. Fails with the faults of all entries, up to a limit. */
const writingEntries = async (
  server: FhirServer,
  planned: readonly PlannedEntry[],
  replacements: ReadonlyMap<string, string>,
): Promise<WritingEntry[]> => {
  const issues: Issue[] = [];
  const writing: WritingEntry[] = [];
  for (const [position, item] of planned.entries()) {
    if (position % ENTRIES_A_TURN === ENTRIES_A_TURN - 1) await nextTurn();
    if (item.kind === 'read' || item.isMatched) {
      writing.push(item);
      continue;
    }
    try {
      writing.push({ ...item, write: writeOf(server, item, replacements) });
    } catch (error) {
      if (!(error instanceof FhirError)) throw error;
      issues.push(...entryIssues(item.entry, error.issues));
      if (issues.length >= ISSUE_LIMIT) break;
    }
  }
  if (issues.length > 0) throw new FhirError(400, issues.slice(0, ISSUE_LIMIT));
  return writing;
};

const deletedResponse = ({ version }: Written): FhirResponse => ({
  status: 204,
  headers: version === 0 ? {} : { etag: `W/"${version}"` },
});

const resourceOf = (write: Write): ResourceText | undefined => (write.kind === 'delete' ? undefined : write.resource);

const writtenEntry = (server: FhirServer, write: Write, written: Written, preferences: Preferences): BundleEntry => {
  const resource = resourceOf(write);
  if (resource === undefined) return responseEntry(deletedResponse(written));
  const entry = responseEntry(writtenResponse(server, written, resource, preferences.return));
  return { ...entry, response: { status: '', ...entry.response, location: versionPath(written) } };
};

export const transaction = async (
  server: FhirServer,
  request: FhirRequest,
  entries: readonly RequestEntry[],
): Promise<FhirResponse> => {
  const preferences = preferencesOf(request);
  const ids = entries.map(() => server.newId());
  let writing: WritingEntry[] = [];

  const resolve = async (): Promise<Resolution<WritingEntry[]>> => {
    const { entries: planned, expected, replacements } = await transactionPlan(server, entries, ids);
    writing = await writingEntries(server, planned, replacements);
    await checkReads(server, planned);
    return { writes: writing.flatMap(({ write }) => write ?? []), expected, plan: writing };
  };

  const { plan, written } = await commitResolved(server.store, resolve).catch((error: unknown) => {
    if (!(error instanceof RefusedWrite)) throw error;
    const refused = writing.filter(({ write }) => write !== undefined)[error.position];
    throw refused === undefined ? error : new FhirError(error.status, entryIssues(refused.entry, error.issues));
  });

  let next = 0;
  const answers: BundleEntry[] = [];
  for (const { entry, kind, reference, write } of plan) {
    const done = write === undefined ? undefined : written[next++];
    if (write !== undefined && done !== undefined) answers.push(writtenEntry(server, write, done, preferences));
    else if (kind === 'read') answers.push(await readEntry(server, entry));
    else answers.push(await matchedEntry(server, reference, preferences));
  }
  return { status: 200, headers: {}, body: bundleText({ type: 'transaction-response', entries: answers }) };
};

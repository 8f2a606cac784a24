/**
 * The reads of a transaction. They are answered from the state after its writes; but one that fails must fail all, and
 * so each is tried before anything is written.
 *
 * @see https://hl7.org/fhir/R4/http.html#trules
 */
import { FhirError, gone } from '../fhir/fhir-error.ts';
import { type Reference, referenceText } from '../fhir/reference.ts';
import type { Version } from '../store/store.ts';
import type { BundleBudget } from './bundle-budget.ts';
import { errorEntry, type RequestEntry, requestOf, responseEntry, withoutBody } from './bundle-entry.ts';
import type { BundleEntry } from './bundle-text.ts';
import type { FhirRequest, FhirResponse, FhirServer } from './fhir-request.ts';
import type { Preferences } from './preferences.ts';
import { readAll } from './read-all.ts';
import { matchedResponse } from './respond.ts';
import { inEntry, type PlannedEntry } from './transaction-plan.ts';

const readAnswer = async (server: FhirServer, request: FhirRequest): Promise<FhirResponse> => {
  const answer = await server.answer(request);
  return request.method === 'HEAD' ? withoutBody(answer) : answer;
};

/** Tries the reads, but those of what the transaction writes. Throws a FhirError that names the entry. */
export const checkReads = async (
  server: FhirServer,
  planned: readonly PlannedEntry[],
  budget: BundleBudget,
): Promise<void> => {
  const writes = new Map(
    planned.flatMap(({ kind, written }) => written.map((reference) => [referenceText(reference), kind] as const)),
  );
  for (const { entry, kind } of planned) {
    if (kind !== 'read') continue;
    await budget.turn();
    await inEntry(entry, async () => {
      const request = requestOf(entry, server.baseUrl);
      const target = request.path.split('/').slice(0, 2).join('/');
      const write = writes.get(target);
      if (write === 'delete' && target === request.path) throw gone(`this transaction deletes ${target}`);
      if (write === undefined) await budget.answer('read', () => readAnswer(server, request));
    });
  }
};

/** The answer to a read. What has been deleted since it was tried has an error of its own. */
export const readEntry = async (
  server: FhirServer,
  entry: RequestEntry,
  budget: BundleBudget,
  { visibleError }: FhirRequest,
): Promise<BundleEntry> => {
  await budget.turn();
  try {
    const request = requestOf(entry, server.baseUrl);
    return responseEntry(server, await budget.answer('read', () => readAnswer(server, request)));
  } catch (error) {
    return errorEntry(error, visibleError);
  }
};

/**
 * What conditional creates found, as much as an answer may have: by their names, and without what has been deleted since.
 */
export const matchedVersions = async (
  server: FhirServer,
  planned: readonly PlannedEntry[],
): Promise<ReadonlyMap<string, Version>> => {
  const matched = planned.flatMap(({ isMatched, reference }) => (isMatched ? [reference] : []));
  const names = new Map(matched.map((reference) => [referenceText(reference), reference]));
  if (names.size < 2) return new Map();
  // One type behind the other in their order is one search for a store that has them so.
  const distinct = [...names.values()].sort((a, b) => (a.type < b.type ? -1 : Number(a.type > b.type)));
  try {
    const { items } = await readAll(server, distinct, server.limits.answerBytes);
    return new Map(items.map((version) => [referenceText(version), version]));
  } catch (error) {
    // Everything is written, and each can still be read by itself.
    if (error instanceof FhirError) return new Map();
    throw error;
  }
};

/** The answer to a conditional create that found `reference`, and wrote nothing. */
export const matchedEntry = async (
  server: FhirServer,
  reference: Reference,
  known: ReadonlyMap<string, Version>,
  preferences: Preferences,
  budget: BundleBudget,
): Promise<BundleEntry> => {
  const version = known.get(referenceText(reference)) ?? (await server.store.read(reference));
  if (version === undefined) throw new Error(`${referenceText(reference)} was found and is not there`);
  const answer = matchedResponse(server, version, preferences.return);
  return responseEntry(server, budget.fitted(version.isDeleted ? withoutBody(answer) : answer));
};

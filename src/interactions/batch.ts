/**
 * Answers the entries of a batch, each on its own: one that fails leaves the others as they are.
 *
 * @see https://hl7.org/fhir/R4/http.html#brules
 */
import { invalid } from '../fhir/fhir-error.ts';
import { type BundleBudget, type Cost, createBundleBudget } from './bundle-budget.ts';
import { errorEntry, passedHeaders, type RequestEntry, requestOf, responseEntry, withoutBody } from './bundle-entry.ts';
import { type BundleEntry, bundleText } from './bundle-text.ts';
import type { FhirRequest, FhirResponse, FhirServer } from './fhir-request.ts';

/** How many entries are under way at once: together they share group commits. */
const CONCURRENCY = 16;

const READS = new Set(['GET', 'HEAD']);

const costOf = ({ method, path }: FhirRequest): Cost => {
  if (READS.has(method) || /(?:^|\/)_search$/.test(path)) return 'read';
  return /(?:^|\/)\$[^/]*$/.test(path) ? 'operation' : 'write';
};

const answerOf = async (
  server: FhirServer,
  entry: RequestEntry,
  budget: BundleBudget,
  passed: FhirRequest['headers'],
  { visibleError }: FhirRequest,
): Promise<BundleEntry> => {
  try {
    const request = requestOf(entry, server.baseUrl, passed);
    if (request.path === '') throw invalid(`'${entry.request.url}' is not a url below the FHIR base`);
    const answer = await budget.answer(costOf(request), async () => {
      const whole = await server.answer(request);
      return request.method === 'HEAD' ? withoutBody(whole) : whole;
    });
    return responseEntry(server, answer);
  } catch (error) {
    return errorEntry(error, visibleError);
  }
};

export const batch = async (
  server: FhirServer,
  request: FhirRequest,
  entries: readonly RequestEntry[],
): Promise<FhirResponse> => {
  const answers: BundleEntry[] = [];
  const budget = createBundleBudget(server.limits);
  let next = 0;
  const work = async (): Promise<void> => {
    for (let entry = entries[next++]; entry !== undefined; entry = entries[next++]) {
      await budget.turn();
      // What was to be written is still written: the client may count on it.
      const isForNobody = READS.has(entry.request.method ?? '') && request.isAbandoned?.() === true;
      if (!isForNobody) answers[entry.index] = await answerOf(server, entry, budget, passedHeaders(request), request);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
  const answered = entries.flatMap(({ index }) => answers[index] ?? []);
  return { status: 200, headers: {}, body: bundleText({ type: 'batch-response', entries: answered }) };
};

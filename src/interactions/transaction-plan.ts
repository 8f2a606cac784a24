/**
 * What the entries of a transaction will do: which resource each is about, and what the references between them become.
 *
 * @see https://hl7.org/fhir/R4/http.html#trules
 */
import { FhirError, invalid, notFound, notSupported, preconditionFailed } from '../fhir/fhir-error.ts';
import { parseReference, type Reference, referenceText } from '../fhir/reference.ts';
import type { Expectation } from '../store/store.ts';
import { entryIssues, type RequestEntry, urlBelowBase } from './bundle-entry.ts';
import { resolvedCriteria } from './conditions.ts';
import type { FhirServer } from './fhir-request.ts';

export interface PlannedEntry {
  readonly entry: RequestEntry;
  readonly kind: 'create' | 'update' | 'delete' | 'read';
  /** What is written; for a read, meaningless. */
  readonly reference: Reference;
  /** A create whose `ifNoneExist` found this resource, so that nothing is written. */
  readonly isMatched: boolean;
}

export interface TransactionPlan {
  readonly entries: readonly PlannedEntry[];
  readonly expected: readonly Expectation[];
  /** What the literal references of the entries become, by their text. */
  readonly replacements: ReadonlyMap<string, string>;
}

/** Throws what goes wrong with an entry as an error of the whole Bundle that names the entry. */
export const inEntry = async <T>(entry: RequestEntry, action: () => T | Promise<T>): Promise<T> => {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof FhirError)) throw error;
    throw new FhirError(error.status, entryIssues(entry, error.issues), error.headers);
  }
};

const targetOf = (
  server: FhirServer,
  { request, text }: RequestEntry,
  newId: string,
): Omit<PlannedEntry, 'entry' | 'isMatched'> => {
  const { method, url = '' } = request;
  if (method === 'GET') return { kind: 'read', reference: { type: '', id: '' } };
  if (url.includes('?')) throw notSupported(`${method} with search criteria is not possible in a transaction`);
  const path = urlBelowBase(url, server.baseUrl);
  const [type = '', id, ...more] = path.split('/');
  if (!server.isResourceType(type)) throw notFound(`R4 has no resource type '${type}'`);
  if (method === 'POST') {
    if (id !== undefined) throw invalid(`POST needs the url of a type, not '${url}'`);
    if (text === undefined) throw invalid('POST needs a resource');
    return { kind: 'create', reference: { type, id: newId } };
  }
  if (method !== 'PUT' && method !== 'DELETE') throw notSupported(`${method} is not possible in a transaction`);
  const parsed = more.length === 0 ? parseReference(path, server.baseUrl) : undefined;
  if (parsed?.kind !== 'local')
    throw invalid(`${method} needs the url of a resource such as Patient/123, not '${url}'`);
  if (method === 'PUT' && text === undefined) throw invalid('PUT needs a resource');
  return { kind: method === 'PUT' ? 'update' : 'delete', reference: { type: parsed.type, id: parsed.id } };
};

/** Refuses two entries that write the same resource, or create under the same condition. */
const checkDistinct = (planned: readonly PlannedEntry[]): void => {
  const seen = new Map<string, RequestEntry>();
  for (const { entry, kind, reference } of planned) {
    if (kind === 'read') continue;
    const { ifNoneExist } = entry.request;
    const keys = [referenceText(reference), ...(ifNoneExist === undefined ? [] : [`${reference.type}?${ifNoneExist}`])];
    for (const key of new Set(keys)) {
      const other = seen.get(key);
      const text = `Entries ${other?.index} and ${entry.index} both write ${key}; a transaction writes each resource once`;
      if (other !== undefined) throw invalid(text, `Bundle.entry[${entry.index}]`);
      seen.set(key, entry);
    }
  }
};

const CONDITIONAL_REFERENCE = /"reference":("[A-Z][A-Za-z]+\?(?:[^"\\]|\\.)*")/g;

/** The `Type?criteria` references of the entries, each with the first entry that has it. */
const conditionalReferences = (entries: readonly RequestEntry[]): Map<string, RequestEntry> => {
  const found = new Map<string, RequestEntry>();
  for (const entry of entries)
    for (const [, quoted = '""'] of (entry.text ?? '').matchAll(CONDITIONAL_REFERENCE)) {
      const text = JSON.parse(quoted) as string;
      if (!found.has(text)) found.set(text, entry);
    }
  return found;
};

const resolvedReference = async (server: FhirServer, text: string) => {
  const parsed = parseReference(text, server.baseUrl);
  if (parsed?.kind !== 'conditional') throw invalid(`'${text}' is not a reference`);
  if (!server.isResourceType(parsed.type)) throw invalid(`'${text}': R4 has no resource type '${parsed.type}'`);
  const { match, expectation } = await resolvedCriteria(server, parsed.type, parsed.query, 'reference');
  if (match === undefined) throw preconditionFailed(`The reference '${text}' matches no resource`);
  return { match, expectation };
};

/** Plans the entries; `ids` are for those that create. Fails with a FhirError that names the entry at fault. */
export const transactionPlan = async (
  server: FhirServer,
  entries: readonly RequestEntry[],
  ids: readonly string[],
): Promise<TransactionPlan> => {
  const expected: Expectation[] = [];
  const replacements = new Map<string, string>();
  const planned: PlannedEntry[] = [];
  for (const entry of entries)
    await inEntry(entry, async () => {
      const { kind, reference } = targetOf(server, entry, ids[entry.index] ?? '');
      const { ifNoneExist } = entry.request;
      if (kind !== 'create' || ifNoneExist === undefined) {
        planned.push({ entry, kind, reference, isMatched: false });
        return;
      }
      const { match, expectation } = await resolvedCriteria(server, reference.type, ifNoneExist, 'ifNoneExist');
      expected.push(expectation);
      planned.push({ entry, kind, reference: match ?? reference, isMatched: match !== undefined });
    });
  checkDistinct(planned.filter(({ isMatched }) => !isMatched));
  for (const { entry, kind, reference } of planned) {
    if (entry.fullUrl === undefined || kind === 'read' || kind === 'delete') continue;
    if (replacements.has(entry.fullUrl))
      throw invalid(`Entry ${entry.index}: another entry has the same fullUrl`, `Bundle.entry[${entry.index}].fullUrl`);
    replacements.set(entry.fullUrl, referenceText(reference));
  }
  for (const [text, entry] of conditionalReferences(entries)) {
    const { match, expectation } = await inEntry(entry, () => resolvedReference(server, text));
    expected.push(expectation);
    replacements.set(text, referenceText(match));
  }
  return { entries: planned, expected, replacements };
};

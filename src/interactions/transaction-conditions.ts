/**
 * The conditions of a transaction, searched together: a store finds a hundred of them at little more than the cost of one.
 *
 * @see https://hl7.org/fhir/R4/http.html#trules
 */
import { FhirError } from '../fhir/fhir-error.ts';
import { parseReference, type Reference } from '../fhir/reference.ts';
import type { SearchQuery } from '../search/search-query.ts';
import type { RequestEntry } from './bundle-entry.ts';
import { criteriaQuery, deletesQuery, type Find, findIn, normalizedCriteria } from './conditions.ts';
import type { FhirServer } from './fhir-request.ts';

/** What an entry is about. */
interface Conditional {
  readonly kind: 'create' | 'update' | 'patch' | 'delete' | 'read';
  readonly type: string;
  readonly criteria?: string;
}

const CONDITIONAL_REFERENCE = /"reference":("[A-Z][A-Za-z]+\?(?:[^"\\]|\\.)*")/g;

/** The `Type?criteria` references of the entries, each with the first entry that has it. */
export const conditionalReferences = (entries: readonly RequestEntry[]): Map<string, RequestEntry> => {
  const found = new Map<string, RequestEntry>();
  for (const entry of entries)
    for (const [, quoted = '""'] of (entry.text ?? '').matchAll(CONDITIONAL_REFERENCE)) {
      const text = JSON.parse(quoted) as string;
      if (!found.has(text)) found.set(text, entry);
    }
  return found;
};

/** What is wrong with one condition is told when its entry is planned. */
const ifUsable = <T>(make: () => T): T[] => {
  try {
    return [make()];
  } catch (error) {
    if (error instanceof FhirError) return [];
    throw error;
  }
};

const queryOf = (server: FhirServer, { kind, type, criteria }: Conditional): SearchQuery[] => {
  if (criteria === undefined) return [];
  return ifUsable(() =>
    kind === 'delete' ? deletesQuery(server, type, criteria) : criteriaQuery(server, type, criteria, kind),
  );
};

/** Criteria under which an entry creates or updates are those of its resource, and are not searched for a reference. */
const madeCriteria = (targets: readonly Conditional[]): Set<string> =>
  new Set(
    targets.flatMap(({ kind, type, criteria }) =>
      criteria === undefined || (kind !== 'create' && kind !== 'update')
        ? []
        : ifUsable(() => normalizedCriteria(type, criteria)),
    ),
  );

const referenceQuery = (server: FhirServer, text: string, made: ReadonlySet<string>): SearchQuery[] => {
  const parsed = parseReference(text, server.baseUrl);
  if (parsed?.kind !== 'conditional' || !server.isResourceType(parsed.type)) return [];
  const { type, query } = parsed;
  return ifUsable(() =>
    made.has(normalizedCriteria(type, query)) ? undefined : criteriaQuery(server, type, query, 'reference'),
  ).filter((each) => each !== undefined);
};

const nameOf = ({ searches, count }: SearchQuery): string => JSON.stringify([searches, count]);

/**
 * What the conditions of the entries and the conditional references find. What cannot be searched together is searched
 * when it is asked for, so that an error is that of its entry.
 */
export const foundTogether = async (
  server: FhirServer,
  targets: readonly Conditional[],
  references: readonly string[],
): Promise<Find> => {
  const { store } = server;
  const made = madeCriteria(targets);
  const queries = new Map(
    [
      ...targets.flatMap((target) => queryOf(server, target)),
      ...references.flatMap((text) => referenceQuery(server, text, made)),
    ].map((query) => [nameOf(query), query]),
  );
  const found = new Map<string, readonly Reference[]>();
  if (queries.size > 1)
    try {
      const results = await store.findEach([...queries.values()]);
      for (const [at, name] of [...queries.keys()].entries()) found.set(name, results[at] ?? []);
    } catch (error) {
      if (!(error instanceof FhirError) || error.status >= 500) throw error;
    }
  const find = findIn(store);
  return async (query) => found.get(nameOf(query)) ?? find(query);
};

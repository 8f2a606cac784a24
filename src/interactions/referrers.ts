/**
 * What refers to a resource that is to be deleted. Where the configuration refuses references that lead to nothing, such
 * a deletion is refused, too. Search parameters do not cover all references, so that there all are indexed under a name
 * of their own.
 *
 * @see https://hl7.org/fhir/R4/http.html#delete
 */
import { conflict } from '../fhir/fhir-error.ts';
import { parseReference, type Reference, referenceText } from '../fhir/reference.ts';
import type { IndexEntry } from '../search/index-entry.ts';
import type { SearchQuery } from '../search/search-query.ts';
import { type Expectation, RefusedWrite, type Version, type Write } from '../store/store.ts';
import type { Resolution } from './commit-resolved.ts';
import type { FhirServer } from './fhir-request.ts';

/** No search parameter has this name. */
const REFERENCES = ':references';

const addTargets = (value: unknown, baseUrl: string, found: Map<string, Reference>): void => {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, child] of Object.entries(value)) {
    if (key !== 'reference' || typeof child !== 'string') {
      addTargets(child, baseUrl, found);
      continue;
    }
    const parsed = parseReference(child, baseUrl);
    if (parsed?.kind !== 'local') continue;
    const { type, id } = parsed;
    found.set(referenceText(parsed), { type, id });
  }
};

/** The targets of all references in a resource that are of this server, each once; contained ones are not counted. */
export const localTargets = (resource: unknown, baseUrl: string): Reference[] => {
  const found = new Map<string, Reference>();
  addTargets(resource, baseUrl, found);
  return [...found.values()];
};

/** The index entries by which the resource is found as a referrer. */
export const referrerEntries = (resource: unknown, baseUrl: string): IndexEntry[] =>
  localTargets(resource, baseUrl).map(({ type, id }) => ({ kind: 'reference', param: REFERENCES, type, id }));

/** How many deletions are asked about in one search. */
const TARGETS_A_SEARCH = 100;

const referrersQuery = ({ resourceTypes }: FhirServer, targets: readonly Reference[], count: number): SearchQuery => ({
  searches: resourceTypes.map((type) => ({
    type,
    clauses: [{ kind: 'reference', param: REFERENCES, values: targets }],
  })),
  sort: [],
  count,
});

const targetOf = (write: Write): Reference => ('reference' in write ? write.reference : write.resource);

/** What a commit deletes that is there. */
const deletedReferences = async ({ store }: FhirServer, writes: readonly Write[]): Promise<Reference[]> => {
  const found: Reference[] = [];
  for (const write of writes) {
    const current = write.kind === 'delete' ? await store.read(write.reference) : undefined;
    if (current !== undefined && !current.isDeleted) found.push({ type: current.type, id: current.id });
  }
  return found;
};

const refusal = async (
  server: FhirServer,
  writes: readonly Write[],
  targets: readonly Reference[],
  referrer: Version,
): Promise<RefusedWrite> => {
  const seen = await server.store.read({ type: referrer.type, id: referrer.id });
  const who = seen === undefined ? 'another resource' : referenceText(referrer);
  const referred = new Set(localTargets(JSON.parse(referrer.text.toString()), server.baseUrl).map(referenceText));
  const name = targets.map(referenceText).find((target) => referred.has(target));
  const position = writes.findIndex((write) => write.kind === 'delete' && referenceText(write.reference) === name);
  const text = `${name} cannot be deleted: ${who} refers to it (CONSILIUM_REFERENCES)`;
  return new RefusedWrite(conflict(text), position);
};

/**
 * The resolution with the condition that nothing else refers to what it deletes. A referrer that is written in the same
 * commit is left to the check of its own references. Throws a RefusedWrite 409.
 */
export const withoutReferrers = async <T>(server: FhirServer, resolution: Resolution<T>): Promise<Resolution<T>> => {
  if (!server.refusesDanglingReferences) return resolution;
  const { writes } = resolution;
  const written = new Set(writes.map((write) => referenceText(targetOf(write))));
  const deleted = await deletedReferences(server, writes);
  const expected: Expectation[] = [];
  for (let at = 0; at < deleted.length; at += TARGETS_A_SEARCH) {
    const targets = deleted.slice(at, at + TARGETS_A_SEARCH);
    // Of one more than are written, one is not.
    const query = referrersQuery(server, targets, writes.length + 1);
    const { items } = await server.searchWholeStore(query);
    const other = items.find((item) => !written.has(referenceText(item)));
    if (other !== undefined) throw await refusal(server, writes, targets, other);
    expected.push({ query, found: items.map(({ type, id }) => ({ type, id })), isOfWholeStore: true });
  }
  return { ...resolution, expected: [...resolution.expected, ...expected] };
};

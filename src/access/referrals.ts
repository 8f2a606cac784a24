/**
 * What belongs to no patient, such as an Organization, Practitioner, Location or Medication, and is seen because a
 * patient's resources refer to it, or one of those that they refer to: from a PractitionerRole to its Practitioner.
 * Nothing is reached through what may not be seen itself. Beside such entries of a directory a reference opens only what
 * its own source has pushed: or else a hospital could open anything by writing a reference to it.
 */
import { tooCostly } from '../fhir/fhir-error.ts';
import { localReferences } from '../fhir/local-references.ts';
import { type Reference, referenceText } from '../fhir/reference.ts';
import { matchesClause } from '../search/match-clause.ts';
import type { Clause, PageKey, TypeSearch } from '../search/search-query.ts';
import type { Version } from '../store/store.ts';
import { remembered, type Visit } from './access-server.ts';
import { type Judged, judgedVersion } from './candidate.ts';
import { joinedClauses } from './joined-clauses.ts';
import { isInCompartments, type Limits, limitsOf, type Owners, ownClause } from './limits.ts';

const PAGE_COUNT = 500;

/** By their names, such as `Practitioner/1`. */
type Referred = ReadonlyMap<string, Version>;

/** What is referred to, by name, with the sources of what refers to it. */
type References = Map<string, { readonly reference: Reference; readonly sources: Set<string | undefined> }>;

/** Types that tell nothing about patients: a directory, in which one hospital also refers to another. */
const SHARED_TYPES: ReadonlySet<string> = new Set([
  ...['Organization', 'Practitioner', 'PractitionerRole', 'Location', 'HealthcareService', 'Endpoint'],
  ...['Medication', 'MedicationKnowledge', 'Substance', 'Questionnaire', 'PlanDefinition', 'ActivityDefinition'],
]);

export const isSharedType = (type: string): boolean => SHARED_TYPES.has(type);

/** Whether one of those who refer to a resource may speak for it. */
const isVouchedFor = (version: Version, sources: ReadonlySet<string | undefined>): boolean => {
  const { type, source } = version;
  // Who has no source wrote for everybody.
  return isSharedType(type) || sources.has(undefined) || (source !== undefined && sources.has(source));
};

const tooMany = ({ server }: Visit) =>
  tooCostly(
    `More than ${server.limits.accessResources} resources would have to be looked through to tell what this token may see (CONSILIUM_ACCESS_RESOURCES)`,
  );

/** All that some searches find, a page at a time. Throws a FhirError 422 if it is more than the limit. */
const eachFound = async (
  visit: Visit,
  searches: readonly TypeSearch[],
  take: (version: Version) => void,
): Promise<void> => {
  const { store, limits } = visit.server;
  if (searches.length === 0) return;
  let looked = 0;
  for (let after: PageKey | undefined; ; ) {
    const more = after === undefined ? {} : { after };
    const page = await store.search({ searches, sort: [], count: PAGE_COUNT, bytes: limits.answerBytes, ...more });
    looked += page.items.length;
    if (looked > limits.accessResources) throw tooMany(visit);
    for (const version of page.items) take(version);
    after = page.next;
    if (after === undefined) return;
  }
};

const clausesWithin = (limits: Limits): readonly Clause[] | undefined => {
  if (limits === 'unscoped') return undefined;
  return limits === 'everything' ? [] : joinedClauses(limits.map(({ clauses }) => clauses));
};

/** Whether what belongs to no patient is seen by references; a Binary has rules of its own. */
export const isOpenedByReference = ({ compartments, isResourceType }: Visit['server'], type: string): boolean =>
  type !== 'Binary' && !isInCompartments(compartments, type) && isResourceType(type);

/** Adds what a resource refers to that belongs to no patient. */
const addReferences = ({ server }: Visit, { text, source }: Version, found: References): void => {
  for (const reference of localReferences(text.toString(), server.baseUrl)) {
    if (!isOpenedByReference(server, reference.type)) continue;
    const name = referenceText(reference);
    const known = found.get(name) ?? { reference, sources: new Set() };
    known.sources.add(source);
    found.set(name, known);
  }
};

/** What of the references is there, and may be opened by them. */
const vouchedFor = async (visit: Visit, found: References): Promise<Map<string, Version>> => {
  const opened = new Map<string, Version>();
  const byType = Map.groupBy(
    [...found.values()].map(({ reference }) => reference),
    ({ type }) => type,
  );
  for (const [type, references] of byType)
    for (let at = 0; at < references.length; at += PAGE_COUNT) {
      const values = references.slice(at, at + PAGE_COUNT).map(({ id }) => id);
      await eachFound(visit, [{ type, clauses: [{ kind: 'id', values }] }], (version) => {
        const name = referenceText(version);
        if (isVouchedFor(version, found.get(name)?.sources ?? new Set())) opened.set(name, version);
      });
    }
  return opened;
};

/** Searches for all that is in the compartments and may be seen. */
const memberSearches = (visit: Visit, owners: Owners): TypeSearch[] =>
  visit.server.resourceTypes.flatMap((type) => {
    const member = ownClause(visit, owners, type);
    const own = member === undefined ? undefined : clausesWithin(limitsOf(visit, type, ['r', 's']));
    return member === undefined || own === undefined ? [] : [{ type, clauses: [...own, member] }];
  });

/** The Provenances of what is in the compartments and may be seen. Throws a FhirError 422 if there is too much of it. */
export const provenancesOf = (visit: Visit, owners: Owners): Promise<Referred> =>
  remembered(visit, `provenances ${owners.join()}`, async () => {
    const members: Reference[] = [];
    await eachFound(visit, memberSearches(visit, owners), ({ type, id }) => members.push({ type, id }));
    const found = new Map<string, Version>();
    for (let at = 0; at < members.length; at += PAGE_COUNT) {
      const values = members.slice(at, at + PAGE_COUNT);
      const searches = [{ type: 'Provenance', clauses: [{ kind: 'reference', param: 'target', values } as const] }];
      await eachFound(visit, searches, (version) => found.set(referenceText(version), version));
    }
    return found;
  });

/** What resources in the compartments refer to. */
const firstReferred = (visit: Visit, owners: Owners): Promise<Referred> =>
  remembered(visit, `first referred ${owners.join()}`, async () => {
    const found: References = new Map();
    await eachFound(visit, memberSearches(visit, owners), (version) => addReferences(visit, version, found));
    return vouchedFor(visit, found);
  });

/** Whether what is referred to may be seen itself, so that its own references count. */
const isSeen = async (visit: Visit, limits: Limits, judged: Judged): Promise<boolean> => {
  if (typeof limits === 'string') return limits === 'everything';
  for (const { clauses, referredBy } of limits) {
    if (!clauses.every((clause) => matchesClause(clause, judged))) continue;
    const sets = await Promise.all(referredBy.map((owners) => firstReferred(visit, owners)));
    if (sets.every((set) => set.has(referenceText(judged)))) return true;
  }
  return false;
};

/** What is seen because of the patients with these ids, by name. Throws a FhirError 422 if there is too much of it. */
export const referredBy = (visit: Visit, owners: Owners): Promise<Referred> =>
  remembered(visit, `referred ${owners.join()}`, async () => {
    const first = await firstReferred(visit, owners);
    const found: References = new Map();
    for (const version of first.values())
      if (await isSeen(visit, limitsOf(visit, version.type, ['r', 's']), judgedVersion(visit.server, version)))
        addReferences(visit, version, found);
    for (const name of first.keys()) found.delete(name);
    return new Map([...first, ...(await vouchedFor(visit, found))]);
  });

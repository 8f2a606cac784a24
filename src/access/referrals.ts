/**
 * What belongs to no patient, such as an Organization, Practitioner, Location or Medication, and is seen because a
 * patient's resources refer to it, or one of those that they refer to: from a PractitionerRole to its Practitioner.
 * Nothing is reached through what may not be seen itself.
 */
import { tooCostly } from '../fhir/fhir-error.ts';
import { localReferences } from '../fhir/local-references.ts';
import { type Reference, referenceText } from '../fhir/reference.ts';
import { compartmentClause } from '../search/compartment-clause.ts';
import { matchesClause } from '../search/match-clause.ts';
import type { Clause, PageKey, TypeSearch } from '../search/search-query.ts';
import type { Version } from '../store/store.ts';
import { remembered, type Visit } from './access-server.ts';
import { type Judged, judgedVersion } from './candidate.ts';
import { joinedClauses } from './joined-clauses.ts';
import { isInCompartments, type Limits, limitsOf, type Owners, patientsOf } from './limits.ts';

const PAGE_COUNT = 500;

/** By their names, such as `Practitioner/1`. */
type Referred = ReadonlyMap<string, Reference>;

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

const clausesWithin = (limits: Limits): Clause[] | undefined => {
  if (limits === 'unscoped') return undefined;
  return limits === 'everything' ? [] : joinedClauses(limits.map(({ clauses }) => clauses));
};

/** Adds what a resource refers to that belongs to no patient. */
const addReferences = ({ server }: Visit, { text }: Version, found: Map<string, Reference>): void => {
  for (const reference of localReferences(text.toString(), server.baseUrl)) {
    const isOwned = isInCompartments(server.compartments, reference.type);
    if (!isOwned && server.isResourceType(reference.type)) found.set(referenceText(reference), reference);
  }
};

/** What resources in the compartments refer to. */
const firstReferred = (visit: Visit, owners: Owners): Promise<Referred> =>
  remembered(visit, `first referred ${owners.join()}`, async () => {
    const { server } = visit;
    const found = new Map<string, Reference>();
    const searches = server.resourceTypes.flatMap((type): TypeSearch[] => {
      const member = compartmentClause(server, patientsOf(owners), type);
      const own = member === undefined ? undefined : clausesWithin(limitsOf(visit, type, ['r', 's']));
      return member === undefined || own === undefined ? [] : [{ type, clauses: [...own, member] }];
    });
    await eachFound(visit, searches, (version) => addReferences(visit, version, found));
    return found;
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
    const found = new Map(first);
    const groups = [...Map.groupBy(first.values(), ({ type }) => type)].filter(
      ([type]) => limitsOf(visit, type, ['r', 's']) !== 'unscoped',
    );
    for (const [type, references] of groups)
      for (let at = 0; at < references.length; at += PAGE_COUNT) {
        const values = references.slice(at, at + PAGE_COUNT).map(({ id }) => id);
        const versions: Version[] = [];
        await eachFound(visit, [{ type, clauses: [{ kind: 'id', values }] }], (version) => versions.push(version));
        for (const version of versions)
          if (await isSeen(visit, limitsOf(visit, type, ['r', 's']), judgedVersion(visit.server, version)))
            addReferences(visit, version, found);
      }
    return found;
  });

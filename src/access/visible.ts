/** Whether a caller may see, or write, one resource, as far as its rights for the type go. */
import { parseReference, referenceText } from '../fhir/reference.ts';
import { matchesClause } from '../search/match-clause.ts';
import type { Clause, PageKey } from '../search/search-query.ts';
import type { Visit } from './access-server.ts';
import { type Judged, judgedVersion } from './candidate.ts';
import { limitClauses } from './limit-clauses.ts';
import { type Alternative, isInCompartments, type Limits, limitsOf, type Owners, ownClause } from './limits.ts';
import { provenancesOf, referredBy } from './referrals.ts';

/** What is written in the same commit, by name. */
export type Beside = ReadonlyMap<string, Judged>;

const NOTHING_BESIDE: Beside = new Map();

/** A Binary has one document, as a rule. */
const DOCUMENTS_AT_ONCE = 20;

const isOwned = async (visit: Visit, judged: Judged, owners: Owners): Promise<boolean> => {
  const { server } = visit;
  const clause = ownClause(visit, owners, judged.type);
  if (clause !== undefined) return matchesClause(clause, judged);
  if (isInCompartments(server.compartments, judged.type)) return false;
  return (await referredBy(visit, owners)).has(referenceText(judged));
};

const isOwnedByAll = async (visit: Visit, judged: Judged, sets: readonly Owners[]): Promise<boolean> => {
  for (const owners of sets) if (!(await isOwned(visit, judged, owners))) return false;
  return true;
};

/** Whether what is written is of no other patient's compartment. */
const isOnlyOf = ({ server }: Visit, { type, id, entries }: Judged, owners: Owners): boolean => {
  if (type === 'Patient') return owners.includes(id);
  const params = server.compartments.of('Patient')?.get(type) ?? [];
  return entries.every(
    (entry) =>
      entry.kind !== 'reference' ||
      entry.type !== 'Patient' ||
      !params.includes(entry.param) ||
      owners.includes(entry.id),
  );
};

/** What a Binary says that its rights are those of. */
const contextOf = async ({ server }: Visit, context: string, beside: Beside): Promise<Judged | undefined> => {
  const parsed = parseReference(context, server.baseUrl);
  if (parsed?.kind !== 'local' || !server.isResourceType(parsed.type)) return undefined;
  const written = beside.get(referenceText(parsed));
  if (written !== undefined) return written;
  const version = await server.store.read({ type: parsed.type, id: parsed.id });
  return version === undefined || version.isDeleted ? undefined : judgedVersion(server, version);
};

const locationClause = ({ baseUrl }: { baseUrl: string }, name: string): Clause => ({
  kind: 'uri',
  param: 'location',
  match: 'exact',
  values: [name, `${baseUrl}/${name}`],
});

/** A document opens what its own source has pushed: or else anybody could see any Binary by writing a document of it. */
const isVouchedFor = (binary: Judged, { source }: Pick<Judged, 'source'>): boolean =>
  source === undefined || source === binary.source;

/** Whether a DocumentReference that may be seen, and is of these patients, is about the Binary. */
const isDocumented = async (
  visit: Visit,
  binary: Judged,
  sets: readonly Owners[],
  beside: Beside,
): Promise<boolean> => {
  const { server } = visit;
  const located = locationClause(server, referenceText(binary));
  for (const written of beside.values())
    if (written.type === 'DocumentReference' && isVouchedFor(binary, written) && matchesClause(located, written))
      if (await isOwnedByAll(visit, written, sets)) return true;
  const own = await limitClauses(visit, 'DocumentReference', limitsOf(visit, 'DocumentReference', ['r', 's']));
  if (own === undefined) return false;
  const members = sets.flatMap((ids) => ownClause(visit, ids, 'DocumentReference') ?? []);
  const searches = [{ type: 'DocumentReference', clauses: [located, ...own, ...members] }];
  for (let after: PageKey | undefined; ; ) {
    const more = after === undefined ? {} : { after };
    const page = await server.store.search({ searches, sort: [], count: DOCUMENTS_AT_ONCE, ...more });
    if (page.items.some((document) => isVouchedFor(binary, document))) return true;
    after = page.next;
    if (after === undefined) return false;
  }
};

/** Whether the scopes let a resource be seen whose rights are those of a Binary. */
const isSeenAsContext = async (visit: Visit, context: Judged, beside: Beside): Promise<boolean> =>
  // The rights of another Binary would lead to a third, and perhaps back: there is a scope for Binaries, that is enough.
  context.type === 'Binary' || (await isWithin(visit, limitsOf(visit, context.type, ['r', 's']), context, beside));

/**
 * Whether a Binary is in what may be reached: the resource that its securityContext names, or, without one, a document.
 *
 * @see https://hl7.org/fhir/R4/binary.html#security
 */
const isOfReached = async (
  visit: Visit,
  binary: Judged,
  sets: readonly Owners[],
  { isAsContext }: Alternative,
  beside: Beside,
): Promise<boolean> => {
  const { reach } = visit.actor;
  const { securityContext } = binary;
  if (securityContext === undefined) return sets.length === 0 || isDocumented(visit, binary, sets, beside);
  const context = await contextOf(visit, securityContext, beside);
  // Where what it belonged to is deleted, it is still its hospital's; but nobody writes it into what may come there later.
  if (context === undefined) return sets.length === 0 && binary.isNew !== true;
  if (reach.kind === 'sources' && !matchesClause({ kind: 'source', values: reach.organizations }, context))
    return false;
  if (!(await isOwnedByAll(visit, context, sets))) return false;
  return isAsContext === undefined || isSeenAsContext(visit, context, beside);
};

/** Whether the limits permit what is judged; `beside` is what is written together with it. */
export const isWithin = async (
  visit: Visit,
  limits: Limits,
  judged: Judged,
  beside: Beside = NOTHING_BESIDE,
): Promise<boolean> => {
  if (typeof limits === 'string') return limits === 'everything';
  for (const alternative of limits) {
    const { clauses, referredBy: referrers, about = [], belongsTo, onlyOf = [] } = alternative;
    if (!clauses.every((clause) => matchesClause(clause, judged))) continue;
    if (!onlyOf.every((owners) => isOnlyOf(visit, judged, owners))) continue;
    if (belongsTo !== undefined && !(await isOfReached(visit, judged, belongsTo, alternative, beside))) continue;
    const sets = await Promise.all([
      ...referrers.map((owners) => referredBy(visit, owners)),
      ...about.map((owners) => provenancesOf(visit, owners)),
    ]);
    if (sets.every((set) => set.has(referenceText(judged)))) return true;
  }
  return false;
};

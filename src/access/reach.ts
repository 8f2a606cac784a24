/** What users reach, as found when they get a token. */
import type { PractitionerRole, RelatedPerson } from '@medplum/fhirtypes';
import type { Reach } from '../auth/reach.ts';
import type { User } from '../auth/users/user.ts';
import { instantRange } from '../fhir/date-time.ts';
import { parseReference, type Reference, referenceText } from '../fhir/reference.ts';
import type { PageKey } from '../search/search-query.ts';
import type { Store, Version } from '../store/store.ts';

interface ReachServer {
  /** With all that there is. */
  readonly store: Store;
  readonly baseUrl: string;
  /** Milliseconds since 1970 UTC. */
  now(): number;
}

type Period = NonNullable<RelatedPerson['period']>;

const NONE: Reach = { kind: 'none' };

const parsed = <T>({ text }: Version): T => JSON.parse(text.toString()) as T;

/** The end of a period is included, to the precision in which it is written. */
const holds = ({ now }: ReachServer, { start, end }: Period = {}): boolean => {
  const [from, to] = [start, end].map((time) => (time === undefined ? undefined : instantRange(time)));
  if ((start !== undefined && from === undefined) || (end !== undefined && to === undefined)) return false;
  return (from?.lo ?? Number.NEGATIVE_INFINITY) <= now() && now() < (to?.hi ?? Number.POSITIVE_INFINITY);
};

const localTarget = ({ baseUrl }: ReachServer, reference: string | undefined): Reference | undefined => {
  const target = reference === undefined ? undefined : parseReference(reference, baseUrl);
  return target?.kind === 'local' ? { type: target.type, id: target.id } : undefined;
};

const stored = async ({ store }: ReachServer, reference: Reference): Promise<Version | undefined> => {
  const version = await store.read(reference);
  return version === undefined || version.isDeleted ? undefined : version;
};

/**
 * The organization of a role, if it is one that may be believed: what an organization pushed speaks for that organization
 * alone, or else anybody could widen a reach by pushing a role.
 */
const organizationOf = (server: ReachServer, version: Version): string[] => {
  const role = parsed<PractitionerRole>(version);
  const target = localTarget(server, role.organization?.reference);
  if (target?.type !== 'Organization' || role.active === false || !holds(server, role.period)) return [];
  const organization = referenceText(target);
  return version.source === undefined || version.source === organization ? [organization] : [];
};

const rolesOf = async ({ store }: ReachServer, practitioner: Reference): Promise<Version[]> => {
  const found: Version[] = [];
  const clauses = [{ kind: 'reference', param: 'practitioner', values: [practitioner] }] as const;
  for (let after: PageKey | undefined; ; ) {
    const more = after === undefined ? {} : { after };
    const page = await store.search({
      searches: [{ type: 'PractitionerRole', clauses }],
      sort: [],
      count: 500,
      ...more,
    });
    found.push(...page.items);
    after = page.next;
    if (after === undefined) return found;
  }
};

const ofPractitioner = async (server: ReachServer, reference: Reference): Promise<Reach> => {
  const version = await stored(server, reference);
  if (version === undefined) return NONE;
  const roles = reference.type === 'PractitionerRole' ? [version] : await rolesOf(server, reference);
  // What is written goes to the first: no organization comes before those that the operator has named.
  const [named, others] = [roles.filter(({ source }) => source === undefined), roles.filter(({ source }) => source)];
  const organizations = [...named, ...others].flatMap((role) => organizationOf(server, role));
  const own = version.source === undefined ? [] : [version.source];
  return { kind: 'sources', organizations: [...new Set([...own, ...organizations])] };
};

/** An organization says of its own patients, and of no other ones, who stands for them. */
const ofRelatedPerson = async (server: ReachServer, reference: Reference): Promise<Reach> => {
  const version = await stored(server, reference);
  if (version === undefined) return NONE;
  const { active, period, patient } = parsed<RelatedPerson>(version);
  const target = localTarget(server, patient.reference);
  if (active === false || !holds(server, period) || target?.type !== 'Patient') return NONE;
  if (version.source !== undefined && version.source !== (await stored(server, target))?.source) return NONE;
  return { kind: 'patients', patients: [target.id] };
};

const ofFhirUser = (server: ReachServer, fhirUser: string): Promise<Reach> | Reach => {
  const reference = localTarget(server, fhirUser);
  switch (reference?.type) {
    case 'Practitioner':
    case 'PractitionerRole':
      return ofPractitioner(server, reference);
    case 'Patient':
      return { kind: 'patients', patients: [reference.id] };
    case 'RelatedPerson':
      return ofRelatedPerson(server, reference);
    default:
      return NONE;
  }
};

/** What a privacy officer looks at. */
const OF_PRIVACY = ['AuditEvent', 'Consent'];

/** What a user reaches now, by the resource that stands for the person. */
export const reachOfUser = async (server: ReachServer, { role, reach, fhirUser }: User): Promise<Reach> => {
  if (role === 'operator') return NONE;
  const within: Reach = reach === 'all' ? { kind: 'all' } : await ofFhirUser(server, fhirUser);
  return role === 'privacy-officer' ? { ...within, types: OF_PRIVACY } : within;
};

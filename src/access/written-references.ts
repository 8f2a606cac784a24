/**
 * What somebody may refer to who may only write into the records of patients. A reference to what belongs to no patient lets
 * the patient see that, so that it must be seen already: nobody opens what is hidden by writing a reference to it.
 */
import { type FhirError, forbidden } from '../fhir/fhir-error.ts';
import { localReferences } from '../fhir/local-references.ts';
import { parseReference, type Reference, referenceText } from '../fhir/reference.ts';
import type { ResourceText } from '../fhir/resource-text.ts';
import { stampedBytes } from '../fhir/resource-text.ts';
import type { Version } from '../store/store.ts';
import type { Visit } from './access-server.ts';
import type { Judged } from './candidate.ts';
import { isVersionWithin } from './guard-versions.ts';
import { type Limits, visibleLimits } from './limits.ts';
import { isOpenedByReference, isSharedType } from './referrals.ts';
import { type Beside, isWithin } from './visible.ts';

interface ToWrite {
  readonly resource: ResourceText;
  readonly judged: Judged;
  /** What it replaces. */
  readonly before: Version | undefined;
}

/** What a text refers to that is seen by that. */
const openedIn = ({ server }: Visit, text: string): Reference[] =>
  localReferences(text, server.baseUrl).filter(({ type }) => isOpenedByReference(server, type));

/** The Binaries that a document is about. */
const documentedBy = ({ server }: Visit, { type, entries }: Judged): Reference[] =>
  type !== 'DocumentReference'
    ? []
    : entries.flatMap((entry) => {
        if (entry.kind !== 'uri' || entry.param !== 'location') return [];
        const target = parseReference(entry.value, server.baseUrl);
        return target?.kind === 'local' && target.type === 'Binary' ? [{ type: target.type, id: target.id }] : [];
      });

/** Whether it is within the reach of a user who works with more patients than that of the launch. */
const isOfStaff = ({ actor }: Visit, { type, source }: Version): boolean => {
  if (!isSharedType(type)) return false;
  const { reach } = actor;
  if (reach.kind === 'sources') return source !== undefined && reach.organizations.includes(source);
  return reach.kind === 'all';
};

const isSeen = async (visit: Visit, target: Reference): Promise<boolean> => {
  const { server, actor } = visit;
  if (referenceText(target) === actor.user?.fhirUser) return true;
  const limits = visibleLimits(visit, target.type);
  if (limits === 'everything') return true;
  const version = await server.store.read(target);
  if (version === undefined || version.isDeleted) return false;
  return (await isVersionWithin(visit, limits, version)) || isOfStaff(visit, version);
};

const refusal = (target: Reference): FhirError =>
  forbidden(`The token does not permit a reference to ${referenceText(target)}: it is not there, or not to be seen`);

/** Throws a FhirError 403 for a new reference to what is hidden, or is not there. */
export const checkReferences = async (
  visit: Visit,
  limits: Limits,
  { resource, judged, before }: ToWrite,
  beside: Beside,
): Promise<void> => {
  if (typeof limits === 'string') return;
  const ofPatients = limits.filter(({ onlyOf }) => onlyOf !== undefined);
  if (ofPatients.length === 0) return;
  const others = limits.filter(({ onlyOf }) => onlyOf === undefined);
  if (await isWithin(visit, others, judged, beside)) return;
  const text = stampedBytes(resource, { version: 1, lastUpdated: judged.lastUpdated }).toString();
  const kept = new Set(before === undefined ? [] : openedIn(visit, before.text.toString()).map(referenceText));
  for (const target of [...openedIn(visit, text), ...documentedBy(visit, judged)]) {
    const name = referenceText(target);
    if (!kept.has(name) && !beside.has(name) && !(await isSeen(visit, target))) throw refusal(target);
  }
};

/**
 * All that is known of a patient, or of all patients, a page at a time: the Patient, what is in the compartment, and what
 * these refer to that belongs to no patient, such as Organization, Practitioner, Medication and Location. Binaries come
 * only if `_type` names them, as they may be large; the resources that they belong to say where they are.
 *
 * @see https://hl7.org/fhir/R4/patient-operation-everything.html
 */
import { createHash } from 'node:crypto';
import { gone, type Issue, invalid, notFound } from '../fhir/fhir-error.ts';
import { operationOutcome } from '../fhir/operation-outcome.ts';
import { type Reference, referenceText } from '../fhir/reference.ts';
import { bytesBeside, cutIssues, pageBytes } from '../interactions/answer-bytes.ts';
import { type BundleEntry, bundleText, type Link } from '../interactions/bundle-text.ts';
import { compartmentScope } from '../interactions/compartment-search.ts';
import type { FhirServer, Interaction } from '../interactions/fhir-request.ts';
import { type Pair, queryOf } from '../interactions/parse-request.ts';
import type { OperationTarget } from '../interactions/route.ts';
import type { SearchScope } from '../search/parse-search.ts';
import { parseDate } from '../search/parse-value.ts';
import type { PageKey, RangeValue, TypeSearch } from '../search/search-query.ts';
import type { Version } from '../store/store.ts';
import { clinicalDateClauses } from './clinical-date.ts';
import {
  checkNames,
  type GivenParameter,
  givenParameters,
  pairsOfGiven,
  positiveOf,
  singleOf,
  valuesOf,
} from './parameters.ts';
import { referencedFrom } from './referenced.ts';

const PAGE = '_page';
const NAMES = ['start', 'end', '_since', '_type', '_count'];
/** Matches of a page, if `_count` does not say. */
const DEFAULT_COUNT = 200;

/** A page link carries what was shown beside the matches, so that it is shown once: 6 bytes each, of the last 500. */
const SHOWN_BYTES = 6;
const SHOWN_MOST = 500;

const shownKey = (reference: Reference): string =>
  createHash('sha256').update(referenceText(reference)).digest().subarray(0, SHOWN_BYTES).toString('base64url');
const KEY_LENGTH = (SHOWN_BYTES * 4) / 3;
const shownKeys = (text: string): string[] => text.match(new RegExp(`.{${KEY_LENGTH}}`, 'g')) ?? [];

interface Asked {
  readonly types: ReadonlySet<string> | undefined;
  readonly times: readonly RangeValue[];
  readonly since: RangeValue | undefined;
  readonly count: number;
}

const typesOf = (server: FhirServer, given: readonly GivenParameter[]): ReadonlySet<string> | undefined => {
  const types = valuesOf(given, '_type').flatMap((value) => value.split(','));
  const unknown = types.find((type) => !server.isResourceType(type));
  if (unknown !== undefined) throw invalid(`_type: R4 has no resource type '${unknown}'`);
  return types.length === 0 ? undefined : new Set(types);
};

const askedOf = (server: FhirServer, given: readonly GivenParameter[]): Asked => {
  const timeOf = (name: string, prefix: 'ge' | 'le'): RangeValue[] => {
    const value = singleOf(given, name);
    if (value === undefined) return [];
    return [parseDate(`${prefix}${value}`, name, { ...server.limits, now: server.now })];
  };
  return {
    types: typesOf(server, given),
    times: [...timeOf('start', 'ge'), ...timeOf('end', 'le')],
    since: timeOf('_since', 'ge')[0],
    count: Math.min(positiveOf(given, '_count') ?? DEFAULT_COUNT, server.limits.searchMaximumCount),
  };
};

/** What may be in the compartment of some patient: it has a reference that puts it there, perhaps to something else. */
const allPatientsScope = (members: ReadonlyMap<string, readonly string[]>): SearchScope => ({
  types: [...new Set(['Patient', ...members.keys()])],
  clausesOf: (type) => {
    if (type === 'Patient') return [];
    const clauses = (members.get(type) ?? []).map(
      (param) => ({ kind: 'missing', param, entries: 'reference', isMissing: false }) as const,
    );
    return [{ kind: 'any', clauses }];
  },
});

/** Whether one of the references that put a resource in a compartment is to a Patient. */
const isOfPatient = (
  server: FhirServer,
  { type, text }: Version,
  members: ReadonlyMap<string, readonly string[]>,
): boolean => {
  if (type === 'Patient') return true;
  const params = members.get(type) ?? [];
  return server
    .indexEntries(JSON.parse(text.toString()) as { resourceType: string })
    .some((entry) => entry.kind === 'reference' && entry.type === 'Patient' && params.includes(entry.param));
};

const checkPatient = async ({ store }: FhirServer, id: string): Promise<void> => {
  const patient = await store.read({ type: 'Patient', id });
  if (patient === undefined) throw notFound(`There is no Patient/${id}`);
  if (patient.isDeleted) throw gone(`Patient/${id} is deleted`);
};

interface Found {
  readonly matches: readonly Version[];
  readonly supporting: readonly Version[];
  /** Whether more is referred to, and whether that did not fit. */
  readonly cut: { readonly isCut: boolean; readonly isOverBytes: boolean };
  readonly next?: PageKey;
}

/** One page. `after` is the store's key behind the keys of what was shown. */
const foundOf = async (
  server: FhirServer,
  id: string | undefined,
  { types, times, since, count }: Asked,
  after: PageKey | undefined,
): Promise<Found> => {
  const members = server.compartments.of('Patient') ?? new Map<string, readonly string[]>();
  const scope = id === undefined ? allPatientsScope(members) : compartmentScope(server, { type: 'Patient', id });
  const isWanted = ({ type }: Reference): boolean => types?.has(type) ?? type !== 'Binary';
  const isSupporting = (type: string): boolean => type !== 'Patient' && !members.has(type);
  // To know which practitioners there are, all must be looked through that may refer to one.
  const looksThroughAll = types === undefined || [...types].some(isSupporting);
  const searches = scope.types
    .filter((type) => looksThroughAll || types.has(type))
    .map((type): TypeSearch => {
      const updated = since === undefined ? [] : [{ kind: 'lastUpdated', values: [since] } as const];
      return { type, clauses: [...scope.clausesOf(type), ...updated, ...clinicalDateClauses(type, times)] };
    });
  const [shown = '', ...key] = after ?? [];
  const page = await server.store.search({
    searches,
    sort: [],
    count,
    bytes: pageBytes(server, true),
    ...(after === undefined ? {} : { after: key }),
  });
  const ofPatients = id === undefined ? page.items.filter((item) => isOfPatient(server, item, members)) : page.items;
  const matches = ofPatients.filter(isWanted);
  const earlier = shownKeys(String(shown));
  const isShown = new Set(earlier);
  const referenced = await referencedFrom(
    server,
    ofPatients,
    (reference) =>
      isSupporting(reference.type) &&
      (reference.type !== 'Binary' || isWanted(reference)) &&
      !isShown.has(shownKey(reference)),
    server.limits.searchIncludes,
    bytesBeside(server, matches),
  );
  const supporting = referenced.items.filter(
    (item) => isWanted(item) && (since === undefined || item.lastUpdated >= since.lo),
  );
  const keys = [...earlier, ...supporting.map(shownKey)].slice(-SHOWN_MOST).join('');
  return {
    matches,
    supporting,
    cut: referenced,
    ...(page.next === undefined ? {} : { next: [keys, ...page.next] }),
  };
};

/** So long pages are passed over that have nothing to show, as where few of the resources are of the types asked for. */
const PASSED_MILLISECONDS = 2000;

/** One page with something to show, if one is found in time. */
const shownOf = async (
  server: FhirServer,
  id: string | undefined,
  asked: Asked,
  after: PageKey | undefined,
): Promise<Found> => {
  const end = performance.now() + PASSED_MILLISECONDS;
  for (let from = after; ; ) {
    const found = await foundOf(server, id, asked, from);
    const { matches, supporting, cut, next } = found;
    const isEmpty = matches.length === 0 && supporting.length === 0 && !cut.isCut;
    if (!isEmpty || next === undefined || performance.now() > end) return found;
    from = next;
  }
};

const cutEntry = (issues: readonly Issue[]): BundleEntry => ({
  resource: JSON.stringify(operationOutcome(issues)),
  search: { mode: 'outcome' },
});

/** `Patient/$everything`, `Patient/[id]/$everything`. Fails with a FhirError 400, 404 or 410. */
export const everything: Interaction<OperationTarget> = async (server, request, { id }) => {
  const given = givenParameters(server, request);
  const tokens = given.filter(({ name }) => name === PAGE);
  const selecting = given.filter(({ name }) => name !== PAGE);
  checkNames(selecting, NAMES);
  if (id !== undefined) await checkPatient(server, id);
  const asked = askedOf(server, selecting);
  const path = id === undefined ? 'Patient/$everything' : `Patient/${id}/$everything`;
  const linkOf = (relation: Link['relation'], more: readonly Pair[] = []): Link => {
    const parameters = queryOf([...pairsOfGiven(selecting), ...more]);
    return { relation, url: `${server.baseUrl}/${path}${parameters === '' ? '' : `?${parameters}`}` };
  };
  const tokenScope = linkOf('self').url;
  const token = singleOf(tokens, PAGE);
  const after = token === undefined ? undefined : (server.pageTokens.read(token, tokenScope).at(-1) ?? undefined);
  const { matches, supporting, cut, next } = await shownOf(server, id, asked, after);
  const entryOf =
    (mode: 'match' | 'include') =>
    (version: Version): BundleEntry => ({
      fullUrl: `${server.baseUrl}/${referenceText(version)}`,
      resource: version.text.toString(),
      search: { mode },
    });
  const links = [
    linkOf('self', pairsOfGiven(tokens)),
    ...(next === undefined ? [] : [linkOf('next', [[PAGE, server.pageTokens.write([next], tokenScope)]])]),
  ];
  const entries = [
    ...matches.map(entryOf('match')),
    ...supporting.map(entryOf('include')),
    ...(cut.isCut ? [cutEntry(cutIssues(server, cut, 'are referred to'))] : []),
  ];
  return { status: 200, headers: {}, body: bundleText({ type: 'searchset', links, entries }) };
};

/** The server's own search parameters between their definitions and the records: which are new, which are ready. */
import type { SearchParameter as SearchParameterResource } from '@medplum/fhirtypes';
import type { OwnParameter } from '../definitions/search-parameters.ts';
import { type AcceptedParameter, isInUse, type OfferedParameter } from '../search/accept-parameters.ts';
import type { PageKey } from '../search/search-query.ts';
import type { Store } from '../store/store.ts';
import type { Fingerprints } from './job.ts';

/** Definitions are read in pages of so many. */
const PAGE_RESOURCES = 100;

const keyOf = ({ type, parameter }: OwnParameter): string => `${type}.${parameter.code}`;

const isReady = (accepted: AcceptedParameter, fingerprints: Fingerprints): boolean =>
  fingerprints[keyOf(accepted)] === accepted.fingerprint;

export const fingerprintsOf = (parameters: readonly AcceptedParameter[]): Fingerprints =>
  Object.fromEntries(parameters.map((each) => [keyOf(each), each.fingerprint]));

/** Of what is indexed, the part that is still wanted as it is. */
export const readyFingerprints = (wanted: readonly AcceptedParameter[], fingerprints: Fingerprints): Fingerprints =>
  fingerprintsOf(wanted.filter((each) => isReady(each, fingerprints)));

/** What is wanted and not indexed, or indexed by another definition. */
export const pendingParameters = (wanted: readonly AcceptedParameter[], fingerprints: Fingerprints): Fingerprints =>
  fingerprintsOf(wanted.filter((each) => !isReady(each, fingerprints)));

/** The types whose resources are to be indexed for pending parameters. */
export const typesOf = (wanted: readonly AcceptedParameter[], pending: Fingerprints): string[] => [
  ...new Set(wanted.filter((each) => keyOf(each) in pending).map(({ type }) => type)),
];

/** The parameters for the registry. One that every type has is also listed for a search over all types. */
export const ownParameters = (
  wanted: readonly AcceptedParameter[],
  fingerprints: Fingerprints,
  resourceTypes: readonly string[],
): OwnParameter[] => {
  const own = wanted.map(({ type, parameter, ...rest }): OwnParameter => {
    const isIndexing = !isReady({ type, parameter, ...rest }, fingerprints);
    return { type, parameter: isIndexing ? { ...parameter, isIndexing } : parameter };
  });
  const byUrl = Map.groupBy(own, ({ parameter }) => parameter.url);
  const general = [...byUrl.values()].filter((group) => group.length === resourceTypes.length);
  const ofAll = general.map((group): OwnParameter => {
    const { parameter } = group.find((each) => each.parameter.isIndexing) ?? (group[0] as OwnParameter);
    return { type: 'Resource', parameter };
  });
  return [...own, ...ofAll];
};

const offeredOf = ({ id, ...resource }: SearchParameterResource): OfferedParameter => {
  const { url, status, code, base, type, expression, target, component } = resource;
  const used = { resourceType: 'SearchParameter', url, status, code, base, type, expression, target, component };
  // As it comes back from a record: without members that are undefined.
  return { source: `SearchParameter/${id}`, resource: JSON.parse(JSON.stringify(used)) as SearchParameterResource };
};

const storedParameters = async (store: Pick<Store, 'search'>): Promise<OfferedParameter[]> => {
  const found: OfferedParameter[] = [];
  let after: PageKey | undefined;
  do {
    const page = await store.search({
      ...{ searches: [{ type: 'SearchParameter', clauses: [] }], sort: [], count: PAGE_RESOURCES },
      ...(after === undefined ? {} : { after }),
    });
    for (const { text } of page.items) found.push(offeredOf(JSON.parse(text.toString()) as SearchParameterResource));
    after = page.next;
  } while (after !== undefined);
  return found;
};

/**
 * The definitions from resources that are to be used: all that are stored, or those that are in use and `only`. Those
 * in use come first, so that a new one does not take their url or code.
 */
export const postedParameters = async (
  store: Pick<Store, 'search'>,
  active: readonly OfferedParameter[],
  only: SearchParameterResource | undefined,
): Promise<OfferedParameter[]> => {
  const stored = only === undefined ? await storedParameters(store) : [offeredOf(only)];
  const bySource = new Map(stored.map((each) => [each.source, each]));
  const known = new Set(active.map(({ source }) => source));
  const kept = active.flatMap((each) => bySource.get(each.source) ?? (only === undefined ? [] : [each]));
  const added = stored.filter(({ source }) => !known.has(source));
  added.sort((one, other) => (one.source < other.source ? -1 : 1));
  return [...kept, ...added].filter(({ resource }) => isInUse(resource));
};

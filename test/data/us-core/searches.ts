/** From the searches of the kit, and what is stored, to requests with values, and to what these must find. */
import type { Resource } from '@medplum/fhirtypes';
import type { KitProfile, KitSearch } from './kit.ts';
import { type Asked, anyOf, askedCode, askedFor, askedForNothing, type Value, valuesOf } from './values.ts';

/** Whether the values that are searched for are in a Synthea record, in an example of US Core only, or nowhere. */
type Origin = 'Synthea' | 'example' | 'nowhere';

export interface Stored {
  readonly resource: Resource;
  readonly origin: Origin;
}

export interface Search {
  readonly type: string;
  /** Each parameter with what it is given. */
  readonly criteria: readonly (readonly [parameter: string, asked: Asked])[];
  readonly origin: Origin;
  /** The resource from which the values are, which is to be found. */
  readonly source: Resource | undefined;
  /** As the value of `_include`. */
  readonly include: string | undefined;
}

/** A parameter with the ways to ask for a value. */
type Ways = readonly [parameter: string, asked: readonly Asked[]];

interface Found {
  readonly matches: readonly Resource[];
  readonly included: readonly Resource[];
}

export interface Searches {
  /** All that is to be asked for a search of the kit; for each of its fixed codes apart. */
  of(search: KitSearch, profile: KitProfile): Search[][];
  found(search: Search): Found;
}

const hasCode = (resource: Resource, parameter: string, codes: readonly string[]): boolean =>
  valuesOf(resource, parameter).some((value) => value.kind === 'token' && codes.includes(value.code));

/** The first and the last, which are of different patients if there are several. */
const ends = <T>(items: readonly T[]): T[] =>
  [...new Set([items[0], items.at(-1)])].filter((item) => item !== undefined);

/** Whether a resource has one of the codes that the searches of the profile name. */
const isOfProfile = ({ searches }: KitProfile, resource: Resource): boolean =>
  searches.every(
    ({ parameters, fixedCodes }) => fixedCodes.length === 0 || hasCode(resource, parameters.at(-1) ?? '', fixedCodes),
  );

/** Resources to take the values from: some of Synthea and some of the examples, those of the profile before others. */
const sourcesOf = (candidates: readonly Stored[], profile: KitProfile): Stored[] =>
  (['Synthea', 'example'] as const).flatMap((wanted) => {
    const all = candidates.filter(({ origin }) => origin === wanted);
    const ofProfile = all.filter(({ resource }) => isOfProfile(profile, resource));
    return ends(ofProfile.length > 0 ? ofProfile : all);
  });

/** A search with the first way to ask for each value, and more, each with another way for one of them. */
const variations = (ways: readonly Ways[]): Search['criteria'][] => {
  const base = ways.map(([parameter, asked]) => [parameter, asked[0] as Asked] as const);
  const others = ways.flatMap(([parameter, asked], place) =>
    asked.slice(1).map((other) => base.with(place, [parameter, other])),
  );
  return [base, ...others];
};

const isToken = (value: Value): value is Value & { kind: 'token' } => value.kind === 'token';

/** What `_include=[type]:medication` adds. */
const medicationOf = (resource: Resource): string | undefined =>
  'medicationReference' in resource ? resource.medicationReference?.reference : undefined;

export const createSearches = (stored: readonly Stored[], base: string): Searches => {
  const ofType = Map.groupBy(stored, ({ resource }): string => resource.resourceType);

  const otherCode = (type: string, parameter: string, code: string): string =>
    (ofType.get(type) ?? [])
      .flatMap(({ resource }) => valuesOf(resource, parameter).filter(isToken))
      .find((value) => value.code !== code)?.code ?? 'entered-in-error';

  const waysOf = (source: Resource, parameter: string, { listed }: KitSearch): Ways => {
    const value = valuesOf(source, parameter)[0] as Value;
    if (!listed.includes(parameter) || !isToken(value)) return [parameter, askedFor(value, base)];
    const list = anyOf(
      [value.code, otherCode(source.resourceType, parameter, value.code)].map((code) => askedCode(code)),
    );
    return [parameter, [...askedFor(value, base), list]];
  };

  /** For what no resource has; but for a patient, of whom there are some. */
  const waysOfNothing = (parameter: string): Ways => {
    if (parameter !== 'patient') return [parameter, [askedForNothing(parameter)]];
    const target = `Patient/${ofType.get('Patient')?.[0]?.resource.id}`;
    return [parameter, askedFor({ kind: 'reference', target }, base)];
  };

  /** `code` is what the last parameter is to have, if it is not to have what is found. */
  const searchesOf = (search: KitSearch, profile: KitProfile, code: string | undefined): Search[] => {
    const { type, parameters, include } = search;
    const last = parameters.at(-1) ?? '';
    const withCode = (ways: Ways): Ways => (code !== undefined && ways[0] === last ? [last, [askedCode(code)]] : ways);
    const candidates = (ofType.get(type) ?? []).filter(
      ({ resource }) =>
        parameters.every((parameter) => valuesOf(resource, parameter).length > 0) &&
        (code === undefined || hasCode(resource, last, [code])),
    );
    const sources = sourcesOf(candidates, profile);
    if (sources.length === 0)
      return variations(parameters.map(waysOfNothing).map(withCode)).map((criteria) => ({
        ...{ type, criteria, include },
        origin: 'nowhere',
        source: undefined,
      }));
    return sources.flatMap(({ resource, origin }) => {
      const ways = parameters.map((parameter) => withCode(waysOf(resource, parameter, search)));
      return variations(ways).map((criteria) => ({ type, criteria, include, origin, source: resource }));
    });
  };

  return {
    of: (search, profile) => {
      const codes = search.fixedCodes.length === 0 ? [undefined] : search.fixedCodes;
      return codes.map((code) => searchesOf(search, profile, code));
    },
    found: ({ type, criteria, include }) => {
      const matches = (ofType.get(type) ?? [])
        .map(({ resource }) => resource)
        .filter((resource) =>
          criteria.every(([parameter, asked]) => valuesOf(resource, parameter).some((value) => asked.matches(value))),
        );
      const references = include === undefined ? [] : matches.map(medicationOf);
      const medications = (ofType.get('Medication') ?? []).map(({ resource }) => resource);
      return { matches, included: medications.filter(({ id }) => references.includes(`Medication/${id}`)) };
    },
  };
};

export const queryOf = ({ criteria, include }: Search): string =>
  [
    ...criteria.map(([parameter, { text }]) => `${parameter}=${encodeURIComponent(text)}`),
    ...(include === undefined ? [] : [`_include=${encodeURIComponent(include)}`]),
  ].join('&');

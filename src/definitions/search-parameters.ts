/**
 * The search parameters by resource type: those of R4, as the specification defines them, and beside them the server's
 * own, which may change while it runs.
 *
 * @see https://hl7.org/fhir/R4/searchparameter-registry.html
 */
import type { SearchParameter as SearchParameterResource } from '@medplum/fhirtypes';
import { readDefinitions } from './read-definitions.ts';

type SearchParameterType =
  | 'token'
  | 'string'
  | 'date'
  | 'number'
  | 'quantity'
  | 'reference'
  | 'uri'
  | 'composite'
  | 'special';

export interface SearchParameter {
  /** The name in a query: `clinical-status`. */
  readonly code: string;
  readonly url: string;
  readonly type: SearchParameterType;
  /** FHIRPath with the branches of all resource types of the parameter; '' where there is none, as for `_text`. */
  readonly expression: string;
  /** Resource types that a reference parameter may point to; empty means any. */
  readonly targets: readonly string[];
  /** The parts of a composite parameter: each is another parameter (its url), read by `expression` from one element. */
  readonly components: readonly { readonly url: string; readonly expression: string }[];
  /** Of an own parameter: its index is still being made, so that entries are written and nothing can be searched by it. */
  readonly isIndexing?: boolean;
}

export interface SearchParameters {
  /** Changes whenever the parameters do: what was made from them before is to be made anew. */
  readonly generation: number;
  /**
   * The parameters of a resource type by code, with those of Resource and DomainResource. `Resource` has those that
   * a search over all types may use.
   */
  of(type: string): ReadonlyMap<string, SearchParameter>;
  /** The parameter that a definition's url names. */
  byUrl(url: string): SearchParameter | undefined;
}

/** A parameter beside those of R4, at one type; at `Resource` if all types have it. */
export interface OwnParameter {
  readonly type: string;
  readonly parameter: SearchParameter;
}

export interface LiveSearchParameters extends SearchParameters {
  /** Those of R4 alone, which never change. */
  readonly ofR4: Omit<SearchParameters, 'generation'>;
  /** Sets the own parameters, in place of all earlier ones. Those of R4 stay where an own one has the same code. */
  replaceOwn(parameters: readonly OwnParameter[]): void;
}

const URL_PREFIX = 'http://hl7.org/fhir/SearchParameter/';

/** Parameters in the package that R4 does not have: the CapabilityStatement `base` of the specification lacks them. */
const NOT_IN_R4 = new Set(['DetectedIssue-status', 'DeviceDefinition-classification', 'ServiceRequest-order-detail']);

/**
 * Parameters of all resources that R4 describes in prose only.
 *
 * @see https://hl7.org/fhir/R4/search.html#all
 */
const WITHOUT_DEFINITION = ['_list', '_has', '_type', '_filter'];

/** Resource types that are no DomainResource, and so have no narrative for `_text`. */
const PLAIN_RESOURCES = new Set(['Resource', 'Binary', 'Bundle', 'Parameters']);

/** R4's misprints in the expressions of components, by url of the composite and of the component. */
const CORRECTED_COMPONENTS = new Map([
  // The two expressions are exchanged in R4: `relatesto` is the reference, `relation` is the code.
  ['DocumentReference-relationship DocumentReference-relatesto', 'target'],
  ['DocumentReference-relationship DocumentReference-relation', 'code'],
  // FHIR's type is `dateTime`; FHIRPath's System type `DateTime` matches no element.
  ['Observation-code-value-date Observation-value-date', 'value.ofType(dateTime) | value.ofType(Period)'],
]);

const componentsOf = ({ id, component }: SearchParameterResource): SearchParameter['components'] =>
  (component ?? []).map(({ definition, expression }) => ({
    url: definition,
    expression: CORRECTED_COMPONENTS.get(`${id} ${definition.slice(URL_PREFIX.length)}`) ?? expression,
  }));

/** What the server needs of a definition. */
export const condensed = (resource: SearchParameterResource): SearchParameter => ({
  code: resource.code,
  url: resource.url,
  type: resource.type as SearchParameterType,
  expression: resource.expression ?? '',
  targets: resource.target ?? [],
  components: componentsOf(resource),
});

type ByType = Map<string, Map<string, SearchParameter>>;

const addTo = (types: ByType, type: string, parameter: SearchParameter): void => {
  const known = types.get(type);
  if (known === undefined) types.set(type, new Map([[parameter.code, parameter]]));
  else known.set(parameter.code, parameter);
};

/** The types whose parameters a type has beside its own. */
const inheritedTypes = (type: string): readonly string[] =>
  PLAIN_RESOURCES.has(type) ? ['Resource'] : ['Resource', 'DomainResource'];

/** The resource types that a `base` of a SearchParameter means: itself, or all that are of an abstract type. */
export const typesOfBase = (base: string, resourceTypes: readonly string[]): string[] => {
  if (resourceTypes.includes(base)) return [base];
  return base === 'Resource' || base === 'DomainResource'
    ? resourceTypes.filter((type) => inheritedTypes(type).includes(base))
    : [];
};

/** Reads the definitions (about 30 ms) and returns their condensed form. */
export const loadSearchParameters = (): LiveSearchParameters => {
  const ofR4: ByType = new Map();
  const urlsOfR4 = new Map<string, SearchParameter>();
  for (const resource of readDefinitions('search-parameters.json') as SearchParameterResource[]) {
    if (NOT_IN_R4.has(resource.id ?? '')) continue;
    const parameter = condensed(resource);
    urlsOfR4.set(parameter.url, parameter);
    for (const type of resource.base ?? []) addTo(ofR4, type, parameter);
  }
  for (const code of WITHOUT_DEFINITION) {
    const url = `${URL_PREFIX}Resource-${code.slice(1)}`;
    addTo(ofR4, 'Resource', { code, url, type: 'special', expression: '', targets: [], components: [] });
  }

  let generation = 0;
  let own: ByType = new Map();
  let ownUrls = new Map<string, SearchParameter>();
  const complete = new Map<string, ReadonlyMap<string, SearchParameter>>();
  const r4Of = (type: string): ReadonlyMap<string, SearchParameter> =>
    new Map([...inheritedTypes(type), type].flatMap((base) => [...(ofR4.get(base) ?? [])]));
  return {
    ofR4: { of: r4Of, byUrl: (url) => urlsOfR4.get(url) },
    get generation() {
      return generation;
    },
    byUrl: (url) => urlsOfR4.get(url) ?? ownUrls.get(url),
    of: (type) => {
      const known = complete.get(type) ?? new Map([...(own.get(type) ?? []), ...r4Of(type)]);
      complete.set(type, known);
      return known;
    },
    replaceOwn: (parameters) => {
      own = new Map();
      ownUrls = new Map(parameters.map(({ parameter }) => [parameter.url, parameter]));
      for (const { type, parameter } of parameters) addTo(own, type, parameter);
      complete.clear();
      generation++;
    },
  };
};

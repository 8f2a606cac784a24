/**
 * The search parameters of R4 by resource type, as the specification defines them.
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
}

export interface SearchParameters {
  /**
   * The parameters of a resource type by code, with those of Resource and DomainResource. `Resource` has those that
   * a search over all types may use.
   */
  of(type: string): ReadonlyMap<string, SearchParameter>;
  /** The parameter that a definition's url names. */
  byUrl(url: string): SearchParameter | undefined;
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

const condensed = (resource: SearchParameterResource): SearchParameter => ({
  code: resource.code,
  url: resource.url,
  type: resource.type as SearchParameterType,
  expression: resource.expression ?? '',
  targets: resource.target ?? [],
  components: componentsOf(resource),
});

/** Reads the definitions (about 30 ms) and returns their condensed form. */
export const loadSearchParameters = (): SearchParameters => {
  const own = new Map<string, Map<string, SearchParameter>>();
  const byUrl = new Map<string, SearchParameter>();
  const add = (type: string, parameter: SearchParameter): void => {
    const known = own.get(type);
    if (known === undefined) own.set(type, new Map([[parameter.code, parameter]]));
    else known.set(parameter.code, parameter);
  };
  for (const resource of readDefinitions('search-parameters.json') as SearchParameterResource[]) {
    if (NOT_IN_R4.has(resource.id ?? '')) continue;
    const parameter = condensed(resource);
    byUrl.set(parameter.url, parameter);
    for (const type of resource.base ?? []) add(type, parameter);
  }
  for (const code of WITHOUT_DEFINITION) {
    const url = `${URL_PREFIX}Resource-${code.slice(1)}`;
    add('Resource', { code, url, type: 'special', expression: '', targets: [], components: [] });
  }

  const complete = new Map<string, ReadonlyMap<string, SearchParameter>>();
  return {
    byUrl: (url) => byUrl.get(url),
    of: (type) => {
      const known = complete.get(type);
      if (known !== undefined) return known;
      const inherited = PLAIN_RESOURCES.has(type) ? ['Resource'] : ['Resource', 'DomainResource'];
      const made = new Map([...inherited, type].flatMap((base) => [...(own.get(base) ?? [])]));
      complete.set(type, made);
      return made;
    },
  };
};

/** What the meaning of a query string depends on beside its text. */
import type { SearchParameter, SearchParameters } from '../definitions/search-parameters.ts';
import { notSupported, unavailable } from '../fhir/fhir-error.ts';

/** Answers about codes that are loaded; undefined where a system or value set is not. */
export interface CodeLookup {
  expansion(valueSet: string): readonly { readonly system: string; readonly code: string }[] | undefined;
  /** The code itself and all below it. */
  descendants(system: string, code: string): readonly string[] | undefined;
  /** The code itself and all above it. */
  ancestors(system: string, code: string): readonly string[] | undefined;
}

export interface SearchContext {
  readonly parameters: SearchParameters;
  readonly resourceTypes: readonly string[];
  readonly codes: CodeLookup;
  /** The code systems that the elements of type `code` of a parameter have by their binding. */
  impliedSystems(type: string, parameter: SearchParameter): ReadonlySet<string>;
  /** The FHIR types of the elements that a parameter looks at; none if its expression does not tell. */
  elementTypes(type: string, parameter: SearchParameter): ReadonlySet<string>;
  readonly baseUrl: string;
  readonly defaultCount: number;
  readonly maximumCount: number;
  /** The most values of one parameter, and the most codes that a value set stands for. */
  readonly maximumValues: number;
  /** The most values of a string, date, number or quantity, which are compared one by one. */
  readonly maximumComparedValues: number;
  /** The most parameters of one search, and the most values of all of them together. */
  readonly maximumParameters: number;
  readonly maximumTotalValues: number;
  /** The most steps of a chain. */
  readonly maximumChain: number;
  /** Minutes east of UTC of searched times without a zone. */
  readonly zoneOffsetMinutes: number;
  /** `ap` reaches this share of the value, or of the time between a date and now, to both sides. */
  readonly approximateShare: number;
  readonly isLenient: boolean;
  now(): number;
}

const BY_COLUMN = new Set(['_id', '_lastUpdated']);
/** Parameters without an expression that the server can search by, and composites of their components. */
const BY_MEANING = new Set(['_list', '_has', '_type', '_text', '_content']);

/** Whether the server can search by this parameter, as the CapabilityStatement says. */
export const isSearchable = ({ type, expression, code, isIndexing }: SearchParameter): boolean => {
  if (isIndexing) return false;
  if (BY_COLUMN.has(code) || BY_MEANING.has(code)) return true;
  return type === 'special' ? code === 'near' : expression !== '';
};

/** After so many seconds it is worth asking again whether a parameter is ready. */
const RETRY_SECONDS = 5;

/** Throws a FhirError 503 if the index of a parameter is still being made: an answer would be incomplete. */
export const checkReady = (type: string, { code, isIndexing }: SearchParameter): void => {
  if (isIndexing)
    throw unavailable(
      `The search parameter '${code}' of ${type} is not ready: its index is being made; GET [base]/$reindex tells how far it is`,
      RETRY_SECONDS,
    );
};

/** The parameter called `code`. Throws a FhirError 400 if the type has none, 503 if its index is still being made. */
export const parameterOf = (type: string, code: string, { parameters }: SearchContext): SearchParameter => {
  const parameter = parameters.of(type).get(code);
  if (parameter !== undefined) checkReady(type, parameter);
  if (parameter !== undefined && isSearchable(parameter)) return parameter;
  const reason = parameter === undefined ? 'has no search parameter' : 'cannot be searched by';
  throw notSupported(`${type} ${reason} '${code}'; GET [base]/metadata lists what is possible`);
};

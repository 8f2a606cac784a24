/**
 * What an operation is called with: the query, and, by POST, the entries of a Parameters resource.
 *
 * @see https://hl7.org/fhir/R4/operations.html#request
 */
import { FhirError, invalid, notSupported } from '../fhir/fhir-error.ts';
import { elementsOf, type Member, membersOf } from '../fhir/json-members.ts';
import type { JsonText } from '../fhir/json-text.ts';
import type { FhirRequest, FhirServer } from '../interactions/fhir-request.ts';
import { type Pair, pairsOf } from '../interactions/parse-request.ts';
import { parsedBody } from '../interactions/prepare-write.ts';

/** One parameter; `value` is what would stand in a query. */
export interface GivenParameter {
  readonly name: string;
  /** Undefined for a resource, or a type that no query can hold. */
  readonly value?: string;
  /** What it was given as, `resource` or `valueMeta`, and its JSON; undefined for one of the query. */
  readonly json?: { readonly key: string; readonly text: string };
}

interface Coded {
  readonly system?: string;
  readonly code?: string;
}

/** Parameters that HTTP handles. */
const OF_HTTP = new Set(['_format', '_pretty']);

const escaped = (text: string): string => text.replace(/[\\,|$]/g, '\\$&');

const tokenText = ({ system, code = '' }: Coded): string =>
  system === undefined ? escaped(code) : `${escaped(system)}|${escaped(code)}`;

/** A value of a Parameters resource as it would stand in a query; undefined if it cannot. */
const queryText = (key: string, json: string): string | undefined => {
  const value = JSON.parse(json) as unknown;
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return json;
  switch (key) {
    case 'valueCoding':
      return tokenText(value as Coded);
    case 'valueCodeableConcept':
      return ((value as { coding?: Coded[] }).coding ?? []).map(tokenText).join(',');
    case 'valueReference':
      return (value as { reference?: string }).reference;
    default:
      return undefined;
  }
};

const givenParameter = (text: string, start: number): GivenParameter => {
  const members = membersOf(text, start);
  const jsonOf = ({ value }: Member): string => text.slice(value.start, value.end);
  const name = members.find(({ key }) => key === 'name');
  const member = members.find(({ key }) => key === 'resource' || /^value[A-Z]/.test(key));
  const nameValue: unknown = name === undefined ? undefined : JSON.parse(jsonOf(name));
  if (typeof nameValue !== 'string') throw invalid('Parameters.parameter.name: required, and missing', 'Parameters');
  if (member === undefined)
    throw invalid(`Parameters: '${nameValue}' has neither a value nor a resource`, 'Parameters');
  const { key } = member;
  const json = { key, text: jsonOf(member) };
  const value = key === 'resource' ? undefined : queryText(key, json.text);
  return { name: nameValue, json, ...(value === undefined ? {} : { value }) };
};

/** The entries of a Parameters resource, which needs not be valid otherwise. Throws a FhirError 400 if one has no name or value. */
export const entriesOfParameters = ({ text }: JsonText): GivenParameter[] => {
  const list = membersOf(text).find(({ key }) => key === 'parameter');
  if (list === undefined) return [];
  const isObject = ({ start }: { start: number }): boolean => text[start] === '{';
  if (text[list.value.start] !== '[') throw invalid('Parameters.parameter: must be an array', 'Parameters.parameter');
  const spans = elementsOf(text, list.value.start);
  if (!spans.every(isObject)) throw invalid('Parameters.parameter: must have objects', 'Parameters.parameter');
  return spans.map(({ start }) => givenParameter(text, start));
};

export const queryParameters = ({ query }: FhirRequest): GivenParameter[] =>
  pairsOf(query)
    .filter(([name]) => !OF_HTTP.has(name))
    .map(([name, value]) => ({ name, value }));

/** All parameters of a call. Throws a FhirError 400 for a body that is no valid Parameters resource. */
export const givenParameters = (server: FhirServer, request: FhirRequest): GivenParameter[] => {
  const ofQuery = queryParameters(request);
  if (request.method !== 'POST' || request.body === undefined) return ofQuery;
  const json = parsedBody(server, request);
  const issues = server.validate(json.value, {
    expectedType: 'Parameters',
    integralDecimals: json.integralDecimals,
  });
  if (issues.length > 0) throw new FhirError(400, issues);
  return [...ofQuery, ...entriesOfParameters(json)];
};

/** Throws a FhirError 400 for a parameter that is not in `names`. */
export const checkNames = (given: readonly GivenParameter[], names: readonly string[]): void => {
  const unknown = given.find(({ name }) => !names.includes(name));
  if (unknown === undefined) return;
  const possible = names.length === 0 ? 'it has none' : `possible: ${names.join(', ')}`;
  throw notSupported(`This operation has no parameter '${unknown.name}'; ${possible}`);
};

/** The values of a parameter. Throws a FhirError 400 for a value that is no simple one. */
export const valuesOf = (given: readonly GivenParameter[], wanted: string): string[] =>
  given
    .filter(({ name }) => name === wanted)
    .map(({ value }) => {
      if (value === undefined) throw invalid(`${wanted}: a value of another type is expected`);
      return value;
    });

/** The value of a parameter that may stand once. Throws a FhirError 400 if it stands twice. */
export const singleOf = (given: readonly GivenParameter[], name: string): string | undefined => {
  const [value, ...more] = valuesOf(given, name);
  if (more.length > 0) throw invalid(`${name}: stands twice`);
  return value;
};

/** True or false, or undefined if it is not given. Throws a FhirError 400 for anything else. */
export const booleanOf = (given: readonly GivenParameter[], name: string): boolean | undefined => {
  const value = singleOf(given, name);
  if (value === undefined) return undefined;
  if (value !== 'true' && value !== 'false') throw invalid(`${name}: '${value}' is neither true nor false`);
  return value === 'true';
};

/** A whole number above 0. Throws a FhirError 400 for anything else. */
export const positiveOf = (given: readonly GivenParameter[], name: string): number | undefined => {
  const value = singleOf(given, name);
  if (value === undefined) return undefined;
  if (!/^[1-9]\d*$/.test(value)) throw invalid(`${name}: '${value}' is not a whole number above 0`);
  return Number(value);
};

/** The parameters as pairs of a query. Throws a FhirError 400 for a value that cannot stand in one. */
export const pairsOfGiven = (given: readonly GivenParameter[]): Pair[] =>
  given.map(({ name, value }) => {
    if (value === undefined) throw invalid(`${name}: a value of another type is expected`);
    return [name, value];
  });

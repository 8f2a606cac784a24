/** From JSON text to what a store can commit: parsed, validated, cut for its version, with its index entries. */
import { isBase64Groups } from '../fhir/base64.ts';
import { FhirError, invalid, issue } from '../fhir/fhir-error.ts';
import { type JsonText, parseJson } from '../fhir/json-text.ts';
import { STAND_IN } from '../fhir/large-string.ts';
import type { Reference } from '../fhir/reference.ts';
import { type LargeText, type ResourceText, resourceText } from '../fhir/resource-text.ts';
import type { IndexEntry } from '../search/index-entry.ts';
import { binaryOfContent, withData } from './binary.ts';
import type { FhirRequest, FhirServer } from './fhir-request.ts';
import { localTargets } from './referrers.ts';

/** What `create` and `update` writes have in common. */
export interface PreparedResource {
  readonly resource: ResourceText;
  readonly entries: readonly IndexEntry[];
  readonly requires: readonly Reference[];
}

interface ResourceValue {
  readonly resourceType: string;
  readonly id?: string;
}

/** The body as JSON. Throws a FhirError 400 if there is none. */
export const parsedBody = (server: FhirServer, { body }: FhirRequest): JsonText => {
  if (body === undefined) throw invalid('The body is empty');
  return parseJson(body, server.limits.jsonDepth);
};

/** Checks that the body is a valid resource of `type`; for an update also that it carries the `id` of the url. */
export const validResource = (server: FhirServer, json: JsonText, type: string, id?: string): ResourceValue => {
  const issues = server.validate(json.value, { expectedType: type, integralDecimals: json.integralDecimals });
  if (issues.length > 0) throw new FhirError(400, issues);
  const value = json.value as ResourceValue;
  if (id !== undefined && value.id !== id) throw otherId(type, value.id, `the url says '${id}'`);
  return value;
};

/** 400: the id in a body is not what it must be. */
export const otherId = (type: string, given: string | undefined, wanted: string): FhirError => {
  const reason = given === undefined ? 'is missing' : `is '${given}'`;
  return new FhirError(400, [issue('invalid', `${type}.id: ${reason}, but ${wanted}`, `${type}.id`)]);
};

const OBSERVATION_VALUE = 'http://terminology.hl7.org/CodeSystem/v3-ObservationValue';

/**
 * Throws a FhirError 422 if a resource for an update says that it is not whole: the update would lose the rest.
 *
 * @see https://hl7.org/fhir/R4/search.html#summary
 */
export const checkWhole = (value: ResourceValue): void => {
  const { resourceType, meta } = value as ResourceValue & { meta?: { tag?: { system?: string; code?: string }[] } };
  const isPart = meta?.tag?.some(({ system, code }) => system === OBSERVATION_VALUE && code === 'SUBSETTED');
  if (!isPart) return;
  const text = `${resourceType}.meta.tag: SUBSETTED says that this is a part of the resource, and an update would lose the rest; read the whole`;
  throw new FhirError(422, [issue('business-rule', text, `${resourceType}.meta.tag`)]);
};

/** Prepares a valid resource for storage as `type`/`id`. */
export const preparedResource = (
  server: FhirServer,
  json: JsonText,
  value: ResourceValue,
  id: string,
): PreparedResource => ({
  resource: resourceText(json.text, value.resourceType, id),
  entries: server.indexEntries(value),
  requires: server.refusesDanglingReferences ? localTargets(value, server.baseUrl) : [],
});

/** The JSON of a request. `data` is that of a Binary, base64, for which `STAND_IN` stands in the JSON. */
const receivedJson = (server: FhirServer, request: FhirRequest): { json: JsonText; data?: LargeText } => {
  const json = parsedBody(server, request);
  const { body, large } = request;
  if (body === undefined || large === undefined) return { json };
  const isData = (json.value as { data?: unknown } | null)?.data === STAND_IN;
  if (isData && isBase64Groups(large)) return { json, data: { parts: [large] } };
  return { json: parsedBody(server, { ...request, body: body.replace(STAND_IN, () => large.toString()) }) };
};

/** A valid resource that came with a request. */
export interface Received {
  /** The id that the body has. */
  readonly id: string | undefined;
  /** Prepared for storage under an id. */
  prepared(id: string): PreparedResource;
}

/**
 * The resource that a create or update brings, as JSON or as the content of a Binary. `id` is that of the url. Throws a
 * FhirError 400 if it is not valid, or, as JSON, has another id.
 */
export const receivedResource = (server: FhirServer, request: FhirRequest, type: string, id?: string): Received => {
  if (request.content !== undefined)
    return { id: undefined, prepared: binaryOfContent(server, request.content, request.headers) };
  const { json, data } = receivedJson(server, request);
  const value = validResource(server, json, type, id);
  if (request.method === 'PUT') checkWhole(value);
  return {
    id: value.id,
    prepared: (stored) => {
      const prepared = preparedResource(server, json, value, stored);
      return data === undefined ? prepared : { ...prepared, resource: withData(prepared.resource, data) };
    },
  };
};

/** From JSON text to what a store can commit: parsed, validated, cut for its version, with its index entries. */
import { FhirError, invalid, issue } from '../fhir/fhir-error.ts';
import { type JsonText, parseJson } from '../fhir/json-text.ts';
import { parseReference, type Reference } from '../fhir/reference.ts';
import { type ResourceText, resourceText } from '../fhir/resource-text.ts';
import type { IndexEntry } from '../search/index-entry.ts';
import type { FhirRequest, FhirServer } from './fhir-request.ts';

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

/** The local targets of all references in a resource, contained ones not counted. */
const localTargets = (value: unknown, baseUrl: string, found: Reference[] = []): Reference[] => {
  if (typeof value !== 'object' || value === null) return found;
  for (const [key, child] of Object.entries(value)) {
    if (key !== 'reference' || typeof child !== 'string') {
      localTargets(child, baseUrl, found);
      continue;
    }
    const parsed = parseReference(child, baseUrl);
    if (parsed?.kind === 'local') found.push({ type: parsed.type, id: parsed.id });
  }
  return found;
};

/** Checks that the body is a valid resource of `type`; for an update also that it carries the `id` of the url. */
export const validResource = (server: FhirServer, json: JsonText, type: string, id?: string): ResourceValue => {
  const issues = server.validate(json.value, { expectedType: type, integralDecimals: json.integralDecimals });
  if (issues.length > 0) throw new FhirError(400, issues);
  const value = json.value as ResourceValue;
  if (id !== undefined && value.id !== id) {
    const reason = value.id === undefined ? 'is missing' : `is '${value.id}'`;
    throw new FhirError(400, [issue('invalid', `${type}.id: ${reason}, but the url says '${id}'`, `${type}.id`)]);
  }
  return value;
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

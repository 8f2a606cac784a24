/**
 * Changes the sets of a resource's meta in its text, so that all else stays as it was written. It is committed only onto
 * the version that was read, so that of two changes none undoes the other.
 */

import {
  type JsonNode,
  type JsonObject,
  jsonNode,
  jsonText,
  openedArray,
  openedObject,
  setMember,
} from '../fhir/exact-json.ts';
import { conflict, FhirError, invalid } from '../fhir/fhir-error.ts';
import { parseJson } from '../fhir/json-text.ts';
import { type Reference, referenceText } from '../fhir/reference.ts';
import { stampedText } from '../fhir/resource-text.ts';
import { matchedVersion, versionToChange } from '../interactions/conditions.ts';
import type { FhirRequest, FhirResponse, FhirServer } from '../interactions/fhir-request.ts';
import { type PreparedResource, preparedResource } from '../interactions/prepare-write.ts';
import { entityTag } from '../interactions/respond.ts';
import { RefusedWrite, type Version } from '../store/store.ts';
import { metaResponse, metaText } from './meta-response.ts';
import { checkNames, givenParameters } from './parameters.ts';

/** The elements of Meta that are sets. */
const SETS = ['profile', 'security', 'tag'] as const;

/** Each try fails only if another write went through, so a busy resource still makes progress. */
const ATTEMPTS = 50;

/** What is to become of a set, of which `has` says what `given` has. */
export type SetChange = (current: readonly JsonNode[], given: readonly JsonNode[], keyOf: KeyOf) => JsonNode[];
type KeyOf = (node: JsonNode) => string;

/** Profiles are the same by their url, tags and labels by system and code. */
const keyOf: KeyOf = (node) => {
  const value = JSON.parse(jsonText(node)) as string | { system?: string; code?: string };
  return typeof value === 'string' ? value : `${value.system ?? ''}|${value.code ?? ''}`;
};

const itemsOf = (meta: JsonObject | undefined, name: string): JsonNode[] => {
  const member = meta?.get(name);
  return member === undefined ? [] : (openedArray(member.node) ?? []);
};

/** Puts the new items in; the extensions of profiles keep their places beside them. */
const setItems = (meta: JsonObject, name: string, before: readonly JsonNode[], after: readonly JsonNode[]): void => {
  const twin = `_${name}`;
  const extensions = itemsOf(meta, twin);
  if (extensions.length > 0) {
    const kept = after.map((item) => extensions[before.indexOf(item)] ?? jsonNode('null'));
    if (kept.every((item) => jsonText(item) === 'null')) meta.delete(twin);
    else setMember(meta, twin, { content: kept });
  }
  if (after.length === 0) meta.delete(name);
  else setMember(meta, name, { content: [...after] });
};

const changedText = (text: string, given: string, change: SetChange): string => {
  const resource = jsonNode(text);
  const meta = openedObject(openedObject(resource)?.get('meta')?.node ?? jsonNode(''));
  if (meta === undefined) throw new Error('A stored resource has no meta');
  const givenMeta = openedObject(jsonNode(given));
  for (const name of SETS) {
    const before = itemsOf(meta, name);
    const after = change(before, itemsOf(givenMeta, name), keyOf);
    if (after.length !== before.length) setItems(meta, name, before, after);
  }
  return jsonText(resource);
};

const changedResource = (
  server: FhirServer,
  { type, id, text }: Version,
  given: string,
  change: SetChange,
): PreparedResource => {
  const json = parseJson(changedText(text.toString(), given, change), server.limits.jsonDepth);
  const issues = server.validate(json.value, { expectedType: type, integralDecimals: json.integralDecimals });
  if (issues.length > 0) throw new FhirError(422, issues);
  return preparedResource(server, json, json.value as { resourceType: string }, id);
};

const givenMeta = (server: FhirServer, request: FhirRequest): string => {
  const given = givenParameters(server, request);
  checkNames(given, ['meta']);
  const [meta, ...more] = given;
  if (meta?.json?.key !== 'valueMeta' || more.length > 0)
    throw invalid('One parameter meta with a valueMeta is expected');
  return meta.json.text;
};

/** Answers the resulting meta. Fails with a FhirError 400, 404, 409, 410 or 412. */
export const changeMeta = async (
  server: FhirServer,
  request: FhirRequest,
  reference: Reference,
  change: SetChange,
): Promise<FhirResponse> => {
  const given = givenMeta(server, request);
  const ifMatch = matchedVersion(request.headers['if-match']);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const current = await versionToChange(server, reference, ifMatch);
    const prepared = changedResource(server, current, given, change);
    try {
      const [written] = await server.store.commit([{ kind: 'update', ...prepared, ifMatch: current.version }]);
      if (written === undefined) throw new Error('A commit of one write answered none');
      const headers = { etag: entityTag(written.version) };
      return metaResponse(metaText(stampedText(prepared.resource, written)), headers);
    } catch (error) {
      const isOvertaken = error instanceof RefusedWrite && error.status === 412;
      if (!isOvertaken || typeof ifMatch === 'number') throw error;
    }
  }
  throw conflict(`${referenceText(reference)} changed ${ATTEMPTS} times in the meantime; try again`);
};

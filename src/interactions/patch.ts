/**
 * Changes a part of a resource, by a JSON Patch or a FHIRPath Patch. The patch is applied to the version that is read, and
 * the result is committed only onto that version, so that of two patches none undoes the other.
 *
 * @see https://hl7.org/fhir/R4/http.html#patch
 */
import { isUtf8 } from 'node:buffer';
import { searching } from '../access/access-rule.ts';
import { FhirError, invalid, issue, notFound, unsupportedMediaType } from '../fhir/fhir-error.ts';
import { jsonPatched } from '../fhir/json-patch.ts';
import { parseJson } from '../fhir/json-text.ts';
import type { Reference } from '../fhir/reference.ts';
import type { Expectation, IfMatch, Version, Write } from '../store/store.ts';
import { commitResolved, type Resolution } from './commit-resolved.ts';
import { matchedVersion, resolvedCriteria, versionToChange } from './conditions.ts';
import { criteriaOf } from './criteria-of.ts';
import type { FhirRequest, FhirResponse, FhirServer, Interaction } from './fhir-request.ts';
import { preferencesOf } from './preferences.ts';
import { type PreparedResource, preparedResource } from './prepare-write.ts';
import { checkProvenance, withProvenance } from './provenance.ts';
import { patchedResponse } from './respond.ts';
import { checkUnseenPatch, withoutReasons } from './unseen-patch.ts';

/** What patches use of the server, beyond what all interactions do. */
export type PatchingServer = FhirServer;

/** The media types of the patches that the server reads, as the CapabilityStatement lists them. */
export const PATCH_FORMATS = ['application/json-patch+json', 'application/fhir+json'] as const;

const [JSON_PATCH] = PATCH_FORMATS;
const FHIR_JSON: ReadonlySet<string> = new Set(['application/fhir+json', 'application/json', 'text/json']);

/** A patch that is yet to be applied; its text is compact JSON. */
export interface PatchDocument {
  readonly format: 'JSON Patch' | 'FHIRPath Patch';
  readonly text: string;
}

const mediaTypeName = (contentType: string): string => (contentType.split(';')[0] ?? '').trim().toLowerCase();

/**
 * Reads a patch. Throws a FhirError 415 for another media type than those of `PATCH_FORMATS`, 400 for a body that is not
 * JSON, or no Parameters where they should be.
 */
export const patchDocument = (
  server: FhirServer,
  contentType: string | undefined,
  body: string | undefined,
): PatchDocument => {
  if (body === undefined) throw invalid('The body is empty; it should be a patch');
  const type = mediaTypeName(contentType ?? '');
  if (type !== JSON_PATCH && !FHIR_JSON.has(type)) {
    const accepted = PATCH_FORMATS.join(', ');
    const { status, issues } = unsupportedMediaType(`A patch is ${PATCH_FORMATS.join(' or ')}, not '${type}'`);
    throw new FhirError(status, issues, { 'accept-patch': accepted });
  }
  const json = parseJson(body, server.limits.jsonDepth);
  if (type === JSON_PATCH) return { format: 'JSON Patch', text: json.text };
  const { integralDecimals, value, text } = json;
  const issues = server.validate(value, { expectedType: 'Parameters', integralDecimals });
  if (issues.length > 0) throw new FhirError(400, issues);
  return { format: 'FHIRPath Patch', text };
};

/**
 * The media type and body of a PATCH that is an entry of a Bundle: JSON Patch stands in a Binary, FHIRPath Patch in
 * Parameters. `text` is the entry's resource. Throws a FhirError 400 for a Binary without data in UTF-8.
 *
 * @see https://hl7.org/fhir/R4/http.html#patch
 */
export const patchOfEntry = (text: string): { contentType: string; body: string } => {
  const resource = JSON.parse(text) as { resourceType?: unknown; contentType?: unknown; data?: unknown };
  if (resource.resourceType !== 'Binary') return { contentType: 'application/fhir+json', body: text };
  const { contentType, data } = resource;
  if (typeof contentType !== 'string' || typeof data !== 'string')
    throw invalid('A Binary with a patch needs contentType and data', 'Binary');
  const bytes = Buffer.from(data, 'base64');
  if (!isUtf8(bytes)) throw invalid('Binary.data: the patch is not UTF-8', 'Binary.data');
  return { contentType, body: bytes.toString('utf8') };
};

interface Identity {
  readonly resourceType?: unknown;
  readonly id?: unknown;
  readonly meta?: { readonly versionId?: unknown; readonly lastUpdated?: unknown };
}

/** Refuses a change of what is not the client's; what the patch takes out, the server puts in again. */
const checkIdentity = (before: Identity, after: Identity): void => {
  const kept = (path: string, value: unknown, changed: unknown): void => {
    const name = `${before.resourceType}.${path}`;
    if (value !== changed) throw invalid(`${name}: a patch must not change it`, name);
  };
  kept('resourceType', before.resourceType, after.resourceType);
  kept('id', before.id, after.id);
  for (const key of ['versionId', 'lastUpdated'] as const) {
    const changed = after.meta?.[key];
    if (changed !== undefined) kept(`meta.${key}`, before.meta?.[key], changed);
  }
};

/**
 * The resource that a patch makes of a version. Throws a FhirError 400 for a patch that is malformed or changes id, type
 * or version, 422 for one that cannot be applied, or whose result is not valid.
 */
const patchedResource = (
  server: PatchingServer,
  { type, id, text }: Version,
  patch: PatchDocument,
): PreparedResource => {
  const before = text.toString('utf8');
  const apply = patch.format === 'JSON Patch' ? jsonPatched : server.fhirPathPatched;
  const json = parseJson(apply(before, patch.text), server.limits.jsonDepth);
  const { value, integralDecimals } = json;
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new FhirError(422, [issue('structure', 'The patch would make of the resource what is no JSON object')]);
  checkIdentity(JSON.parse(before) as Identity, value);
  const issues = server.validate(value, { expectedType: type, integralDecimals });
  if (issues.length > 0) throw new FhirError(422, issues);
  return preparedResource(server, json, value as { resourceType: string }, id);
};

/** A patch as a write. */
export type PatchWrite = Extract<Write, { kind: 'update' }>;

/**
 * The write that a patch comes to, on the version that is current now; the commit refuses it with 412 if that is not so
 * any more. Who does not see that version learns nothing of it. `ifMatch` is the version that the client asks for, if it does. Fails with a FhirError: 400, 404, 410, 412, 422.
 */
export const patchWrite = async (
  server: PatchingServer,
  reference: Reference,
  document: PatchDocument,
  ifMatch: IfMatch | undefined,
): Promise<PatchWrite> => {
  const current = await versionToChange(server, reference, ifMatch);
  const seen = await server.under(searching(), reference.type).store.read(reference);
  const isSeen = seen?.version === current.version;
  if (!isSeen) checkUnseenPatch(document.text);
  const applied = (): PreparedResource => patchedResource(server, current, document);
  return { kind: 'update', ...(isSeen ? applied() : withoutReasons(applied)), ifMatch: current.version };
};

/** Applies the patch that a request brings to the resource that `target` finds. */
const patched = async (
  server: PatchingServer,
  request: FhirRequest,
  target: () => Promise<{ reference: Reference; expected: readonly Expectation[] }>,
): Promise<FhirResponse> => {
  const preferences = preferencesOf(request);
  const ifMatch = matchedVersion(request.headers['if-match']);
  const document = patchDocument(server, request.headers['content-type'], request.body);
  checkProvenance(server, request);
  const provenanceId = server.newId();
  const resolve = async (): Promise<Resolution<PatchWrite>> => {
    const { reference, expected } = await target();
    const write = await patchWrite(server, reference, document, ifMatch);
    const madeOfCurrent = new Set<Write>(typeof ifMatch === 'number' ? [] : [write]);
    return withProvenance(server, request, { writes: [write], expected, madeOfCurrent, plan: write }, provenanceId);
  };
  const { plan, written } = await commitResolved(server.store, resolve);
  const [first] = written;
  if (first === undefined) throw new Error('A commit of one write answered none');
  return patchedResponse(server, first, plan.resource, preferences.return);
};

export const patch: Interaction<Reference> = async (server, request, { type, id }) =>
  patched(server, request, async () => ({ reference: { type, id }, expected: [] }));

/** `PATCH [type]?[criteria]`. Fails with a FhirError 404 if nothing matches, 412 if several do. */
export const conditionalPatch: Interaction<{ type: string }> = async (server, request, { type }) => {
  const criteria = criteriaOf(request);
  return patched(server, request, async () => {
    const { match, expectation } = await resolvedCriteria(server, type, criteria, 'PATCH');
    if (match === undefined) throw notFound(`PATCH: no ${type} matches '${criteria}'`);
    return { reference: match, expected: [expectation] };
  });
};

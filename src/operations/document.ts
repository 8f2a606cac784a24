/**
 * A document of a Composition: a Bundle with the Composition first and all resources that it refers to.
 *
 * @see https://hl7.org/fhir/R4/composition-operation-document.html
 * @see https://hl7.org/fhir/R4/documents.html#content
 */
import { instantText } from '../fhir/date-time.ts';
import { FhirError, gone, invalid, issue, notFound, tooCostly } from '../fhir/fhir-error.ts';
import { parseJson } from '../fhir/json-text.ts';
import { localReferences } from '../fhir/local-references.ts';
import { referenceText } from '../fhir/reference.ts';
import { stampedText } from '../fhir/resource-text.ts';
import { answerTooLarge, bytesBeside } from '../interactions/answer-bytes.ts';
import type { FhirResponse, FhirServer, Interaction } from '../interactions/fhir-request.ts';
import { preparedResource } from '../interactions/prepare-write.ts';
import { readAll } from '../interactions/read-all.ts';
import { entityTag, versionPath } from '../interactions/respond.ts';
import type { OperationTarget } from '../interactions/route.ts';
import type { Version } from '../store/store.ts';
import { booleanOf, checkNames, type GivenParameter, givenParameters, singleOf } from './parameters.ts';

const storedComposition = async ({ store }: FhirServer, id: string): Promise<Version> => {
  const composition = await store.read({ type: 'Composition', id });
  if (composition === undefined) throw notFound(`There is no Composition/${id}`);
  if (composition.isDeleted) throw gone(`Composition/${id} is deleted`);
  return composition;
};

/** What the Composition refers to. Fails with a FhirError 422 if a part is missing: such a document would mislead. */
const partsOf = async (server: FhirServer, composition: Version): Promise<Version[]> => {
  const references = localReferences(composition.text.toString(), server.baseUrl).filter(
    (reference) => referenceText(reference) !== referenceText(composition),
  );
  const { bundleEntries } = server.limits;
  if (references.length >= bundleEntries)
    throw tooCostly(`The document would have more than ${bundleEntries} entries (CONSILIUM_BUNDLE_ENTRIES)`);
  const { items, isOverBytes } = await readAll(
    server,
    references.filter(({ type }) => server.isResourceType(type)),
    bytesBeside(server, [composition]),
  );
  if (isOverBytes) throw answerTooLarge(server);
  const found = new Map(items.map((version) => [referenceText(version), version]));
  const missing = references.map(referenceText).filter((name) => !found.has(name));
  if (missing.length > 0)
    throw new FhirError(
      422,
      missing.map((name) => issue('not-found', `There is no ${name}, which the Composition refers to`, 'Composition')),
    );
  return references.flatMap((reference) => found.get(referenceText(reference)) ?? []);
};

const documentText = (server: FhirServer, id: string, parts: readonly Version[]): string => {
  const identifier = { system: 'urn:ietf:rfc:3986', value: `urn:uuid:${id}` };
  const entries = parts.map(
    (part) => `{"fullUrl":${JSON.stringify(`${server.baseUrl}/${referenceText(part)}`)},"resource":${part.text}}`,
  );
  return `{"resourceType":"Bundle","id":"${id}","identifier":${JSON.stringify(identifier)},"type":"document","timestamp":"${instantText(server.now())}","entry":[${entries.join(',')}]}`;
};

/** Stores the document as `Bundle/[id]`, and answers it as it is stored. */
const storedDocument = async (server: FhirServer, id: string, text: string): Promise<FhirResponse> => {
  const json = parseJson(text, server.limits.jsonDepth);
  const issues = server.validate(json.value, { expectedType: 'Bundle', integralDecimals: json.integralDecimals });
  if (issues.length > 0) throw new FhirError(422, issues);
  const prepared = preparedResource(server, json, json.value as { resourceType: string }, id);
  const [written] = await server.store.commit([{ kind: 'create', ...prepared }]);
  if (written === undefined) throw new Error('A commit of one write answered none');
  const headers = { etag: entityTag(written.version), location: `${server.baseUrl}/${versionPath(written)}` };
  return { status: 200, headers, body: stampedText(prepared.resource, written) };
};

const idOf = (given: readonly GivenParameter[], id: string | undefined): string => {
  const named = singleOf(given, 'id');
  if (id !== undefined && named !== undefined) throw invalid('id: the url says it already');
  const wanted = id ?? named?.replace(/^Composition\//, '');
  if (wanted === undefined) throw invalid('id: required, and missing');
  return wanted;
};

/** `Composition/[id]/$document`, `Composition/$document?id=`. Fails with a FhirError 400, 404, 410 or 422. */
export const document: Interaction<OperationTarget> = async (server, request, target) => {
  const given = givenParameters(server, request);
  checkNames(given, ['id', 'persist']);
  const isToBeStored = booleanOf(given, 'persist') ?? false;
  if (isToBeStored && request.method !== 'POST') throw invalid('persist=true stores a document, so call it by POST');
  const composition = await storedComposition(server, idOf(given, target.id));
  const id = server.newId();
  const text = documentText(server, id, [composition, ...(await partsOf(server, composition))]);
  return isToBeStored ? storedDocument(server, id, text) : { status: 200, headers: {}, body: text };
};

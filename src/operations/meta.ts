/**
 * The profiles, tags and security labels of a resource, of all resources of a type, or of all resources.
 *
 * @see https://hl7.org/fhir/R4/resource-operation-meta.html
 */
import type { Coding, Meta, Resource } from '@medplum/fhirtypes';
import type { FhirResponse, FhirServer, Interaction } from '../interactions/fhir-request.ts';
import { read } from '../interactions/read.ts';
import type { OperationTarget } from '../interactions/route.ts';
import type { Clause } from '../search/search-query.ts';
import { allMatches } from './latest-by-code.ts';
import { metaResponse, metaText } from './meta-response.ts';
import { checkNames, givenParameters } from './parameters.ts';

const PARAMS = [
  ['_profile', 'uri'],
  ['_tag', 'token'],
  ['_security', 'token'],
] as const;

/** Whether a resource has something to tell. */
const LABELLED: Clause = {
  kind: 'any',
  clauses: PARAMS.map(([param, entries]) => ({ kind: 'missing', param, entries, isMissing: false })),
};

const unique = (codings: readonly Coding[]): Coding[] => [
  ...new Map(codings.map((coding) => [`${coding.system ?? ''}|${coding.code ?? ''}`, coding])).values(),
];

const summaryOf = (metas: readonly Meta[]): Meta => {
  const profile = [...new Set(metas.flatMap((meta) => meta.profile ?? []))];
  const tag = unique(metas.flatMap((meta) => meta.tag ?? []));
  const security = unique(metas.flatMap((meta) => meta.security ?? []));
  return {
    ...(profile.length === 0 ? {} : { profile }),
    ...(security.length === 0 ? {} : { security }),
    ...(tag.length === 0 ? {} : { tag }),
  };
};

const ofTypes = async (server: FhirServer, types: readonly string[]): Promise<FhirResponse> => {
  const searches = types.map((type) => ({ type, clauses: [LABELLED] }));
  const found = await allMatches(server, { searches, sort: [] });
  const metas = found.map(({ text }) => (JSON.parse(text.toString()) as Resource).meta ?? {});
  return metaResponse(JSON.stringify(summaryOf(metas)));
};

/** `$meta`, `[type]/$meta`, `[type]/[id]/$meta`. Fails with a FhirError 404 or 410, or 422 for too many resources. */
export const meta: Interaction<OperationTarget> = async (server, request, { type, id }) => {
  checkNames(givenParameters(server, request), []);
  if (type === undefined || id === undefined)
    return ofTypes(server, type === undefined ? server.resourceTypes : [type]);
  const { body = '' } = await read(server, request, { type, id });
  return metaResponse(metaText(body.toString()));
};

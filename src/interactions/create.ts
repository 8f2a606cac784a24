/**
 * Creates a resource under an id that the server chooses, unless `If-None-Exist` finds that it is there.
 *
 * @see https://hl7.org/fhir/R4/http.html#create
 * @see https://hl7.org/fhir/R4/http.html#ccreate
 */
import { conflict, invalid } from '../fhir/fhir-error.ts';
import { type Reference, referenceText } from '../fhir/reference.ts';
import type { Write } from '../store/store.ts';
import { commitResolved, type Resolution } from './commit-resolved.ts';
import { resolvedCriteria } from './conditions.ts';
import type { FhirResponse, FhirServer, Interaction } from './fhir-request.ts';
import { type Preferences, preferencesOf } from './preferences.ts';
import { receivedResource } from './prepare-write.ts';
import { checkProvenance, withProvenance } from './provenance.ts';
import { matchedResponse, writtenResponse } from './respond.ts';

/** The answer to a conditional create that found `match`. */
const existing = async (
  server: FhirServer,
  match: Reference,
  preference: Preferences['return'],
): Promise<FhirResponse> => {
  const version = await server.store.read(match);
  if (version === undefined || version.isDeleted)
    throw conflict(`${referenceText(match)} matched, and was deleted in the same moment; try again`);
  return matchedResponse(server, version, preference);
};

export const create: Interaction<{ type: string }> = async (server, request, { type }) => {
  const preferences = preferencesOf(request);
  const prepared = receivedResource(server, request, type).prepared(server.newId());
  const write: Write = { kind: 'create', ...prepared };
  const criteria = request.headers['if-none-exist'];
  if (criteria?.trim() === '') throw invalid('If-None-Exist: no search criteria');
  checkProvenance(server, request);
  const provenanceId = server.newId();
  const attested = (resolution: Resolution<Reference | undefined>) =>
    withProvenance(server, request, resolution, provenanceId);

  const resolve = async (): Promise<Resolution<Reference | undefined>> => {
    if (criteria === undefined) return attested({ writes: [write], expected: [], plan: undefined });
    const { match, expectation } = await resolvedCriteria(server, type, criteria, 'If-None-Exist');
    return attested({ writes: match === undefined ? [write] : [], expected: [expectation], plan: match });
  };

  const { plan: match, written } = await commitResolved(server.store, resolve);
  if (match !== undefined) return existing(server, match, preferences.return);
  const [created] = written;
  if (created === undefined) throw new Error('A commit of one write answered none');
  return writtenResponse(server, created, prepared.resource, preferences.return);
};

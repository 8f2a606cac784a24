/**
 * The answer to a read: not at all if the client has the version already, the content of a Binary as it is, or the
 * resource, whole or in part.
 *
 * @see https://hl7.org/fhir/R4/http.html#cread
 * @see https://hl7.org/fhir/R4/http.html#parameters
 */
import type { Version } from '../store/store.ts';
import { contentResponse } from './binary.ts';
import { isUnmodified } from './conditions.ts';
import type { FhirRequest, FhirResponse, FhirServer } from './fhir-request.ts';
import { pairsOf } from './parse-request.ts';
import { versionResponse } from './respond.ts';
import { partText, SUMMARIES_OF_ONE, shownPart } from './shown-part.ts';

/** The answer with a version that is not a deletion. */
export const shownVersion = (server: FhirServer, request: FhirRequest, version: Version): FhirResponse => {
  const asked = shownPart(pairsOf(request.query), SUMMARIES_OF_ONE);
  const whole = versionResponse(version);
  if (isUnmodified(request.headers, version.version, version.lastUpdated)) {
    const { body: _body, ...rest } = whole;
    return { ...rest, status: 304 };
  }
  const content = contentResponse(request, version, whole);
  if (content !== undefined) return content;
  const part = partText(server, version, asked);
  return part === undefined ? whole : { ...whole, body: part };
};

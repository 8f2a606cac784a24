/**
 * The answer to a read: not at all if the client has the version already, the content of a Binary as it is, or the
 * resource, whole or in part.
 *
 * @see https://hl7.org/fhir/R4/http.html#cread
 * @see https://hl7.org/fhir/R4/http.html#parameters
 */
import { invalid } from '../fhir/fhir-error.ts';
import { SUMMARIES, type Summary } from '../search/parse-search.ts';
import type { Version } from '../store/store.ts';
import { contentResponse } from './binary.ts';
import { isUnmodified } from './conditions.ts';
import type { FhirRequest, FhirResponse, FhirServer } from './fhir-request.ts';
import { pairsOf } from './parse-request.ts';
import { versionResponse } from './respond.ts';
import { subsetRule, subsetText } from './subset-text.ts';

interface Shape {
  readonly summary: Summary;
  readonly elements: readonly string[] | undefined;
}

/** Throws a FhirError 400 for a malformed value. A read has nothing to count. */
const askedShape = (query: string): Shape => {
  const given = new Map(pairsOf(query));
  const asked = given.get('_summary') ?? 'false';
  const summary = SUMMARIES.find((name) => name === asked && name !== 'count');
  if (summary === undefined) throw invalid(`_summary: '${asked}' is none of true, text, data, false`);
  const elements = given.get('_elements')?.split(',');
  if (elements?.some((name) => !/^[a-z][A-Za-z]*$/.test(name.trim())))
    throw invalid(`_elements: '${given.get('_elements')}' is no list of elements`);
  if (elements !== undefined && summary !== 'false') throw invalid('_elements and _summary cannot be used together');
  return { summary, elements: elements?.map((name) => name.trim()) };
};

/** The answer with a version that is not a deletion. */
export const shownVersion = (server: FhirServer, request: FhirRequest, version: Version): FhirResponse => {
  const { summary, elements } = askedShape(request.query);
  const whole = versionResponse(version);
  if (isUnmodified(request.headers, version.version, version.lastUpdated)) {
    const { body: _body, ...rest } = whole;
    return { ...rest, status: 304 };
  }
  const content = contentResponse(request, version, whole);
  if (content !== undefined) return content;
  const keeps = subsetRule(summary, elements);
  const structure = server.structureOf(version.type);
  if (keeps === undefined || structure === undefined) return whole;
  return { ...whole, body: subsetText(version.text.toString(), structure, summary, keeps) };
};

/**
 * Which part of a resource an answer shows: `_summary` and `_elements`.
 *
 * @see https://hl7.org/fhir/R4/http.html#parameters
 */
import { invalid } from '../fhir/fhir-error.ts';
import { SUMMARIES, type Summary } from '../search/parse-search.ts';
import type { Version } from '../store/store.ts';
import type { FhirServer } from './fhir-request.ts';
import type { Pair } from './parse-request.ts';
import { subsetRule, subsetText } from './subset-text.ts';

export interface ShownPart {
  readonly summary: Summary;
  /** Top-level elements; undefined for all. */
  readonly elements: readonly string[] | undefined;
}

/** What is asked of an answer that may show these summaries. Throws a FhirError 400 for a malformed value. */
export const shownPart = (pairs: readonly Pair[], summaries: readonly Summary[]): ShownPart => {
  const given = new Map(pairs);
  const asked = given.get('_summary') ?? 'false';
  const summary = summaries.find((name) => name === asked);
  if (summary === undefined) throw invalid(`_summary: '${asked}' is none of ${summaries.join(', ')}`);
  const elements = given.get('_elements')?.split(',');
  if (elements?.some((name) => !/^[a-z][A-Za-z]*$/.test(name.trim())))
    throw invalid(`_elements: '${given.get('_elements')}' is no list of elements`);
  if (elements !== undefined && summary !== 'false') throw invalid('_elements and _summary cannot be used together');
  return { summary, elements: elements?.map((name) => name.trim()) };
};

/** A version that is read alone has nothing to count. */
export const SUMMARIES_OF_ONE = SUMMARIES.filter((name) => name !== 'count');

/** JSON of the part of a version that is shown; undefined for the whole, which need not be looked into. */
export const partText = (
  server: FhirServer,
  version: Version,
  { summary, elements }: ShownPart,
): string | undefined => {
  const keeps = subsetRule(summary, elements);
  const structure = server.structureOf(version.type);
  if (keeps === undefined || structure === undefined) return undefined;
  return subsetText(version.text.toString(), structure, summary, keeps);
};

/** JSON of a version, or of the part of it that is shown. */
export const shownText = (server: FhirServer, version: Version, part: ShownPart): string =>
  partText(server, version, part) ?? version.text.toString();

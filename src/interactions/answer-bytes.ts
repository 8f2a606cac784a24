/** How many bytes of resources an answer may have: an answer is put together in memory, and is one string. */
import { type Issue, tooCostly } from '../fhir/fhir-error.ts';
import type { Version } from '../store/store.ts';
import type { FhirServer, Limits } from './fhir-request.ts';

/** `64 MB (CONSILIUM_ANSWER_MEGABYTES)`. */
export const answerLimit = ({ answerBytes }: Pick<Limits, 'answerBytes'>): string =>
  `${answerBytes / 1_000_000} MB (CONSILIUM_ANSWER_MEGABYTES)`;

/** The bytes that are left for what is shown beside these. */
export const bytesBeside = ({ limits }: FhirServer, shown: readonly Version[]): number =>
  shown.reduce((left, { text }) => Math.max(0, left - text.length), limits.answerBytes);

/** The bytes of a page of matches: where there may be something beside them, half of the answer is kept for that. */
export const pageBytes = ({ limits }: FhirServer, hasMoreBeside: boolean): number =>
  hasMoreBeside ? limits.answerBytes / 2 : limits.answerBytes;

interface Cut {
  readonly isCut: boolean;
  readonly isOverBytes: boolean;
}

/** What a client is told if not all is shown beside the matches; `are` is `are included` or the like. */
export const cutIssues = ({ limits }: FhirServer, { isCut, isOverBytes }: Cut, are: string): Issue[] => {
  if (!isCut) return [];
  const diagnostics = isOverBytes
    ? `The resources that ${are} do not all fit into an answer of ${answerLimit(limits)}; the rest is left out`
    : `More than ${limits.searchIncludes} resources ${are}; the rest is left out (CONSILIUM_SEARCH_INCLUDES)`;
  return [{ severity: 'warning', code: 'too-costly', diagnostics }];
};

/** 422 for an answer that cannot come in pages. */
export const answerTooLarge = ({ limits }: FhirServer) =>
  tooCostly(`The resources of this answer have more than ${answerLimit(limits)} together; ask for fewer`);

import type { OperationOutcome } from '@medplum/fhirtypes';
import type { Issue } from './fhir-error.ts';

/** The most characters of each end of a text in an outcome: it may repeat what a client sent, which may be long. */
const END_LENGTH = 500;

/** The text as a FHIR string: of limited length, without half surrogate pairs and control characters. */
const printable = (text: string): string =>
  (text.length > 2 * END_LENGTH ? `${text.slice(0, END_LENGTH)} ... ${text.slice(-END_LENGTH)}` : text)
    .toWellFormed()
    .replace(/[\x00-\x08\x0b\x0c\x0e-\x1f]/g, '\uFFFD');

/** Renders issues as an OperationOutcome. @see https://hl7.org/fhir/R4/operationoutcome.html */
export const operationOutcome = (issues: readonly Issue[]): OperationOutcome => ({
  resourceType: 'OperationOutcome',
  issue: issues.map(({ severity, code, diagnostics, expression }) => ({
    severity,
    code,
    diagnostics: printable(diagnostics),
    ...(expression === undefined ? {} : { expression: [printable(expression)] }),
  })),
});

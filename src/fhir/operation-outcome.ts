import type { OperationOutcome } from '@medplum/fhirtypes';
import type { Issue } from './fhir-error.ts';

/** Renders issues as an OperationOutcome. @see https://hl7.org/fhir/R4/operationoutcome.html */
export const operationOutcome = (issues: readonly Issue[]): OperationOutcome => ({
  resourceType: 'OperationOutcome',
  issue: issues.map(({ severity, code, diagnostics, expression }) => ({
    severity,
    code,
    diagnostics,
    ...(expression === undefined ? {} : { expression: [expression] }),
  })),
});

import { test } from 'tap';
import { FhirError, methodNotAllowed, notFound } from '../../src/fhir/fhir-error.ts';
import { operationOutcome } from '../../src/fhir/operation-outcome.ts';

test('a FhirError renders as an OperationOutcome with one issue a fault', async (t) => {
  const error = notFound('There is no Patient/1', 'Patient');
  t.ok(error instanceof FhirError);
  t.equal(error.status, 404);
  t.same(operationOutcome(error.issues), {
    resourceType: 'OperationOutcome',
    issue: [{ severity: 'error', code: 'not-found', diagnostics: 'There is no Patient/1', expression: ['Patient'] }],
  });
});

test('a refused method names the methods that are possible', async (t) => {
  t.same(methodNotAllowed('PUT', ['GET', 'HEAD']).headers, { allow: 'GET, HEAD' });
});

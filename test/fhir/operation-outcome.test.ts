import { test } from 'tap';
import { invalid } from '../../src/fhir/fhir-error.ts';
import { operationOutcome } from '../../src/fhir/operation-outcome.ts';

test('An OperationOutcome has an issue for each fault, with the path where there is one', (t) => {
  const { issues } = invalid('Patient.id: too long', 'Patient.id');
  t.same(operationOutcome(issues), {
    resourceType: 'OperationOutcome',
    issue: [{ severity: 'error', code: 'invalid', diagnostics: 'Patient.id: too long', expression: ['Patient.id'] }],
  });
  t.notOk('expression' in (operationOutcome(invalid('x').issues).issue[0] ?? {}));
  t.end();
});

test('What it repeats of a request is a FHIR string: no control characters, no half surrogate pairs, not long', (t) => {
  const textOf = (text: string): string => operationOutcome(invalid(text).issues).issue[0]?.diagnostics ?? '';
  t.equal(textOf('a\u0000b\ud83dc\n'), 'a\ufffdb\ufffdc\n');
  const long = textOf(`begin ${'x'.repeat(100_000)} end`);
  t.match(long, /^begin x+ \.\.\. x+ end$/);
  t.ok(long.length < 1100);
  t.end();
});

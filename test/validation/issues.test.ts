import { test } from 'tap';
import { loadStructures } from '../../src/definitions/structures.ts';
import { createValidator } from '../../src/validation/validate.ts';
import { MAXIMUM_ISSUES } from '../../src/validation/walk.ts';

const validate = createValidator(loadStructures());
const NONE: ReadonlySet<string> = new Set();

const diagnostics = (resource: unknown, integralDecimals = NONE): string[] =>
  validate(resource, { integralDecimals }).map((each) => each.diagnostics);

const patient = (elements: object): object => ({ resourceType: 'Patient', ...elements });

const observation = (elements: object): object => ({
  resourceType: 'Observation',
  status: 'final',
  code: { text: 'haemoglobin' },
  ...elements,
});

test('an issue has severity, code, sentence and FHIRPath', async (t) => {
  const [first, ...more] = validate(
    patient({ contact: [{}, { gender: 'x', relationship: [] }], name: [{ given: ['A', 1] }] }),
    { integralDecimals: NONE },
  );
  t.strictSame(first, {
    severity: 'error',
    code: 'structure',
    diagnostics: 'Patient.contact[0]: must not be an empty object; leave it out',
    expression: 'Patient.contact[0]',
  });
  t.strictSame(
    more.map(({ code, expression }) => [code, expression]),
    [
      ['value', 'Patient.contact[1].gender'],
      ['structure', 'Patient.contact[1].relationship'],
      ['structure', 'Patient.name[0].given[1]'],
    ],
  );
});

test('the body is a resource of the expected type', async (t) => {
  const fault = (resource: unknown) => validate(resource, { expectedType: 'Patient', integralDecimals: NONE });
  t.strictSame(fault(patient({})), []);
  t.match(fault([]), [{ diagnostics: 'A resource must be a JSON object, not an array' }]);
  t.match(fault(null), [{ diagnostics: 'A resource must be a JSON object, not null' }]);
  t.match(fault({}), [{ code: 'required', diagnostics: 'Patient.resourceType: required, and missing' }]);
  t.match(fault({ resourceType: 1 }), [{ diagnostics: 'Patient.resourceType: must be a string, not 1' }]);
  t.match(fault({ resourceType: 'Patinet' }), [
    { diagnostics: "Patient.resourceType: R4 has no resource type 'Patinet' (did you mean 'Patient'?)" },
  ]);
  t.match(fault({ resourceType: '__proto__' }), [{ diagnostics: /R4 has no resource type '__proto__'/ }]);
  t.match(fault({ resourceType: 'DomainResource' }), [{ diagnostics: /R4 has no resource type 'DomainResource'/ }]);
  t.match(fault(observation({})), [
    { diagnostics: 'Patient.resourceType: the resource is of type Observation, and Patient is expected' },
  ]);
});

test('integers written as decimals are found at their JSON path', async (t) => {
  const birth = patient({ multipleBirthInteger: 2, extension: [{ url: 'a', valueDecimal: 1 }] });
  const paths = new Set(['Patient.multipleBirthInteger', 'Patient.extension[0].valueDecimal']);
  t.strictSame(diagnostics(birth, paths), [
    'Patient.multipleBirth: must be written without fraction and exponent (integer): 2',
  ]);
  const component = observation({
    component: [{ code: { text: 'a' }, valueInteger: 1 }],
    _issued: { extension: [{ url: 'a', valuePositiveInt: 1 }] },
  });
  t.strictSame(diagnostics(component, new Set(['Observation.component[0].valueInteger'])).length, 1);
  t.strictSame(diagnostics(component, new Set(['Observation._issued.extension[0].valuePositiveInt'])).length, 1);
  t.strictSame(diagnostics(component, new Set(['Observation.component[1].valueInteger'])), []);
});

test('at most 20 issues are reported', async (t) => {
  const name = Array.from({ length: 1000 }, () => ({ nmae: 1, use: 'x' }));
  t.equal(diagnostics(patient({ name })).length, MAXIMUM_ISSUES);
  t.equal(MAXIMUM_ISSUES, 20);
});

test('long values and names are cut in messages', async (t) => {
  const [long = ''] = diagnostics(patient({ birthDate: 'x'.repeat(5000) }));
  t.equal(long, `Patient.birthDate: '${'x'.repeat(60)}...' is not a date`);
  for (const text of diagnostics(patient({ ['y'.repeat(5000)]: 1, id: 'z'.repeat(5000) })))
    t.ok(text.length < 250, text);
});

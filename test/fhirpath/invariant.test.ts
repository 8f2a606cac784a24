import { test } from 'tap';
import { loadTerminology } from '../../src/definitions/terminology.ts';
import { createInvariantCompiler } from '../../src/fhirpath/invariant.ts';

const patient = (elements: object): object => ({ resourceType: 'Patient', ...elements });

test('functions that look elsewhere are answered by what is loaded', async (t) => {
  const compile = createInvariantCompiler(loadTerminology());
  const holds = (expression: string, resource: object) => compile(expression, 'Patient')(resource, resource, resource);
  const gender = (code: string) => patient({ gender: code, maritalStatus: { coding: [{ system: 'urn:a', code }] } });
  const GENDER = "gender.memberOf('http://hl7.org/fhir/ValueSet/administrative-gender')";
  t.equal(holds(GENDER, gender('male')), true);
  t.equal(holds(GENDER, gender('m')), false);
  t.equal(holds("gender.memberOf('http://example.org/unknown')", gender('m')), true, 'nothing is known of it');
  const MARITAL = "maritalStatus.memberOf('http://hl7.org/fhir/ValueSet/marital-status')";
  t.equal(holds(MARITAL, gender('M')), false);
  const married = { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-MaritalStatus', code: 'M' }] };
  t.equal(holds(MARITAL, patient({ maritalStatus: married })), true);
  t.equal(holds("conformsTo('http://hl7.org/fhir/StructureDefinition/Patient')", patient({})), true);
  t.equal(holds("conformsTo('http://hl7.org/fhir/StructureDefinition/Observation')", patient({})), false);
  t.throws(() => holds("conformsTo('http://example.org/profile')", patient({})), /not loaded/);
});

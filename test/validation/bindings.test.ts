import { test } from 'tap';
import { loadStructures } from '../../src/definitions/structures.ts';
import { loadTerminology } from '../../src/definitions/terminology.ts';
import { createValidator } from '../../src/validation/validate.ts';

const validate = createValidator(loadStructures(), loadTerminology());
const diagnostics = (resource: object): string[] =>
  validate(resource, { integralDecimals: new Set() }).map((each) => each.diagnostics);

const REFERENCE = { reference: 'Patient/1' };
const CONDITION_CLINICAL = 'http://terminology.hl7.org/CodeSystem/condition-clinical';
const DATA_ABSENT = { url: 'http://hl7.org/fhir/StructureDefinition/data-absent-reason', valueCode: 'unknown' };

const condition = (elements: object): object => ({ resourceType: 'Condition', subject: REFERENCE, ...elements });
const communication = (status: string): object => ({ resourceType: 'Communication', status });
const detectedIssue = (status: string): object => ({ resourceType: 'DetectedIssue', status });
const claimCurrency = (currency: string): object => ({
  resourceType: 'Observation',
  status: 'final',
  code: { text: 'a' },
  extension: [{ url: 'http://example.org/price', valueMoney: { value: 1, currency } }],
});

test('a code must be from the value set of a required binding, also where the JSON schema lists none', async (t) => {
  t.strictSame(diagnostics(communication('in-progress')), []);
  t.strictSame(diagnostics(communication('finished')), [
    "Communication.status: 'finished' is none of the codes that R4 allows here: preparation, in-progress, not-done, on-hold, stopped, completed, entered-in-error, unknown",
  ]);
  t.match(diagnostics({ resourceType: 'Medication', status: 'Active' }), ["Medication.status: 'Active' is none of"]);
  t.match(diagnostics({ resourceType: 'Location', hoursOfOperation: [{ daysOfWeek: ['mon', 'monday'] }] }), [
    "Location.hoursOfOperation[0].daysOfWeek[1]: 'monday' is none of",
  ]);
});

test('the value set is that of R4, not of a later release', async (t) => {
  for (const status of ['registered', 'preliminary', 'final', 'amended', 'corrected', 'cancelled', 'unknown'])
    t.strictSame(diagnostics(detectedIssue(status)), [], status);
  t.match(diagnostics(detectedIssue('mitigated')), ["DetectedIssue.status: 'mitigated' is none of"]);
});

test('currencies are those of ISO 4217', async (t) => {
  t.strictSame(diagnostics(claimCurrency('EUR')), []);
  t.strictSame(diagnostics(claimCurrency('Euro')), [
    "Observation.extension[0].value.currency: 'Euro' is none of the 179 codes that R4 allows here",
  ]);
});

test('what a value set that cannot be expanded may contain is accepted', async (t) => {
  const content = [{ attachment: { contentType: 'application/x-unheard-of', url: 'a' } }];
  t.strictSame(diagnostics({ resourceType: 'DocumentReference', status: 'current', content }), []);
});

test('a CodeableConcept of a required binding has at least one coding of the value set', async (t) => {
  const active = { system: CONDITION_CLINICAL, code: 'active' };
  const local = { system: 'http://example.org/', code: 'active' };
  t.strictSame(diagnostics(condition({ clinicalStatus: { coding: [active] } })), []);
  t.strictSame(diagnostics(condition({ clinicalStatus: { coding: [local, active], text: 'a' } })), []);
  t.strictSame(diagnostics(condition({ clinicalStatus: { coding: [local] } })), [
    "Condition.clinicalStatus: 'http://example.org/|active': not a code of the value set that R4 requires here, http://hl7.org/fhir/ValueSet/condition-clinical: active, recurrence, relapse, inactive, remission, resolved",
  ]);
  t.match(diagnostics(condition({ clinicalStatus: { coding: [{ code: 'active' }] } })), [
    "Condition.clinicalStatus: '|active': not a code of the value set",
  ]);
  t.match(diagnostics(condition({ clinicalStatus: { coding: [{ ...active, code: 'Active' }] } })), [
    'Condition.clinicalStatus: ',
  ]);
});

test('a text alone is not enough there, and is elsewhere', async (t) => {
  t.match(diagnostics(condition({ clinicalStatus: { text: 'active' } })), [
    'Condition.clinicalStatus: has no code of the value set that R4 requires here, http://hl7.org/fhir/ValueSet/condition-clinical',
  ]);
  t.strictSame(diagnostics(condition({ severity: { text: 'severe' }, code: { text: 'asthma' } })), []);
});

test('an extension may say why there is no code', async (t) => {
  t.strictSame(diagnostics(condition({ clinicalStatus: { extension: [DATA_ABSENT] } })), []);
  t.strictSame(diagnostics(condition({ clinicalStatus: { coding: [{ extension: [DATA_ABSENT] }] } })), []);
  t.strictSame(diagnostics({ resourceType: 'Communication', _status: { extension: [DATA_ABSENT] } }), []);
});

test('values that are no codes at all are reported as such', async (t) => {
  t.match(diagnostics({ resourceType: 'Medication', status: 1 }), [
    'Medication.status: must be a string (code), not 1',
  ]);
  t.match(diagnostics(condition({ clinicalStatus: { coding: [1] } })), [/coding\[0\]: must be an object/]);
  t.match(diagnostics(condition({ clinicalStatus: { coding: 'a' } })), [/must be an array/]);
});

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { Bundle } from '@medplum/fhirtypes';
import { test } from 'tap';
import { loadStructures } from '../../src/definitions/structures.ts';
import { createValidator } from '../../src/validation/validate.ts';

const EXAMPLES = new URL('../../../shared/data/r4-examples/', import.meta.url);
const SYNTHEA = new URL('../../../shared/data/synthea/', import.meta.url);

const validate = createValidator(loadStructures());
const facts = { integralDecimals: new Set<string>() };

const read = (folder: URL): [string, unknown][] =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => [name, JSON.parse(readFileSync(new URL(name, folder), 'utf8'))]);

const skipWithout = (folder: URL) => ({ skip: existsSync(folder) ? false : 'no ../shared/data' });

/** The official examples that are not valid R4, each with its first fault. */
const REFUSED: Readonly<Record<string, string>> = {
  // R4: DeviceMetric.parent is a Reference(Device).
  'DeviceMetric-example.json':
    "DeviceMetric.parent.reference: 'DeviceDefinition/dc102' is a reference to DeviceDefinition; possible here: Device",
  // R4: reasonReference is a Reference(Condition | Observation | DiagnosticReport | DocumentReference | Media).
  'DeviceUseStatement-example.json':
    "DeviceUseStatement.reasonReference[0].reference: 'Procedure/example' is a reference to Procedure; possible here: Condition, Observation, DiagnosticReport, DocumentReference, Media",
  // R4: dispenseRequest.performer is a Reference(Organization).
  'MedicationRequest-medrx0301.json':
    "MedicationRequest.dispenseRequest.performer.reference: 'Practitioner/f001' is a reference to Practitioner; possible here: Organization",
  // R4: an Encounter performs no Observation.
  'Observation-clinical-gender.json':
    "Observation.performer[0].reference: 'Encounter/example' is a reference to Encounter; possible here: Practitioner, PractitionerRole, Organization, CareTeam, Patient, RelatedPerson",
  // R4: Questionnaire.item.linkId is 1..1.
  'Questionnaire-qs1.json': 'Questionnaire.item[0].item[0].linkId: required, and missing',
};

test('accepts the official examples, but for those that break a rule of R4', skipWithout(EXAMPLES), async (t) => {
  const examples = read(EXAMPLES);
  t.ok(examples.length > 300);
  const refused = examples.flatMap(([name, resource]) => {
    const [first] = validate(resource, facts);
    return first === undefined ? [] : [[name, first.diagnostics]];
  });
  t.strictSame(Object.fromEntries(refused), REFUSED);
});

test('accepts every Synthea bundle and every resource in it', skipWithout(SYNTHEA), async (t) => {
  for (const [name, bundle] of read(SYNTHEA)) {
    t.strictSame(validate(bundle, { ...facts, expectedType: 'Bundle' }), [], name);
    const resources = ((bundle as Bundle).entry ?? []).map(({ resource }) => resource);
    t.strictSame(
      resources.flatMap((resource) => validate(resource, facts)),
      [],
      name,
    );
  }
});

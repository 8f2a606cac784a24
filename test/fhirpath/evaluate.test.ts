import { test } from 'tap';
import { compileFhirPath } from '../../src/fhirpath/evaluate.ts';

const typeOfReference = (reference: object): string | undefined =>
  (reference as { reference: string }).reference.split('/')[0];

const observation = Object.freeze({
  resourceType: 'Observation',
  status: 'final',
  subject: Object.freeze({ reference: 'Patient/1' }),
  valueQuantity: Object.freeze({ value: 5, comparator: '<', system: 'http://unitsofmeasure.org', code: 'mg' }),
  component: Object.freeze([
    Object.freeze({ code: Object.freeze({ text: 'one' }), valueString: 'a' }),
    Object.freeze({ code: Object.freeze({ text: 'two' }), valueDateTime: '2020-01' }),
  ]),
});

const evaluated = (expression: string, context = 'Observation', node: object = observation) =>
  compileFhirPath(expression, context, typeOfReference)(node, observation);

test('values come as they are in the resource, with their FHIR types', (t) => {
  t.same(evaluated('Observation.status'), [{ type: 'code', value: 'final' }]);
  t.same(evaluated('Observation.component.value'), [
    { type: 'string', value: 'a' },
    { type: 'dateTime', value: '2020-01' },
  ]);
  t.same(evaluated('Observation.component.first().code'), [{ type: 'CodeableConcept', value: { text: 'one' } }]);
  t.same(evaluated("Observation.status = 'final'"), [{ type: 'boolean', value: true }]);
  t.same(evaluated('Observation.issued'), []);
  t.end();
});

test('numbers are numbers, as they stand in the resource and as they are calculated', (t) => {
  const sequence = { resourceType: 'MolecularSequence', variant: [{ start: 2, end: 3 }, { start: 5 }] };
  const inSequence = (expression: string) =>
    compileFhirPath(expression, 'MolecularSequence', typeOfReference)(sequence, sequence);
  t.strictSame(inSequence('MolecularSequence.variant.start'), [
    { type: 'integer', value: 2 },
    { type: 'integer', value: 5 },
  ]);
  t.strictSame(
    inSequence('MolecularSequence.variant.start.last() - 1').map(({ value }) => value),
    [4],
  );
  t.strictSame(evaluated('Observation.value.value'), [{ type: 'decimal', value: 5 }]);
  t.end();
});

test('a union may have a Quantity with a comparator', (t) => {
  t.same(
    evaluated('Observation.value.ofType(Quantity) | Observation.component.value.ofType(Quantity)').map(
      ({ type }) => type,
    ),
    ['Quantity'],
  );
  t.same(evaluated("(Observation.status | Observation.code.text).where($this != '|')"), [
    { type: 'code', value: 'final' },
  ]);
  t.end();
});

test('resolve() is answered from the reference, without a lookup', (t) => {
  t.equal(evaluated('Observation.subject.where(resolve() is Patient)').length, 1);
  t.equal(evaluated('Observation.subject.where(resolve() is FHIR.Patient)').length, 1);
  t.equal(evaluated('Observation.subject.where(resolve() is Group)').length, 0);
  t.end();
});

test('an element is evaluated in its own context, with %resource as the whole', (t) => {
  const node = observation.component[1];
  t.same(evaluated('value.ofType(dateTime)', 'Observation.component', node), [{ type: 'dateTime', value: '2020-01' }]);
  t.same(evaluated('%resource.status', 'Observation.component', node), [{ type: 'code', value: 'final' }]);
  t.end();
});

test('a wrong expression throws when it is compiled', (t) => {
  t.throws(() => evaluated('Observation.'));
  t.end();
});

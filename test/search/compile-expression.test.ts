import { test } from 'tap';
import { loadStructures } from '../../src/definitions/structures.ts';
import { compileExpression } from '../../src/search/compile-expression.ts';
import { type JsonObject, visitValues } from '../../src/search/value-path.ts';

const structures = loadStructures();

const compiled = (expression: string, type: string) => {
  const whole = { type, structure: structures.structure(type) };
  return compileExpression(expression, whole, whole, structures);
};

/** The values in `resource`, each with its type; undefined if the expression is not covered. */
const found = (expression: string, resource: JsonObject): [string, unknown][] | undefined => {
  const result = compiled(expression, resource['resourceType'] as string);
  if (result === undefined) return undefined;
  if (result.kind === 'truth') return [['boolean', result.truth(resource, resource)]];
  const values: [string, unknown][] = [];
  for (const path of result.paths) {
    const visit = (value: unknown) => values.push([path.type, value]);
    visitValues(path, resource, resource, visit, undefined);
  }
  return values;
};

const quantity = { value: 5 };
const observation = { resourceType: 'Observation', status: 'final', valueQuantity: quantity };

test('a choice is found by its name, by as in both forms and by ofType', (t) => {
  const expected = [['Quantity', quantity]];
  t.same(found('Observation.value', observation), expected);
  t.same(found('(Observation.value as Quantity)', observation), expected);
  t.same(found('Observation.value.as(Quantity)', observation), expected);
  t.same(found('Observation.value.ofType(FHIR.Quantity)', observation), expected);
  t.same(found('value.ofType(Quantity)', observation), expected);
  t.same(found('Observation.value.ofType(string)', observation), []);
  t.end();
});

test('a type includes the types that specialize it', (t) => {
  const map = { resourceType: 'ConceptMap', sourceCanonical: 'http://example.org/vs' };
  t.same(found('ConceptMap.source.ofType(uri)', map), [['canonical', 'http://example.org/vs']]);
  t.same(found('Condition.onset.ofType(Quantity)', { resourceType: 'Condition', onsetAge: quantity }), [
    ['Age', quantity],
  ]);
  t.end();
});

test('branches of other types are left out, those of Resource and DomainResource are kept', (t) => {
  t.same(found('Patient.active | Observation.status', observation), [['code', 'final']]);
  t.same(found('Resource.language | DomainResource.language', { ...observation, language: 'de' }), [
    ['code', 'de'],
    ['code', 'de'],
  ]);
  t.same(found('DomainResource.language', { resourceType: 'Bundle', language: 'de' }), []);
  t.end();
});

test('paths go through arrays, pass over nulls and stop at absent elements', (t) => {
  const name = [{ given: ['A', null, 'B'] }, { family: 'C' }, { _given: [{ id: '1' }] }];
  t.same(found('Patient.name.given', { resourceType: 'Patient', name }), [
    ['string', 'A'],
    ['string', 'B'],
  ]);
  t.end();
});

test('where compares with literals and combines by and, or and exists', (t) => {
  const telecom = [
    { system: 'phone', value: '1', use: 'home' },
    { system: 'email', value: '2' },
  ];
  const patient = { resourceType: 'Patient', telecom };
  const values = (criteria: string) =>
    found(`Patient.telecom.where(${criteria}).value`, patient)?.map(([, value]) => value);
  t.same(values("system = 'phone'"), ['1']);
  t.same(values("system != 'phone'"), ['2']);
  t.same(values("use != 'work'"), ['1'], 'what is empty is neither equal nor unequal');
  t.same(values("system = 'email' or use = 'home'"), ['1', '2']);
  t.same(values("system = 'email' and use = 'home'"), []);
  t.same(values('use.exists()'), ['1']);
  t.same(values("exists(system = 'email')"), undefined);
  t.same(found("Patient.telecom.exists(system = 'email')", patient), [['boolean', true]]);
  t.same(found("Patient.telecom.where(system = 'phone').where(use = 'home').value", patient), [['string', '1']]);
  t.end();
});

test('extensions are found by url in both forms', (t) => {
  const url = 'http://example.org/race';
  const patient = {
    resourceType: 'Patient',
    extension: [
      { url: 'http://example.org/other', valueCode: 'x' },
      { url, extension: [{ url: 'text', valueString: 'y' }] },
    ],
  };
  t.same(found(`Patient.extension.where(url = '${url}').extension.where(url = 'text').value`, patient), [
    ['string', 'y'],
  ]);
  t.same(found(`Patient.extension('${url}').extension('text').value.ofType(string)`, patient), [['string', 'y']]);
  t.same(found(`Patient.extension('${url}').value`, patient), []);
  t.end();
});

test('resolve() is X is decided by the reference alone', (t) => {
  const isPatient = (subject: object) =>
    found('Observation.subject.where(resolve() is Patient)', {
      ...observation,
      contained: [{ resourceType: 'Patient', id: 'p' }],
      subject,
    })?.length === 1;
  t.ok(isPatient({ reference: 'Patient/1' }), 'relative');
  t.ok(isPatient({ reference: 'Patient/1/_history/2' }), 'versioned');
  t.ok(isPatient({ reference: 'http://example.org/fhir/Patient/1' }), 'absolute');
  t.ok(isPatient({ reference: 'http://example.org/fhir/Patient/1/_history/2' }), 'absolute and versioned');
  t.ok(isPatient({ reference: '#p' }), 'contained');
  t.ok(isPatient({ type: 'Patient', identifier: { value: '1' } }), 'by type');
  t.ok(isPatient({ reference: 'urn:uuid:8a3c2a5e-0000-4000-8000-000000000000', type: 'Patient' }), 'urn with a type');
  t.notOk(isPatient({ reference: 'Group/1' }), 'another type');
  t.notOk(isPatient({ reference: 'http://example.org/Patient/x/Group/1' }), 'another type below a misleading path');
  t.notOk(isPatient({ reference: '#other' }), 'a contained resource that is not there');
  t.notOk(isPatient({ reference: 'urn:uuid:8a3c2a5e-0000-4000-8000-000000000000' }), 'a urn tells nothing');
  t.notOk(isPatient({ display: 'somebody' }), 'no reference');
  t.end();
});

test('an indexer counts in the collection', (t) => {
  const entry = [{ resource: { resourceType: 'Composition' } }, { resource: { resourceType: 'Patient' } }];
  const bundle = { resourceType: 'Bundle', entry };
  t.same(found('Bundle.entry[0].resource', bundle), [['Resource', { resourceType: 'Composition' }]]);
  t.same(found('Bundle.entry[2].resource', bundle), []);
  t.same(found('Bundle.entry.resource.ofType(Patient)', bundle), [['Patient', { resourceType: 'Patient' }]]);
  t.equal(found('Bundle.entry.link[0]', bundle), undefined, 'the first of all entries, not of each');
  t.end();
});

test('Patient.deceased is a statement, true or false for every patient', (t) => {
  const expression = 'Patient.deceased.exists() and Patient.deceased != false';
  const deceased = (elements: object) => found(expression, { resourceType: 'Patient', ...elements });
  t.same(deceased({}), [['boolean', false]]);
  t.same(deceased({ deceasedBoolean: false }), [['boolean', false]]);
  t.same(deceased({ deceasedBoolean: true }), [['boolean', true]]);
  t.same(deceased({ deceasedDateTime: '2020' }), [['boolean', true]]);
  t.end();
});

test('what is not covered gives undefined and never a wrong function', (t) => {
  const expressions = [
    'Patient.name.first()',
    'Patient.nonsense',
    'Patient.name.given.length()',
    'Patient.birthDate > @2020',
    'Patient.link.other.resolve().name',
    'Patient.name.where($this.use)',
    "Patient.birthDate.extension('http://example.org')",
    'Patient.name.where(use)',
    'Patient.name[0][0]',
    'Patient.contact.name | (Patient.active = true)',
  ];
  for (const expression of expressions) t.equal(compiled(expression, 'Patient'), undefined, expression);
  t.end();
});

import fc from 'fast-check';
import { test } from 'tap';
import { operation, type Part, parametersOf, patched, patient, resultOf } from './patch-parameters.ts';

const CASES: readonly [title: string, before: object, operations: readonly Part[], after: object][] = [
  ['no operations change nothing', { birthDate: '1920-01-01' }, [], { birthDate: '1920-01-01' }],
  [
    'add puts a primitive that is not there',
    {},
    [operation('add', 'Patient', { name: 'birthDate', value: { valueDate: '1930-01-01' } })],
    { birthDate: '1930-01-01' },
  ],
  [
    'add puts a complex element',
    {},
    [operation('add', 'Patient', { name: 'maritalStatus', value: { valueCodeableConcept: { text: 'married' } } })],
    { maritalStatus: { text: 'married' } },
  ],
  [
    'add appends to a list',
    { identifier: [{ value: '1' }] },
    [operation('add', 'Patient', { name: 'identifier', value: { valueIdentifier: { value: '2' } } })],
    { identifier: [{ value: '1' }, { value: '2' }] },
  ],
  [
    'add begins a list',
    {},
    [operation('add', 'Patient', { name: 'identifier', value: { valueIdentifier: { value: '1' } } })],
    { identifier: [{ value: '1' }] },
  ],
  [
    'add goes below the element at the path',
    { contact: [{ name: { text: 'a' } }] },
    [operation('add', 'Patient.contact[0]', { name: 'gender', value: { valueCode: 'male' } })],
    { contact: [{ name: { text: 'a' }, gender: 'male' }] },
  ],
  [
    'add of a choice names the element, and its value the type',
    {},
    [operation('add', 'Patient', { name: 'deceased', value: { valueDateTime: '2020' } })],
    { deceasedDateTime: '2020' },
  ],
  [
    'add takes a special type where a general one is expected',
    { name: [{}] },
    [operation('add', 'Patient.name[0]', { name: 'text', value: { valueMarkdown: 'a' } })],
    { name: [{ text: 'a' }] },
  ],
  [
    'add builds what no value[x] can be from parts',
    {},
    [
      operation('add', 'Patient', {
        name: 'contact',
        value: {
          part: [
            { name: 'name', valueHumanName: { text: 'a' } },
            { name: 'relationship', valueCodeableConcept: { text: 'r' } },
            { name: 'relationship', valueCodeableConcept: { text: 's' } },
          ],
        },
      }),
    ],
    { contact: [{ name: { text: 'a' }, relationship: [{ text: 'r' }, { text: 's' }] }] },
  ],
  [
    'parts may have parts, and choices',
    {},
    [
      operation('add', 'Patient', {
        name: 'extension',
        value: {
          part: [
            { name: 'url', valueUri: 'http://x' },
            {
              name: 'extension',
              part: [
                { name: 'url', valueUri: 'y' },
                { name: 'value', valueDecimal: 1.5 },
              ],
            },
          ],
        },
      }),
    ],
    { extension: [{ url: 'http://x', extension: [{ url: 'y', valueDecimal: 1.5 }] }] },
  ],
  [
    'add puts a contained resource',
    {},
    [
      operation('add', 'Patient', {
        name: 'contained',
        value: { resource: { resourceType: 'Organization', id: 'o', name: 'n' } },
      }),
    ],
    { contained: [{ resourceType: 'Organization', id: 'o', name: 'n' }] },
  ],
  [
    'add gives a primitive an extension',
    { birthDate: '1990' },
    [
      operation('add', 'Patient.birthDate', {
        name: 'extension',
        value: {
          part: [
            { name: 'url', valueUri: 'http://x' },
            { name: 'value', valueString: 's' },
          ],
        },
      }),
    ],
    { birthDate: '1990', _birthDate: { extension: [{ url: 'http://x', valueString: 's' }] } },
  ],
  [
    'a primitive value brings its extensions',
    {},
    [operation('add', 'Patient', { name: 'birthDate', value: { valueDate: '1990', _valueDate: { id: 'b' } } })],
    { birthDate: '1990', _birthDate: { id: 'b' } },
  ],
  [
    'insert puts an item before the one at the index',
    { identifier: [{ value: '1' }, { value: '2' }] },
    [operation('insert', 'Patient.identifier', { index: 1, value: { valueIdentifier: { value: '3' } } })],
    { identifier: [{ value: '1' }, { value: '3' }, { value: '2' }] },
  ],
  [
    'insert at the length appends',
    { identifier: [{ value: '1' }] },
    [operation('insert', 'Patient.identifier', { index: 1, value: { valueIdentifier: { value: '3' } } })],
    { identifier: [{ value: '1' }, { value: '3' }] },
  ],
  [
    'insert at 0 begins a list',
    { name: [{ family: 'f' }] },
    [operation('insert', "Patient.name.where(family = 'f').given", { index: 0, value: { valueString: 'g' } })],
    { name: [{ family: 'f', given: ['g'] }] },
  ],
  [
    'insert at 0 begins a list of the resource itself',
    {},
    [operation('insert', 'identifier', { index: 0, value: { valueIdentifier: { value: '1' } } })],
    { identifier: [{ value: '1' }] },
  ],
  [
    'insert keeps the extensions of a list of primitives in step',
    { name: [{ given: ['a', 'b'], _given: [null, { id: 'b' }] }] },
    [operation('insert', 'Patient.name.given', { index: 1, value: { valueString: 'c' } })],
    { name: [{ given: ['a', 'c', 'b'], _given: [null, null, { id: 'b' }] }] },
  ],
  [
    'delete takes out a primitive with its extensions',
    { active: true, birthDate: '1990', _birthDate: { id: 'b' } },
    [operation('delete', 'Patient.birthDate')],
    { active: true },
  ],
  [
    'delete takes out an item of a list',
    { identifier: [{ value: '1' }, { value: '2' }] },
    [operation('delete', 'Patient.identifier[0]')],
    { identifier: [{ value: '2' }] },
  ],
  [
    'delete takes out an item that a criterion selects',
    { identifier: [{ value: '1' }, { value: '2', system: 'http://s' }] },
    [operation('delete', "Patient.identifier.where(system = 'http://s' and value.exists())")],
    { identifier: [{ value: '1' }] },
  ],
  [
    'delete of the last child takes the parents that it leaves empty',
    { active: true, contact: [{ name: { text: 'a' } }] },
    [operation('delete', 'Patient.contact[0].name.text')],
    { active: true },
  ],
  [
    'delete of the only extension keeps the value',
    { birthDate: '1990', _birthDate: { extension: [{ url: 'http://x', valueString: 's' }] } },
    [operation('delete', "Patient.birthDate.extension('http://x')")],
    { birthDate: '1990' },
  ],
  ['delete of nothing succeeds', { active: true }, [operation('delete', 'Patient.birthDate')], { active: true }],
  [
    'delete reaches into a contained resource',
    { contained: [{ resourceType: 'Organization', id: 'o', name: 'n' }] },
    [operation('delete', "Patient.contained.where(id = 'o').name")],
    { contained: [{ resourceType: 'Organization', id: 'o' }] },
  ],
  [
    'replace changes a primitive',
    { birthDate: '1920-01-01', active: true },
    [operation('replace', 'Patient.birthDate', { value: { valueDate: '1930-01-01' } })],
    { birthDate: '1930-01-01', active: true },
  ],
  [
    'replace changes the whole element, also its id',
    { maritalStatus: { id: '1', text: 'a' } },
    [
      operation('replace', 'Patient.maritalStatus', {
        value: { valueCodeableConcept: { id: '2', coding: [{ code: 'c' }] } },
      }),
    ],
    { maritalStatus: { id: '2', coding: [{ code: 'c' }] } },
  ],
  [
    'replace changes an item of a list',
    { name: [{ given: ['a', 'b'] }] },
    [operation('replace', 'Patient.name[0].given[1]', { value: { valueString: 'c' } })],
    { name: [{ given: ['a', 'c'] }] },
  ],
  [
    'replace of a choice may change its type',
    { deceasedBoolean: true },
    [operation('replace', 'Patient.deceased', { value: { valueDateTime: '2020' } })],
    { deceasedDateTime: '2020' },
  ],
  [
    'replace takes the xhtml of a narrative as a string',
    { text: { status: 'generated', div: '<div xmlns="http://www.w3.org/1999/xhtml">a</div>' } },
    [
      operation('replace', 'Patient.text.div', {
        value: { valueString: '<div xmlns="http://www.w3.org/1999/xhtml">b</div>' },
      }),
    ],
    { text: { status: 'generated', div: '<div xmlns="http://www.w3.org/1999/xhtml">b</div>' } },
  ],
  [
    'move takes an item to the front',
    { name: [{ text: '1' }, { text: '2' }, { text: '3' }] },
    [operation('move', 'Patient.name', { source: 2, destination: 0 })],
    { name: [{ text: '3' }, { text: '1' }, { text: '2' }] },
  ],
  [
    'move takes an item to the end',
    { name: [{ text: '1' }, { text: '2' }, { text: '3' }] },
    [operation('move', 'Patient.name', { source: 0, destination: 2 })],
    { name: [{ text: '2' }, { text: '3' }, { text: '1' }] },
  ],
  [
    'operations see what those before them did',
    { name: [{ text: '1' }] },
    [
      operation('insert', 'Patient.name', { index: 0, value: { valueHumanName: { text: '0' } } }),
      operation('replace', 'Patient.name[1].text', { value: { valueString: 'b' } }),
    ],
    { name: [{ text: '0' }, { text: 'b' }] },
  ],
];

test('the operations of FHIRPath Patch', (t) => {
  for (const [title, before, operations, after] of CASES)
    t.same(resultOf(patient(before), ...operations), patient(after), title);
  t.end();
});

const OBSERVATION =
  '{"resourceType":"Observation","id":"o","status":"final","valueQuantity":{"value":1.10,"unit":"mg"},"component":[{"valueQuantity":{"value":1e3}},{"valueQuantity":{"value":2.00}}]}';

test('what a patch does not touch keeps its digits and its place, and what it brings does too', (t) => {
  const text = parametersOf(
    operation('replace', 'Observation.status', { value: { valueCode: 'amended' } }),
    operation('move', 'Observation.component', { source: 1, destination: 0 }),
  );
  t.equal(
    patched(OBSERVATION, text),
    '{"resourceType":"Observation","id":"o","status":"amended","valueQuantity":{"value":1.10,"unit":"mg"},"component":[{"valueQuantity":{"value":2.00}},{"valueQuantity":{"value":1e3}}]}',
  );
  const decimal = parametersOf(
    operation('replace', 'Observation.value.ofType(Quantity).value', { value: { valueDecimal: 7 } }),
  );
  t.equal(patched(OBSERVATION, decimal.replace(':7}', ':3.140}')), OBSERVATION.replace('1.10', '3.140'));
  fc.assert(
    fc.property(fc.stringMatching(/^-?(0|[1-9]\d{0,8})\.\d{1,12}$/), (digits) => {
      t.equal(patched(OBSERVATION.replace('1.10', digits), text).includes(`{"value":${digits},"unit"`), true);
    }),
    { numRuns: 20 },
  );
  t.end();
});

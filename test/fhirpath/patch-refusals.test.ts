import { test } from 'tap';
import { operation, type Part, patient, refusal, resultOf } from './patch-parameters.ts';

const UNAPPLICABLE: readonly [title: string, operation: Part, sentence: RegExp][] = [
  [
    'add on a single element that is there',
    operation('add', 'Patient', { name: 'birthDate', value: { valueDate: '1930' } }),
    /'birthDate' is there already/,
  ],
  [
    'add of a second type of a choice',
    operation('add', 'Patient', { name: 'deceased', value: { valueDateTime: '2020' } }),
    /'deceased' is there already/,
  ],
  [
    'add of an element that R4 has not',
    operation('add', 'Patient', { name: 'nickname', value: { valueString: 'x' } }),
    /no element 'nickname' in Patient/,
  ],
  [
    'add below what is not there',
    operation('add', 'Patient.contact[1]', { name: 'gender', value: { valueCode: 'male' } }),
    /nothing at 'Patient.contact\[1\]'/,
  ],
  [
    'add below several elements',
    operation('add', 'Patient.name', { name: 'text', value: { valueString: 'x' } }),
    /selects 2 elements/,
  ],
  [
    'a value of the wrong type',
    operation('add', 'Patient', { name: 'gender', value: { valueString: 'male' } }),
    /value: a string is given where code is expected/,
  ],
  [
    'parts for a primitive',
    operation('add', 'Patient', { name: 'gender', value: { part: [{ name: 'x', valueString: 'y' }] } }),
    /parts are given where code/,
  ],
  [
    'parts that R4 has not',
    operation('add', 'Patient', { name: 'contact', value: { part: [{ name: 'nick', valueString: 'y' }] } }),
    /value.nick: R4 has no such element in Patient.contact/,
  ],
  [
    'insert beyond the end',
    operation('insert', 'Patient.name', { index: 3, value: { valueHumanName: { text: 'x' } } }),
    /index 3 is beyond the 2 items/,
  ],
  [
    'insert into several lists',
    operation('insert', 'Patient.name.given', { index: 0, value: { valueString: 'x' } }),
    /several lists/,
  ],
  [
    'insert into a part of a list',
    operation('insert', "Patient.name.where(family = 'f')", { index: 0, value: { valueHumanName: { text: 'x' } } }),
    /must be the list/,
  ],
  [
    'insert into what is no list',
    operation('insert', 'Patient.birthDate', { index: 0, value: { valueDate: '2020' } }),
    /is no list/,
  ],
  ['delete of several elements', operation('delete', 'Patient.name'), /selects 2 elements; only one can be deleted/],
  ['delete of the resource', operation('delete', 'Patient'), /resource itself/],
  [
    'replace of what is not there',
    operation('replace', 'Patient.gender', { value: { valueCode: 'male' } }),
    /nothing at 'Patient.gender'/,
  ],
  [
    'replace of the type',
    operation('replace', 'Patient.resourceType', { value: { valueString: 'Group' } }),
    /no element of R4/,
  ],
  ['move from beyond the end', operation('move', 'Patient.name', { source: 2, destination: 0 }), /source 2 is beyond/],
  [
    'move to beyond the end',
    operation('move', 'Patient.name', { source: 0, destination: 2 }),
    /destination 2 is beyond/,
  ],
  ['a path that computes a value', operation('delete', 'Patient.name.count()'), /computes a value/],
  ['a path that fails', operation('delete', 'Patient.name.single()'), /cannot be followed/],
  [
    'a path to a prototype',
    operation('add', 'Patient.__proto__', { name: 'polluted', value: { valueString: 'x' } }),
    /no element of R4/,
  ],
];

test('a patch that cannot be applied is refused with 422 and the number of the operation', (t) => {
  const resource = patient({
    birthDate: '1920',
    deceasedBoolean: true,
    name: [
      { family: 'f', given: ['a'] },
      { family: 'g', given: ['b'] },
    ],
  });
  const first = operation('delete', 'Patient.photo[0]');
  for (const [title, second, sentence] of UNAPPLICABLE) {
    const answer = refusal(() => resultOf(resource, first, second));
    t.equal(answer?.status, 422, title);
    t.match(answer?.text, sentence, title);
    t.match(answer?.text, /^Operation 1 \((add|insert|delete|replace|move)\)/, title);
  }
  t.notOk('polluted' in {});
  t.end();
});

const [TYPE, PATH] = [
  { name: 'type', valueCode: 'delete' },
  { name: 'path', valueString: 'Patient.active' },
];
const DEFINITIONS: readonly [title: string, parameter: Part, sentence: RegExp][] = [
  ['another name', { name: 'change', part: [TYPE, PATH] }, /Operation 1: .*named 'operation', not 'change'/],
  ['no type', { name: 'operation', part: [PATH] }, /Operation 1: the part 'type' is missing/],
  ['an unknown type', operation('upsert', 'Patient.active'), /type 'upsert' is none of add, insert/],
  [
    'a type that is no code',
    { name: 'operation', part: [{ name: 'type', valueString: 'delete' }, PATH] },
    /'type' needs a valueCode/,
  ],
  ['no path', { name: 'operation', part: [TYPE] }, /Operation 1 \(delete\): the part 'path' is missing/],
  ['an unknown part', operation('delete', 'Patient.active', { where: 'x' }), /no part 'where'/],
  ['a part that the type has not', operation('delete', 'Patient.active', { index: 0 }), /delete has no part 'index'/],
  ['a part twice', { name: 'operation', part: [TYPE, PATH, PATH] }, /'path' stands twice/],
  ['add without a name', operation('add', 'Patient', { value: { valueBoolean: true } }), /'name' is missing/],
  ['add without a value', operation('add', 'Patient', { name: 'active' }), /'value' is missing/],
  [
    'insert without an index',
    operation('insert', 'Patient.name', { value: { valueHumanName: { text: 'x' } } }),
    /'index' is missing/,
  ],
  [
    'insert at a negative index',
    operation('insert', 'Patient.name', { index: -1, value: { valueHumanName: { text: 'x' } } }),
    /'index' is -1/,
  ],
  ['move without a destination', operation('move', 'Patient.name', { source: 0 }), /'destination' is missing/],
  ['a path that is no FHIRPath', operation('delete', 'Patient..name'), /path 'Patient..name' cannot be used/],
  [
    'a path with a function that searches everywhere',
    operation('delete', 'Patient.descendants()'),
    /descendants\(\) cannot/,
  ],
  [
    'a path with a costly regular expression',
    operation('delete', "Patient.name.where(text.matches('(a+)+$'))"),
    /matches\(\) cannot/,
  ],
  [
    'a path that makes of one value several, again and again',
    operation('delete', 'Patient.name.where(family.select($this | lower()).select($this | upper()).exists())'),
    /select\(\) cannot/,
  ],
  [
    'a path that makes texts longer, again and again',
    operation('delete', "Patient.name.where((family & family).where(($this & $this) = 'x').exists())"),
    /the operator & cannot/,
  ],
  ['a path that compares all with all', operation('delete', '(Patient.name | Patient.contact.name)'), /union of elem/],
  ['a path with a lookup', operation('delete', 'Patient.managingOrganization.resolve()'), /resolve\(\) cannot/],
  ['a path with a variable', operation('delete', 'Patient.name.where(%resource.active)'), /variables such as/],
  ['a very long path', operation('delete', `Patient${'.name'.repeat(300)}`), /longer than 1000 characters/],
  ['a path nested too deeply', operation('delete', `Patient.name${'['.repeat(900)}`), /cannot be used/],
];

test('an operation that is wrong in itself is refused with 400 and its number, before any is applied', (t) => {
  for (const [title, parameter, sentence] of DEFINITIONS) {
    const unapplicable = operation('replace', 'Patient.gender', { value: { valueCode: 'male' } });
    const answer = refusal(() => resultOf(patient({ active: true }), unapplicable, parameter));
    t.equal(answer?.status, 400, title);
    t.match(answer?.text, sentence, title);
  }
  t.end();
});

test('a patch has limits: of operations, and of operations on a large resource', (t) => {
  const many = Array(101).fill(operation('delete', 'Patient.photo[0]'));
  t.match(
    refusal(() => resultOf(patient(), ...many)),
    { status: 422, text: /limit of a patch is 100 \(CONSILIUM_PATCH_OPERATIONS\)/ },
  );
  const large = patient({ name: Array(20).fill({ text: 'x'.repeat(1_000_000) }) });
  t.ok(resultOf(large, ...many.slice(0, 2)), 'a long text is no hindrance');
  t.match(
    refusal(() => resultOf(large, ...many.slice(0, 20))),
    { status: 422, text: /too many operations.*CONSILIUM_PATCH_STEPS/ },
  );
  const names = patient({ name: Array.from({ length: 20_000 }, (_, at) => ({ family: `F${at}` })) });
  const began = process.threadCpuUsage();
  t.match(
    refusal(() => resultOf(names, ...many.slice(0, 100))),
    { status: 422, text: /CONSILIUM_PATCH_STEPS/ },
  );
  t.ok(process.threadCpuUsage(began).user < 1_000_000, 'it is refused before it is tried');
  t.end();
});

import { test } from 'tap';
import { loadJsonSchemas } from '../../src/definitions/json-schema.ts';
import { loadStructures, type Structure } from '../../src/definitions/structures.ts';
import { EXPANSION_LIMIT, loadTerminology } from '../../src/definitions/terminology.ts';

const terminology = loadTerminology();

const HL7 = 'http://hl7.org/fhir/ValueSet/';
const V3 = 'http://terminology.hl7.org/CodeSystem/v3-ActCode';
const VERIFICATION = 'http://terminology.hl7.org/CodeSystem/condition-ver-status';
const EXAMPLE = 'http://example.org/';

const codesOf = (valueSet: string, from = terminology): string[] | undefined =>
  from
    .expansion(valueSet)
    ?.map(({ code }) => code)
    .sort();

test('a value set that is all of a code system has its codes', async (t) => {
  t.strictSame(codesOf(`${HL7}fm-status|4.0.1`), ['active', 'cancelled', 'draft', 'entered-in-error']);
  t.strictSame(terminology.expansion(`${HL7}fm-status`)?.[0], {
    system: 'http://hl7.org/fhir/fm-status',
    code: 'active',
  });
});

test('a value set that lists codes has these', async (t) => {
  t.strictSame(codesOf(`${HL7}immunization-status`), ['completed', 'entered-in-error', 'not-done']);
});

test('codes below others are among those of the system', async (t) => {
  const statuses = ['confirmed', 'differential', 'entered-in-error', 'provisional', 'refuted', 'unconfirmed'];
  t.strictSame(codesOf(`${HL7}condition-ver-status`), statuses);
});

test('a filter by is-a selects a code and all that it subsumes', async (t) => {
  const found = codesOf('http://terminology.hl7.org/ValueSet/v3-ActEncounterCode');
  t.ok(found?.includes('IMP') && found.includes('ACUTE') && found.includes('AMB'));
  t.notOk(found?.includes('_ActEncounterCode'), 'which is excluded');
  t.notOk(found?.includes('SECOBS'));
});

test('a version must be the one that is loaded', async (t) => {
  t.ok(terminology.hasValueSet(`${HL7}fm-status|4.0.1`));
  t.notOk(terminology.hasValueSet(`${HL7}fm-status|5.0.0`));
  t.equal(terminology.expansion(`${HL7}fm-status|5.0.0`), undefined);
  t.equal(terminology.contains(`${HL7}fm-status|5.0.0`, 'http://hl7.org/fhir/fm-status', 'active'), undefined);
});

test('what needs a code system that is not loaded cannot be expanded', async (t) => {
  for (const valueSet of [
    'mimetypes',
    'all-languages',
    'ucum-units',
    'condition-code',
    'observation-codes',
    'unheard-of',
  ])
    t.equal(terminology.expansion(`${HL7}${valueSet}`), undefined, valueSet);
  t.ok(terminology.hasValueSet(`${HL7}mimetypes`));
  t.notOk(terminology.hasValueSet(`${HL7}unheard-of`));
  for (const system of ['http://loinc.org', 'http://snomed.info/sct', 'http://unitsofmeasure.org', 'urn:ietf:bcp:13'])
    t.notOk(terminology.hasSystem(system), system);
  for (const system of ['http://hl7.org/fhir/administrative-gender', V3, 'urn:iso:std:iso:4217'])
    t.ok(terminology.hasSystem(system), system);
});

test('contains says true, false, or that it does not know', async (t) => {
  const contains = (valueSet: string, system: string, code: string) =>
    terminology.contains(HL7 + valueSet, system, code);
  t.equal(contains('condition-clinical', 'http://terminology.hl7.org/CodeSystem/condition-clinical', 'active'), true);
  t.equal(contains('condition-clinical', 'http://terminology.hl7.org/CodeSystem/condition-clinical', 'x'), false);
  t.equal(contains('condition-clinical', 'http://example.org/', 'active'), false, 'a code of another system');
  t.equal(contains('condition-code', 'http://snomed.info/sct', '73211009'), undefined);
  t.equal(contains('condition-code', 'http://example.org/', '73211009'), false, 'whatever is in SNOMED CT');
  t.equal(contains('unheard-of', 'http://example.org/', 'a'), undefined);
});

test('descendants and ancestors include the code itself', async (t) => {
  const sorted = (codes: ReadonlySet<string> | undefined) => [...(codes ?? [])].sort();
  t.strictSame(sorted(terminology.descendants(VERIFICATION, 'unconfirmed')), [
    'differential',
    'provisional',
    'unconfirmed',
  ]);
  t.strictSame(sorted(terminology.ancestors(VERIFICATION, 'differential')), ['differential', 'unconfirmed']);
  t.strictSame(sorted(terminology.ancestors(V3, 'ACUTE')), [
    'ACUTE',
    'IMP',
    '_ActCareProvisionCode',
    '_ActEncounterCode',
  ]);
  t.strictSame(sorted(terminology.descendants(VERIFICATION, 'refuted')), ['refuted']);
  t.strictSame(sorted(terminology.descendants(VERIFICATION, 'unheard-of')), []);
  t.equal(terminology.descendants('http://snomed.info/sct', '404684003'), undefined);
  t.equal(terminology.ancestors('http://snomed.info/sct', '404684003'), undefined);
});

test('a code below several others is a descendant of each', async (t) => {
  const DRUG_FORM = 'http://terminology.hl7.org/CodeSystem/v3-orderableDrugForm';
  t.ok(terminology.descendants(DRUG_FORM, 'SOL')?.has('DROP'), 'named as a child by a property');
  t.ok(terminology.ancestors(DRUG_FORM, 'DROP')?.has('SOL'));
});

const STRUCTURES = loadStructures();

test('the value sets of required bindings agree with the codes that the JSON schema lists', async (t) => {
  const schemas = loadJsonSchemas(STRUCTURES);
  const roots = STRUCTURES.resourceTypes.flatMap((type) => STRUCTURES.structure(type) ?? []);
  const all = new Set<Structure>(roots);
  for (const each of all)
    for (const rule of each.elements.values()) if (rule.type !== 'Resource') all.add(rule.structure);
  let compared = 0;
  const different: string[] = [];
  for (const structure of all)
    for (const { key, type, requiredValueSet } of structure.elements.values()) {
      const listed = type === 'code' ? schemas.codes(structure, key) : undefined;
      const expanded = requiredValueSet === undefined ? undefined : codesOf(requiredValueSet);
      if (listed === undefined || expanded === undefined) continue;
      compared++;
      if ([...new Set(listed)].sort().join() !== [...new Set(expanded)].sort().join())
        different.push(`${structure.path}.${key}`);
    }
  t.ok(compared > 240, `${compared} bindings`);
  // The code `question` is abstract: the value set has it, and the schema rightly not.
  t.strictSame(different, ['Questionnaire.item.type']);
  const types = ['DomainResource', 'Resource', ...STRUCTURES.resourceTypes].sort();
  t.strictSame(codesOf(`${HL7}resource-types`), types);
});

test('code systems and value sets can be added', async (t) => {
  const own = loadTerminology();
  const system = `${EXAMPLE}CodeSystem/organs`;
  const valueSet = `${EXAMPLE}ValueSet/organs`;
  const include = (part: object, more: object = {}) =>
    own.add({
      resourceType: 'ValueSet',
      url: valueSet,
      version: '2',
      status: 'active',
      compose: { include: [part], ...more },
    });
  t.notOk(own.hasSystem(system));
  include({ system });
  t.equal(own.expansion(valueSet), undefined);
  const concept = [
    { code: 'organ', concept: [{ code: 'kidney' }, { code: 'gland' }] },
    {
      code: 'pancreas',
      property: [
        { code: 'parent', valueCode: 'gland' },
        { code: 'subsumedBy', valueCode: 'organ' },
      ],
    },
  ];
  own.add({ resourceType: 'CodeSystem', url: system, status: 'active', content: 'complete', concept });
  t.strictSame(codesOf(valueSet, own), ['gland', 'kidney', 'organ', 'pancreas']);
  t.strictSame(codesOf(`${valueSet}|2`, own), ['gland', 'kidney', 'organ', 'pancreas']);
  t.strictSame([...(own.descendants(system, 'gland') ?? [])], ['gland', 'pancreas']);
  const filtered = (op: 'is-a' | 'descendent-of' | 'is-not-a' | 'regex', property = 'concept') => {
    include({ system, filter: [{ property, op, value: 'gland' }] });
    return codesOf(valueSet, own);
  };
  t.strictSame(filtered('is-a'), ['gland', 'pancreas']);
  t.strictSame(filtered('descendent-of'), ['pancreas']);
  t.strictSame(filtered('is-not-a'), ['kidney', 'organ']);
  t.equal(filtered('regex'), undefined, 'which is not known here');
  t.equal(filtered('is-a', 'colour'), undefined);
  include({ system }, { exclude: [{ system, concept: [{ code: 'organ' }] }] });
  t.strictSame(codesOf(valueSet, own), ['gland', 'kidney', 'pancreas']);
  t.equal(own.contains(valueSet, system, 'organ'), false);
  include({ system, concept: [{ code: 'kidney' }, { code: 'skin' }] });
  t.strictSame(codesOf(valueSet, own), ['kidney', 'skin'], 'listed codes are not looked up');
});

test('value sets are made of others', async (t) => {
  const own = loadTerminology();
  const add = (name: string, include: object[]) =>
    own.add({ resourceType: 'ValueSet', url: EXAMPLE + name, status: 'active', compose: { include } as never });
  const list = (...codes: string[]) => ({ system: 'urn:s', concept: codes.map((code) => ({ code })) });
  add('a', [list('1', '2', '3')]);
  add('b', [list('2', '3', '4')]);
  add('either', [{ valueSet: [`${EXAMPLE}a`] }, { valueSet: [`${EXAMPLE}b`] }]);
  add('both', [{ valueSet: [`${EXAMPLE}a`, `${EXAMPLE}b`] }]);
  add('narrowed', [{ ...list('3', '4', '5'), valueSet: [`${EXAMPLE}either`] }]);
  add('circle', [{ valueSet: [`${EXAMPLE}circle`] }]);
  add('partly', [list('1'), { system: 'urn:unknown' }]);
  t.strictSame(codesOf(`${EXAMPLE}either`, own), ['1', '2', '3', '4']);
  t.strictSame(codesOf(`${EXAMPLE}both`, own), ['2', '3']);
  t.strictSame(codesOf(`${EXAMPLE}narrowed`, own), ['3', '4']);
  t.equal(own.expansion(`${EXAMPLE}circle`), undefined);
  t.equal(own.contains(`${EXAMPLE}circle`, 'urn:s', '1'), undefined);
  t.equal(own.expansion(`${EXAMPLE}partly`), undefined);
  t.equal(own.contains(`${EXAMPLE}partly`, 'urn:s', '1'), true, 'whatever else is in it');
  t.equal(own.contains(`${EXAMPLE}partly`, 'urn:unknown', '1'), undefined);
});

test('an expansion has a limit', async (t) => {
  const own = loadTerminology();
  const concept = Array.from({ length: EXPANSION_LIMIT + 1 }, (_, index) => ({ code: String(index) }));
  own.add({ resourceType: 'CodeSystem', url: 'urn:large', status: 'active', content: 'complete', concept });
  const compose = { include: [{ system: 'urn:large' }] };
  own.add({ resourceType: 'ValueSet', url: 'urn:all', status: 'active', compose });
  t.equal(own.expansion('urn:all'), undefined);
  t.equal(own.contains('urn:all', 'urn:large', '7'), true);
});

test('a code system that is a part, an example or a supplement is not loaded', async (t) => {
  const own = loadTerminology();
  for (const content of ['fragment', 'example', 'supplement', 'not-present'] as const) {
    own.add({ resourceType: 'CodeSystem', url: 'urn:part', status: 'active', content, concept: [{ code: 'a' }] });
    t.notOk(own.hasSystem('urn:part'), content);
  }
});

test('in a hierarchy other than is-a, a code does not subsume those below it', async (t) => {
  const own = loadTerminology();
  const concept = [{ code: 'hand', concept: [{ code: 'finger' }] }];
  const base = {
    resourceType: 'CodeSystem',
    url: 'urn:parts',
    status: 'active',
    content: 'complete',
    concept,
  } as const;
  own.add({ ...base, hierarchyMeaning: 'part-of' });
  t.strictSame([...(own.descendants('urn:parts', 'hand') ?? [])], ['hand']);
  own.add({ ...base, hierarchyMeaning: 'is-a' });
  t.strictSame([...(own.descendants('urn:parts', 'hand') ?? [])], ['hand', 'finger']);
});

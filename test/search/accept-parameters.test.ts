import type { SearchParameter } from '@medplum/fhirtypes';
import { test } from 'tap';
import { loadPackages } from '../../src/definitions/packages/load-packages.ts';
import { loadSearchParameters } from '../../src/definitions/search-parameters.ts';
import { loadStructures } from '../../src/definitions/structures.ts';
import { acceptedParameters } from '../../src/search/accept-parameters.ts';
import { absence, dataFolder } from '../data/shared-data.ts';

const structures = loadStructures();
const { ofR4 } = loadSearchParameters();

const BASE = {
  ...{ resourceType: 'SearchParameter', url: 'http://x.example/sp', name: 'x', status: 'active', description: 'x' },
  ...{ code: 'maiden', base: ['Patient'], type: 'string', expression: "Patient.name.where(use='maiden').family" },
};

const accept = (...changes: readonly object[]) =>
  acceptedParameters(
    changes.map((change, at) => ({ source: `file-${at}`, resource: { ...BASE, ...change } as SearchParameter })),
    { structures, ofR4 },
  );

const keysOf = ({ parameters }: ReturnType<typeof acceptedParameters>) =>
  parameters.map(({ type, parameter }) => `${type}.${parameter.code}`);

test('a definition is accepted at each of its base types', (t) => {
  const expression = "Patient.name.where(use='maiden').family | Practitioner.name.where(use='maiden').family";
  const result = accept({ base: ['Patient', 'Practitioner'], expression });
  t.same(keysOf(result), ['Patient.maiden', 'Practitioner.maiden']);
  t.same(result.refusals, []);
  t.same(keysOf(accept({ status: 'draft' })), ['Patient.maiden']);
  t.end();
});

test('a definition at Resource is for all types, at DomainResource for all that have a narrative', (t) => {
  const general = { code: 'lang', type: 'token', expression: 'Resource.language' };
  t.equal(accept({ ...general, base: ['Resource'] }).parameters.length, structures.resourceTypes.length);
  const ofDomain = accept({ ...general, base: ['DomainResource'], expression: 'DomainResource.language' });
  const absent = structures.resourceTypes.filter((type) => !keysOf(ofDomain).includes(`${type}.lang`));
  t.same(absent, ['Binary', 'Bundle', 'Parameters']);
  t.end();
});

test('a retired definition is not used, and nothing is said of it', (t) => {
  for (const status of ['retired', 'unknown']) t.same(accept({ status }), { parameters: [], refusals: [] });
  t.end();
});

test('what cannot be used is refused with the reason', (t) => {
  const composite = { type: 'composite', expression: 'Patient' };
  const part = { definition: 'http://hl7.org/fhir/SearchParameter/individual-gender', expression: 'gender' };
  const wrong: readonly (readonly [change: object, reason: RegExp])[] = [
    [{ code: undefined }, /it has no code/],
    [{ url: undefined }, /it has no url/],
    [{ base: [] }, /it has no base/],
    [{ base: ['Patientt'] }, /its base 'Patientt' is no resource type of R4/],
    [{ type: 'special' }, /its type 'special'/],
    [{ type: 'nonsense' }, /its type 'nonsense'/],
    [{ expression: undefined }, /it has no expression/],
    [{ expression: ' ' }, /it has no expression/],
    [{ code: '_count' }, /its code '_count' is no name/],
    [{ code: '_maiden' }, /its code '_maiden' is no name/],
    [{ code: 'a.b' }, /its code 'a\.b' is no name/],
    [{ code: 'a:b' }, /its code 'a:b' is no name/],
    [{ expression: 'Patient.name.where(' }, /is refused: it is no FHIRPath/],
    [{ expression: 'Patient..name' }, /is refused: it is no FHIRPath/],
    [{ expression: `Patient.name${' '.repeat(10_000)}` }, /more than 10000 characters/],
    [{ code: 'family', expression: `${'('.repeat(9000)}Patient.name` }, /nested too deeply/],
    [{ expression: `${'('.repeat(9000)}Patient.name` }, /cannot be evaluated|nested too deeply/],
    [{ expression: 'Patient.name.nonsense()' }, /the function nonsense\(\) cannot be used/],
    [{ expression: 'Patient.managingOrganization.resolve().name' }, /the function resolve\(\) cannot be used/],
    [{ expression: 'Observation.code' }, /leads to no value of Patient/],
    [{ expression: 'Patient.contact' }, /leads to no value of Patient that a string can be made of/],
    [{ base: ['Patient', 'Group'] }, /leads to no value of Group/],
    [{ type: 'reference', expression: 'Patient.link.other', target: ['Nobody'] }, /its target 'Nobody'/],
    [composite, /is composite and has no components/],
    [{ ...composite, component: [{ expression: 'gender' }] }, /a component has no definition/],
    [{ ...composite, component: [{ ...part, definition: 'http://x.example/none' }] }, /component 'http:.*none' is no/],
    [{ ...composite, component: [part, { ...part, expression: 'photo' }] }, /leads to no value of Patient/],
  ];
  for (const [change, reason] of wrong) {
    const { parameters, refusals } = accept(change);
    t.same(parameters, [], String(reason));
    t.match(refusals, [{ source: 'file-0', reason }], String(reason));
  }
  t.end();
});

/** What could take for ever, or far too long, on some resource; with what the refusal names. */
const UNBOUNDED: readonly (readonly [expression: string, named: RegExp])[] = [
  ["Patient.name.where(family.matches('^(a+)+$')).family", /the function matches\(\) cannot be used in a search param/],
  ["Patient.name.where(family.`matches`('^(a+)+$')).family", /the function `matches`\(\)/],
  ["Patient.name.where(family.matchesFull('(a+)+')).family", /matchesFull\(\)/],
  ["Patient.name.family.replaceMatches('(a+)+$', 'b')", /replaceMatches\(\)/],
  ["Patient.name.family.replace('a', 'aa').replace('a', 'aa')", /replace\(\)/],
  ['Patient.name.count().repeat($this + 1)', /repeat\(\)/],
  ['Patient.name.count().repeatAll($this + 1)', /repeatAll\(\)/],
  ['Patient.repeat(contact).name', /repeat\(\)/],
  ["Patient.name.trace('x').family", /trace\(\)/],
  ['Patient.descendants().family', /descendants\(\)/],
  ['Patient.children().children().family', /children\(\)/],
  ['Patient.name.aggregate($total | $this).family', /aggregate\(\)/],
  ['Patient.name.family.select($this | lower()).select($this | upper())', /select\(\)/],
  ['Patient.name.family.combine(Patient.name.family)', /combine\(\)/],
  ['Patient.name.family.distinct()', /distinct\(\)/],
  ["Patient.name.where((family & family) = 'x').family", /the operator &/],
  ["Patient.name.where((family + family) = 'x').family", /the operator \+/],
  ["Patient.name.where(family ~ 'x').family", /the operator ~/],
  ['(Patient.name.tail() | Patient.contact.name).family', /the union of elements/],
  ['Patient.name.where(%resource.name.where(%resource.name.exists()).exists()).family', /variables such as %resource/],
  ['Patient.name.where(%resource.name.count() > 1).family', /variables such as %resource/],
  ['%context.name.family', /variables/],
  [`Patient.name${'.where(true)'.repeat(40)}.family`, /more than 150 parts/],
  [`Patient.name${'.where(true)'.repeat(400)}.family`, /more than 2000 characters/],
];

test('an expression that may take for ever, or grow without bounds, is refused with what it uses', (t) => {
  for (const [expression, named] of UNBOUNDED) {
    const { parameters, refusals } = accept({ expression });
    t.same(parameters, [], expression);
    t.match(refusals, [{ reason: named }], expression);
  }
  t.end();
});

test('one that does not is accepted, also beyond what is compiled', (t) => {
  for (const expression of [
    "Patient.name.where(use in ('official' | 'usual')).family",
    'Patient.name.first().family | Patient.contact.name.last().family',
    '%resource.name.first().family',
    "Patient.name.where(family.startsWith('A') and period.start > @2020).family.lower()",
    'Patient.name.where(given.count() - 1 > 0).family',
    'Patient.extension.value.extension.value.extension.value.extension.value.family',
  ])
    t.match(accept({ expression }), { parameters: [{ type: 'Patient' }], refusals: [] }, expression);
  t.end();
});

test("all of R4's own expressions are accepted, if another parameter has them", (t) => {
  const own = structures.resourceTypes.flatMap((type) =>
    [...ofR4.of(type).values()]
      .filter(({ type: kind, expression, code }) => kind !== 'special' && expression !== '' && !code.startsWith('_'))
      .map(({ type: kind, expression, targets, components }, at) => ({
        ...{ base: [type], code: `own-${at}`, url: `http://x.example/${type}-${at}`, type: kind, expression },
        ...(targets.length === 0 ? {} : { target: targets }),
        ...(components.length === 0
          ? {}
          : { component: components.map(({ url, expression: path }) => ({ definition: url, expression: path })) }),
      })),
  );
  t.ok(own.length > 1000);
  t.same(accept(...own).refusals, []);
  t.end();
});

test('a composite may have R4 components and own ones, also of a later file', (t) => {
  const gender = { definition: 'http://hl7.org/fhir/SearchParameter/individual-gender', expression: 'gender' };
  const maiden = { definition: BASE.url, expression: "name.where(use='maiden').family" };
  const composite = { code: 'both', url: 'http://x.example/both', type: 'composite', expression: 'Patient' };
  const result = accept({ ...composite, component: [gender, maiden] }, {});
  t.same(keysOf(result), ['Patient.maiden', 'Patient.both']);
  t.same(result.refusals, []);
  t.end();
});

test("R4's parameter stays: silently where a definition says the same, and with a word where it does not", (t) => {
  const family = { code: 'family', expression: 'Patient.name.family' };
  t.same(accept(family), { parameters: [], refusals: [] });
  const { parameters, refusals } = accept({ ...family, expression: 'Patient.name.given' });
  t.same(parameters, []);
  t.match(refusals, [{ reason: /Patient has another 'family', .*individual-family, which stays/ }]);
  t.match(accept({ ...family, type: 'token' }).refusals, [{ reason: /which stays/ }]);
  t.same(accept({ url: 'http://hl7.org/fhir/SearchParameter/Patient-name' }), { parameters: [], refusals: [] });
  const both = accept({
    ...family,
    base: ['Patient', 'Organization'],
    expression: 'Patient.name.family | Organization.name',
  });
  t.same(keysOf(both), ['Organization.family'], 'it is new at another type');
  t.end();
});

test('the same however it is written', (t) => {
  const onset = { base: ['Condition'], code: 'onset-date', type: 'date' };
  for (const expression of [
    'Condition.onset.as(dateTime)|Condition.onset.as(Period)',
    '(Condition.onset as Period) | (Condition.onset as dateTime)',
    'Condition.onset.ofType(dateTime) | Condition.onset.ofType(Period)',
  ])
    t.same(accept({ ...onset, expression }), { parameters: [], refusals: [] }, expression);
  t.equal(accept({ ...onset, expression: 'Condition.onset.as(Period)' }).refusals.length, 1);
  t.same(accept({ code: '_id', type: 'token', expression: 'Patient.id' }), { parameters: [], refusals: [] });
  t.end();
});

test('of two definitions with one url or one code, the first is used', (t) => {
  t.same(accept({}, {}).refusals, []);
  const other = { expression: 'Patient.name.given' };
  t.match(accept({}, other), { parameters: [{ parameter: { expression: BASE.expression } }] });
  t.match(accept({}, other).refusals, [
    { source: 'file-1', reason: /another definition of http:\/\/x.example\/sp came/ },
  ]);
  const byCode = accept({}, { ...other, url: 'http://x.example/other' });
  t.equal(byCode.parameters.length, 1);
  t.match(byCode.refusals, [{ source: 'file-1', reason: /another 'maiden', http:\/\/x.example\/sp, which stays/ }]);
  t.end();
});

test('the fingerprint is that of what is indexed, not of the words around it', (t) => {
  const [before] = accept({}).parameters;
  t.equal(accept({ description: 'other', name: 'y' }).parameters[0]?.fingerprint, before?.fingerprint);
  t.not(accept({ expression: 'Patient.name.given' }).parameters[0]?.fingerprint, before?.fingerprint);
  t.not(accept({ type: 'token', expression: 'Patient.gender' }).parameters[0]?.fingerprint, before?.fingerprint);
  t.end();
});

test('of US Core, what R4 has not is new, and nothing is refused', { skip: absence('packages') }, (t) => {
  const packages = loadPackages(dataFolder('packages').pathname, { packageBytes: 200e6, packageFiles: 20_000 });
  const offered = packages.flatMap(({ resources }) => [...resources('SearchParameter')]);
  const result = acceptedParameters(offered, { structures, ofR4 });
  t.same(result.refusals, []);
  t.same(keysOf(result).sort(), [
    ...['CareTeam.role', 'Condition.asserted-date', 'Encounter.discharge-disposition', 'Goal.description'],
    ...['Patient.ethnicity', 'Patient.gender-identity', 'Patient.race'],
  ]);
  t.end();
});

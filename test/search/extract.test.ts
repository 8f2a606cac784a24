import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { loadSearchParameters, type SearchParameter } from '../../src/definitions/search-parameters.ts';
import { loadStructures } from '../../src/definitions/structures.ts';
import { createExtractor } from '../../src/search/extract.ts';
import type { IndexEntry } from '../../src/search/index-entry.ts';

type Json = Record<string, unknown> & { resourceType: string };

const BASE_URL = 'http://localhost:8080/fhir';
const structures = loadStructures();
const extract = createExtractor(structures, loadSearchParameters(), BASE_URL);

/** The entries of one parameter, without `kind` and `param`. */
const entriesOf = (param: string, resource: Json): Record<string, unknown>[] =>
  extract(resource)
    .filter((entry) => entry.param === param)
    .map(({ kind: _kind, param: _param, ...rest }) => rest);

const utc = (text: string): number => Date.parse(text);

test('tokens: codings, identifiers, contact points and primitives', (t) => {
  const patient = {
    resourceType: 'Patient',
    active: true,
    gender: 'female',
    identifier: [{ system: 'urn:s', value: '1' }, { value: '2' }, { system: 'urn:s' }, { type: { text: 'x' } }],
    telecom: [
      { system: 'phone', use: 'home', value: '+49 30 1' },
      { system: 'email', value: 'a@b.org' },
      { use: 'old' },
    ],
    maritalStatus: { text: 'only text' },
    meta: { tag: [{ system: 'urn:t', code: 'a' }, { display: 'no code' }, { system: 'urn:t' }] },
  };
  t.same(entriesOf('active', patient), [{ system: '', code: 'true' }]);
  t.same(entriesOf('deceased', patient), [{ system: '', code: 'false' }]);
  t.same(entriesOf('gender', patient), [{ system: '', code: 'female' }]);
  t.same(entriesOf('identifier', patient), [
    { system: 'urn:s', code: '1' },
    { system: '', code: '2' },
    { system: 'urn:s', code: '' },
  ]);
  t.same(entriesOf('phone', patient), [{ system: '', code: '+49 30 1' }], 'use is no system');
  t.equal(entriesOf('telecom', patient).length, 2);
  t.same(entriesOf('_tag', patient), [
    { system: 'urn:t', code: 'a' },
    { system: 'urn:t', code: '' },
  ]);
  const code = { coding: [{ system: 'http://loinc.org', code: '8480-6' }, null, { code: 'sys' }], text: 'Systolic' };
  t.same(entriesOf('code', { resourceType: 'Observation', code }), [
    { system: 'http://loinc.org', code: '8480-6' },
    { system: '', code: 'sys' },
  ]);
  t.end();
});

test('strings: each part of a name or address, folded and as written', (t) => {
  const patient = {
    resourceType: 'Patient',
    name: [
      {
        family: 'Müller',
        given: ['Anna  Lena', null],
        prefix: ['Dr.'],
        suffix: ['MD'],
        text: 'Dr. Anna',
        use: 'official',
      },
    ],
    address: [
      {
        use: 'home',
        line: ['Weg 1'],
        city: 'Köln',
        district: 'D',
        state: 'NW',
        postalCode: '50667',
        country: 'DE',
        text: 'T',
      },
    ],
  };
  t.same(
    entriesOf('name', patient).map(({ exact }) => exact),
    ['Müller', 'Anna  Lena', 'Dr.', 'MD', 'Dr. Anna'],
  );
  t.same(entriesOf('family', patient), [{ value: 'muller', exact: 'Müller' }]);
  t.same(entriesOf('given', patient), [{ value: 'anna lena', exact: 'Anna  Lena' }]);
  t.same(
    entriesOf('address', patient).map(({ exact }) => exact),
    ['Weg 1', 'Köln', 'D', 'NW', 'DE', '50667', 'T'],
  );
  const [long] = entriesOf('description', { resourceType: 'Measure', description: 'Ä'.repeat(100_000) });
  t.same(long, { value: 'a'.repeat(512), exact: 'Ä'.repeat(512) });
  t.end();
});

test('dates: the range of the precision, the limits of a Period, the outer limits of a Timing', (t) => {
  const dates = (effective: object) => entriesOf('date', { resourceType: 'Observation', ...effective });
  const year = { lo: utc('2020-01-01'), hi: utc('2021-01-01') };
  t.same(dates({ effectiveDateTime: '2020' }), [year]);
  t.same(dates({ effectiveDateTime: '2020-02-30' }), [], 'no date');
  t.same(dates({ effectiveInstant: '2020-01-01T12:00:00+01:00' }), [
    { lo: utc('2020-01-01T11:00:00Z'), hi: utc('2020-01-01T11:00:01Z') },
  ]);
  t.same(dates({ effectivePeriod: { start: '2020', end: '2020' } }), [year], 'the end includes its last moment');
  t.same(dates({ effectivePeriod: { start: '2020' } }), [{ lo: year.lo, hi: Number.POSITIVE_INFINITY }]);
  t.same(dates({ effectivePeriod: { end: '2020' } }), [{ lo: Number.NEGATIVE_INFINITY, hi: year.hi }]);
  t.same(dates({ effectivePeriod: {} }), []);
  t.same(dates({ effectivePeriod: { start: '2021', end: '2020' } }), [], 'ends before it starts');
  t.same(dates({ effectivePeriod: { start: '2021', end: 'soon' } }), []);
  t.same(dates({ effectiveTiming: { event: ['2020-06-01', null, '2020-02-01'] } }), [
    { lo: utc('2020-02-01'), hi: utc('2020-06-02') },
  ]);
  const repeat = { boundsPeriod: { start: '2020-03-01', end: '2020-12-31' }, frequency: 1 };
  t.same(dates({ effectiveTiming: { event: ['2020-01-01'], repeat } }), [year]);
  t.same(dates({ effectiveTiming: { repeat: { frequency: 1, period: 1, periodUnit: 'd' } } }), []);
  t.end();
});

test('numbers and quantities: points, comparators, ranges and money', (t) => {
  const probability = (prediction: object) =>
    entriesOf('probability', { resourceType: 'RiskAssessment', prediction: [prediction] });
  t.same(probability({ probabilityDecimal: 0.25 }), [{ lo: 0.25, hi: 0.25 }]);
  t.same(probability({ probabilityRange: { low: { value: 1 }, high: { value: 2 } } }), [{ lo: 1, hi: 2 }]);
  t.same(probability({ probabilityRange: { high: { value: 2 } } }), [{ lo: Number.NEGATIVE_INFINITY, hi: 2 }]);
  t.same(probability({ probabilityRange: {} }), []);

  const unit = { system: 'http://unitsofmeasure.org', code: 'mg', unit: 'milligram' };
  const quantity = (value: object) =>
    entriesOf('value-quantity', { resourceType: 'Observation', valueQuantity: { ...value, ...unit } });
  t.same(quantity({ value: 5.4 }), [{ lo: 5.4, hi: 5.4, ...unit }]);
  t.same(quantity({ value: 5, comparator: '<=' }), [{ lo: Number.NEGATIVE_INFINITY, hi: 5, ...unit }]);
  t.same(
    quantity({ value: 5, comparator: '<' }),
    [{ lo: Number.NEGATIVE_INFINITY, hi: 4.999999999999999, ...unit }],
    'up to the number before 5, but not 5',
  );
  t.same(quantity({ value: 5, comparator: '>' }), [{ lo: 5.000000000000001, hi: Number.POSITIVE_INFINITY, ...unit }]);
  t.same(quantity({ value: 5, comparator: '>=' }), [{ lo: 5, hi: Number.POSITIVE_INFINITY, ...unit }]);
  t.same(quantity({}), [], 'no value');
  t.same(entriesOf('value-quantity', { resourceType: 'Observation', valueSampledData: { origin: { value: 1 } } }), []);

  const context = (value: object) =>
    entriesOf('context-quantity', { resourceType: 'Measure', useContext: [{ code: { code: 'age' }, ...value }] });
  t.same(context({ valueRange: { low: { value: 1 }, high: { value: 2, code: 'a' } } }), [
    { lo: 1, hi: 2, system: '', code: '', unit: '' },
  ]);
  t.same(context({ valueRange: { high: { value: 2, code: 'a' } } }), [
    { lo: Number.NEGATIVE_INFINITY, hi: 2, system: '', code: 'a', unit: '' },
  ]);
  t.same(entriesOf('totalnet', { resourceType: 'Invoice', totalNet: { value: 48, currency: 'EUR' } }), [
    { lo: 48, hi: 48, system: 'urn:iso:std:iso:4217', code: 'EUR', unit: '' },
  ]);
  t.end();
});

test('references: own resources by type and id, others by url', (t) => {
  const subject = (value: object) => entriesOf('subject', { resourceType: 'Observation', subject: value });
  const own = [{ type: 'Patient', id: '1' }];
  t.same(subject({ reference: 'Patient/1' }), own);
  t.same(subject({ reference: 'Patient/1/_history/3' }), own);
  t.same(subject({ reference: `${BASE_URL}/Patient/1` }), own);
  t.same(subject({ reference: 'https://other.org/fhir/Patient/1' }), [
    { type: '', id: 'https://other.org/fhir/Patient/1' },
  ]);
  t.same(subject({ reference: 'https://other.org/fhir/Patient/1/_history/3' }), [
    { type: '', id: 'https://other.org/fhir/Patient/1' },
  ]);
  t.same(subject({ reference: 'urn:uuid:8a3c2a5e-0000-4000-8000-000000000000' }), [
    { type: '', id: 'urn:uuid:8a3c2a5e-0000-4000-8000-000000000000' },
  ]);
  t.same(subject({ reference: '#p' }), [], 'contained');
  t.same(subject({ reference: 'Nonsense/1' }), [], 'no resource type');
  t.same(subject({ identifier: { value: '1' } }), [], 'an identifier only');
  t.same(entriesOf('patient', { resourceType: 'Observation', subject: { reference: 'Group/1' } }), []);

  const canonical = (url: string) =>
    entriesOf('questionnaire', { resourceType: 'QuestionnaireResponse', questionnaire: url });
  t.same(canonical('http://example.org/q'), [{ type: '', id: 'http://example.org/q' }]);
  t.same(canonical('http://example.org/q|2'), [
    { type: '', id: 'http://example.org/q|2' },
    { type: '', id: 'http://example.org/q' },
  ]);
  t.same(canonical(`${BASE_URL}/Questionnaire/q`), [
    { type: '', id: `${BASE_URL}/Questionnaire/q` },
    { type: 'Questionnaire', id: 'q' },
  ]);
  const entry = [{ resource: { resourceType: 'Composition', id: 'c' } }];
  t.same(entriesOf('composition', { resourceType: 'Bundle', entry }), [{ type: 'Composition', id: 'c' }]);
  t.same(entriesOf('message', { resourceType: 'Bundle', entry }), [], 'the first resource is no MessageHeader');
  t.end();
});

test('uris: as written; canonicals also without their version, and conformance resources with it', (t) => {
  const meta = { profile: ['http://example.org/P|1'], source: 'urn:oid:1.2' };
  t.same(entriesOf('_profile', { resourceType: 'Binary', meta }), [
    { value: 'http://example.org/P|1' },
    { value: 'http://example.org/P' },
  ]);
  const valueSet = { resourceType: 'ValueSet', url: 'http://example.org/V', version: '1.0' };
  t.same(entriesOf('url', valueSet), [{ value: 'http://example.org/V' }]);
  t.same(entriesOf('url:version', valueSet), [{ value: 'http://example.org/V|1.0' }]);
  t.same(entriesOf('url:version', { resourceType: 'ValueSet', url: 'http://example.org/V' }), []);
  t.same(entriesOf('_source', { resourceType: 'Binary', meta }), [{ value: 'urn:oid:1.2' }]);
  t.end();
});

test('an entry is never there twice', (t) => {
  const coding = (index: number) => ({ system: 'urn:s', code: `${index % 40}` });
  for (const count of [3, 100]) {
    const codings = Array.from({ length: count }, (_, index) => coding(index));
    const category = [{ coding: [...codings, ...codings] }];
    t.equal(entriesOf('category', { resourceType: 'Observation', category }).length, Math.min(count, 40), `${count}`);
  }
  const name = [{ family: 'A' }, { family: 'A', given: ['a', 'A'] }];
  t.equal(entriesOf('name', { resourceType: 'Patient', name }).length, 2, 'A and a differ as written');
  t.end();
});

/** What has a name of its own, beside the words that every resource has. */
const paramsOf = (resource: Json): string[] => {
  const params = new Set(extract(resource).map(({ param }) => param));
  params.delete('_content');
  return [...params].sort();
};

test('columns of the store have no entries', (t) => {
  const observation = { resourceType: 'Observation', id: '1', meta: { lastUpdated: '2020-01-01T00:00:00Z' } };
  t.same(paramsOf(observation), []);
  t.end();
});

test('composites: the components of each element, marked with its number', (t) => {
  const observation = {
    resourceType: 'Observation',
    component: [
      { code: { coding: [{ code: 'sys' }, { code: '8480-6' }] }, valueQuantity: { value: 120, code: 'mm[Hg]' } },
      { code: { coding: [{ code: 'no value' }] } },
      { code: { coding: [{ code: 'dia' }] }, valueQuantity: { value: 80, code: 'mm[Hg]' } },
    ],
  };
  t.same(
    entriesOf('component-code-value-quantity#0', observation).map(({ code, element }) => [element, code]),
    [
      [0, 'sys'],
      [0, '8480-6'],
      [1, 'dia'],
    ],
    'an element without one of the components can never match',
  );
  t.same(
    entriesOf('component-code-value-quantity#1', observation).map(({ lo, element }) => [element, lo]),
    [
      [0, 120],
      [1, 80],
    ],
  );
  const whole = { resourceType: 'Observation', code: { coding: [{ code: 'a' }] }, valueString: 'B' };
  t.same(entriesOf('code-value-string#0', whole), [{ system: '', code: 'a', element: 0 }]);
  t.same(entriesOf('code-value-string#1', whole), [{ value: 'b', exact: 'B', element: 0 }]);
  t.same(entriesOf('code-value-string', whole), [], 'no entries under its own name');
  t.end();
});

test('the text of codes, identifiers and references is searched by :text', (t) => {
  const observation = {
    resourceType: 'Observation',
    code: { text: 'Blood  Pressure', coding: [{ code: 'a', display: 'Systölic' }, { code: 'b' }] },
    subject: { display: 'Anna Müller' },
    identifier: [{ value: '1', type: { text: 'Accession' } }],
  };
  const texts = (param: string) => entriesOf(param, observation).map(({ value }) => value);
  t.same(texts('code:text'), ['blood pressure', 'systolic']);
  t.same(texts('subject:text'), ['anna muller']);
  t.same(texts('identifier:text'), ['accession']);
  t.end();
});

test('identifiers are found by their type, and references by the identifier they carry', (t) => {
  const mr = { system: 'http://terminology.hl7.org/CodeSystem/v2-0203', code: 'MR' };
  const identifier = [
    { system: 'urn:s', value: '12', type: { coding: [mr] } },
    { value: '13' },
    { type: { coding: [mr] } },
  ];
  t.same(entriesOf('identifier:of-type', { resourceType: 'Patient', identifier }), [
    { system: mr.system, code: 'MR|12' },
  ]);
  const subject = { identifier: { system: 'urn:s', value: '12' } };
  t.same(entriesOf('subject:identifier', { resourceType: 'Observation', subject }), [{ system: 'urn:s', code: '12' }]);
  t.same(entriesOf('subject', { resourceType: 'Observation', subject }), [], 'a search by id does not find it');
  t.end();
});

test('the words of the narrative, and those of the whole resource without ids, links and data', (t) => {
  const patient = {
    resourceType: 'Patient',
    id: 'notword',
    text: { status: 'generated', div: '<div><table><td>Anna</td><td>M&uuml;ller &amp; S&#246;hne</td></table></div>' },
    name: [{ family: 'Schmidt' }],
    photo: [{ data: 'bm90d29yZA==', url: 'http://example.org/notword' }],
    managingOrganization: { reference: 'Organization/notword' },
  };
  const [narrative] = entriesOf('_text', patient) as [{ text: string }];
  t.match(narrative.text, /^\s*Anna\s+M.*ller & S\u00f6hne\s*$/, 'cells are words of their own');
  const [content] = entriesOf('_content', patient) as [{ text: string }];
  t.match(content.text, /Anna/);
  t.match(content.text, /Schmidt/);
  t.notMatch(content.text, /notword|bm90|[<>]/);
  t.same(entriesOf('_text', { resourceType: 'Patient', active: true }), []);
  const long = { resourceType: 'Basic', text: { div: `<div>${'word '.repeat(100_000)}</div>` } };
  t.ok(extract(long).every((entry) => entry.kind !== 'text' || entry.text.length <= 100_000));
  t.end();
});

test('the place of a Location has two numbers of one element', (t) => {
  const location = { resourceType: 'Location', position: { latitude: 52.5, longitude: -13.25 } };
  t.same(entriesOf('near#0', location), [{ lo: 52.5, hi: 52.5, element: 0 }]);
  t.same(entriesOf('near#1', location), [{ lo: -13.25, hi: -13.25, element: 0 }]);
  t.same(paramsOf({ resourceType: 'Location', position: { latitude: 1 } }), []);
  t.end();
});

test('a value that is only extended says nothing', (t) => {
  const patient = {
    resourceType: 'Patient',
    _birthDate: { id: 'a' },
    name: [{ _family: { id: 'b' }, given: [null], _given: [{ id: 'c' }] }],
  };
  t.same(paramsOf(patient), ['deceased']);
  t.end();
});

test('an expression beyond the compiler is interpreted', (t) => {
  const parameter: SearchParameter = {
    code: 'first-given',
    url: 'http://example.org/SearchParameter/first-given',
    type: 'string',
    expression: 'Patient.name.where(given.count() > 1).given.first() | Patient.contact.name.first()',
    targets: [],
    components: [],
  };
  const parameters = { generation: 0, of: () => new Map([[parameter.code, parameter]]), byUrl: () => undefined };
  const only = createExtractor(structures, parameters, BASE_URL);
  const patient = {
    resourceType: 'Patient',
    name: [{ given: ['A'] }, { given: ['B', 'C'] }],
    contact: [{ name: { family: 'D' } }],
  };
  t.match(only(patient), [
    { kind: 'string', param: 'first-given', value: 'b', exact: 'B' },
    { kind: 'string', param: 'first-given', value: 'd', exact: 'D' },
    { kind: 'text' },
  ]);
  t.end();
});

const folder = join(import.meta.dirname, '../../../shared/data/r4-examples');
const skip = existsSync(folder) ? false : 'the examples of the specification are not here';

const isSound = (entry: IndexEntry): boolean => {
  switch (entry.kind) {
    case 'token':
      return typeof entry.system === 'string' && typeof entry.code === 'string' && entry.system + entry.code !== '';
    case 'string':
      return entry.exact.length <= 512 && entry.value.length <= 512;
    case 'date':
      return entry.lo < entry.hi;
    case 'number':
    case 'quantity':
      return entry.lo <= entry.hi;
    case 'reference':
      return entry.id !== '' && (entry.type === '' || structures.isResourceType(entry.type));
    case 'uri':
      return entry.value !== '';
    case 'text':
      return (entry.param === '_content' || entry.param === '_text') && entry.text !== '';
  }
};

test('every example of the specification gives sound and distinct entries', { skip }, (t) => {
  const kinds = new Map<string, number>();
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.json'))) {
    const entries = extract(JSON.parse(readFileSync(join(folder, name), 'utf8')));
    for (const { kind } of entries) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    t.same(
      entries.filter((entry) => !isSound(entry)),
      [],
      name,
    );
    t.equal(new Set(entries.map((entry) => Object.values(entry).join('\n'))).size, entries.length, name);
  }
  t.comment(JSON.stringify([...kinds]));
  t.same([...kinds.keys()].sort(), ['date', 'number', 'quantity', 'reference', 'string', 'text', 'token', 'uri']);
  t.end();
});

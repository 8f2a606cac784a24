import { test } from 'tap';
import { loadSearchParameters } from '../../src/definitions/search-parameters.ts';
import { parseSearch, type SearchContext } from '../../src/search/parse-search.ts';

const parameters = loadSearchParameters();
const context: SearchContext = {
  parameters,
  resourceTypes: ['Patient', 'Group', 'Device', 'Location', 'Observation', 'Practitioner'],
  baseUrl: 'http://localhost/fhir',
  defaultCount: 50,
  maximumCount: 1000,
  maximumValues: 200,
  isLenient: false,
  now: () => Date.UTC(2024, 0, 1),
};

/** As a server decodes it. */
const parse = (type: string, query: string, more: Partial<SearchContext> = {}) =>
  parseSearch(type, [...new URLSearchParams(query)], { ...context, ...more });
const clausesOf = (type: string, query: string) => parse(type, query).query.clauses;
const refused = (message: RegExp, code = 'invalid') => ({
  name: 'FhirError',
  status: 400,
  issues: [{ severity: 'error', code, diagnostics: message }],
});

test('each kind of parameter becomes a clause of its kind', (t) => {
  t.same(clausesOf('Patient', 'gender=male'), [{ kind: 'token', param: 'gender', values: [{ code: 'male' }] }]);
  t.same(clausesOf('Patient', 'family=M%C3%BCller'), [
    { kind: 'string', param: 'family', match: 'starts', values: ['muller'] },
  ]);
  t.same(clausesOf('Patient', 'birthdate=ge2000'), [
    { kind: 'date', param: 'birthdate', values: [{ prefix: 'ge', lo: Date.UTC(2000), hi: Date.UTC(2001) }] },
  ]);
  t.same(clausesOf('Observation', 'value-quantity=5.4%7C%7Cmg'), [
    {
      kind: 'quantity',
      param: 'value-quantity',
      values: [{ prefix: 'eq', lo: 5.35, hi: 5.45, system: '', code: 'mg' }],
    },
  ]);
  t.same(clausesOf('RiskAssessment', 'probability=gt0.8'), [
    { kind: 'number', param: 'probability', values: [{ prefix: 'gt', lo: 0.8, hi: 0.8 }] },
  ]);
  t.same(clausesOf('ValueSet', 'url=http://x/A'), [{ kind: 'uri', param: 'url', values: ['http://x/A'] }]);
  t.same(clausesOf('Patient', '_id=a,b'), [{ kind: 'id', values: ['a', 'b'] }]);
  t.same(clausesOf('Patient', '_lastUpdated=lt2024-01-02'), [
    { kind: 'lastUpdated', values: [{ prefix: 'lt', lo: Date.UTC(2024, 0, 2), hi: Date.UTC(2024, 0, 3) }] },
  ]);
  t.same(clausesOf('Observation', 'patient=23'), [
    { kind: 'reference', param: 'patient', values: [{ type: 'Patient', id: '23' }] },
  ]);
  t.end();
});

test('a comma is OR, a repetition is AND, and an escaped comma is a comma', (t) => {
  t.same(clausesOf('Patient', 'given=Ann,Bob&given=Eve'), [
    { kind: 'string', param: 'given', match: 'starts', values: ['ann', 'bob'] },
    { kind: 'string', param: 'given', match: 'starts', values: ['eve'] },
  ]);
  t.same(clausesOf('Patient', 'identifier=urn:s%7Ca%5C,b,c'), [
    { kind: 'token', param: 'identifier', values: [{ system: 'urn:s', code: 'a,b' }, { code: 'c' }] },
  ]);
  t.same(clausesOf('Patient', 'name=a%5C%5C,b%5C$c%5C%7Cd'), [
    { kind: 'string', param: 'name', match: 'starts', values: ['a\\', 'b$c|d'] },
  ]);
  t.end();
});

test('strings are compared by their start, by :contains, or as they are by :exact', (t) => {
  t.match(clausesOf('Patient', 'name:contains=ANN'), [{ match: 'contains', values: ['ann'] }]);
  t.match(clausesOf('Patient', 'name:exact=Ann%20%20B'), [{ match: 'exact', values: ['Ann  B'] }]);
  t.match(clausesOf('Patient', 'name=%20Ann%20%20B%20'), [{ match: 'starts', values: ['ann b'] }]);
  t.throws(() => parse('Patient', 'name=%CC%81'), refused(/^name: .*no character/), 'a lone accent would match all');
  t.end();
});

test('a reference may name its type by a modifier', (t) => {
  t.same(clausesOf('Observation', 'subject:Patient=23'), clausesOf('Observation', 'subject=Patient/23'));
  t.same(clausesOf('Observation', 'subject:Patient=Patient/23'), clausesOf('Observation', 'subject=Patient/23'));
  t.throws(() => parse('Observation', 'subject:Patient=Group/23'), refused(/^subject:Patient: /));
  const [clause] = clausesOf('Observation', 'subject=23');
  t.match(clause, { kind: 'reference', values: [{ id: '23' }] });
  const values = clause?.kind === 'reference' ? clause.values : [];
  t.same(
    values.map(({ type }) => type).sort(),
    ['Device', 'Group', 'Location', 'Patient'],
    'each type it may point to',
  );
  t.end();
});

test('an unknown parameter is refused, and ignored with a warning if the client is lenient', (t) => {
  for (const name of [
    'nmae',
    'subject',
    '_nothing',
    'name.family',
    '',
    '__proto__',
    'constructor',
    '_has:Observation:patient:code',
    '_text',
    '_content',
    '_filter',
  ])
    t.throws(() => parse('Patient', `${encodeURIComponent(name)}=x`), refused(/metadata/, 'not-supported'), name);
  const { query, used, warnings } = parse('Patient', 'nmae=x&gender=male&_total=none', { isLenient: true });
  t.same(query.clauses, [{ kind: 'token', param: 'gender', values: [{ code: 'male' }] }]);
  t.same(used, [['gender', 'male']], 'the self link shows what was used');
  t.match(warnings, [
    { severity: 'warning', code: 'not-supported', diagnostics: /nmae/ },
    { severity: 'warning', code: 'not-supported', diagnostics: /_total/ },
  ]);
  t.throws(
    () => parse('Patient', 'birthdate=x', { isLenient: true }),
    refused(/^birthdate: /),
    'a malformed value is no unknown one',
  );
  t.end();
});

test('a modifier that is not possible is refused', (t) => {
  const wrong = [
    'gender:not=male',
    'name:missing=true',
    'gender:text=x',
    'birthdate:exact=2000',
    'name:Exact=x',
    'name:exact:x=y',
    'general-practitioner:identifier=x',
    'identifier:of-type=x',
    '_id:exact=x',
    'link:above=x',
    'organization:Nothing=1',
  ];
  for (const query of wrong) t.throws(() => parse('Patient', query), refused(/modifier/, 'not-supported'), query);
  t.match(parse('Patient', 'name:phonetic=x', { isLenient: true }).warnings, [{ diagnostics: /phonetic/ }]);
  t.end();
});

test('an empty value is refused', (t) => {
  for (const query of ['gender=', 'name', 'name=,', 'name=a,,b', 'name=%20', '_id=', 'birthdate=', '_lastUpdated='])
    t.throws(() => parse('Patient', query), refused(/value is empty/), query);
  t.throws(() => parse('Patient', 'identifier=%7C'), refused(/^identifier: /));
  t.end();
});

test('_count has a default and a limit, and the self link shows what is used', (t) => {
  t.equal(parse('Patient', '').query.count, 50);
  t.match(parse('Patient', '_count=7'), { query: { count: 7 }, used: [['_count', '7']], isCount: false });
  t.match(parse('Patient', '_count=99999999999999999999'), { query: { count: 1000 }, used: [['_count', '1000']] });
  t.match(parse('Patient', '_count=0'), { query: { count: 0 }, isCount: true }, 'R4 treats it as _summary=count');
  for (const value of ['-1', '1.5', 'x', '', '1e3', '+1', '10,20'])
    t.throws(() => parse('Patient', `_count=${encodeURIComponent(value)}`), refused(/^_count: /), value);
  t.throws(() => parse('Patient', '_count=1&_count=2'), refused(/^_count: stands twice/));
  t.end();
});

test('_summary=count asks for the total alone', (t) => {
  t.match(parse('Patient', 'gender=male&_summary=count'), {
    isCount: true,
    used: [
      ['gender', 'male'],
      ['_summary', 'count'],
    ],
  });
  t.match(parse('Patient', '_summary=false'), { isCount: false });
  for (const value of ['true', 'text', 'data', 'COUNT', ''])
    t.throws(() => parse('Patient', `_summary=${value}`), refused(/^_summary: /, 'not-supported'), value);
  t.end();
});

test('_sort takes the keys that the store can sort by', (t) => {
  t.same(parse('Patient', '').query.sort, undefined);
  t.same(parse('Patient', '_sort=_lastUpdated').query.sort, { by: 'lastUpdated', descending: false });
  t.same(parse('Patient', '_sort=-_lastUpdated').query.sort, { by: 'lastUpdated', descending: true });
  t.same(parse('Patient', '_sort=_id').query.sort, { by: 'id', descending: false });
  t.same(parse('Patient', '_sort=-_id').query.sort, { by: 'id', descending: true });
  for (const value of ['name', '--_id', '_id,-_lastUpdated', '', '%2B_id'])
    t.throws(() => parse('Patient', `_sort=${value}`), refused(/^_sort: /, 'not-supported'), value);
  t.throws(() => parse('Patient', '_sort=_id&_sort=-_id'), refused(/^_sort: stands twice/));
  const lenient = parse('Patient', '_sort=name', { isLenient: true });
  t.equal(lenient.query.sort, undefined);
  t.same(lenient.used, []);
  t.end();
});

test('a search has limits on its values and parameters', (t) => {
  const list = (length: number, value = 'x'): string => Array.from({ length }, (_, at) => `${value}${at}`).join();
  t.equal(clausesOf('Patient', `identifier=${list(200)}`)[0]?.values.length, 200);
  t.throws(() => parse('Patient', `identifier=${list(201)}`), refused(/^identifier: 201 values; at most 200/));
  t.throws(() => parse('Patient', `name=${list(21)}`), refused(/^name: 21 values; at most 20/));
  t.throws(() => parse('Patient', `birthdate=${list(21, '20')}`), refused(/^birthdate: 21 values; at most 20/));
  t.throws(
    () => parse('Patient', Array.from({ length: 6 }, () => `identifier=${list(200)}`).join('&')),
    refused(/More than 1000 values/),
  );
  t.throws(
    () => parse('Patient', Array.from({ length: 31 }, () => 'name=a').join('&')),
    refused(/More than 30 parameters/),
  );
  t.end();
});

test('what was used is in the order and the words of the client', (t) => {
  const query = '_sort=_id&name:exact=Ann&gender=male&name=B&_count=3';
  t.same(parse('Patient', query).used, [...new URLSearchParams(query)]);
  t.end();
});

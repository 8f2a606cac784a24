import { test } from 'tap';
import type { SearchScope } from '../../src/search/parse-search.ts';
import { PREFIXES } from '../../src/search/search-query.ts';
import { clausesOf, parse, parseIn, refused, scopeOf } from './parsing.ts';

const DAY = 86_400_000;

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
  t.same(clausesOf('ValueSet', 'url=http://x/A'), [
    { kind: 'uri', param: 'url', match: 'exact', values: ['http://x/A'] },
  ]);
  t.same(clausesOf('Patient', '_id=a,b'), [{ kind: 'id', values: ['a', 'b'] }]);
  t.same(clausesOf('Patient', '_lastUpdated=lt2024-01-02'), [
    { kind: 'lastUpdated', values: [{ prefix: 'lt', lo: Date.UTC(2024, 0, 2), hi: Date.UTC(2024, 0, 3) }] },
  ]);
  t.match(
    clausesOf('Patient', `_lastUpdated=${PREFIXES.map((prefix) => `${prefix}2024-01-02T10:00Z`).join(',')}`),
    [{ kind: 'lastUpdated', values: PREFIXES.map((prefix) => ({ prefix })) }],
    'with every prefix',
  );
  t.match(
    clausesOf('Patient', '_lastUpdated=ap2023-12-22'),
    [{ values: [{ prefix: 'ap', lo: Date.UTC(2023, 11, 22) - 0.95 * DAY, hi: Date.UTC(2023, 11, 23) + 0.95 * DAY }] }],
    '10% of the time from the middle of the day to now',
  );
  for (const date of ['2024-05-01T10', '2024-05-01T10Z', '2024-05-01T10:', 'T10:00', '2024-05-01T1000', '10:00'])
    for (const name of ['birthdate', '_lastUpdated'])
      t.throws(
        () => parse('Patient', `${name}=${date}`),
        refused(/is not a date/),
        `${name}=${date}: minutes SHALL be present`,
      );
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
    '_filter',
    '_type',
    '_has',
    '_has:Observation:patient:nothing',
    'organization.nothing',
    'organization:Organization',
    '_contained',
    '_contained:missing',
    '_containedType',
    '_filter:missing',
    '_query',
    'subject:Patient._filter',
  ])
    t.throws(() => parse('Patient', `${encodeURIComponent(name)}=x`), refused(/./, 'not-supported'), name);
  const { query, used, warnings } = parse('Patient', 'nmae=x&gender=male&_filter=x', { isLenient: true });
  t.same(query.searches, [
    { type: 'Patient', clauses: [{ kind: 'token', param: 'gender', values: [{ code: 'male' }] }] },
  ]);
  t.same(used, [['gender', 'male']], 'the self link shows what was used');
  t.match(warnings, [
    { severity: 'warning', code: 'not-supported', diagnostics: /nmae/ },
    { severity: 'warning', code: 'not-supported', diagnostics: /_filter/ },
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
    'name:not=x',
    'name:text=x',
    '_text:exact=x',
    '_content:exact=x',
    'birthdate:exact=2000',
    'name:Exact=x',
    'name:exact:x=y',
    '_id:exact=x',
    'link:contains=x',
    'gender:identifier=x',
    'organization:Nothing=1',
  ];
  for (const query of wrong)
    t.throws(() => parse('Patient', query), refused(/modifier|cannot|has no|no search/, 'not-supported'), query);
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
  t.match(parse('Patient', '_count=7'), { query: { count: 7 }, used: [['_count', '7']], summary: 'false' });
  t.match(parse('Patient', '_count=99999999999999999999'), { query: { count: 1000 }, used: [['_count', '1000']] });
  t.match(parse('Patient', '_count=0'), { query: { count: 0 }, summary: 'count' }, 'R4 treats it as _summary=count');
  for (const value of ['-1', '1.5', 'x', '', '1e3', '+1', '10,20'])
    t.throws(() => parse('Patient', `_count=${encodeURIComponent(value)}`), refused(/^_count: /), value);
  t.throws(() => parse('Patient', '_count=1&_count=2'), refused(/^_count: stands twice/));
  t.end();
});

test('_summary, _total and _elements say how the answer is shown', (t) => {
  for (const summary of ['true', 'text', 'data', 'count', 'false'])
    t.match(parse('Patient', `_summary=${summary}`), { summary, used: [['_summary', summary]] });
  t.throws(() => parse('Patient', '_summary=COUNT'), refused(/^_summary: /));
  t.equal(parse('Patient', '').total, 'none');
  for (const total of ['none', 'estimate', 'accurate']) t.match(parse('Patient', `_total=${total}`), { total });
  t.throws(() => parse('Patient', '_total=all'), refused(/^_total: /));
  t.same(parse('Patient', '_elements=name,Patient.gender').elements, ['name', 'gender']);
  t.equal(parse('Patient', '').elements, undefined);
  t.throws(() => parse('Patient', '_elements=name.family'), refused(/^_elements: /));
  t.throws(() => parse('Patient', '_elements=name&_summary=true'), refused(/together/));
  t.end();
});

test('_sort takes several keys, each ascending or descending', (t) => {
  t.same(parse('Patient', '').query.sort, []);
  t.same(parse('Patient', '_sort=-_lastUpdated,_id').query.sort, [
    { by: 'lastUpdated', isDescending: true },
    { by: 'id', isDescending: false },
  ]);
  t.same(parse('Observation', '_sort=-date,code,value-quantity,subject').query.sort, [
    { by: 'param', param: 'date', entries: 'date', isDescending: true },
    { by: 'param', param: 'code', entries: 'token', isDescending: false },
    { by: 'param', param: 'value-quantity', entries: 'quantity', isDescending: false },
    { by: 'param', param: 'subject', entries: 'reference', isDescending: false },
  ]);
  for (const value of ['--_id', '', '%2B_id', 'nothing', '_text', '_has', '_list', '_type', 'name:exact'])
    t.throws(() => parse('Patient', `_sort=${value}`), refused(/./, 'not-supported'), value);
  t.throws(() => parse('Location', '_sort=near'), refused(/^_sort: /, 'not-supported'));
  t.throws(() => parse('Observation', '_sort=code-value-string'), refused(/^_sort: /, 'not-supported'));
  t.throws(() => parse('Patient', '_sort=_id&_sort=-_id'), refused(/^_sort: stands twice/));
  t.throws(
    () => parseIn(scopeOf('Observation', 'Task'), '_sort=-focus,code,value'),
    refused(/./, 'not-supported'),
    'unknown in one of the types',
  );
  t.throws(() => parseIn(scopeOf('ActivityDefinition', 'Substance'), '_sort=_id,name'), refused(/./, 'not-supported'));
  const lenient = parse('Patient', '_sort=nothing', { isLenient: true });
  t.same(lenient.query.sort, []);
  t.same(lenient.used, []);
  t.end();
});

test('_include and _revinclude name a type, a parameter, and perhaps a target', (t) => {
  const includes = (query: string) => parse('Observation', query).includes;
  const forward = { direction: 'forward', type: 'Observation', target: undefined, iterates: false };
  t.same(includes('_include=Observation:subject'), [{ ...forward, param: 'subject' }]);
  t.same(includes('_include=Observation:subject:Patient'), [{ ...forward, param: 'subject', target: 'Patient' }]);
  t.same(includes('_include:iterate=Observation:subject'), [{ ...forward, param: 'subject', iterates: true }]);
  t.same(includes('_include=Observation:*'), [{ ...forward, param: undefined }]);
  t.match(includes('_include=*'), [{ direction: 'forward', param: undefined }]);
  t.match(includes('_revinclude=Group:member'), [{ direction: 'reverse', type: 'Group', param: 'member' }]);
  for (const value of ['Observation', 'Nothing:subject', 'Observation:subject:Nothing', 'Observation:code', ''])
    t.throws(() => includes(`_include=${value}`), refused(/^_include: /), value);
  t.throws(() => includes('_include:deep=*'), refused(/modifier/, 'not-supported'));
  t.throws(() => includes('_include=Observation:nothing'), refused(/nothing/, 'not-supported'));
  t.end();
});

test('a search of several types asks each for the same, and adds what the scope asks', (t) => {
  const scope: SearchScope = {
    types: ['Patient', 'Practitioner', 'Observation'],
    clausesOf: (type) => [{ kind: 'id', values: [`of ${type}`] }],
  };
  const { query } = parseIn(scope, 'gender=male&_type=Practitioner,Patient');
  const gender = { kind: 'token', param: 'gender', values: [{ code: 'male' }] };
  t.same(query.searches, [
    { type: 'Patient', clauses: [{ kind: 'id', values: ['of Patient'] }, gender] },
    { type: 'Practitioner', clauses: [{ kind: 'id', values: ['of Practitioner'] }, gender] },
  ]);
  t.throws(() => parseIn(scope, 'gender=male'), refused(/Observation/, 'not-supported'), 'unknown in one of the types');
  t.throws(() => parseIn(scope, '_type=Nothing'), refused(/^_type: /));
  t.end();
});

test('a search has limits on its values and parameters', (t) => {
  const list = (length: number, value = 'x'): string => Array.from({ length }, (_, at) => `${value}${at}`).join();
  const [clause] = clausesOf('Patient', `identifier=${list(200)}`);
  t.equal(clause?.kind === 'token' ? clause.values.length : 0, 200);
  t.throws(() => parse('Patient', `identifier=${list(201)}`), refused(/^identifier: 201 values; at most 200/));
  t.throws(() => parse('Patient', `identifier:text=${list(21)}`), refused(/^identifier:text: 21 values; at most 20/));
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

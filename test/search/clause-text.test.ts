import { test } from 'tap';
import { clauseText, sortText } from '../../src/search/clause-text.ts';
import { type Clause, PREFIXES } from '../../src/search/search-query.ts';
import { clausesOf, parse } from './parsing.ts';

const textOf = (type: string, query: string): string => clausesOf(type, query).map(clauseText).join('; ');
const DAY = '2024-05-11T00:00:00.000Z';
const NEXT = '2024-05-12T00:00:00.000Z';

/** A query of each kind of clause, and what it must be understood as by R4. */
const EXAMPLES: Readonly<
  Record<Exclude<Clause['kind'], 'source' | 'all'>, readonly (readonly [type: string, query: string, text: string])[]>
> = {
  token: [
    ['Observation', 'code=a', "code is 'a' of any system"],
    ['Observation', 'code=urn:s|a,b', "code is 'a' of the system 'urn:s', or 'b' of any system"],
    ['Observation', 'code=|a', "code is 'a' without a system"],
    ['Observation', 'code=urn:s|', "code is any code of the system 'urn:s'"],
    ['Observation', 'code:below=urn:s|a', "code is 'a' of the system 'urn:s', or 'a.1' of the system 'urn:s'"],
  ],
  string: [
    ['Patient', 'family=Nu%C3%B1ez', "family begins with 'nunez', without regard to case and marks"],
    ['Patient', 'family:contains=U%C3%B1', "family contains 'un', without regard to case and marks"],
    ['Patient', 'family:exact=Nu%C3%B1ez', "family is exactly 'Nuñez'"],
    ['Observation', 'code:text=Ca', "code:text begins with 'ca', without regard to case and marks"],
  ],
  date: [
    ['Observation', 'date=2024-05-11', `date lies within [${DAY}, ${NEXT})`],
    ['Observation', 'date=ge2024-05-11', `date ends after ${NEXT} or lies within [${DAY}, ${NEXT})`],
    ['Observation', 'date=sa2024-05-11,eb2024-05-11', `date begins at ${NEXT} or later, or ends at ${DAY} or earlier`],
  ],
  number: [
    ['RiskAssessment', 'probability=0.5', 'probability lies within [0.45, 0.55)'],
    ['RiskAssessment', 'probability=gt0.5', 'probability reaches above 0.5'],
  ],
  quantity: [
    ['Observation', 'value-quantity=5', 'value-quantity lies within [4.5, 5.5) in any unit'],
    ['Observation', 'value-quantity=lt5||mg', "value-quantity reaches below 5 in the unit 'mg', as code or as written"],
  ],
  reference: [
    ['Observation', 'patient=1', "patient refers to 'Patient/1'"],
    ['Observation', 'subject=http://example.org/x/Patient/1', "subject refers to 'http://example.org/x/Patient/1'"],
  ],
  uri: [
    ['ValueSet', 'url=urn:x', "url is 'urn:x'"],
    ['ValueSet', 'url:below=http://a/b', "url is 'http://a/b', or below it"],
  ],
  id: [['Patient', '_id=a,b', "the id is 'a', or 'b'"]],
  lastUpdated: [['Patient', '_lastUpdated=gt2024-05-11', `the time of the last update is ${NEXT} or later`]],
  missing: [['Patient', 'birthdate:missing=false', 'birthdate has a value']],
  composite: [
    [
      'Observation',
      'code-value-quantity=a$gt5',
      "in one element: component 1 of code-value-quantity is 'a' of any system; and component 2 of code-value-quantity reaches above 5 in any unit",
    ],
  ],
  text: [
    ['Patient', '_content=a b', "the whole text has all words of 'a b'"],
    ['Patient', '_text=a', "the narrative has all words of 'a'"],
  ],
  near: [['Location', 'near=40.4|-3.7|5|km', 'near is within 5 km of latitude 40.4, longitude -3.7']],
  not: [['Observation', 'code:not=a', "not: (code is 'a' of any system)"]],
  any: [['Observation', 'code:missing=true', 'not: (one of: (code has a value), or (code:text has a value))']],
  chain: [
    ['Observation', 'patient.gender=male', "patient refers to a Patient of which (gender is 'male' of any system)"],
  ],
  hierarchy: [
    ['Observation', 'subject:below=Location/a', "subject refers to 'Location/a', or to what is below by partof"],
  ],
  has: [
    [
      'Patient',
      '_has:Observation:patient:code=a',
      "an Observation refers to it by patient, of which (code is 'a' of any system)",
    ],
  ],
};

test('every kind of clause is told in words', async (t) => {
  for (const examples of Object.values(EXAMPLES))
    for (const [type, query, text] of examples) t.equal(textOf(type, query), text, `${type}?${query}`);
});

test('who has pushed a resource, which no query asks, is told in words', async (t) => {
  const textWith = (...values: string[]): string => clauseText({ kind: 'source', values });
  t.equal(textWith('Organization/a', 'Organization/b'), "it was pushed by 'Organization/a', or 'Organization/b'");
  t.equal(textWith(), 'it was pushed by nobody');
});

test('each prefix of a kind is told in other words', async (t) => {
  for (const kind of ['date', 'number'] as const) {
    const texts = PREFIXES.map((prefix) => clauseText({ kind, param: 'p', values: [{ prefix, lo: 1, hi: 2 }] }));
    t.equal(new Set(texts).size, PREFIXES.length, texts.join('\n'));
  }
  t.doesNotThrow(() => clauseText({ kind: 'date', param: 'p', values: [{ prefix: 'gt', lo: -9e15, hi: 9e15 }] }));
});

test('long lists and values are cut, and what no string of R4 may contain is written as its number', async (t) => {
  const codes = Array.from({ length: 12 }, (_, at) => `c${at}`).join(',');
  t.match(textOf('Observation', `code=${codes}`), /'c9' of any system, or one of 2 more$/);
  t.equal(textOf('ValueSet', `url=${'x'.repeat(101)}`), `url is '${'x'.repeat(100)}…'`);
  t.equal(clauseText({ kind: 'id', values: ['a\u0001\u00a0\ud800'] }), "the id is 'a\\u0001\\u00a0\ufffd'");
});

test('sort keys say which way they go', async (t) => {
  const { sort } = parse('Observation', '_sort=-date,_id,_lastUpdated').query;
  t.same(sort.map(sortText), [
    'date, the largest first',
    '_id, the smallest first',
    '_lastUpdated, the smallest first',
  ]);
});

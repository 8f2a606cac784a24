import { test } from 'tap';
import {
  parseDate,
  parseNear,
  parseNumber,
  parseQuantity,
  parseReferenceValue,
  parseToken,
} from '../../src/search/parse-value.ts';
import { PREFIXES } from '../../src/search/search-query.ts';
import { splitEscaped, unescaped } from '../../src/search/split-value.ts';

const NOW = Date.UTC(2024, 5, 1);
const SHARE = 0.1;
const dates = { now: () => NOW, zoneOffsetMinutes: 0, approximateShare: SHARE };
const utc = (text: string): number => Date.parse(text);
const refused = (message: RegExp) => ({ name: 'FhirError', status: 400, message });

test('a backslash takes its meaning from a separator, and a doubled one stands for itself', (t) => {
  t.same(splitEscaped('a,b', ','), ['a', 'b']);
  t.same(splitEscaped('a\\,b,c', ','), ['a\\,b', 'c']);
  t.same(splitEscaped('a\\\\,b', ','), ['a\\\\', 'b'], 'an escaped backslash, then a separator');
  t.same(splitEscaped('', ','), ['']);
  t.same(splitEscaped(',', ','), ['', '']);
  t.same(splitEscaped('a|b\\|c', '|'), ['a', 'b\\|c']);
  t.same(splitEscaped('a,b', '|'), ['a,b']);
  t.equal(unescaped('a\\,b\\$c\\|d\\\\e'), 'a,b$c|d\\e');
  t.equal(unescaped('\\\\,'), '\\,', 'from the left, each once');
  t.equal(unescaped('a\\b'), 'a\\b', 'before anything else it is a character');
  t.end();
});

test('a number stands for all that rounds to it', (t) => {
  const ranges: [string, number, number][] = [
    ['100', 99.5, 100.5],
    ['100.00', 99.995, 100.005],
    ['1.00', 0.995, 1.005],
    ['2.0', 1.95, 2.05],
    ['5.4', 5.35, 5.45],
    ['-5.4', -5.45, -5.35],
    ['+5.4', 5.35, 5.45],
    ['0', -0.5, 0.5],
    ['0.0', -0.05, 0.05],
    ['5.40e-3', 0.005395, 0.005405],
    ['0.1e1', 0.5, 1.5],
    ['1.1', 1.05, 1.15],
    ['0.3', 0.25, 0.35],
  ];
  for (const [text, lo, hi] of ranges) {
    t.same(parseNumber(text, 'n', SHARE), { prefix: 'eq', lo, hi }, text);
    t.same(parseNumber(`ne${text}`, 'n', SHARE), { prefix: 'ne', lo, hi }, `ne${text}`);
  }
  t.end();
});

test('1e2 has one significant digit: R4 names the range 95 to 105, its rule 50 to 150; both hold at least the first', (t) => {
  const { lo, hi } = parseNumber('1e2', 'n', SHARE);
  t.ok(lo <= 95 && hi >= 105);
  t.ok(lo >= 50 && hi <= 150);
  t.end();
});

test('a comparison is with exactly the number, whatever its digits', (t) => {
  for (const prefix of ['gt', 'lt', 'ge', 'le', 'sa', 'eb'] as const)
    for (const [text, value] of [
      ['100', 100],
      ['1.00', 1],
      ['-5.4', -5.4],
      ['1e2', 100],
    ] as const)
      t.same(parseNumber(prefix + text, 'n', SHARE), { prefix, lo: value, hi: value });
  t.same(parseNumber('ap100', 'n', SHARE), { prefix: 'ap', lo: 90, hi: 110 }, '10% to both sides');
  t.same(parseNumber('ap-100', 'n', SHARE), { prefix: 'ap', lo: -110, hi: -90 });
  t.same(parseNumber('ap1', 'n', SHARE), { prefix: 'ap', lo: 0.5, hi: 1.5 }, 'at least what it stands for');
  t.end();
});

test('what is no number is refused', (t) => {
  const wrong = [
    '',
    'x',
    '5,4',
    '.5',
    '5.',
    '1e',
    'gt',
    'eqgt5',
    'GT5',
    '0x10',
    'NaN',
    'Infinity',
    '--5',
    '1e1000',
    '5 4',
    '١',
  ];
  for (const text of [...wrong, '1'.repeat(1_000_000)]) {
    t.throws(() => parseNumber(text, 'n', SHARE), refused(/^n: .*not a number/), text.slice(0, 20));
    t.throws(() => parseQuantity(`${text}|s|c`, 'n', SHARE), refused(/^n: .*not a number/), text.slice(0, 20));
  }
  t.throws(() => parseNumber('1e999', 'n', SHARE), refused(/^n: .*too large/));
  t.end();
});

test('a quantity is a number, or a number with system and code, or with a code or unit of any system', (t) => {
  const range = { prefix: 'eq', lo: 5.35, hi: 5.45 };
  t.same(parseQuantity('5.4', 'q', SHARE), range);
  t.same(parseQuantity('5.4|http://unitsofmeasure.org|mg', 'q', SHARE), {
    ...range,
    system: 'http://unitsofmeasure.org',
    code: 'mg',
  });
  t.same(parseQuantity('5.4||mg', 'q', SHARE), { ...range, system: '', code: 'mg' });
  t.same(parseQuantity('5.4|http://unitsofmeasure.org|', 'q', SHARE), {
    ...range,
    system: 'http://unitsofmeasure.org',
  });
  t.same(parseQuantity('le5.4|http://unitsofmeasure.org|mg', 'q', SHARE), {
    prefix: 'le',
    lo: 5.4,
    hi: 5.4,
    system: 'http://unitsofmeasure.org',
    code: 'mg',
  });
  t.same(parseQuantity('5.4||a\\|b', 'q', SHARE), { ...range, system: '', code: 'a|b' });
  t.throws(() => parseQuantity('5.4|mg', 'q', SHARE), refused(/^q: .*\[number\]\|\[system\]\|\[code\]/));
  t.throws(() => parseQuantity('5.4|s|mg|x', 'q', SHARE), refused(/^q: /));
  t.throws(() => parseQuantity('|s|mg', 'q', SHARE), refused(/^q: /), 'R4 knows no unit without a number');
  t.end();
});

test('a date stands for the whole time that it names', (t) => {
  const ranges: [string, string, string][] = [
    ['2013', '2013-01-01T00:00:00Z', '2014-01-01T00:00:00Z'],
    ['2013-12', '2013-12-01T00:00:00Z', '2014-01-01T00:00:00Z'],
    ['2024-02-29', '2024-02-29T00:00:00Z', '2024-03-01T00:00:00Z'],
    ['2013-01-14T10:00', '2013-01-14T10:00:00Z', '2013-01-14T10:01:00Z'],
    ['2013-01-14T10:00:05Z', '2013-01-14T10:00:05Z', '2013-01-14T10:00:06Z'],
    ['2013-01-14T10:00:05.123Z', '2013-01-14T10:00:05.123Z', '2013-01-14T10:00:05.124Z'],
    ['2013-01-14T10:00:00+02:00', '2013-01-14T08:00:00Z', '2013-01-14T08:00:01Z'],
    ['2013-01-14T10:00:00 02:00', '2013-01-14T08:00:00Z', '2013-01-14T08:00:01Z'],
    ['2013-01-14T10:00:00-05:30', '2013-01-14T15:30:00Z', '2013-01-14T15:30:01Z'],
  ];
  for (const [text, lo, hi] of ranges)
    for (const prefix of PREFIXES) {
      if (prefix === 'ap') continue;
      t.same(parseDate(prefix + text, 'd', dates), { prefix, lo: utc(lo), hi: utc(hi) }, prefix + text);
    }
  t.same(parseDate('2013', 'd', dates), parseDate('eq2013', 'd', dates), 'no prefix is eq');
  const wrong = [
    '',
    'x',
    '2013-13',
    '2023-02-29',
    '2013-1-1',
    '13',
    '2013-01-14T10',
    '2013-01-14T25:00:00Z',
    'gt',
    'gtlt2013',
    'EQ2013',
    '2013-01-14T10:00:00+15:00',
    '0000',
  ];
  for (const text of wrong) t.throws(() => parseDate(text, 'd', dates), refused(/^d: .*is not a date/), text);
  t.end();
});

test('about a date is 10% of the time between it and now, to both sides', (t) => {
  const { prefix, lo, hi } = parseDate('ap2024-05-22', 'd', dates);
  const middle = utc('2024-05-22T12:00:00Z');
  const reach = (NOW - middle) / 10;
  t.equal(prefix, 'ap');
  t.equal(lo, utc('2024-05-22T00:00:00Z') - reach);
  t.equal(hi, utc('2024-05-23T00:00:00Z') + reach);
  const future = parseDate('ap2034-05-22', 'd', dates);
  t.ok(future.lo < utc('2034-05-22T00:00:00Z') && future.hi > utc('2034-05-23T00:00:00Z'));
  t.end();
});

test('about has the reach that the configuration names', (t) => {
  const { lo, hi } = parseDate('ap2024-05-22', 'd', { ...dates, approximateShare: 0 });
  t.same([lo, hi], [utc('2024-05-22'), utc('2024-05-23')]);
  t.same(parseNumber('ap100', 'n', 0.5), { prefix: 'ap', lo: 50, hi: 150 });
  t.end();
});

test('a time without a zone is of the zone of the configuration, and one with a zone is not', (t) => {
  const east = { ...dates, zoneOffsetMinutes: 120 };
  t.same(parseDate('2024-05-22', 'd', east), {
    prefix: 'eq',
    lo: utc('2024-05-21T22:00:00Z'),
    hi: utc('2024-05-22T22:00:00Z'),
  });
  t.equal(parseDate('2024-05-22T10:00', 'd', east).lo, utc('2024-05-22T08:00:00Z'));
  t.equal(parseDate('2024-05-22T10:00:00Z', 'd', east).lo, utc('2024-05-22T10:00:00Z'));
  t.end();
});

test('a place is a latitude and a longitude, with a distance in kilometres, metres or miles', (t) => {
  const place = { latitude: 52.5, longitude: -13.25 };
  t.same(parseNear('52.5|-13.25|10|km', 'near'), { ...place, kilometres: 10 });
  t.same(parseNear('52.5|-13.25|10', 'near'), { ...place, kilometres: 10 }, 'kilometres by default');
  t.same(parseNear('52.5|-13.25|10|', 'near'), { ...place, kilometres: 10 });
  t.same(parseNear('52.5|-13.25|500|m', 'near'), { ...place, kilometres: 0.5 });
  t.equal(Math.round(parseNear('52.5|-13.25|1000|[mi_i]', 'near').kilometres), 1609);
  t.ok(parseNear('52.5|-13.25', 'near').kilometres > 0, 'the server chooses a distance');
  for (const text of ['', '52.5', '|', '91|0', '0|181', 'x|0', '0|x', '0|0|x', '0|0|-1', '0|0|1|ell', '0|0|1|km|x'])
    t.throws(() => parseNear(text, 'near'), refused(/^near: /), text);
  t.end();
});

test('a token is a code, a code of a system, a code without a system, or a system', (t) => {
  t.same(parseToken('male', 'c'), { code: 'male' });
  t.same(parseToken('http://loinc.org|8480-6', 'c'), { system: 'http://loinc.org', code: '8480-6' });
  t.same(parseToken('|male', 'c'), { system: '', code: 'male' });
  t.same(parseToken('http://loinc.org|', 'c'), { system: 'http://loinc.org' });
  t.same(parseToken('a\\|b', 'c'), { code: 'a|b' }, 'an escaped bar parts nothing');
  t.same(parseToken('s|a\\,b\\\\', 'c'), { system: 's', code: 'a,b\\' });
  t.same(parseToken('eq5', 'c'), { code: 'eq5' }, 'a token has no prefix');
  t.throws(() => parseToken('|', 'c'), refused(/^c: .*neither/));
  t.end();
});

test('a reference is a type with an id, an id, or a url', (t) => {
  const context = { baseUrl: 'http://localhost/fhir', targets: ['Patient', 'Group'] };
  const parse = (text: string, more = {}) => parseReferenceValue(text, 'r', { ...context, ...more });
  t.same(parse('Patient/23'), [{ type: 'Patient', id: '23' }]);
  t.same(
    parse('23'),
    [
      { type: 'Patient', id: '23' },
      { type: 'Group', id: '23' },
    ],
    'an id is of any type that it may be',
  );
  t.same(parse('http://localhost/fhir/Patient/23'), [{ type: 'Patient', id: '23' }], 'a url of this server');
  t.same(parse('http://example.org/fhir/Patient/23'), [{ type: '', id: 'http://example.org/fhir/Patient/23' }]);
  t.same(parse('urn:uuid:5cb3d7f4-0ce0-4b58-9d37-4fd2c8f7c5f2'), [
    { type: '', id: 'urn:uuid:5cb3d7f4-0ce0-4b58-9d37-4fd2c8f7c5f2' },
  ]);
  t.same(parse('http://example.org/Questionnaire/q|1.0'), [{ type: '', id: 'http://example.org/Questionnaire/q|1.0' }]);
  t.same(parse('Patient/23/_history/2'), [{ type: 'Patient', id: '23' }], 'the index knows no versions');
  t.same(parse('http://example.org/fhir/Patient/23/_history/2'), [
    { type: '', id: 'http://example.org/fhir/Patient/23' },
  ]);
  t.same(parse('Patient/23', { type: 'Patient', targets: ['Patient'] }), [{ type: 'Patient', id: '23' }]);
  t.throws(() => parse('Group/23', { type: 'Patient', targets: ['Patient'] }), refused(/^r: .*no Patient/));
  for (const text of [
    '',
    '#contained',
    'Patient/',
    'Patient/a b',
    `Patient/${'x'.repeat(65)}`,
    'Patient?identifier=1',
    '/23',
  ])
    t.throws(() => parse(text), refused(/^r: .*not a reference/), text);
  t.end();
});

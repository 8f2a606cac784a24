/** Quantities as they are stored and as they are asked for: whichever unit of a dimension is used, the same are found. */
import fc from 'fast-check';
import { test } from 'tap';
import { loadSearchParameters } from '../../src/definitions/search-parameters.ts';
import { loadStructures } from '../../src/definitions/structures.ts';
import { createExtractor } from '../../src/search/extract.ts';
import { PREFIXES } from '../../src/search/search-query.ts';
import { settings } from '../store/contract/run-settings.ts';
import { type IndexedResource, matchesOf } from '../store/search-reference.ts';
import { parse } from './parsing.ts';

const UCUM = 'http://unitsofmeasure.org';
const extract = createExtractor(loadStructures(), loadSearchParameters(), 'http://localhost/fhir');

/** Units of one dimension, each with how many of it are one of the first, as a power of ten. */
const DIMENSIONS: readonly (readonly (readonly [code: string, exponent: number])[])[] = [
  [
    ['m', 0],
    ['cm', 2],
    ['mm', 3],
    ['km', -3],
    ['um', 6],
  ],
  [
    ['g/L', 0],
    ['mg/dL', 2],
    ['mg/L', 3],
    ['ug/mL', 3],
    ['kg/m3', 0],
    ['g%', -1],
  ],
  [
    ['mol/L', 0],
    ['mmol/L', 3],
    ['umol/L', 6],
    ['nmol/mL', 6],
  ],
  [
    ['10*9/L', 0],
    ['10*3/uL', 0],
    ['/nL', 0],
    ['/uL', 3],
  ],
  [
    ['1', 0],
    ['%', 2],
    ['{ratio}', 0],
    ['[ppth]', 3],
  ],
];

const from = <T>(values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);

/** `digits` of the first unit in another one: in decimals, so that nothing is rounded. */
const written = (digits: number, exponent: number): string => `${digits}e${exponent}`;

const stored = fc.tuple(fc.integer({ min: -30, max: 30 }), from(['', '', '', '<', '>=']));

const resourceOf = (id: string, valueQuantity: object): IndexedResource => ({
  type: 'Observation',
  id,
  lastUpdated: 0,
  entries: extract({
    resourceType: 'Observation',
    code: { coding: [{ system: 'http://loinc.org', code: 'c' }] },
    subject: { reference: 'Patient/p' },
    valueQuantity,
  } as { resourceType: string }),
});

const found = (all: readonly IndexedResource[], type: string, query: string): string =>
  matchesOf(all, parse(type, query).query, new Map())
    .map(({ id }) => id)
    .join();

test('a search in any unit finds what the search in another finds', async (t) => {
  const property = fc.property(
    from(DIMENSIONS).chain((units) =>
      fc.record({
        observed: fc.array(fc.tuple(stored, from(units)), { minLength: 1, maxLength: 12 }),
        asked: fc.integer({ min: -30, max: 30 }),
        prefix: from(PREFIXES),
        units: fc.constant(units),
      }),
    ),
    ({ observed, asked, prefix, units }) => {
      const all = observed.map(([[digits, comparator], [code, exponent]], at) =>
        resourceOf(`o${at}`, {
          value: Number(written(digits, exponent)),
          system: UCUM,
          code,
          ...(comparator === '' ? {} : { comparator }),
        }),
      );
      const answers = units.map(([code, exponent]) => {
        const value = encodeURIComponent(`${prefix}${written(asked, exponent)}|${UCUM}|${code}`);
        const plain = found(all, 'Observation', `value-quantity=${value}`);
        const inElement = found(all, 'Observation', `code-value-quantity=c$${value}`);
        if (plain !== inElement) throw new Error(`${code}: ${plain} but as a composite ${inElement}`);
        return plain;
      });
      if (new Set(answers).size > 1) throw new Error(`${units.map(([code]) => code)} found ${answers.join(' / ')}`);
      const isWithin = (digits: number): boolean => digits === asked;
      const expected = observed.flatMap(([[digits, comparator]], at) =>
        comparator === '' && isWithin(digits) ? [`o${at}`] : [],
      );
      if (prefix === 'eq' && answers[0] !== expected.join()) throw new Error(`${answers[0]} instead of ${expected}`);
    },
  );
  fc.assert(property, settings(t, 500));
  t.pass();
});

test('equal quantities are found whatever the units, and others are not', async (t) => {
  const pairs: [value: number, code: string, asked: string][] = [
    [1.8, 'm', '180|cm'],
    [110, 'mg/dL', '1.1|g/L'],
    [98.6, '[degF]', '37|Cel'],
    [37, 'Cel', '98.6|[degF]'],
    [23, 'mm/h', '0.023|m/h'],
    [1, '[lb_av]', '453.6|g'],
  ];
  const patient: IndexedResource = { type: 'Patient', id: 'p', lastUpdated: 0, entries: [] };
  for (const [value, code, asked] of pairs) {
    const all = [patient, resourceOf('o', { value, system: UCUM, code })];
    const [number = '', unit = ''] = asked.split('|');
    const query = encodeURIComponent(`${number}|${UCUM}|${unit}`);
    t.equal(found(all, 'Observation', `value-quantity=${query}`), 'o', `${value} ${code} is ${asked}`);
    t.equal(found(all, 'Patient', `_has:Observation:patient:value-quantity=${query}`), 'p', 'and by _has');
    t.equal(found(all, 'Observation', `value-quantity=gt${query}`), '', `not above ${asked}`);
    const none = encodeURIComponent(`${number}||${unit}`);
    t.equal(found(all, 'Observation', `value-quantity=${none}`), '', 'without a system units are as written');
  }
  const kelvin = [resourceOf('o', { value: 37, system: UCUM, code: 'Cel' })];
  t.equal(
    found(kelvin, 'Observation', `value-quantity=${encodeURIComponent(`37|${UCUM}|cm`)}`),
    '',
    'another dimension',
  );
  t.equal(found(kelvin, 'Observation', `value-quantity=37`), 'o', 'a bare number is of any unit, as written');
});

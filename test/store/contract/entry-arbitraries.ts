/**
 * Random index entries over small alphabets, so that values collide: several values of one parameter, open and long
 * ranges, one code under several systems, words that begin alike.
 */
import fc from 'fast-check';
import { foldString, type IndexEntry } from '../../../src/search/index-entry.ts';

export const DAY = 86_400_000;
const START = Date.UTC(2024, 0, 1);

export const words = [
  'Müller',
  'muller',
  'MULLER x',
  'Mull',
  'Smith',
  'smythe',
  'Li',
  'Ælf',
  '日本',
  '😀 x',
  "O'Hara",
  'a_b%',
];
const narratives = ['Anna Müller', 'anna-lena, x', 'Straße 日本', '(MULLER)', 'Ann'];
export const systems = ['', 'urn:one', 'urn:two'];
export const codes = ['a', 'b', 'B'];
const units = ['', 'mg', 'g'];
/** References lead from each type to each; nothing is ever stored of Patient. */
export const TYPES = ['Alpha', 'Beta', 'Gamma'];
export const IDS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n'];

export const from = <T>(values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);

export const instant = fc.integer({ min: 0, max: 3 }).map((days) => START + days * DAY);
const length = from([1, DAY, 2 * DAY, 32 * DAY, 32 * DAY + 1, 40 * DAY]);

const dateRange = fc
  .tuple(instant, length, from(['closed', 'closed', 'closed', 'from', 'until', 'always']))
  .map(([lo, reach, ends]) => ({
    lo: ends === 'until' || ends === 'always' ? Number.NEGATIVE_INFINITY : lo,
    hi: ends === 'from' || ends === 'always' ? Number.POSITIVE_INFINITY : lo + reach,
  }));

export const point = from([-1, 0, 0.25, 0.5, 1, 2]);
const interval = fc
  .tuple(point, point, from(['point', 'point', 'point', 'closed', 'from', 'until']))
  .map(([one, other, ends]) => {
    if (ends === 'point') return { lo: one, hi: one };
    return {
      lo: ends === 'until' ? Number.NEGATIVE_INFINITY : Math.min(one, other),
      hi: ends === 'from' ? Number.POSITIVE_INFINITY : Math.max(one, other),
    };
  });

export const reference = fc.oneof(
  { weight: 5, arbitrary: fc.record({ type: from(TYPES), id: from(['a', 'b', 'c']) }) },
  { weight: 1, arbitrary: fc.record({ type: from(['Patient', '']), id: from(['a', 'http://x/a']) }) },
);

/** A kind of entries with the clauses that search them. */
export type Family = IndexEntry['kind'] | 'composite' | 'near';

const token = (param: fc.Arbitrary<string>): fc.Arbitrary<IndexEntry> =>
  fc.record({ kind: fc.constant('token' as const), param, system: from(systems), code: from([...codes, '']) });
const date = (param: fc.Arbitrary<string>): fc.Arbitrary<IndexEntry> =>
  fc.tuple(param, dateRange).map(([name, range]) => ({ kind: 'date', param: name, ...range }));
const string = (param: fc.Arbitrary<string>): fc.Arbitrary<IndexEntry> =>
  fc
    .tuple(param, from(words))
    .map(([name, exact]) => ({ kind: 'string', param: name, exact, value: foldString(exact) }));
const quantity = (param: fc.Arbitrary<string>): fc.Arbitrary<IndexEntry> =>
  fc
    .tuple(param, interval, from(systems), from(units), from(units))
    .map(([name, range, system, code, unit]) => ({ kind: 'quantity', param: name, ...range, system, code, unit }));
const referenceTo = (param: fc.Arbitrary<string>): fc.Arbitrary<IndexEntry> =>
  fc.tuple(param, reference).map(([name, target]) => ({ kind: 'reference', param: name, ...target }));
const uri = (param: fc.Arbitrary<string>): fc.Arbitrary<IndexEntry> =>
  fc
    .tuple(param, from(['urn:a', 'urn:A', 'urn:a/b', 'urn:a/b/c', 'urn:ab']))
    .map(([name, value]) => ({ kind: 'uri', param: name, value }));

/** Composites are `k` of token and quantity, `l` of string and date, `o` of reference and uri. */
export const component = (code: string, position: number): fc.Arbitrary<string> => fc.constant(`${code}#${position}`);
const COMPONENTS: Readonly<Record<string, readonly [fc.Arbitrary<IndexEntry>, fc.Arbitrary<IndexEntry>]>> = {
  k: [token(component('k', 0)), quantity(component('k', 1))],
  l: [string(component('l', 0)), date(component('l', 1))],
  o: [referenceTo(component('o', 0)), uri(component('o', 1))],
};

/** One component of one element. */
const componentEntry = fc
  .tuple(from(Object.values(COMPONENTS).flat()), from([0, 1, 2, 4095]))
  .chain(([entry, element]) => entry.map((made): IndexEntry => ({ ...made, element })));

export const PLACES = [
  [0, 0],
  [0, 1],
  [52.5, 13.4],
  [-45, 179.9],
  [-45, -179.9],
] as const;
const place = from(PLACES).map((degrees) =>
  degrees.map(
    (at, position): IndexEntry => ({ kind: 'number', param: `near#${position}`, lo: at, hi: at, element: 0 }),
  ),
);

const one = (entry: fc.Arbitrary<IndexEntry>): fc.Arbitrary<IndexEntry[]> => entry.map((made) => [made]);

export const entriesOf: Readonly<Record<Family, fc.Arbitrary<IndexEntry[]>>> = {
  token: one(token(from(['t', 'u']))),
  string: one(string(from(['s', 'z']))),
  date: one(date(from(['d', 'e']))),
  number: one(fc.tuple(from(['n', 'm']), interval).map(([param, range]) => ({ kind: 'number', param, ...range }))),
  quantity: one(quantity(from(['q', 'q:canonical']))),
  reference: one(referenceTo(from(['r', 'v']))),
  uri: one(uri(fc.constant('w'))),
  text: one(
    fc.record({ kind: fc.constant('text' as const), param: from(['_content', '_text']), text: from(narratives) }),
  ),
  composite: fc.array(componentEntry, { minLength: 1, maxLength: 6 }),
  near: place,
};

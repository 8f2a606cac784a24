/**
 * Random resources and searches over small alphabets, so that values collide: several values of one parameter, open and
 * long ranges, one code under several systems, words that begin alike.
 */
import fc from 'fast-check';
import { foldString, type IndexEntry } from '../../../src/search/index-entry.ts';
import { type Clause, PREFIXES, type RangeValue, type Sort } from '../../../src/search/search-query.ts';

const DAY = 86_400_000;
const START = Date.UTC(2024, 0, 1);

const words = [
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
const searchedTexts = ['m', 'mull', 'x', '日', '😀', "'h", '_', '%'];
const searchedUris = ['urn:a', 'urn:A', 'urn'];
const systems = ['', 'urn:one', 'urn:two'];
const codes = ['a', 'b', 'B'];
const units = ['', 'mg', 'g'];
const IDS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n'];

const from = <T>(values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);

const instant = fc.integer({ min: 0, max: 3 }).map((days) => START + days * DAY);
const length = from([1, DAY, 2 * DAY, 32 * DAY, 32 * DAY + 1, 40 * DAY]);

const dateRange = fc
  .tuple(instant, length, from(['closed', 'closed', 'closed', 'from', 'until', 'always']))
  .map(([lo, reach, ends]) => ({
    lo: ends === 'until' || ends === 'always' ? Number.NEGATIVE_INFINITY : lo,
    hi: ends === 'from' || ends === 'always' ? Number.POSITIVE_INFINITY : lo + reach,
  }));

const point = from([-1, 0, 0.25, 0.5, 1, 2]);
const interval = fc
  .tuple(point, point, from(['point', 'point', 'point', 'closed', 'from', 'until']))
  .map(([one, other, ends]) => {
    if (ends === 'point') return { lo: one, hi: one };
    return {
      lo: ends === 'until' ? Number.NEGATIVE_INFINITY : Math.min(one, other),
      hi: ends === 'from' ? Number.POSITIVE_INFINITY : Math.max(one, other),
    };
  });

const reference = fc.record({ type: from(['Patient', 'Group', '']), id: from(['a', 'b', 'http://x/a']) });

type EntryKind = IndexEntry['kind'];

const entryOf: Readonly<Record<EntryKind, fc.Arbitrary<IndexEntry>>> = {
  token: fc.record({
    kind: fc.constant('token' as const),
    param: from(['t', 'u']),
    system: from(systems),
    code: from([...codes, '']),
  }),
  string: fc
    .tuple(from(['s', 'z']), from(words))
    .map(([param, exact]) => ({ kind: 'string', param, exact, value: foldString(exact) })),
  date: fc.tuple(from(['d', 'e']), dateRange).map(([param, range]) => ({ kind: 'date', param, ...range })),
  number: fc.tuple(from(['n', 'm']), interval).map(([param, range]) => ({ kind: 'number', param, ...range })),
  quantity: fc
    .tuple(from(['q', 'p']), interval, from(systems), from(units), from(units))
    .map(([param, range, system, code, unit]) => ({ kind: 'quantity', param, ...range, system, code, unit })),
  reference: reference.map((target) => ({ kind: 'reference', param: 'r', ...target })),
  uri: from(['urn:a', 'urn:A', 'urn:a/b']).map((value) => ({ kind: 'uri', param: 'w', value })),
};

const dateValue: fc.Arbitrary<RangeValue> = fc
  .tuple(from(PREFIXES), instant, from([1, DAY, 2 * DAY, 40 * DAY]))
  .map(([prefix, lo, reach]) => ({ prefix, lo, hi: lo + reach }));

const numberValue: fc.Arbitrary<RangeValue> = fc.tuple(from(PREFIXES), point).map(([prefix, value]) => {
  const half = prefix === 'eq' || prefix === 'ne' || prefix === 'ap' ? 0.5 : 0;
  return { prefix, lo: value - half, hi: value + half };
});

const values = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(value, { minLength: 1, maxLength: 4 });

const tokenValue = fc.oneof(
  from(codes).map((code) => ({ code })),
  fc.record({ system: from(systems), code: from(codes) }),
  fc.record({ system: from(['urn:one', 'urn:none']) }),
);

const quantityValue = fc
  .tuple(numberValue, from([undefined, '', 'urn:one', 'urn:none']), from([undefined, 'mg', 'g']))
  .map(([range, system, code]) => ({
    ...range,
    ...(system === undefined ? {} : { system }),
    ...(system === undefined || code === undefined ? {} : { code }),
  }));

/** Clauses by kind; `lastUpdated` counts in milliseconds from the first write of the test. */
const clauseOf: Readonly<Record<Clause['kind'], fc.Arbitrary<Clause>>> = {
  token: fc.record({ kind: fc.constant('token' as const), param: from(['t', 'u']), values: values(tokenValue) }),
  string: fc.oneof(
    fc
      .tuple(from(['s', 'z']), from(['starts', 'contains'] as const), values(from(searchedTexts)))
      .map(([param, match, texts]): Clause => ({ kind: 'string', param, match, values: texts })),
    fc
      .tuple(from(['s', 'z']), values(from([...words, 'm'])))
      .map(([param, texts]): Clause => ({ kind: 'string', param, match: 'exact', values: texts })),
  ),
  date: fc.record({ kind: fc.constant('date' as const), param: from(['d', 'e']), values: values(dateValue) }),
  number: fc.record({ kind: fc.constant('number' as const), param: from(['n', 'm']), values: values(numberValue) }),
  quantity: fc.record({
    kind: fc.constant('quantity' as const),
    param: from(['q', 'p']),
    values: values(quantityValue),
  }),
  reference: fc.record({ kind: fc.constant('reference' as const), param: fc.constant('r'), values: values(reference) }),
  uri: fc.record({ kind: fc.constant('uri' as const), param: fc.constant('w'), values: values(from(searchedUris)) }),
  id: fc.record({ kind: fc.constant('id' as const), values: fc.array(from([...IDS, 'absent']), { minLength: 5 }) }),
  lastUpdated: fc
    .array(fc.tuple(from(PREFIXES), fc.integer({ min: -2, max: 12 }), from([1, 4])), { minLength: 1, maxLength: 3 })
    .map((ranges) => ({
      kind: 'lastUpdated',
      values: ranges.map(([prefix, lo, reach]) => ({ prefix, lo, hi: lo + reach })),
    })),
};

const sort: fc.Arbitrary<Sort | undefined> = fc.option(
  fc.record({ by: from(['lastUpdated', 'id'] as const), descending: fc.boolean() }),
  { nil: undefined },
);

export interface RandomSearch {
  readonly clauses: readonly Clause[];
  readonly sort: Sort | undefined;
  readonly count: number;
}

/** Undefined entries are a deletion. */
export type Change = readonly [id: string, entries: readonly IndexEntry[] | undefined];

export interface RandomRun {
  readonly resources: readonly (readonly [id: string, entries: readonly IndexEntry[]])[];
  readonly changes: readonly Change[];
  readonly searches: readonly RandomSearch[];
}

const ENTRY_KINDS = Object.keys(entryOf) as EntryKind[];

const runOf = (kinds: readonly EntryKind[], changes: number, searches: number): fc.Arbitrary<RandomRun> => {
  const entries = fc.array(fc.oneof(...kinds.map((kind) => entryOf[kind])), { maxLength: 6, size: 'max' });
  const clause = fc.oneof(
    ...kinds.map((kind) => ({ weight: 4, arbitrary: clauseOf[kind] })),
    { weight: 1, arbitrary: clauseOf.id },
    { weight: 1, arbitrary: clauseOf.lastUpdated },
  );
  const search = fc.record({
    clauses: fc.array(clause, { maxLength: 4 }),
    sort,
    count: fc.integer({ min: 1, max: 7 }),
  });
  const resources = fc.uniqueArray(fc.tuple(from(IDS), entries), {
    maxLength: IDS.length,
    size: 'max',
    selector: ([id]) => id,
  });
  const change = fc.tuple(from(IDS), fc.option(entries, { nil: undefined, freq: 2 }));
  return fc.record({
    resources,
    changes: fc.array(change, { minLength: 1, maxLength: changes }),
    searches: fc.array(search, { minLength: 1, maxLength: searches, size: 'max' }),
  });
};

/** A run is about one to three kinds of entries, so that searches with several clauses find something. */
export const randomRun = (most: { changes: number; searches: number }): fc.Arbitrary<RandomRun> =>
  fc
    .uniqueArray(from(ENTRY_KINDS), { minLength: 1, maxLength: 3 })
    .chain((kinds) => runOf(kinds, most.changes, most.searches));

/** The same search with `lastUpdated` counted from `start`. */
export const countedFrom = (start: number, clauses: readonly Clause[]): Clause[] =>
  clauses.map((each) =>
    each.kind === 'lastUpdated'
      ? {
          kind: 'lastUpdated',
          values: each.values.map(({ prefix, lo, hi }) => ({ prefix, lo: lo + start, hi: hi + start })),
        }
      : each,
  );

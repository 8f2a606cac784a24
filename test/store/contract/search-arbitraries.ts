/** Random searches, and random resources that they may find. */
import fc from 'fast-check';
import type { Reference } from '../../../src/fhir/reference.ts';
import type { IndexEntry } from '../../../src/search/index-entry.ts';
import {
  type Clause,
  type Include,
  PREFIXES,
  type RangeValue,
  type SortKey,
  type TypeSearch,
  type ValueClause,
} from '../../../src/search/search-query.ts';
import {
  codes,
  component,
  DAY,
  entriesOf,
  type Family,
  from,
  IDS,
  instant,
  PLACES,
  point,
  reference,
  systems,
  TYPES,
  words,
} from './entry-arbitraries.ts';

const searchedTexts = ['m', 'mull', 'x', '日', '😀', "'h", '_', '%'];
const searchedUris = ['urn:a', 'urn:A', 'urn', 'urn:a/b'];
const searchedWords = ['MULLER', 'anna', 'anna muller', 'lena x', 'ann', '日本', 'absent', '!!', 'a"b', 'NOT x'];

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

const tokenClause = (param: fc.Arbitrary<string>): fc.Arbitrary<ValueClause> =>
  fc.record({ kind: fc.constant('token' as const), param, values: values(tokenValue) });
const stringClause = (param: fc.Arbitrary<string>): fc.Arbitrary<ValueClause> =>
  fc.oneof(
    fc
      .tuple(param, from(['starts', 'contains'] as const), values(from(searchedTexts)))
      .map(([name, match, texts]): ValueClause => ({ kind: 'string', param: name, match, values: texts })),
    fc
      .tuple(param, values(from([...words, 'm'])))
      .map(([name, texts]): ValueClause => ({ kind: 'string', param: name, match: 'exact', values: texts })),
  );
const dateClause = (param: fc.Arbitrary<string>): fc.Arbitrary<ValueClause> =>
  fc.record({ kind: fc.constant('date' as const), param, values: values(dateValue) });
const quantityClause = (param: fc.Arbitrary<string>): fc.Arbitrary<ValueClause> =>
  fc.record({ kind: fc.constant('quantity' as const), param, values: values(quantityValue) });
const referenceClause = (param: fc.Arbitrary<string>): fc.Arbitrary<ValueClause> =>
  fc.record({ kind: fc.constant('reference' as const), param, values: values(reference) });
const uriClause = (param: fc.Arbitrary<string>): fc.Arbitrary<ValueClause> =>
  fc.record({
    kind: fc.constant('uri' as const),
    param,
    match: from(['exact', 'below'] as const),
    values: values(from(searchedUris)),
  });

const COMPONENT_CLAUSES: readonly (readonly [fc.Arbitrary<ValueClause>, fc.Arbitrary<ValueClause>])[] = [
  [tokenClause(component('k', 0)), quantityClause(component('k', 1))],
  [stringClause(component('l', 0)), dateClause(component('l', 1))],
  [referenceClause(component('o', 0)), uriClause(component('o', 1))],
];

const compositeClause = from(COMPONENT_CLAUSES).chain((components) =>
  fc
    .array(fc.tuple(...components), { minLength: 1, maxLength: 3 })
    .map((pairs): Clause => ({ kind: 'composite', values: pairs })),
);

/** Within one type, along references that may go round in circles. */
const hierarchyClause: fc.Arbitrary<Clause> = from(TYPES).chain((type) =>
  fc.record({
    kind: fc.constant('hierarchy' as const),
    param: from(['r', 'v']),
    type: fc.constant(type),
    parent: from(['r', 'v']),
    direction: from(['above', 'below'] as const),
    values: values(from(['a', 'b', 'c', 'd', 'absent']).map((id) => ({ type, id }))),
  }),
);

const clauseOf: Readonly<Record<Family, fc.Arbitrary<Clause>>> = {
  token: tokenClause(from(['t', 'u'])),
  string: stringClause(from(['s', 'z'])),
  date: dateClause(from(['d', 'e'])),
  number: fc.record({ kind: fc.constant('number' as const), param: from(['n', 'm']), values: values(numberValue) }),
  quantity: quantityClause(from(['q', 'q:canonical'])),
  reference: fc.oneof(referenceClause(from(['r', 'v'])), hierarchyClause),
  uri: uriClause(fc.constant('w')),
  text: fc.record({
    kind: fc.constant('text' as const),
    param: from(['_content', '_text'] as const),
    values: values(from(searchedWords)),
  }),
  composite: compositeClause,
  near: fc.tuple(values(from(PLACES)), from([0.1, 50, 200, 20_100])).map(([places, kilometres]) => ({
    kind: 'near',
    param: 'near',
    values: places.map(([latitude, longitude]) => ({ latitude, longitude, kilometres })),
  })),
};

const SOURCES = ['Organization/a', 'Organization/b'];

/** Who writes the resource first; a third of them are nobody's. */
export const firstSourceOf = ({ id }: Reference): string | undefined => SOURCES[id.charCodeAt(id.length - 1) % 3];

/** Who writes it later, in vain. */
export const LATER_SOURCE = 'Organization/later';

/** Clauses about columns; `lastUpdated` counts in milliseconds from the first write of the test. */
const columnClause: fc.Arbitrary<Clause> = fc.oneof(
  fc.record({ kind: fc.constant('id' as const), values: fc.array(from([...IDS, 'absent']), { minLength: 5 }) }),
  fc.record({ kind: fc.constant('source' as const), values: fc.shuffledSubarray([...SOURCES, LATER_SOURCE]) }),
  fc
    .array(fc.tuple(from(PREFIXES), fc.integer({ min: -2, max: 12 }), from([1, 4])), { minLength: 1, maxLength: 3 })
    .map(
      (ranges): Clause => ({
        kind: 'lastUpdated',
        values: ranges.map(([prefix, lo, reach]) => ({ prefix, lo, hi: lo + reach })),
      }),
    ),
);

/** A parameter of each kind that can be sorted by, and be missing. */
const PARAMS = [
  ['t', 'token'],
  ['s', 'string'],
  ['d', 'date'],
  ['n', 'number'],
  ['q', 'quantity'],
  ['r', 'reference'],
  ['w', 'uri'],
  ['absent', 'string'],
] as const;

/** Those of composites and places are what `:missing` asks for them. */
const MISSING_PARAMS = [
  ...PARAMS,
  ['k#0', 'token'],
  ['l#0', 'string'],
  ['o#0', 'reference'],
  ['near#0', 'number'],
] as const;

const missing: fc.Arbitrary<Clause> = fc
  .tuple(from(MISSING_PARAMS), fc.boolean())
  .map(([[param, entries], isMissing]) => ({ kind: 'missing', param, entries, isMissing }));

/** A clause of these families, or of others behind `depth` references. */
const clauseWith = (families: readonly Family[], depth: number): fc.Arbitrary<Clause> => {
  const simple = [
    ...families.map((family) => ({ weight: 6, arbitrary: clauseOf[family] })),
    { weight: 2, arbitrary: columnClause },
    { weight: 1, arbitrary: missing },
  ];
  if (depth === 0) return fc.oneof(...simple);
  const inner = clauseWith(families, depth - 1);
  const linked = (kind: 'chain' | 'has'): fc.Arbitrary<Clause> =>
    fc.record({ kind: fc.constant(kind), param: from(['r', 'v']), type: from(TYPES), clause: inner });
  return fc.oneof(
    ...simple,
    { weight: 1, arbitrary: inner.map((clause): Clause => ({ kind: 'not', clause })) },
    {
      weight: 1,
      arbitrary: fc.array(inner, { minLength: 1, maxLength: 3 }).map((clauses): Clause => ({ kind: 'any', clauses })),
    },
    {
      weight: 1,
      arbitrary: fc.array(inner, { minLength: 1, maxLength: 3 }).map((clauses): Clause => ({ kind: 'all', clauses })),
    },
    { weight: families.includes('reference') ? 4 : 1, arbitrary: linked('chain') },
    { weight: families.includes('reference') ? 4 : 1, arbitrary: linked('has') },
  );
};

const sortKey: fc.Arbitrary<SortKey> = fc.oneof(
  fc.record({ by: from(['lastUpdated', 'id'] as const), isDescending: fc.boolean() }),
  fc
    .tuple(from(PARAMS), fc.boolean())
    .map(([[param, entries], isDescending]) => ({ by: 'param' as const, param, entries, isDescending })),
);

/** A parameter is always of a type. */
const include: fc.Arbitrary<Include> = fc
  .record({
    direction: from(['forward', 'reverse'] as const),
    type: from([undefined, ...TYPES]),
    param: from([undefined, 'r', 'v']),
    target: from([undefined, undefined, ...TYPES]),
    iterates: fc.boolean(),
  })
  .map((made) => (made.type === undefined ? { ...made, param: undefined } : made));

export interface RandomSearch {
  readonly searches: readonly TypeSearch[];
  readonly sort: readonly SortKey[];
  readonly count: number;
}

/** Undefined entries are a deletion. */
export type Change = readonly [name: Reference, entries: readonly IndexEntry[] | undefined];

export interface RandomRun {
  readonly resources: readonly (readonly [name: Reference, entries: readonly IndexEntry[]])[];
  readonly changes: readonly Change[];
  readonly searches: readonly RandomSearch[];
}

export interface RandomIncludes {
  readonly resources: RandomRun['resources'];
  /** The resources that were found, as places among the resources. */
  readonly matches: readonly number[];
  readonly includes: readonly Include[];
  readonly limit: number;
}

/** More of the first type than of the others, as they are there to be referenced. */
const name: fc.Arbitrary<Reference> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ type: fc.constant(TYPES[0] as string), id: from(IDS) }) },
  { weight: 1, arbitrary: fc.record({ type: from(TYPES.slice(1)), id: from(IDS.slice(0, 4)) }) },
);

/** A resource has one text of each kind, and one place. */
const withoutRepetition = (entries: readonly IndexEntry[]): IndexEntry[] =>
  entries.filter(
    (entry, at) =>
      (entry.kind !== 'text' && !entry.param.startsWith('near')) ||
      entries.findIndex(({ param }) => param === entry.param) === at,
  );

const entriesWith = (families: readonly Family[]): fc.Arbitrary<IndexEntry[]> =>
  fc
    .array(fc.oneof(...families.map((family) => entriesOf[family])), { maxLength: 6, size: 'max' })
    .map((groups) => withoutRepetition(groups.flat()));

const resourcesWith = (entries: fc.Arbitrary<IndexEntry[]>): fc.Arbitrary<[Reference, IndexEntry[]][]> =>
  fc.uniqueArray(fc.tuple(name, entries), {
    maxLength: 20,
    size: 'max',
    selector: ([{ type, id }]) => `${type}/${id}`,
  });

const searchWith = (families: readonly Family[]): fc.Arbitrary<RandomSearch> => {
  const clauses = fc.array(clauseWith(families, 2), { maxLength: 3 });
  const types = fc.oneof(
    { weight: 4, arbitrary: fc.constant(TYPES.slice(0, 1)) },
    { weight: 1, arbitrary: fc.shuffledSubarray(TYPES, { minLength: 1 }) },
  );
  return fc.record({
    searches: types.chain((chosen) =>
      fc.tuple(...chosen.map((type) => clauses.map((made): TypeSearch => ({ type, clauses: made })))),
    ),
    sort: fc.oneof(fc.constant([]), fc.array(sortKey, { minLength: 1, maxLength: 3 })),
    count: fc.integer({ min: 1, max: 7 }),
  });
};

const runOf = (families: readonly Family[], changes: number, searches: number): fc.Arbitrary<RandomRun> => {
  const entries = entriesWith(families);
  return fc.record({
    resources: resourcesWith(entries),
    changes: fc.array(fc.tuple(name, fc.option(entries, { nil: undefined, freq: 2 })), {
      minLength: 1,
      maxLength: changes,
    }),
    searches: fc.array(searchWith(families), { minLength: 1, maxLength: searches, size: 'max' }),
  });
};

const FAMILIES = Object.keys(entriesOf) as Family[];

/** A run is about one to three kinds of entries, so that searches with several clauses find something. */
export const randomRun = (most: { changes: number; searches: number }): fc.Arbitrary<RandomRun> =>
  fc
    .tuple(fc.uniqueArray(from(FAMILIES), { minLength: 1, maxLength: 3 }), fc.boolean())
    .chain(([families, isLinked]) =>
      runOf(
        isLinked && !families.includes('reference') ? [...families, 'reference'] : families,
        most.changes,
        most.searches,
      ),
    );

export const randomIncludes: fc.Arbitrary<RandomIncludes> = fc.record({
  resources: resourcesWith(entriesWith(['reference', 'reference', 'composite'])),
  matches: fc.array(fc.nat({ max: 19 }), { minLength: 1, maxLength: 4 }),
  includes: fc.array(include, { minLength: 1, maxLength: 3 }),
  limit: from([1, 2, 5, 1000]),
});

/** The same clause with `lastUpdated` counted from `start`. */
export const countedFrom = (start: number, clause: Clause): Clause => {
  switch (clause.kind) {
    case 'lastUpdated':
      return {
        kind: 'lastUpdated',
        values: clause.values.map(({ prefix, lo, hi }) => ({ prefix, lo: lo + start, hi: hi + start })),
      };
    case 'not':
    case 'chain':
    case 'has':
      return { ...clause, clause: countedFrom(start, clause.clause) };
    case 'any':
    case 'all':
      return { kind: clause.kind, clauses: clause.clauses.map((each) => countedFrom(start, each)) };
    default:
      return clause;
  }
};

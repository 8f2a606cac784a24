/**
 * The first matches of many searches, as a transaction with conditions asks for them: by few commands, as far as the
 * searches ask for ids and whole keys alone; the others are searched one by one.
 */
import type { Document } from 'mongodb';
import type { Reference } from '../../fhir/reference.ts';
import type { SearchQuery } from '../../search/search-query.ts';
import type { Store } from '../store.ts';
import { type Commands, type Ran, startCommands } from './commands.ts';
import { anyOf, oneOf } from './compiled-clause.ts';
import type { SearchContext } from './context.ts';
import { REFERENCE_FIELDS } from './found.ts';
import { type Held, type KeyedSearch, keyedSearch } from './keyed-search.ts';
import { foundPage } from './pages.ts';
import { searchingWith } from './search.ts';

/** So many keys are looked for by one command. */
const KEYS_A_COMMAND = 1000;
/** So many documents are looked at by one command. */
const DOCUMENTS_A_COMMAND = 1000;
/** A search that finds more than are looked at keeps others from what they find: these are asked again so often. */
const ROUNDS = 3;

/** Undefined: the search could not be made together with the others. */
type Found = readonly Reference[] | undefined;

/** What `Store.findEach` is made of. */
interface Finds {
  together(queries: readonly SearchQuery[]): Promise<readonly Found[]>;
  alone(query: SearchQuery): Promise<readonly Reference[]>;
}

/** One search of several, and what has been found. */
interface Asked {
  readonly search: KeyedSearch;
  readonly count: number;
  readonly found: Map<string, Reference>;
  /** Whether `found` is all, or as much as is wanted. */
  isDone: boolean;
}

type Index = KeyedSearch['places']['index'];

const filterOf = (asked: readonly Asked[], index: Index): Document => {
  const valuesOf = (some: readonly Asked[]): string[] => [
    ...new Set(some.flatMap(({ search }) => search.places.values)),
  ];
  if (index === '_id_') return { _id: { $in: valuesOf(asked) }, live: true };
  const types = Map.groupBy(asked, ({ search }) => search.type);
  return anyOf([...types].map(([type, own]) => ({ type, live: true, k: oneOf(valuesOf(own)) })));
};

/** Gives a document to a search that it answers. */
const assign = ({ search, count, found }: Asked, document: Held): void => {
  const { type } = search;
  const { _id } = document;
  if (found.size < count && _id.startsWith(`${type}/`) && search.holds(document))
    found.set(_id, { type, id: _id.slice(type.length + 1) });
};

const byPlace = (asked: readonly Asked[]): Map<string, Asked[]> => {
  const places = new Map<string, Asked[]>();
  for (const each of asked)
    for (const value of each.search.places.values) {
      const there = places.get(value);
      if (there === undefined) places.set(value, [each]);
      else there.push(each);
    }
  return places;
};

/** Asks once; who is done is marked. */
const round = async (asked: readonly Asked[], index: Index, commands: Commands): Promise<void> => {
  const keys = [...new Set(asked.flatMap(({ search }) => search.keys))];
  const limit = DOCUMENTS_A_COMMAND;
  const documents = await commands.aggregate<{ _id: string; k: readonly string[] }>('search', {
    pipeline: [
      { $match: filterOf(asked, index) },
      { $limit: limit },
      // A resource may have very many other keys.
      { $project: { _id: 1, k: { $setIntersection: ['$k', { $literal: keys }] } } },
    ],
    hint: index,
    limit,
  });
  const places = byPlace(asked);
  for (const { _id, k } of documents) {
    const document: Held = { _id, k: new Set(k) };
    for (const value of index === '_id_' ? [_id] : k)
      for (const each of places.get(value) ?? []) assign(each, document);
  }
  const isAll = documents.length < limit;
  for (const each of asked) each.isDone = isAll || each.found.size >= each.count;
};

/** Parts of at most so many keys each, but of one search at least. */
const partsOf = (asked: readonly Asked[]): Asked[][] => {
  const parts: Asked[][] = [];
  let room = 0;
  for (const each of asked) {
    const { keys, places } = each.search;
    const needed = Math.max(keys.length, places.values.length);
    if (needed > room || parts.length === 0) {
      parts.push([]);
      room = KEYS_A_COMMAND;
    }
    room -= needed;
    parts.at(-1)?.push(each);
  }
  return parts;
};

const findTogether = async (asked: readonly Asked[], commands: Commands): Promise<void> => {
  for (const [index, own] of Map.groupBy(asked, ({ search }) => search.places.index))
    for (const part of partsOf(own)) {
      let pending: readonly Asked[] = part;
      for (let at = 0; at < ROUNDS && pending.length > 0; at++) {
        const before = pending.length;
        await round(pending, index, commands);
        pending = pending.filter(({ isDone }) => !isDone);
        if (pending.length === before) break;
      }
    }
};

const askedOf = ({ searches, count }: SearchQuery): Asked | undefined => {
  const [first, ...others] = searches;
  const search = first === undefined || others.length > 0 ? undefined : keyedSearch(first);
  return search && { search, count, found: new Map(), isDone: search.places.values.length === 0 || count === 0 };
};

/** Each call has the time of a search. `ran` is told of the commands that are for several. */
export const createFinds = (context: SearchContext, ran?: (ran: Ran) => void): Finds => ({
  together: async (queries) => {
    const asked = queries.map(askedOf);
    const pending = asked.filter((each) => each !== undefined && !each.isDone) as Asked[];
    await findTogether(pending, startCommands(context, ran));
    return asked.map((each) => (each?.isDone ? [...each.found.values()] : undefined));
  },
  alone: async ({ searches, count }) => {
    const searching = { ...searchingWith(context), fields: REFERENCE_FIELDS };
    const { documents } = await foundPage({ searches, sort: [], count }, searching);
    return documents.map(({ type, id }) => ({ type, id }));
  },
});

export const findEachBy =
  ({ together, alone }: Finds): Store['findEach'] =>
  async (queries) => {
    const results: (readonly Reference[])[] = [];
    for (const [at, found] of (await together(queries)).entries())
      results.push(found ?? (await alone(queries[at] as SearchQuery)));
    return results;
  };

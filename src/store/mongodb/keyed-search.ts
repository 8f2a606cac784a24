/**
 * Searches that ask for nothing but ids and whole keys, as most conditions of writes do: whether a document matches is
 * told by its `_id` and its keys, so that many such searches can be one command.
 */
import type { Clause, TypeSearch, ValueClause } from '../../search/search-query.ts';
import { exactKeys } from './compile-value.ts';
import { resourceKey, sourceKey } from './keys.ts';

/** The `_id` of a document, and those of its keys that are asked for. */
export interface Held {
  readonly _id: string;
  readonly k: ReadonlySet<string>;
}

/** Where an index is read: `_id`s, or keys of a type. */
interface Places {
  readonly index: 'k_1' | '_id_';
  readonly values: readonly string[];
}

interface Condition {
  readonly holds: (document: Held) => boolean;
  /** The keys by which `holds` judges. */
  readonly keys: readonly string[];
  /** All that matches is in one of these. */
  readonly places?: Places;
}

export interface KeyedSearch extends Condition {
  readonly type: string;
  readonly places: Places;
}

const ofKeys = (keys: readonly string[]): Condition => ({
  holds: ({ k }) => keys.some((key) => k.has(key)),
  keys,
  places: { index: 'k_1', values: keys },
});

const ofIds = (ids: readonly string[]): Condition => ({
  holds: ({ _id }) => ids.includes(_id),
  keys: [],
  places: { index: '_id_', values: ids },
});

const ofValues = (clause: ValueClause): Condition | undefined => {
  const keys = exactKeys(clause);
  return keys === undefined ? undefined : ofKeys(keys);
};

/** All of the conditions, unless there is none for one of the clauses. */
const conditionsOf = (clauses: readonly Clause[], type: string): readonly Condition[] | undefined => {
  const conditions = clauses.map((clause) => conditionOf(clause, type));
  return conditions.every((condition) => condition !== undefined) ? conditions : undefined;
};

const keysOf = (conditions: readonly Condition[]): string[] => conditions.flatMap(({ keys }) => keys);

const oneOfThem = (conditions: readonly Condition[]): Condition => {
  const places = conditions.map((condition) => condition.places);
  const [first] = places;
  const values = places.flatMap((each) => (each !== undefined && each.index === first?.index ? [each.values] : []));
  return {
    holds: (document) => conditions.some(({ holds }) => holds(document)),
    keys: keysOf(conditions),
    ...(first === undefined || values.length < places.length
      ? {}
      : { places: { index: first.index, values: values.flat() } }),
  };
};

const allOfThem = (conditions: readonly Condition[], places: Places | undefined): Condition => ({
  holds: (document) => conditions.every(({ holds }) => holds(document)),
  keys: keysOf(conditions),
  ...(places === undefined ? {} : { places }),
});

/** A clause as a condition, or undefined if it asks for something else than ids and whole keys. */
const conditionOf = (clause: Clause, type: string): Condition | undefined => {
  switch (clause.kind) {
    case 'token':
    case 'reference':
    case 'uri':
      return ofValues(clause);
    case 'source':
      return ofKeys(clause.values.map(sourceKey));
    case 'id':
      return ofIds(clause.values.map((id) => resourceKey({ type, id })));
    case 'not': {
      const condition = conditionOf(clause.clause, type);
      return condition && { holds: (document) => !condition.holds(document), keys: condition.keys };
    }
    case 'any': {
      const conditions = conditionsOf(clause.clauses, type);
      return conditions && oneOfThem(conditions);
    }
    case 'all': {
      const conditions = conditionsOf(clause.clauses, type);
      return conditions && allOfThem(conditions, conditions.find(({ places }) => places !== undefined)?.places);
    }
    default:
      return undefined;
  }
};

/** Few resources have one. */
const isIdentifier = (clause: Clause): boolean => clause.kind === 'token' && clause.param === 'identifier';

/**
 * A search in this form, or undefined if it has none. Nothing is counted for it: so it must be clear which of its clauses
 * finds few, the only one that can be looked for, or one about ids or identifiers.
 */
export const keyedSearch = ({ type, clauses }: TypeSearch): KeyedSearch | undefined => {
  const conditions = conditionsOf(clauses, type);
  if (conditions === undefined) return undefined;
  const leads = conditions.flatMap(({ places }, at) => (places === undefined ? [] : [{ places, clause: clauses[at] }]));
  const lead =
    leads.find(({ places }) => places.index === '_id_') ??
    leads.find(({ clause }) => clause !== undefined && isIdentifier(clause)) ??
    (leads.length === 1 ? leads[0] : undefined);
  return lead && { type, ...allOfThem(conditions, lead.places), places: lead.places };
};

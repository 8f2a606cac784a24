/** The forms of a clause as conditions on a resource's document. */
import type { Document } from 'mongodb';
import type { Hint } from './commands.ts';
import type { RangeCondition } from './compile-ranges.ts';

/** How the documents of a clause are found by an index. */
export interface Lead {
  readonly index: Hint;
  /** What the index is read by: it holds of all that the clause finds. */
  readonly filter: Document;
  /** How many places of the index are read, if what is at each comes in the order of rid. */
  readonly points?: number;
  /** How many documents there are at most, if that is known. */
  readonly most?: number;
}

export interface CompiledClause {
  /** Exactly the documents that match. */
  readonly filter: Document;
  /** The same in a form that no index serves, for a clause that is asked of what another one finds by its index. */
  readonly probe?: Document;
  /** Absent if the clause can only be asked of documents that were found otherwise. */
  readonly lead?: Lead;
  /** If the clause is about nothing but keys of points: one of these must be there. */
  readonly keys?: readonly string[];
  /** If the clause is about one range of a parameter. */
  readonly range?: RangeCondition;
}

/** Fulfilled by no document. */
export const NEVER: Document = { _id: { $in: [] } };

/** Fulfilled if one of `alternatives` is. */
export const anyOf = (alternatives: readonly Document[]): Document => {
  const [first, ...others] = alternatives;
  if (first === undefined) return NEVER;
  return others.length === 0 ? first : { $or: alternatives };
};

/** Fulfilled if all of `conditions` are. */
export const allOf = (conditions: readonly Document[]): Document => {
  const [first, ...others] = conditions;
  if (first === undefined) return {};
  return others.length === 0 ? first : { $and: conditions };
};

/** A condition on one of several values of a field, in the shortest form. */
export const oneOf = (values: readonly unknown[]): unknown => (values.length === 1 ? values[0] : { $in: values });

/**
 * A condition on documents of these types. Every index begins with the type, and each alternative is a scan of its own:
 * so it names the type, too.
 */
export const ofTypes = (types: readonly string[], condition: Document): Document => {
  const { $or } = condition as { $or?: Document[] };
  const type = oneOf(types);
  return { type, ...($or === undefined ? condition : { $or: $or.map((each) => ({ type, ...each })) }) };
};

/** Documents with one of these keys; the keys of a type come in the order of rid. */
export const keysClause = (keys: readonly string[], rest?: Document): CompiledClause => {
  const distinct = [...new Set(keys)];
  if (distinct.length === 0) return { filter: NEVER, keys: [], lead: { index: '_id_', filter: NEVER, most: 0 } };
  const filter = { k: oneOf(distinct) };
  const held =
    distinct.length === 1
      ? { $in: [{ $literal: distinct[0] }, '$k'] }
      : { $gt: [{ $size: { $setIntersection: ['$k', { $literal: distinct }] } }, 0] };
  const lead: Lead = { index: 'k_1', filter, points: distinct.length };
  return rest === undefined
    ? { filter, probe: { $expr: held }, lead }
    : { filter: allOf([filter, rest]), probe: rest, lead };
};

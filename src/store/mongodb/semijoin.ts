/**
 * Clauses about other resources, resolved before the search: what a chain, `_has` or a hierarchy leads to becomes a list
 * of keys. Never a join in the database, which would have to be made anew for each resource.
 */
import type { Document } from 'mongodb';
import { tooCostly } from '../../fhir/fhir-error.ts';
import type { Reference } from '../../fhir/reference.ts';
import type { Clause } from '../../search/search-query.ts';
import type { Commands, Hint } from './commands.ts';
import { allOf, type CompiledClause, ofTypes } from './compiled-clause.ts';
import { referenceKey, referenceOf, referencePrefix, resourceKey } from './keys.ts';

/** So many keys are looked for by one command. */
const BATCH = 1000;

const tooMany = (what: string, { links }: Commands) =>
  tooCostly(
    `${what} more than ${links} resources (CONSILIUM_SEARCH_ROWS, and with MongoDB never more than 50,000); narrow it, for example by the id of one of them`,
  );

/** By which index the resources of the other type are found. */
const hintOf = ({ lead }: CompiledClause): Hint => lead?.index ?? 'rid_1';

const conditionOf = (type: string, { lead, filter }: CompiledClause): Document => {
  const isWhole = lead === undefined || lead.filter === filter;
  return allOf([{ type, live: true }, ...(isWhole ? [] : [ofTypes([type], lead.filter)]), ofTypes([type], filter)]);
};

/** The keys of references, by `param`, to the resources of `type` that match. */
export const chainKeys = async (
  param: string,
  type: string,
  inner: CompiledClause,
  commands: Commands,
): Promise<string[]> => {
  const found = await commands.find<{ id: string }>('resolve', {
    filter: conditionOf(type, inner),
    projection: { _id: 0, id: 1 },
    hint: hintOf(inner),
    limit: commands.links + 1,
  });
  if (found.length > commands.links) throw tooMany(`The chain through ${param} leads to`, commands);
  return found.map(({ id }) => referenceKey(param, { type, id }));
};

/** The `_id`s of the resources of `target` to which resources of `type` that match have a reference by `param`. */
export const hasIds = async (
  param: string,
  type: string,
  inner: CompiledClause,
  target: string,
  commands: Commands,
): Promise<string[]> => {
  const prefix = referencePrefix(param, target);
  const isLink = { $eq: [{ $indexOfBytes: ['$$this', { $literal: prefix }, 0, Buffer.byteLength(prefix)] }, 0] };
  const found = await commands.aggregate<{ _id: string }>('resolve', {
    pipeline: [
      { $match: conditionOf(type, inner) },
      { $project: { _id: 0, link: { $filter: { input: '$k', cond: isLink } } } },
      { $unwind: '$link' },
      { $group: { _id: '$link' } },
      { $limit: commands.links + 1 },
    ],
    hint: hintOf(inner),
    limit: commands.links + 1,
  });
  if (found.length > commands.links) throw tooMany(`The references by ${param} lead to`, commands);
  return found.map(({ _id }) => resourceKey({ type: target, id: _id.slice(prefix.length) }));
};

type Hierarchy = Extract<Clause, { kind: 'hierarchy' }>;

const batchesOf = <T>(items: readonly T[]): T[][] =>
  Array.from({ length: Math.ceil(items.length / BATCH) }, (_, at) => items.slice(at * BATCH, (at + 1) * BATCH));

/** The children of some resources. */
const below = async ({ type, parent }: Hierarchy, from: readonly Reference[], commands: Commands) => {
  const found = await commands.find<{ id: string }>('resolve', {
    filter: { type, k: { $in: from.map((reference) => referenceKey(parent, reference)) } },
    projection: { _id: 0, id: 1 },
    hint: 'k_1',
    limit: commands.links + 1,
  });
  return found.map(({ id }) => ({ type, id }));
};

/** The parents of some resources. */
const above = async ({ type, parent }: Hierarchy, from: readonly Reference[], commands: Commands) => {
  const ids = from.filter((reference) => reference.type === type).map(resourceKey);
  if (ids.length === 0) return [];
  const found = await commands.find<{ k: string[] }>('resolve', {
    filter: { _id: { $in: ids } },
    projection: { _id: 0, k: 1 },
    hint: '_id_',
    limit: ids.length,
  });
  return found.flatMap(({ k }) => k.flatMap((key) => referenceOf(key, parent) ?? []));
};

/** The keys of references to the values themselves and, level by level, to all that is above or below them. */
export const hierarchyKeys = async (clause: Hierarchy, commands: Commands): Promise<string[]> => {
  const { param, direction, values } = clause;
  const relatives = new Map<string, Reference>();
  let level: readonly Reference[] = values;
  while (level.length > 0) {
    const fresh: Reference[] = [];
    for (const reference of level) {
      const key = referenceKey(param, reference);
      if (relatives.has(key)) continue;
      relatives.set(key, reference);
      fresh.push(reference);
    }
    if (relatives.size > commands.links) throw tooMany(`The hierarchy of ${param} has`, commands);
    const next: Reference[] = [];
    for (const batch of batchesOf(fresh))
      next.push(...(await (direction === 'below' ? below : above)(clause, batch, commands)));
    level = next;
  }
  return [...relatives.keys()];
};

/**
 * Follows `_include` and `_revinclude` by the keys of references: forward by those of what was found, to documents by
 * their `_id`, and backwards by those that name what was found.
 *
 * @see https://hl7.org/fhir/R4/search.html#include
 */
import type { Reference } from '../../fhir/reference.ts';
import type { Include } from '../../search/search-query.ts';
import type { Commands } from './commands.ts';
import { oneOf } from './compiled-clause.ts';
import { bytesBeside, fitting } from './fitting.ts';
import { FOUND_FIELDS, type FoundDocument, knownKeys } from './found.ts';
import { anyReferenceKey, keyName, namedReferenceOf, referenceKey, resourceKey } from './keys.ts';
import { storedTypes } from './stored-types.ts';

/** What the includes of a round start from. */
interface Source extends Reference {
  readonly k: readonly string[];
}

interface Related {
  readonly documents: readonly FoundDocument[];
  /** Whether there is more. */
  readonly isCut: boolean;
  readonly isOverBytes: boolean;
}

/** How much may be found. */
interface Most {
  readonly limit: number;
  readonly bytes: number | undefined;
}

/** Whether a document is the last one that need be read. */
type IsEnd = (document: FoundDocument) => boolean;

/** The matches with their keys, which a search of this process has left with them. */
const sourcesOf = async (matches: readonly Reference[], commands: Commands): Promise<Source[]> => {
  const known = matches.map((match) => knownKeys(match));
  const unknown = matches.filter((_, at) => known[at] === undefined).map(resourceKey);
  const read =
    unknown.length === 0
      ? []
      : await commands.find<{ _id: string; k: readonly string[] }>('resolve', {
          filter: { _id: { $in: unknown } },
          projection: { k: 1 },
          hint: '_id_',
          limit: unknown.length,
        });
  const keys = new Map(read.map(({ _id, k }) => [_id, k]));
  return matches.map(({ type, id }, at) => ({ type, id, k: known[at] ?? keys.get(resourceKey({ type, id })) ?? [] }));
};

/** The `_id`s that the forward includes lead to from the sources. */
const targetsOf = (includes: readonly Include[], sources: readonly Source[]): Set<string> => {
  const targets = new Set<string>();
  for (const { type, k } of sources)
    for (const include of includes) {
      if (include.direction !== 'forward' || (include.type !== undefined && include.type !== type)) continue;
      const wanted = include.param === undefined ? undefined : keyName(include.param);
      for (const key of k) {
        const reference = namedReferenceOf(key);
        if (reference === undefined || reference.target.type === '') continue;
        const { name, target } = reference;
        const isWanted = wanted === undefined ? !name.includes('#') : name === wanted;
        if (isWanted && (include.target === undefined || include.target === target.type))
          targets.add(resourceKey(target));
      }
    }
  return targets;
};

const forward = (
  targets: ReadonlySet<string>,
  limit: number,
  commands: Commands,
  isEnd: IsEnd,
): Promise<FoundDocument[]> => {
  const filter = { _id: { $in: [...targets] }, live: true };
  return commands.find('search', { filter, projection: FOUND_FIELDS, hint: '_id_', limit }, isEnd);
};

const reverse = async (
  { type, param, target }: Include,
  sources: readonly Source[],
  limit: number,
  commands: Commands,
  isEnd: IsEnd,
): Promise<FoundDocument[]> => {
  const named = sources.filter((source) => target === undefined || source.type === target);
  if (named.length === 0) return [];
  const keys = named.map((source) => (param === undefined ? anyReferenceKey(source) : referenceKey(param, source)));
  const types = type === undefined ? await storedTypes(commands) : [type];
  const filter = { type: oneOf(types), k: oneOf([...new Set(keys)]), live: true };
  return commands.find('search', { filter, projection: FOUND_FIELDS, hint: 'k_1', limit }, isEnd);
};

/** What the includes lead to. What iterates goes on until there is nothing new, or a limit is reached. */
export const relatedDocuments = async (
  matches: readonly Reference[],
  includes: readonly Include[],
  { limit, bytes }: Most,
  commands: Commands,
): Promise<Related> => {
  const seen = new Set(matches.map(resourceKey));
  const documents: FoundDocument[] = [];
  let sources = await sourcesOf(matches, commands);
  let isCut = false;
  let isOver = false;
  /** Until there is more that is new than there is room for. */
  const endOfRoom = (): IsEnd => {
    let room = bytesBeside(documents, bytes) ?? Number.POSITIVE_INFINITY;
    return ({ _id, size }) => {
      if (!seen.has(_id)) room -= size;
      return room < 0;
    };
  };
  /** Those that are new, as sources of the next round. */
  const taken = (found: readonly FoundDocument[]): FoundDocument[] => {
    const fresh = found.filter(({ _id }) => !seen.has(_id));
    const counted = fresh.slice(0, limit - documents.length);
    const kept = fitting(counted, bytesBeside(documents, bytes), 0);
    isOver ||= kept.length < counted.length;
    isCut ||= kept.length < fresh.length;
    for (const { _id } of kept) seen.add(_id);
    documents.push(...kept);
    return kept;
  };
  for (let round = 0; sources.length > 0 && !isCut; round++) {
    const active = includes.filter(({ iterates }) => round === 0 || iterates);
    const next: FoundDocument[] = [];
    // As many as are known may come again; one more tells that there is more.
    const most = (): number => limit + seen.size + 1;
    const targets = targetsOf(active, sources);
    for (const known of seen) targets.delete(known);
    if (targets.size > 0) next.push(...taken(await forward(targets, most(), commands, endOfRoom())));
    for (const include of active)
      if (include.direction === 'reverse' && !isCut)
        next.push(...taken(await reverse(include, sources, most(), commands, endOfRoom())));
    sources = next;
  }
  return { documents, isCut, isOverBytes: isOver };
};

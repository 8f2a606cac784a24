/**
 * Versions newest first: of one resource, of a type, or of all. Current versions and superseded ones are two collections.
 * The current ones are read first, so that none is missed that is superseded meanwhile; what is in both counts once. A
 * page key is `[lastUpdated, rid, version]`.
 *
 * @see https://hl7.org/fhir/R4/http.html#history
 */
import type { Document } from 'mongodb';
import { tooCostly } from '../../fhir/fhir-error.ts';
import type { Reference } from '../../fhir/reference.ts';
import type { HistoryPage, HistoryScope, HistoryTimes, Page, Version } from '../store.ts';
import type { CollectionName, Commands } from './commands.ts';
import { allOf, oneOf } from './compiled-clause.ts';
import type { SearchContext } from './context.ts';
import { type StoredVersion, VERSION_FIELDS } from './document.ts';
import { fitting, isFirstOver, isOverBytes } from './fitting.ts';
import { resourceKey, versionKey } from './keys.ts';

/** What tells versions apart and puts them in order. */
type Made = Pick<StoredVersion, 'type' | 'id' | 'rid' | 'version' | 'updated' | 'size' | 'source'>;

const MADE_FIELDS = { _id: 0, type: 1, id: 1, rid: 1, version: 1, updated: 1, size: 1, source: 1 } as const;

/** So many versions are looked at by one command where they cannot be told by an index. */
const BATCH = 500;

/** So many texts are read at once: short ones, which have at most 256 kB each. */
const TEXTS = 64;

/** The most versions of one resource among which those of a period are looked for. */
const VERSION_LIMIT = 100_000;

type Period = NonNullable<HistoryTimes['at']>;

const nameOf = (made: Made): string => versionKey(made, made.version);

const newestFirst = (a: Made, b: Made): number => b.updated - a.updated || b.rid - a.rid || b.version - a.version;

/** Each version once, newest first. */
const merged = <T extends Made>(current: readonly T[], superseded: readonly T[]): T[] => {
  const each = new Map([...superseded, ...current].map((made) => [nameOf(made), made]));
  return [...each.values()].sort(newestFirst);
};

const within = ({ type, sources }: HistoryScope, { since, at }: HistoryTimes): Document => {
  const updated = { ...(since === undefined ? {} : { $gte: since }), ...(at === undefined ? {} : { $lt: at.hi }) };
  return {
    ...(type === undefined ? {} : { type }),
    ...(sources === undefined ? {} : { source: oneOf([...new Set(sources)]) }),
    ...(Object.keys(updated).length === 0 ? {} : { updated }),
  };
};

const behind = (after: HistoryPage['after']): Document[] => {
  if (after === undefined) return [];
  const [updated, rid, version] = after;
  const before = [
    { updated, rid: { $gt: rid } },
    { updated, rid, version: { $gte: version } },
  ];
  return [{ updated: { $lte: updated }, $nor: before }];
};

const indexOf = ({ type, sources }: HistoryScope, collection: CollectionName) => {
  if (sources !== undefined) return collection === 'resources' ? 'source_1' : 'history_source_1';
  if (collection === 'resources') return type === undefined ? 'all_1' : 'updated_1';
  return type === undefined ? 'history_all_1' : 'history_type_1';
};

const newest = <T extends Made>(
  collection: CollectionName,
  scope: HistoryScope,
  page: HistoryPage,
  projection: Document,
  limit: number,
  commands: Commands,
): Promise<T[]> =>
  commands.find<T>(
    'search',
    {
      collection,
      filter: allOf([within(scope, page), ...behind(page.after)]),
      projection,
      sort: { updated: -1, rid: -1, ...(collection === 'history' ? { version: -1 } : {}) },
      hint: indexOf(scope, collection),
      limit,
    },
    // Looked at without their texts, they are many and small.
    'body' in projection ? isFirstOver(page.bytes) : undefined,
  );

/** Those of some superseded versions that were not superseded yet at the start of the period. */
const stillCurrentAt = async (versions: readonly Made[], { lo }: Period, commands: Commands): Promise<Made[]> => {
  if (versions.length === 0) return [];
  const current = await commands.find<Made>('resolve', {
    filter: { _id: { $in: [...new Set(versions.map(resourceKey))] } },
    projection: MADE_FIELDS,
    hint: '_id_',
    limit: versions.length,
  });
  const next = await commands.find<Made>('resolve', {
    collection: 'history',
    filter: { _id: { $in: versions.map((made) => versionKey(made, made.version + 1)) } },
    projection: MADE_FIELDS,
    hint: '_id_',
    limit: versions.length,
  });
  const times = new Map([...next, ...current].map((made) => [nameOf(made), made.updated]));
  // What has no next version is the current one.
  return versions.filter((made) => (times.get(versionKey(made, made.version + 1)) ?? lo) > lo);
};

/** Superseded versions of the period, newest first, some at a time. */
async function* supersededAt(
  scope: HistoryScope,
  page: HistoryPage & { readonly at: Period },
  commands: Commands,
): AsyncGenerator<Made[]> {
  let after = page.after;
  for (;;) {
    const from = after === undefined ? page : { ...page, after };
    const batch = await newest<Made>('history', scope, from, MADE_FIELDS, BATCH, commands);
    yield stillCurrentAt(batch, page.at, commands);
    const last = batch.at(-1);
    if (last === undefined || batch.length < BATCH) return;
    after = [last.updated, last.rid, last.version];
  }
}

/** Superseded versions with their texts, one more at least than fit into the bytes of the page. */
const withTexts = async (
  versions: readonly Made[],
  { bytes }: HistoryPage,
  commands: Commands,
): Promise<StoredVersion[]> => {
  const found: StoredVersion[] = [];
  for (let at = 0; at < versions.length && !isOverBytes(found, bytes); at += TEXTS) {
    const some = versions.slice(at, at + TEXTS);
    const texts = await commands.find<StoredVersion>('search', {
      collection: 'history',
      filter: { _id: { $in: some.map(nameOf) } },
      projection: VERSION_FIELDS,
      hint: '_id_',
      limit: some.length,
    });
    found.push(...texts);
  }
  return found;
};

/** Of a type or of all. */
const newestVersions = async (
  scope: HistoryScope,
  page: HistoryPage,
  limit: number,
  commands: Commands,
): Promise<StoredVersion[]> => {
  const { at } = page;
  const current = await newest<StoredVersion>('resources', scope, page, VERSION_FIELDS, limit, commands);
  if (at === undefined)
    return merged(current, await newest<StoredVersion>('history', scope, page, VERSION_FIELDS, limit, commands));
  const superseded: Made[] = [];
  for await (const some of supersededAt(scope, { ...page, at }, commands)) {
    superseded.push(...some);
    if (superseded.length >= limit) break;
  }
  return merged(current, await withTexts(superseded.slice(0, limit), page, commands));
};

const currentOf = async (reference: Reference, commands: Commands): Promise<StoredVersion | undefined> => {
  const [current] = await commands.find<StoredVersion>('search', {
    filter: { _id: resourceKey(reference) },
    projection: VERSION_FIELDS,
    hint: '_id_',
    limit: 1,
  });
  return current;
};

const isSince = ({ since }: HistoryTimes, { updated }: Made): boolean => since === undefined || updated >= since;

const isFrom = ({ sources }: HistoryScope, { source }: Made): boolean =>
  sources === undefined || (source !== undefined && sources.includes(source));

/** The superseded versions of one resource in the times, newest first, without their texts. */
const madeOf = async (
  reference: Reference,
  times: HistoryTimes,
  current: Made,
  commands: Commands,
): Promise<Made[]> => {
  const name = resourceKey(reference);
  const found = await commands.find<Made>('resolve', {
    collection: 'history',
    // `0` is the sign behind `/`.
    filter: { _id: { $gte: `${name}/`, $lt: `${name}0` } },
    projection: MADE_FIELDS,
    hint: '_id_',
    limit: VERSION_LIMIT + 1,
  });
  if (found.length > VERSION_LIMIT)
    throw tooCostly(`${name} has more than ${VERSION_LIMIT} versions; read its history without _at`);
  const all = merged([current], found);
  const { at } = times;
  return all.filter((made, position) => {
    if (!isSince(times, made)) return false;
    const next = all[position - 1];
    return at === undefined || (made.updated < at.hi && (next === undefined || next.updated > at.lo));
  });
};

/**
 * Versions have no gaps: those of a page are read by their numbers. What limits a history otherwise leaves its newest
 * versions, as they are the later ones, and a source once known stays.
 */
const versionsOfOne = async (
  reference: Reference,
  scope: HistoryScope,
  page: HistoryPage,
  limit: number,
  commands: Commands,
): Promise<StoredVersion[]> => {
  const current = await currentOf(reference, commands);
  if (current === undefined) return [];
  const first = page.after === undefined ? current.version : Number(page.after[2]) - 1;
  const wanted =
    page.at === undefined
      ? Array.from({ length: Math.min(limit, first) }, (_, at) => ({ ...current, version: first - at }))
      : (await madeOf(reference, page, current, commands)).filter(({ version }) => version <= first).slice(0, limit);
  const superseded = await withTexts(
    wanted.filter(({ version }) => version < current.version),
    page,
    commands,
  );
  const isCurrentWanted = wanted.some(({ version }) => version === current.version);
  return merged(isCurrentWanted ? [current] : [], superseded).filter(
    (made) => isSince(page, made) && isFrom(scope, made),
  );
};

/** One page of a history. */
export const historyPage = async (
  scope: HistoryScope,
  page: HistoryPage,
  { versionsOf }: SearchContext,
  commands: Commands,
): Promise<Page<Version>> => {
  const { type, id, sources } = scope;
  if (sources?.length === 0) return { items: [] };
  const limit = page.count + 1;
  const found =
    type !== undefined && id !== undefined
      ? await versionsOfOne({ type, id }, scope, page, limit, commands)
      : await newestVersions(scope, page, limit, commands);
  const shown = fitting(found.slice(0, page.count), page.bytes, 1);
  const items = await versionsOf(shown);
  const last = shown.at(-1);
  return found.length > shown.length && last !== undefined
    ? { items, next: [last.updated, last.rid, last.version] }
    : { items };
};

/** Versions have no gaps, so that the number of the current one is how many there are. */
const countAll = async (scope: HistoryScope, commands: Commands): Promise<number> => {
  const [total] = await commands.aggregate<{ versions: number }>('search', {
    pipeline: [{ $match: within(scope, {}) }, { $group: { _id: null, versions: { $sum: '$version' } } }],
    hint: indexOf(scope, 'resources'),
    limit: 1,
  });
  return total?.versions ?? 0;
};

/** In both collections, each version once. */
const countSince = async (scope: HistoryScope, times: HistoryTimes, commands: Commands): Promise<number> => {
  const part = [{ $match: within(scope, times) }, { $project: { _id: 0, rid: 1, version: 1 } }];
  const [total] = await commands.aggregate<{ versions: number }>('search', {
    pipeline: [
      ...part,
      { $unionWith: { coll: 'history', pipeline: part } },
      { $group: { _id: { rid: '$rid', version: '$version' } } },
      { $group: { _id: null, versions: { $sum: 1 } } },
    ],
    hint: indexOf(scope, 'resources'),
    limit: 1,
  });
  return total?.versions ?? 0;
};

/** How many versions all pages of a history have together. */
export const historyCount = async (scope: HistoryScope, times: HistoryTimes, commands: Commands): Promise<number> => {
  const { type, id, sources } = scope;
  const { since, at } = times;
  if (sources?.length === 0) return 0;
  if (type !== undefined && id !== undefined) {
    const current = await currentOf({ type, id }, commands);
    if (current === undefined) return 0;
    if (since === undefined && at === undefined && sources === undefined) return current.version;
    const made = await madeOf({ type, id }, times, current, commands);
    return made.filter((each) => isFrom(scope, each)).length;
  }
  if (at !== undefined) {
    let count = await commands.count(within(scope, times), { hint: indexOf(scope, 'resources') });
    for await (const some of supersededAt(scope, { ...times, at, count: BATCH }, commands)) count += some.length;
    return count;
  }
  return since === undefined && sources === undefined ? countAll(scope, commands) : countSince(scope, times, commands);
};

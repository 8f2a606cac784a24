/**
 * The commands of one search. They share its time: each is given what is left of it, and the database ends what takes
 * longer. A search within a transaction has no limits of its own, as the same search had them before.
 *
 * @see https://www.mongodb.com/docs/manual/tutorial/terminate-running-operations/
 */
import {
  type AggregationCursor,
  type Document,
  type Filter,
  type FindCursor,
  MongoServerError,
  type Sort,
} from 'mongodb';
import { tooCostly } from '../../fhir/fhir-error.ts';
import type { SearchContext } from './context.ts';
import type { HistoryDocument, ResourceDocument } from './document.ts';
import type { IndexName } from './indexes.ts';

/** What a query hints: one of our indexes, or that of `_id`, which every collection has. */
export type Hint = IndexName | '_id_';

export type CollectionName = 'resources' | 'history';

interface FindCommand {
  readonly kind: 'find';
  readonly collection: CollectionName;
  readonly filter: Document;
  readonly projection: Readonly<Record<string, unknown>>;
  readonly sort?: Sort;
  readonly hint?: Hint;
  readonly limit: number;
}

interface AggregateCommand {
  readonly kind: 'aggregate';
  readonly collection: CollectionName;
  readonly pipeline: readonly Document[];
  readonly hint?: Hint;
  readonly limit: number;
}

/** What a command is for. */
type Purpose = 'choose' | 'resolve' | 'search';

/** A command that was run, and how many documents came. */
export interface Ran {
  readonly purpose: Purpose;
  readonly command: FindCommand | AggregateCommand;
  readonly found: number;
}

/** A filter, and the index that it is counted by. */
interface Counted {
  readonly filter: Document;
  readonly hint: Hint;
}

type Wanted<Command> = Omit<Command, 'kind' | 'collection'> & { readonly collection?: CollectionName };

export interface Commands {
  /** The most resources that one clause may lead through. */
  readonly links: number;
  /** The most documents that are sorted without an index. */
  readonly few: number;
  /** Reads no further than the first document that `isEnd` says is the last. */
  find<T>(purpose: Purpose, wanted: Wanted<FindCommand>, isEnd?: (document: T) => boolean): Promise<T[]>;
  aggregate<T>(purpose: Purpose, wanted: Wanted<AggregateCommand>, isEnd?: (document: T) => boolean): Promise<T[]>;
  /** How many documents each filter finds, counted no further than `limit`: by one command, outside of transactions. */
  countEach(counted: readonly Counted[], limit: number): Promise<number[]>;
  /** The exact number of documents. */
  count(filter: Document, options: { hint?: Hint; collection?: CollectionName }): Promise<number>;
}

/** The keys of what a chain, `_has` or a hierarchy leads to are sent with the search: they must fit into 16 MB. */
const LINK_LIMIT = 50_000;

const FEW = 1000;

/** MaxTimeMSExpired. @see https://www.mongodb.com/docs/manual/reference/error-codes/ */
const TIME_EXPIRED = 50;

const tooSlow = (milliseconds: number) =>
  tooCostly(
    `This search takes longer than ${milliseconds} ms (CONSILIUM_SEARCH_MILLISECONDS); narrow it, for example by patient or date`,
  );

/** A database sends 16 MB of documents at a time; who needs no more does not ask for more. */
const documentsOf = async <T>(
  cursor: FindCursor | AggregationCursor,
  isEnd?: (document: T) => boolean,
): Promise<T[]> => {
  if (isEnd === undefined) return (await cursor.toArray()) as unknown as T[];
  const found: T[] = [];
  for await (const document of cursor) {
    found.push(document as T);
    if (isEnd(document as T)) break;
  }
  return found;
};

/** Starts the time of a search. `ran` is told of each command. */
export const startCommands = (context: SearchContext, ran: (ran: Ran) => void = () => {}): Commands => {
  const { resources, history, searchLimits, session } = context;
  const deadline = performance.now() + searchLimits.milliseconds;

  const options = (): { maxTimeMS?: number; session?: NonNullable<typeof session> } => {
    if (session !== undefined) return { session };
    const left = Math.ceil(deadline - performance.now());
    if (left <= 0) throw tooSlow(searchLimits.milliseconds);
    return { maxTimeMS: left };
  };
  const collectionOf = (name: CollectionName) =>
    (name === 'history' ? history : resources) as unknown as typeof resources & typeof history;

  const timed = async <T>(run: () => Promise<T>): Promise<T> => {
    try {
      return await run();
    } catch (error) {
      throw error instanceof MongoServerError && error.code === TIME_EXPIRED
        ? tooSlow(searchLimits.milliseconds)
        : error;
    }
  };

  const commands: Commands = {
    links: Math.min(searchLimits.rows, LINK_LIMIT),
    few: context.few ?? FEW,
    find: <T>(
      purpose: Purpose,
      { collection = 'resources', ...wanted }: Wanted<FindCommand>,
      isEnd?: (document: T) => boolean,
    ) =>
      timed(async () => {
        const { filter, projection, sort, hint, limit } = wanted;
        const cursor = collectionOf(collection).find(filter as Filter<ResourceDocument & HistoryDocument>, {
          ...options(),
          projection,
          limit,
          // All in one answer, if that holds them.
          batchSize: limit,
          ...(sort === undefined ? {} : { sort }),
          ...(hint === undefined ? {} : { hint }),
        });
        const found = await documentsOf<T>(cursor, isEnd);
        ran({ purpose, command: { kind: 'find', collection, ...wanted }, found: found.length });
        return found;
      }),
    aggregate: <T>(
      purpose: Purpose,
      { collection = 'resources', ...wanted }: Wanted<AggregateCommand>,
      isEnd?: (document: T) => boolean,
    ) =>
      timed(async () => {
        const { pipeline, hint, limit } = wanted;
        const cursor = collectionOf(collection).aggregate([...pipeline], {
          ...options(),
          // One more than can come, so that the database knows with the first answer that it is the last.
          batchSize: limit + 1,
          ...(hint === undefined ? {} : { hint }),
        });
        const found = await documentsOf<T>(cursor, isEnd);
        ran({ purpose, command: { kind: 'aggregate', collection, ...wanted }, found: found.length });
        return found;
      }),
    countEach: async (counted, limit) => {
      const pipelines = counted.map(({ filter }, at): Document[] => [
        { $match: filter },
        { $limit: limit },
        { $group: { _id: { $literal: at }, count: { $sum: 1 } } },
      ]);
      // A transaction takes no $unionWith. Hints reach the first part only; the others have no choice but by their keys.
      const runs: Document[][] =
        session === undefined
          ? [
              pipelines.flatMap((pipeline, at) =>
                at === 0 ? pipeline : [{ $unionWith: { coll: resources.collectionName, pipeline } }],
              ),
            ]
          : pipelines;
      const counts = counted.map(() => 0);
      for (const [at, pipeline] of runs.entries()) {
        const wanted = { pipeline, limit: counted.length, hint: counted[at]?.hint ?? ('_id_' as const) };
        const parts = await commands.aggregate<{ _id: number; count: number }>('choose', wanted);
        for (const { _id, count } of parts) counts[_id] = count;
      }
      return counts;
    },
    count: async (filter, { hint, collection = 'resources' }) => {
      const wanted = {
        collection,
        pipeline: [{ $match: filter }, { $group: { _id: null, count: { $sum: 1 } } }],
        limit: 1,
        ...(hint === undefined ? {} : { hint }),
      };
      const [total] = await commands.aggregate<{ count: number }>('search', wanted);
      return total?.count ?? 0;
    },
  };
  return commands;
};

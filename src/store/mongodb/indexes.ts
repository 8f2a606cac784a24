/**
 * The indexes, each by the name that queries hint, with the generation of its definition: a changed definition gets a
 * new name, is built beside the old one, and takes over when it is there.
 */
import type { Db, IndexDirection } from 'mongodb';

interface IndexDefinition {
  readonly collection: 'resources' | 'history' | 'records' | 'locks' | 'bodies.files' | 'bodies.chunks';
  readonly key: Readonly<Record<string, IndexDirection>>;
  /** Documents are removed when the instant of the index's only field has passed. */
  readonly expires?: true;
  readonly isUnique?: true;
  /** Only documents that have the field are in the index. */
  readonly having?: string;
}

/** The type is behind what gives the order, so that the versions of several types come in that order, too. */
const SOURCE_KEY = { source: 1, updated: 1, rid: 1, version: 1, type: 1 } as const;

/** @see docs/mongodb.md for what each is for. */
export const INDEXES = {
  /** Tokens, references and uris of a type, in the order of rid. */
  k_1: { collection: 'resources', key: { type: 1, k: 1, rid: 1 } },
  /** Strings of a type. */
  s_1: { collection: 'resources', key: { type: 1, s: 1, rid: 1 } },
  /** Dates of a type. */
  d_1: { collection: 'resources', key: { type: 1, 'd.p': 1, 'd.f': 1, 'd.lo': 1, 'd.hi': 1, rid: 1 } },
  /** Numbers and quantities of a type. */
  n_1: { collection: 'resources', key: { type: 1, 'n.p': 1, 'n.f': 1, 'n.lo': 1, 'n.hi': 1, rid: 1 } },
  /** All of a type that is not deleted, in the order of rid. */
  rid_1: { collection: 'resources', key: { type: 1, live: 1, rid: 1 } },
  /** All in the order of rid, for a copy. */
  order_1: { collection: 'resources', key: { rid: 1 } },
  /** By id, in its order. */
  id_1: { collection: 'resources', key: { type: 1, live: 1, id: 1, rid: 1 } },
  /** `_lastUpdated`, and the history of a type; `version` for how many versions there are, without reading documents. */
  updated_1: { collection: 'resources', key: { type: 1, updated: 1, rid: 1, version: 1 } },
  /** The history of all. */
  all_1: { collection: 'resources', key: { updated: 1, rid: 1, version: 1 } },
  /** All of a type, newest first. */
  date_1: { collection: 'resources', key: { type: 1, clinicalDate: -1, rid: -1 } },
  /** A patient's resources, newest first; no field of it is an array. */
  patient_1: { collection: 'resources', key: { patient: 1, type: 1, clinicalDate: -1, rid: -1 } },
  /** The history of what a source has pushed, of a type or of all. */
  source_1: { collection: 'resources', key: SOURCE_KEY, having: 'source' },
  history_source_1: { collection: 'history', key: SOURCE_KEY, having: 'source' },
  history_type_1: { collection: 'history', key: { type: 1, updated: 1, rid: 1, version: 1 } },
  history_all_1: { collection: 'history', key: { updated: 1, rid: 1, version: 1 } },
  records_expires_1: { collection: 'records', key: { expires: 1 }, expires: true },
  /** GridFS's own, by the name that its tools give it, and sharding, which may have made it before; chunks are sharded by it. */
  files_id_1_n_1: { collection: 'bodies.chunks', key: { files_id: 1, n: 1 }, isUnique: true },
  /** What a sweep has to look at. */
  files_1: { collection: 'bodies.files', key: { 'metadata.isReferred': 1, uploadDate: 1 } },
  locks_expires_1: { collection: 'locks', key: { expires: 1 }, expires: true },
} as const satisfies Readonly<Record<string, IndexDefinition>>;

export type IndexName = keyof typeof INDEXES;

/** Creates what is missing and waits until all can be used. */
export const createIndexes = async (database: Db): Promise<void> => {
  const definitions = Object.entries<IndexDefinition>(INDEXES);
  for (const collection of new Set(definitions.map(([, definition]) => definition.collection)))
    await database.collection(collection).createIndexes(
      definitions
        .filter(([, definition]) => definition.collection === collection)
        .map(([name, { key, expires, isUnique, having }]) => ({
          name,
          key: { ...key },
          ...(expires ? { expireAfterSeconds: 0 } : {}),
          ...(isUnique ? { unique: true } : {}),
          ...(having === undefined ? {} : { partialFilterExpression: { [having]: { $exists: true } } }),
        })),
    );
};

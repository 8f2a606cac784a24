/**
 * Texts, short ones in their documents, large ones in GridFS, as which any tool can read them. GridFS has no
 * transactions: a large text is there before the commit that refers to it, and lives as long as a version does. What a
 * commit has left that failed is swept away a day later.
 *
 * @see https://www.mongodb.com/docs/manual/core/gridfs/
 */
import { Binary, type Collection, type Db, ObjectId } from 'mongodb';
import type { Reference } from '../../fhir/reference.ts';
import type { Version } from '../store.ts';
import type { HistoryDocument, ResourceDocument, StoredVersion } from './document.ts';
import { resourceKey, versionKey } from './keys.ts';

/** Longer texts, in bytes, are large. */
const LARGE = 256 * 1024;
/** What GridFS itself uses. */
const CHUNK_BYTES = 255 * 1024;
/** How many bytes of chunks one insert carries. */
const INSERT_CHUNKS = 128;
const DAY = 86_400_000;
/** How many files a sweep looks at in one step, and how many versions of one resource. */
const SWEPT = 100;
const SWEPT_VERSIONS = 1000;

interface FileDocument {
  readonly _id: ObjectId;
  readonly length: number;
  readonly chunkSize: number;
  readonly uploadDate: Date;
  readonly filename: string;
  /** `isReferred` once a sweep has found a version that refers to it. */
  readonly metadata: { readonly type: string; readonly id: string; readonly isReferred: boolean };
}

interface ChunkDocument {
  readonly files_id: ObjectId;
  readonly n: number;
  readonly data: Binary;
}

type StoredBody = Pick<StoredVersion, 'body' | 'attachment'>;

export interface Bodies {
  /** How the text is kept; a large one is uploaded. */
  stored(reference: Reference, text: Buffer): Promise<StoredBody>;
  /** The text of a version. */
  textOf(version: StoredVersion): Promise<Buffer>;
  /** In the same order; the large texts of all come by one command. */
  versionsOf(documents: readonly StoredVersion[]): Promise<Version[]>;
  /** Removes large texts that are a day old and that no version refers to. Answers how many. */
  sweep(): Promise<number>;
}

interface BodyCollections {
  readonly database: Db;
  readonly resources: Collection<ResourceDocument>;
  readonly history: Collection<HistoryDocument>;
  readonly now: () => number;
}

const versionOf = ({ type, id, version, updated, live, action, source }: StoredVersion, text: Buffer): Version => ({
  type,
  id,
  version,
  lastUpdated: updated,
  isDeleted: !live,
  action,
  text,
  ...(source === undefined ? {} : { source }),
});

const chunksOf = (file: ObjectId, text: Buffer): ChunkDocument[] =>
  Array.from({ length: Math.ceil(text.length / CHUNK_BYTES) }, (_, n) => ({
    files_id: file,
    n,
    data: new Binary(text.subarray(n * CHUNK_BYTES, (n + 1) * CHUNK_BYTES)),
  }));

/** The same bytes, not copied. */
const bufferOf = (data: Binary): Buffer => {
  const { buffer, byteOffset, byteLength } = data.value();
  return Buffer.from(buffer, byteOffset, byteLength);
};

export const openBodies = ({ database, resources, history, now }: BodyCollections): Bodies => {
  const files = database.collection<FileDocument>('bodies.files');
  const chunks = database.collection<ChunkDocument>('bodies.chunks');

  const upload = async ({ type, id }: Reference, text: Buffer): Promise<ObjectId> => {
    const file = new ObjectId();
    // First, so that a sweep finds what an upload that was cut off has left.
    await files.insertOne({
      _id: file,
      length: text.length,
      chunkSize: CHUNK_BYTES,
      uploadDate: new Date(now()),
      filename: resourceKey({ type, id }),
      metadata: { type, id, isReferred: false },
    });
    const all = chunksOf(file, text);
    for (let at = 0; at < all.length; at += INSERT_CHUNKS) await chunks.insertMany(all.slice(at, at + INSERT_CHUNKS));
    return file;
  };

  const largeTexts = async (wanted: readonly ObjectId[]): Promise<Map<string, Buffer[]>> => {
    const parts = new Map<string, Buffer[]>(wanted.map((file) => [file.toHexString(), []]));
    if (wanted.length === 0) return parts;
    const filter = { files_id: { $in: [...wanted] } };
    const found = chunks.find(filter, { sort: { files_id: 1, n: 1 }, hint: 'files_id_1_n_1' });
    for await (const { files_id, data } of found) parts.get(files_id.toHexString())?.push(bufferOf(data));
    return parts;
  };

  const versionsOf = async (documents: readonly StoredVersion[]): Promise<Version[]> => {
    const large = await largeTexts(documents.flatMap(({ attachment }) => attachment ?? []));
    return documents.map((document) => {
      const { attachment, body = '', size } = document;
      if (attachment === undefined) return versionOf(document, Buffer.from(body));
      const text = Buffer.concat(large.get(attachment.toHexString()) ?? []);
      if (text.length !== size) throw new Error(`The large text ${attachment.toHexString()} is not whole`);
      return versionOf(document, text);
    });
  };

  const isReferred = async ({ _id: attachment, metadata: { type, id } }: FileDocument): Promise<boolean> => {
    const current = await resources.findOne(
      { _id: resourceKey({ type, id }) },
      { projection: { version: 1, attachment: 1 } },
    );
    if (current === null) return false;
    if (current.attachment?.equals(attachment)) return true;
    for (let from = 1; from < current.version; from += SWEPT_VERSIONS) {
      const versions = Array.from({ length: Math.min(SWEPT_VERSIONS, current.version - from) }, (_, at) =>
        versionKey({ type, id }, from + at),
      );
      if ((await history.findOne({ _id: { $in: versions }, attachment }, { projection: { _id: 1 } })) !== null)
        return true;
    }
    return false;
  };

  return {
    stored: async (reference, text) =>
      text.length <= LARGE ? { body: text.toString() } : { attachment: await upload(reference, text) },
    textOf: async (version) => {
      const [{ text }] = (await versionsOf([version])) as [Version];
      return text;
    },
    versionsOf,
    sweep: async () => {
      let removed = 0;
      for (;;) {
        const old = { 'metadata.isReferred': false, uploadDate: { $lt: new Date(now() - DAY) } };
        const found = await files.find(old, { limit: SWEPT }).toArray();
        for (const file of found) {
          if (await isReferred(file))
            await files.updateOne({ _id: file._id }, { $set: { 'metadata.isReferred': true } });
          else {
            await chunks.deleteMany({ files_id: file._id });
            await files.deleteOne({ _id: file._id });
            removed++;
          }
        }
        if (found.length < SWEPT) return removed;
      }
    },
  };
};

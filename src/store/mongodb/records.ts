/**
 * Records: one document each. Whoever changes one says which revision it has seen, so that of two only one can win; a
 * mark tells a writer that has lost the answer whether it was the one.
 */
import { type Collection, ObjectId } from 'mongodb';
import type { Records, StoredRecord } from '../store.ts';
import { backOff, type Deadline } from './deadline.ts';
import { isDuplicateKey, repeated } from './faults.ts';

export interface RecordDocument {
  /** The key. */
  readonly _id: string;
  readonly value: string;
  readonly revision: number;
  /** Null: never. The index of the database removes what has expired some time later. */
  readonly expires: Date | null;
  readonly mark: ObjectId;
}

type Put = Parameters<Records['put']>[2];

const recordOf = ({ _id, value, revision, expires }: RecordDocument): StoredRecord => ({
  key: _id,
  value,
  revision,
  ...(expires === null ? {} : { expires: expires.getTime() }),
});

/** `deadline` gives the time that one call has. */
export const openRecords = (
  documents: Collection<RecordDocument>,
  now: () => number,
  deadline: () => Deadline,
): Records => {
  const isThere = ({ expires }: RecordDocument): boolean => expires === null || expires.getTime() > now();
  const found = (key: string): Promise<RecordDocument | null> => documents.findOne({ _id: key });

  /** One attempt: the new revision, `refused`, or `again` if another writer came between. */
  const put = async (document: RecordDocument, revision: number | undefined): Promise<number | 'refused' | 'again'> => {
    const there = await found(document._id);
    if (there?.mark.equals(document.mark)) return there.revision;
    const current = there !== null && isThere(there) ? there.revision : 0;
    if (revision !== undefined && revision !== current) return 'refused';
    const next = { ...document, revision: current + 1 };
    if (there !== null) {
      const filter = { _id: there._id, mark: there.mark };
      return (await documents.replaceOne(filter, next)).matchedCount === 1 ? next.revision : 'again';
    }
    try {
      await documents.insertOne(next);
      return next.revision;
    } catch (error) {
      if (isDuplicateKey(error)) return 'again';
      throw error;
    }
  };

  /**
   * One attempt to delete. The record is first put out of use under the mark of this deletion, so that of several that see
   * the same revision one wins, whatever answers are lost. If even the first step's answer is lost and the index has
   * removed the rest meanwhile, nobody has won: what may be used once is then not used at all.
   */
  const remove = async (key: string, revision: number | undefined, mark: ObjectId): Promise<boolean | 'again'> => {
    const there = await found(key);
    if (there?.mark.equals(mark)) {
      await documents.deleteOne({ _id: key, mark });
      return true;
    }
    const current = there !== null && isThere(there) ? there.revision : 0;
    if (revision !== undefined && revision !== current) return false;
    if (there === null) return true;
    const gone = { ...there, value: '', mark, expires: new Date(now()) };
    const { matchedCount } = await documents.replaceOne({ _id: key, mark: there.mark }, gone);
    if (matchedCount === 1) await documents.deleteOne({ _id: key, mark });
    return matchedCount === 1 ? true : 'again';
  };

  return {
    get: (key) =>
      repeated(deadline(), async () => {
        const there = await found(key);
        return there !== null && isThere(there) ? recordOf(there) : undefined;
      }),
    list: (prefix, limit, after = '') =>
      repeated(deadline(), async () => {
        const keys = { $gte: prefix, $lt: `${prefix}\u{10FFFF}`, $gt: after };
        const isCurrent = { $or: [{ expires: null }, { expires: { $gt: new Date(now()) } }] };
        const there = documents.find({ _id: keys, ...isCurrent }, { sort: { _id: 1 }, limit, batchSize: limit + 1 });
        return (await there.toArray()).map(recordOf);
      }),
    put: async (key, value, { revision, expires }: NonNullable<Put> = {}) => {
      const mark = new ObjectId();
      const document = {
        _id: key,
        value,
        revision: 0,
        expires: expires === undefined ? null : new Date(expires),
        mark,
      };
      const time = deadline();
      for (let attempt = 0; ; attempt++) {
        const result = await repeated(time, () => put(document, revision));
        if (result !== 'again') return result === 'refused' ? undefined : result;
        await backOff(attempt, time);
      }
    },
    delete: async (key, revision) => {
      const time = deadline();
      const mark = new ObjectId();
      for (let attempt = 0; ; attempt++) {
        const result = await repeated(time, () => remove(key, revision, mark));
        if (result !== 'again') return result;
        await backOff(attempt, time);
      }
    },
  };
};

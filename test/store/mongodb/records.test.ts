import { type Collection, MongoServerError, ObjectId } from 'mongodb';
import { test } from 'tap';
import { deadlineIn } from '../../../src/store/mongodb/deadline.ts';
import { openRecords, type RecordDocument } from '../../../src/store/mongodb/records.ts';

/** What is written is there, and a majority has not got it yet: reads do not show it. */
const lagging = (there: RecordDocument | null) => {
  let commands = 0;
  const counted = async <T>(answer: T): Promise<T> => {
    // Else a loop without a pause would keep this process from ever noticing.
    if (++commands > 1000) throw new Error('far too many attempts');
    return answer;
  };
  const documents = {
    findOne: () => counted(there),
    insertOne: async () => {
      await counted(undefined);
      throw new MongoServerError({ message: 'E11000', code: 11_000 });
    },
    replaceOne: () => counted({ matchedCount: 0 }),
    deleteOne: () => counted({ deletedCount: 0 }),
  };
  return { documents: documents as unknown as Collection<RecordDocument>, count: () => commands };
};

test('a record that others change all the time is tried again with pauses, and only until the deadline', async (t) => {
  const stale = { _id: 'a', value: '1', revision: 1, expires: null, mark: new ObjectId() };
  for (const there of [null, stale]) {
    const { documents, count } = lagging(there);
    const records = openRecords(documents, Date.now, () => deadlineIn(200));
    await t.rejects(records.put('a', '2'), { name: 'FhirError', status: 503 });
    if (there !== null) await t.rejects(records.delete('a'), { name: 'FhirError', status: 503 });
    t.ok(count() < 100, `${count()} commands`);
  }
});

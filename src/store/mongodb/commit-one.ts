/**
 * A single write without a transaction: the version that is current is put into the history, where it may stand already,
 * and then replaced under the condition that it still is the current one. A crash between the two leaves a version that
 * stands in both, with the same content; so does a writer that loses, and nothing more. A create is one insert.
 */
import { isDeepStrictEqual } from 'node:util';
import { ObjectId } from 'mongodb';
import { FhirError } from '../../fhir/fhir-error.ts';
import { RefusedWrite, type Write, type Written } from '../store.ts';
import { type ApplyContext, appliedWrite, type Draft, referenceOfWrite } from './apply-write.ts';
import type { Bodies } from './bodies.ts';
import type { Collections } from './collections.ts';
import { backOff, type Deadline } from './deadline.ts';
import { type IndexFields, type ResourceDocument, type StoredVersion, VERSION_FIELDS } from './document.ts';
import { isDuplicateKey, isTransient, WriteConflict } from './faults.ts';
import { resourceKey, versionKey } from './keys.ts';
import type { RidMaker } from './rid.ts';
import { historyDocument, resourceDocument, textOfKnown } from './stored-documents.ts';

export interface CommitContext {
  readonly collections: Collections;
  readonly bodies: Bodies;
  readonly rids: RidMaker;
  readonly now: () => number;
}

type Known = StoredVersion & { readonly _id: string };

/** An attempt that may have been stored: without its text, which may be long, as there may be many attempts. */
interface Tried {
  readonly written: Written;
  readonly mark: ObjectId;
}

const refusedAt = (error: unknown, position: number): unknown =>
  error instanceof FhirError && error.status < 500 ? new RefusedWrite(error, position) : error;

/** Runs what a write does by itself; a rule that it breaks is refused with its position. */
export const atPosition = async <T>(position: number, action: () => Promise<T>): Promise<T> => {
  try {
    return await action();
  } catch (error) {
    throw refusedAt(error, position);
  }
};

/** Inserts that meet the same document mean another writer, or an attempt of ours whose answer was lost. */
const unlessThere = async (insert: Promise<unknown>, otherwise: () => void): Promise<void> => {
  try {
    await insert;
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
    otherwise();
  }
};

const loses = (): never => {
  throw new WriteConflict('Another writer was faster');
};

export const createSingleCommit = ({ collections, bodies, rids, now }: CommitContext) => {
  const { resources, history } = collections;

  const store = async (draft: Draft, known: Known | undefined): Promise<void> => {
    const document = await resourceDocument(draft, bodies);
    if (known === undefined) return unlessThere(resources.insertOne(document), loses);
    // The same version has the same content, whoever puts it there.
    await unlessThere(history.insertOne(historyDocument(known)), () => undefined);
    const { matchedCount } = await resources.replaceOne({ _id: known._id, version: known.version }, document);
    if (matchedCount === 0) loses();
  };

  /** What an attempt before this one has stored, if it has, although its answer was lost. */
  const storedBefore = async ({ written, mark }: Tried, known: Known | undefined): Promise<boolean> => {
    if (known === undefined) return false;
    if (known.version <= written.version) return known.mark.equals(mark);
    return (await history.findOne({ _id: versionKey(written, written.version), mark })) !== null;
  };

  const find = async (write: Write): Promise<Known | undefined> => {
    const filter = { _id: resourceKey(referenceOfWrite(write)) };
    return (await resources.findOne<Known>(filter, { projection: VERSION_FIELDS })) ?? undefined;
  };

  /** Commits a create, an update or a deletion. */
  return async (write: Write, deadline: Deadline): Promise<Written> => {
    const textOf = textOfKnown(bodies);
    const tried: Tried[] = [];
    for (let attempt = 0; ; attempt++)
      try {
        await rids.ready();
        // What is created is hardly ever there.
        const known = write.kind === 'create' && attempt === 0 ? undefined : await find(write);
        for (const before of tried) if (await storedBefore(before, known)) return before.written;
        const context: ApplyContext = { at: now(), mark: new ObjectId(), nextRid: rids.next, textOf };
        const applied = await atPosition(0, () => appliedWrite(write, known, context));
        if (applied.draft !== undefined) {
          tried.push({ written: applied.written, mark: context.mark });
          await store(applied.draft, known);
        }
        return applied.written;
      } catch (error) {
        if (error instanceof WriteConflict && attempt === 0) continue;
        if (!(error instanceof WriteConflict || isTransient(error))) throw error;
        await backOff(attempt, deadline);
      }
  };
};

const hasKeys = (document: ResourceDocument | undefined, keys: IndexFields): boolean =>
  document !== undefined &&
  (Object.keys(keys) as (keyof IndexFields)[]).every((field) => isDeepStrictEqual(document[field], keys[field]));

/** Commits new index entries of versions that stay: those that are not current any more are passed over. */
export const createIndexCommit = ({ collections: { resources }, bodies, rids, now }: CommitContext) => {
  return async (writes: readonly Write[]): Promise<readonly Written[]> => {
    const ids = writes.map((write) => resourceKey(referenceOfWrite(write)));
    const options = { projection: { body: 0 }, batchSize: ids.length + 1 };
    const found = new Map<string, ResourceDocument>();
    for await (const known of resources.find({ _id: { $in: ids } }, options)) found.set(known._id, known);
    const context: ApplyContext = { at: now(), mark: new ObjectId(), nextRid: rids.next, textOf: textOfKnown(bodies) };
    const applied = await Promise.all(
      writes.map((write, at) => appliedWrite(write, found.get(ids[at] as string), context)),
    );
    const changes = applied.flatMap(({ keys, written: { version } }, at) => {
      const _id = ids[at] as string;
      // What is indexed so already costs no write.
      if (keys === undefined || hasKeys(found.get(_id), keys)) return [];
      return [{ updateOne: { filter: { _id, version }, update: { $set: keys } } }];
    });
    if (changes.length > 0) await resources.bulkWrite(changes, { ordered: false });
    return applied.map(({ written }) => written);
  };
};

/** Everything as it is stored, for a copy into another store, and from one: numbers, versions and times stay. */
import { ObjectId } from 'mongodb';
import { referenceText } from '../../fhir/reference.ts';
import type { NumberedReference, Transfer, Version } from '../store.ts';
import type { Draft } from './apply-write.ts';
import type { Bodies } from './bodies.ts';
import type { Collections } from './collections.ts';
import { type HistoryDocument, indexFields, NO_KEYS, type StoredVersion, VERSION_FIELDS } from './document.ts';
import { fitting } from './fitting.ts';
import { resourceKey, versionKey } from './keys.ts';
import { draftedHistory, resourceDocument } from './stored-documents.ts';

type Restored = Parameters<Transfer['restore']>[0][number];

/** How many superseded versions one command brings. */
const BATCH = 1000;
/** How long numbers are kept, in milliseconds. */
const KEPT = 86_400_000;

const draftOf = ({ rid, entries }: Restored, version: Version): Draft => {
  const { type, id, lastUpdated: updated, isDeleted, action, text, source } = version;
  return {
    ...{ rid, type, id, version: version.version, updated, live: !isDeleted, action, text, size: text.length },
    ...(source === undefined ? {} : { source }),
    mark: new ObjectId(),
    keys: isDeleted ? NO_KEYS : indexFields(type, entries, source),
  };
};

export const openTransfer = (
  { resources, history, locks }: Collections,
  bodies: Bodies,
  now: () => number,
): Transfer => {
  const inOrder = { sort: { rid: 1 }, hint: 'order_1' } as const;

  /** The superseded versions of some resources, by their `_id`. */
  const supersededBy = async <Fields extends keyof StoredVersion>(
    current: readonly Pick<StoredVersion, 'type' | 'id' | 'version'>[],
    fields: Readonly<Record<Fields, 1>>,
  ): Promise<Map<string, Pick<HistoryDocument, Fields | '_id'>>> => {
    const ids = current.flatMap((newest) =>
      Array.from({ length: newest.version - 1 }, (_, at) => versionKey(newest, at + 1)),
    );
    const found = new Map<string, Pick<HistoryDocument, Fields | '_id'>>();
    for (let at = 0; at < ids.length; at += BATCH) {
      const filter = { _id: { $in: ids.slice(at, at + BATCH) } };
      for await (const document of history.find(filter, { batchSize: BATCH + 1, projection: fields }))
        found.set(document._id, document);
    }
    return found;
  };

  /** Those of some superseded versions that are a resource's, oldest first. */
  const olderOf = <T>(
    newest: Pick<StoredVersion, 'type' | 'id' | 'version'>,
    superseded: ReadonlyMap<string, T>,
  ): T[] =>
    Array.from(
      { length: newest.version - 1 },
      (_, at) => superseded.get(versionKey(newest, at + 1)) ?? [],
    ).flat() as T[];

  /** How many of the resources behind `after` have no more than `bytes` of JSON together; one at least. */
  const fittingCount = async (after: number, limit: number, bytes: number): Promise<number> => {
    const options = { ...inOrder, limit, projection: { _id: 0, type: 1, id: 1, version: 1, size: 1 } };
    const current = await resources.find({ rid: { $gt: after } }, options).toArray();
    const superseded = await supersededBy(current, { size: 1 });
    const sizes = current.map((newest) => ({
      size: olderOf(newest, superseded).reduce((sum, { size }) => sum + size, newest.size),
    }));
    return Math.max(1, fitting(sizes, bytes, 1).length);
  };

  /** Throws if a number is another resource's, or a resource has another number. */
  const checkNumbers = async (references: readonly NumberedReference[]): Promise<Map<string, number>> => {
    const numbers = new Map(references.map(({ rid, ...reference }) => [resourceKey(reference), rid]));
    const wanted = [{ rid: { $in: [...numbers.values()] } }, { _id: { $in: [...numbers.keys()] } }];
    const names = new Map(references.map((reference) => [reference.rid, resourceKey(reference)]));
    const versions = new Map<string, number>();
    for (const filter of wanted)
      for await (const { _id, rid, version } of resources.find(filter, { projection: { rid: 1, version: 1 } })) {
        const number = numbers.get(_id) ?? rid;
        if (number !== rid) throw new Error(`${_id} is there already, as number ${rid} and not ${number}`);
        const name = names.get(rid) ?? _id;
        if (name !== _id) throw new Error(`The number ${rid} of ${name} is that of ${_id} already`);
        versions.set(_id, version);
      }
    return versions;
  };

  /** Notes whose numbers they are to be, for a day. New numbers are made of the time that is, and meet none of these. */
  const keepNumbers = async (references: readonly NumberedReference[]): Promise<void> => {
    if (references.length === 0) return;
    const kept = new Map(references.map(({ rid, ...reference }) => [`rid/${rid}`, resourceKey(reference)]));
    const expires = new Date(now() + KEPT);
    const upserts = [...kept].map(([_id, resource]) => ({
      updateOne: { filter: { _id }, update: { $setOnInsert: { count: 0, resource, expires } }, upsert: true },
    }));
    await locks.bulkWrite(upserts, { ordered: false });
    for await (const { _id, resource } of locks.find({ _id: { $in: [...kept.keys()] } }))
      if (resource !== kept.get(_id)) throw new Error(`The number ${_id.slice(4)} is kept for ${resource} already`);
  };

  const restoreOne = async (restored: Restored): Promise<void> => {
    const newest = restored.versions.at(-1);
    if (newest === undefined) return;
    const superseded = restored.versions
      .slice(0, -1)
      .map((version) => draftedHistory(draftOf(restored, version), bodies));
    const documents = await Promise.all(superseded);
    const upserts = documents.map((replacement) => ({
      replaceOne: { filter: { _id: replacement._id }, replacement, upsert: true },
    }));
    if (upserts.length > 0) await history.bulkWrite(upserts, { ordered: false });
    // Last, as by it a copy that was cut off sees what is whole.
    const document = await resourceDocument(draftOf(restored, newest), bodies);
    await resources.replaceOne({ _id: document._id }, document, { upsert: true });
  };

  return {
    histories: async (after, limit, bytes) => {
      const count = bytes === undefined ? limit : await fittingCount(after, limit, bytes);
      const options = { ...inOrder, limit: count, projection: VERSION_FIELDS };
      const current = await resources.find({ rid: { $gt: after } }, options).toArray();
      const superseded = await supersededBy(current, VERSION_FIELDS);
      return Promise.all(
        current.map(async (newest) => {
          const { rid, type, id } = newest;
          return { rid, type, id, versions: await bodies.versionsOf([...olderOf(newest, superseded), newest]) };
        }),
      );
    },
    references: async (after, limit) => {
      const options = { ...inOrder, limit, projection: { rid: 1, type: 1, id: 1 } };
      const current = await resources.find({ rid: { $gt: after } }, options).toArray();
      return current.map(({ rid, type, id }) => ({ rid, type, id }));
    },
    reserve: async (references) => {
      await checkNumbers(references);
      await keepNumbers(references);
    },
    restore: async (histories) => {
      const versions = await checkNumbers(histories);
      for (const restored of histories)
        if (versions.get(referenceText(restored)) !== restored.versions.at(-1)?.version) await restoreOne(restored);
    },
  };
};

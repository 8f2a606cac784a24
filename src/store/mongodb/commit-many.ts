/**
 * Several writes, or writes with conditions, in one transaction: what is there is read at once, all writes are applied
 * in memory, and what they make is written by one command a collection.
 *
 * @see https://www.mongodb.com/docs/manual/core/transactions/
 */
import { type AnyBulkWriteOperation, type ClientSession, ObjectId } from 'mongodb';
import { type Expectation, StaleExpectation, type Store, type Write, type Written } from '../store.ts';
import {
  type Applied,
  type ApplyContext,
  appliedWrite,
  type Draft,
  leadsToNothing,
  referenceOfWrite,
} from './apply-write.ts';
import { atPosition, type CommitContext } from './commit-one.ts';
import type { Deadline } from './deadline.ts';
import {
  type HistoryDocument,
  type IndexFields,
  type ResourceDocument,
  type StoredVersion,
  VERSION_FIELDS,
} from './document.ts';
import { isDuplicateKey, WriteConflict } from './faults.ts';
import { resourceKey, versionKey } from './keys.ts';
import { createTargetLocks, lockOf, takeLocks } from './locks.ts';
import { draftedHistory, historyDocument, resourceDocument, textOfKnown } from './stored-documents.ts';
import { type Attempted, inTransaction } from './transaction.ts';

type Known = StoredVersion & { readonly _id: string };

/** One resource within a commit. */
interface State {
  readonly before: Known | undefined;
  current: Known | Draft | undefined;
  /** Versions that the commit supersedes, the stored one first. */
  readonly superseded: (Known | Draft)[];
  /** New keys of the stored version. */
  keys?: IndexFields;
}

type States = ReadonlyMap<string, State>;

const requiredBy = (write: Write) => ('requires' in write ? (write.requires ?? []) : []);

const change = (state: State, { draft, keys }: Applied): void => {
  if (draft !== undefined) {
    if (state.current !== undefined) state.superseded.push(state.current);
    state.current = draft;
    delete state.keys;
  } else if (keys !== undefined) {
    if (state.current !== undefined && 'text' in state.current) state.current = { ...state.current, keys };
    else state.keys = keys;
  }
};

const applyAll = async (writes: readonly Write[], states: States, context: ApplyContext): Promise<Written[]> => {
  const results: Written[] = [];
  for (const [position, write] of writes.entries())
    await atPosition(position, async () => {
      const state = states.get(resourceKey(referenceOfWrite(write))) as State;
      const applied = await appliedWrite(write, state.current, context);
      change(state, applied);
      results.push(applied.written);
    });
  for (const [position, write] of writes.entries())
    await atPosition(position, async () => {
      for (const target of requiredBy(write))
        if (!states.get(resourceKey(target))?.current?.live) throw leadsToNothing(target);
    });
  return results;
};

/** What is there of all that the writes are about. */
const findStates = async (
  writes: readonly Write[],
  { collections: { resources } }: CommitContext,
  session: ClientSession,
): Promise<States> => {
  const references = writes.flatMap((write) => [referenceOfWrite(write), ...requiredBy(write)]);
  const ids = [...new Set(references.map(resourceKey))];
  const options = { session, projection: VERSION_FIELDS, batchSize: ids.length + 1 };
  const found = await resources.find<Known>({ _id: { $in: ids } }, options).toArray();
  const known = new Map(found.map((document) => [document._id, document]));
  return new Map(
    ids.map((id) => {
      const before = known.get(id);
      return [id, { before, current: before, superseded: [] }];
    }),
  );
};

const resourceChange = async (
  { before, current, keys }: State,
  { bodies }: CommitContext,
): Promise<AnyBulkWriteOperation<ResourceDocument>[]> => {
  if (current !== undefined && 'text' in current) {
    const document = await resourceDocument(current, bodies);
    if (before === undefined) return [{ insertOne: { document } }];
    return [{ replaceOne: { filter: { _id: before._id, version: before.version }, replacement: document } }];
  }
  if (before === undefined || keys === undefined) return [];
  return [{ updateOne: { filter: { _id: before._id, version: before.version }, update: { $set: keys } } }];
};

const store = async (states: States, context: CommitContext, session: ClientSession): Promise<void> => {
  const { bodies, collections } = context;
  const superseded: HistoryDocument[] = [];
  const changes: AnyBulkWriteOperation<ResourceDocument>[] = [];
  for (const state of states.values()) {
    for (const version of state.superseded)
      superseded.push('text' in version ? await draftedHistory(version, bodies) : historyDocument(version));
    changes.push(...(await resourceChange(state, context)));
  }
  // A single write that lost, or was cut off, may have left the same version there.
  const upserts = superseded.map((replacement) => ({
    replaceOne: { filter: { _id: replacement._id }, replacement, upsert: true },
  }));
  if (upserts.length > 0) await collections.history.bulkWrite(upserts, { session, ordered: false });
  if (changes.length === 0) return;
  const result = await collections.resources.bulkWrite(changes, { session, ordered: false });
  if (result.insertedCount + result.matchedCount !== changes.length) throw new WriteConflict('A version has gone by');
};

/** Throws StaleExpectation if a condition finds something else than it did. */
export const checkExpected = async (expected: readonly Expectation[], findEach: Store['findEach']): Promise<void> => {
  const results = await findEach(expected.map(({ query, found }) => ({ ...query, count: found.length + 1 })));
  for (const [at, { found }] of expected.entries()) {
    const items = results[at] ?? [];
    const keys = new Set(found.map(resourceKey));
    if (items.length !== found.length || !items.every((item) => keys.has(resourceKey(item))))
      throw new StaleExpectation('A condition does not hold any more');
  }
};

/** The results of the attempt that was committed, although its answer was lost, if one was. */
const committedBefore = async (
  attempts: readonly Attempted[],
  states: States,
  { collections: { history } }: CommitContext,
  session: ClientSession,
): Promise<readonly Written[] | undefined> => {
  for (const { mark, results } of attempts) {
    const made = results.find(({ outcome }) => outcome !== 'unchanged');
    if (made === undefined) continue;
    if (states.get(resourceKey(made))?.before?.mark.equals(mark)) return results;
    const filter = { _id: versionKey(made, made.version), mark };
    if ((await history.findOne(filter, { session, projection: { _id: 1 } })) !== null) return results;
  }
  return undefined;
};

type TargetLocks = ReturnType<typeof createTargetLocks>;

const lockNames = (writes: readonly Write[], expected: readonly Expectation[], targets: TargetLocks): string[] => {
  // What the commit writes itself is its own by that.
  const written = new Set(writes.map((write) => resourceKey(referenceOfWrite(write))));
  const required = new Map(writes.flatMap(requiredBy).map((target) => [resourceKey(target), target]));
  const relied = [...required].filter(([key]) => !written.has(key)).map(([, target]) => targets.relying(target));
  const deleted = writes.filter(({ kind }) => kind === 'delete' && expected.length > 0).map(referenceOfWrite);
  return [...expected.map(lockOf), ...relied, ...deleted.flatMap(targets.deleting)];
};

/** The keys of the gate: what commits of one instance should not attempt side by side. */
export const gateKeys = (writes: readonly Write[], expected: readonly Expectation[]): string[] => [
  ...writes.map((write) => resourceKey(referenceOfWrite(write))),
  ...expected.map(lockOf),
];

/** @param findEachIn searches within a transaction. */
export const createTransactionCommit = (
  context: CommitContext,
  findEachIn: (session: ClientSession) => Store['findEach'],
) => {
  const { collections, bodies, rids, now } = context;
  const targetLocks = createTargetLocks();
  return (
    writes: readonly Write[],
    expected: readonly Expectation[],
    deadline: Deadline,
  ): Promise<readonly Written[]> =>
    inTransaction(collections.client, deadline, async (session, attempts) => {
      await rids.ready();
      const mark = new ObjectId();
      await takeLocks(collections.locks, lockNames(writes, expected, targetLocks), now(), session);
      const states = await findStates(writes, context, session);
      const before = await committedBefore(attempts, states, context, session);
      if (before !== undefined) return { mark, results: before, isDone: true };
      await checkExpected(expected, findEachIn(session));
      const applying = { at: now(), mark, nextRid: rids.next, textOf: textOfKnown(bodies) };
      const results = await applyAll(writes, states, applying);
      try {
        await store(states, context, session);
      } catch (error) {
        throw isDuplicateKey(error) ? new WriteConflict('Another writer was faster') : error;
      }
      return { mark, results, isDone: false };
    });
};

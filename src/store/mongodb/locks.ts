/**
 * Locks by which parallel transactions meet: each writes the document of a lock before it looks, and of two that do, one
 * fails with a write conflict and begins anew. So a condition that found nothing holds until the commit that relies on
 * it is made, although nothing is there that both would write.
 */
import { hash } from 'node:crypto';
import type { ClientSession, Collection } from 'mongodb';
import type { Reference } from '../../fhir/reference.ts';
import type { Clause, SearchQuery } from '../../search/search-query.ts';
import type { Expectation } from '../store.ts';
import type { LockDocument } from './collections.ts';
import { isDuplicateKey, WriteConflict } from './faults.ts';
import { resourceKey } from './keys.ts';

/** Locks are removed so long after their last use, in milliseconds. */
const KEPT = 86_400_000;

/** The same text whatever the order of clauses, of values and of members. */
const normalText = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(normalText).sort().join(',')}]`;
  if (typeof value !== 'object' || value === null)
    return typeof value === 'number' ? String(value) : JSON.stringify(value);
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return `{${members
    .map(([key, member]) => `${key}:${normalText(member)}`)
    .sort()
    .join(',')}}`;
};

const criteriaText = ({ searches }: SearchQuery): string =>
  normalText(searches.map(({ type, clauses }: { type: string; clauses: readonly Clause[] }) => ({ type, clauses })));

/** The lock of a condition: a hash of type and criteria. */
export const lockOf = ({ query, asked = query }: Expectation): string =>
  hash('sha256', criteriaText(asked), 'base64url');

/** How many transactions may rely on one resource at once without spoiling each other. */
const SLOTS = 16;

const slotOf = (target: Reference, slot: number): string => `${resourceKey(target)}#${slot}`;

/**
 * Two transactions must not meet of which one makes a reference that requires its target, and the other deletes the
 * target because nothing refers to it: neither sees what the other writes. So the former takes one lock of the target,
 * and the latter all of them.
 */
export const createTargetLocks = () => {
  let next = Math.floor(Math.random() * SLOTS);
  return {
    /** What to take in order to rely on a target. */
    relying: (target: Reference): string => slotOf(target, next++ % SLOTS),
    /** What to take in order to delete a target that nobody relies on. */
    deleting: (target: Reference): string[] => Array.from({ length: SLOTS }, (_, slot) => slotOf(target, slot)),
  };
};

/** Writes the documents of locks in a transaction, in the same order everywhere. One command. */
export const takeLocks = async (
  locks: Collection<LockDocument>,
  names: readonly string[],
  now: number,
  session: ClientSession,
): Promise<void> => {
  if (names.length === 0) return;
  const update = { $inc: { count: 1 }, $set: { expires: new Date(now + KEPT) } };
  const sorted = [...new Set(names)].sort();
  const upserts = sorted.map((_id) => ({ updateOne: { filter: { _id }, update, upsert: true } }));
  try {
    await locks.bulkWrite(upserts, { session, ordered: true });
  } catch (error) {
    // Two upserts of a document that is not there: the database may call that a duplicate key.
    throw isDuplicateKey(error) ? new WriteConflict('Another transaction has taken the lock') : error;
  }
};

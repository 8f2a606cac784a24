/**
 * Lock-out with back-off: after some wrong attempts each further one must wait twice as long as the one before. It counts
 * for names, whether or not somebody has them, so that it does not tell who is here; and it is kept in records, so that
 * it holds on every instance. An attempt counts before it is tried: of many at once only so many are tried.
 */
import type { Records } from '../../store/store.ts';
import { hashOf } from '../tokens/opaque-token.ts';
import { changedRecord } from './changed-record.ts';

interface Attempts {
  readonly count: number;
  /** Milliseconds since 1970 UTC. */
  readonly lockedUntil: number;
}

export interface LockOutLimits {
  /** How many attempts are free. */
  readonly signInAttempts: number;
  /** The first wait, which then doubles. */
  readonly signInLockMilliseconds: number;
}

export interface LockOut {
  /** Counts an attempt. Answers how many milliseconds are to be waited before it may be tried; 0: now. */
  attempt(name: string): Promise<number>;
  /** The attempt was right: the count begins anew. */
  succeed(name: string): Promise<void>;
}

/** Nobody is locked out for longer, so that an attacker cannot keep a person out for good. */
const LONGEST_LOCK_MILLISECONDS = 3_600_000;

/** So long after the last attempt they are forgotten. */
const MEMORY_MILLISECONDS = 24 * 3_600_000;

/** `scope`: what is attempted, such as a password or a second factor. */
export const createLockOut = (
  records: Records,
  now: () => number,
  scope: string,
  { signInAttempts, signInLockMilliseconds }: LockOutLimits,
): LockOut => {
  // The names of records have a length; the hash of a name has always the same.
  const keyOf = (name: string): string => `lock-out/${hashOf(`${scope} ${name}`)}`;
  const lockOf = (count: number): number =>
    count < signInAttempts
      ? 0
      : Math.min(signInLockMilliseconds * 2 ** Math.min(count - signInAttempts, 30), LONGEST_LOCK_MILLISECONDS);
  return {
    attempt: async (name) => {
      const at = now();
      const before = await changedRecord<Attempts>(records, keyOf(name), (attempts) => {
        if (attempts !== undefined && attempts.lockedUntil > at) return undefined;
        const count = (attempts?.count ?? 0) + 1;
        return { value: { count, lockedUntil: at + lockOf(count) }, expires: at + MEMORY_MILLISECONDS };
      });
      return Math.max(0, (before?.lockedUntil ?? 0) - at);
    },
    succeed: async (name) => {
      await records.delete(keyOf(name));
    },
  };
};

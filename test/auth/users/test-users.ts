/** People on a store of their own, with a clock that the test moves. */
import type { Test } from 'tap';
import { createPeople, type People } from '../../../src/auth/users/people.ts';
import type { OpenSession } from '../../../src/auth/users/sessions.ts';
import type { Records } from '../../../src/store/store.ts';
import { openTemporaryStore } from '../../store/sqlite/temporary-store.ts';

export const PASSWORD = 'correct horse battery';

const LIMITS = {
  signInThreads: 2,
  signInAttempts: 5,
  signInLockMilliseconds: 60_000,
  sessionIdleMilliseconds: 30 * 60_000,
  sessionMilliseconds: 12 * 3_600_000,
};

export interface TestPeople {
  readonly people: People;
  readonly records: Records;
  /** Moves the clock. */
  pass(milliseconds: number): void;
  /** The same records, as another instance sees them. */
  another(): People;
}

export const startPeople = async (t: Test): Promise<TestPeople> => {
  const { records } = await openTemporaryStore(t);
  // The store has its own clock, by which records expire: ours begins with it.
  let at = Date.now();
  const parts = {
    records,
    limits: LIMITS,
    key: Buffer.alloc(32, 7),
    now: () => at,
    isThere: async (reference: string) => !reference.endsWith('/nobody'),
  };
  return {
    people: createPeople(parts),
    records,
    pass: (milliseconds) => {
      at += milliseconds;
    },
    another: () => createPeople(parts),
  };
};

/** The session of a cookie; fails if there is none. */
export const sessionOf = async (people: People, cookie: string): Promise<OpenSession> => {
  const session = await people.sessions.open(cookie);
  if (session === undefined) throw new Error('There is no such session');
  return session;
};

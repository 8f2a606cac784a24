/** All that the pages of people use, put together in `app.ts`; the functions beside it get it as their first argument. */
import { createHmac } from 'node:crypto';
import type { Records } from '../../store/store.ts';
import { createForms, type Forms } from './forms.ts';
import { createLockOut, type LockOut, type LockOutLimits } from './lock-out.ts';
import { createPasswords, type Passwords } from './passwords.ts';
import { createSeal, type Seal } from './sealed.ts';
import { createSessions, type SessionLimits, type Sessions } from './sessions.ts';
import { createUsers, type Users } from './users.ts';

export interface PeopleLimits extends LockOutLimits, SessionLimits {
  /** How many passwords are hashed at the same time. */
  readonly signInThreads: number;
}

export interface People {
  readonly users: Users;
  readonly passwords: Passwords;
  readonly sessions: Sessions;
  readonly forms: Forms;
  /** For secrets of second factors. */
  readonly seal: Seal;
  readonly passwordLock: LockOut;
  readonly factorLock: LockOut;
  /** Milliseconds since 1970 UTC. */
  now(): number;
}

export interface PeopleParts {
  readonly records: Records;
  readonly limits: PeopleLimits;
  /** 32 bytes, for tokens in forms and for secrets of second factors. */
  readonly key: Buffer;
  now(): number;
  /** Whether a resource (`Practitioner/[id]`) is there. */
  isThere(reference: string): Promise<boolean>;
  /** Called with the key of a user's record that was changed. */
  changed?(key: string): void;
}

const keyFor = (key: Buffer, purpose: string): Buffer => createHmac('sha256', key).update(purpose).digest();

export const createPeople = ({ records, limits, key, now, isThere, changed }: PeopleParts): People => {
  const passwords = createPasswords(limits.signInThreads);
  const users = createUsers({ records, passwords, now, isThere, ...(changed === undefined ? {} : { changed }) });
  return {
    users,
    passwords,
    sessions: createSessions(records, now, users.find, limits),
    forms: createForms(keyFor(key, 'forms')),
    seal: createSeal(keyFor(key, 'second factors')),
    passwordLock: createLockOut(records, now, 'password', limits),
    factorLock: createLockOut(records, now, 'second factor', limits),
    now,
  };
};

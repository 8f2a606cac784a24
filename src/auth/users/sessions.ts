/**
 * Sessions of people in browsers. The cookie has 256 random bits, and only their hash is kept. A session gets a new
 * cookie whenever what it may do changes, so that one that was planted in a browser is worth nothing.
 *
 * @see https://pages.nist.gov/800-63-4/sp800-63b.html#sec5
 */
import type { Records } from '../../store/store.ts';
import { hashOf, newSecret } from '../tokens/opaque-token.ts';
import type { User } from './user.ts';

export interface Session {
  readonly userId: string;
  /** Random; stays when the cookie changes, and when the same user signs in again. Forms are bound to it. */
  readonly family: string;
  /** `password`: the second factor is missing, and the session opens nothing but its page. */
  readonly stage: 'password' | 'full';
  /** When the user last gave the credentials, in milliseconds since 1970 UTC. */
  readonly authenticated: number;
  /** When the session began, likewise. */
  readonly started: number;
  /** When it was last used, about; likewise. */
  readonly used: number;
  /** The secret of a second factor that is being enrolled, sealed. */
  readonly newFactor?: string | undefined;
  /** The provider through which the user signed in. */
  readonly provider?: string;
}

/** A session that is there, and its user. */
export interface OpenSession extends Session {
  /** The value of the cookie. */
  readonly cookie: string;
  readonly user: User;
}

export interface SessionLimits {
  /** A session that is not used ends after that. */
  readonly sessionIdleMilliseconds: number;
  /** Every session ends after that. */
  readonly sessionMilliseconds: number;
}

export interface Sessions {
  /** Undefined without a session that is still good, of a user who is still there. */
  open(cookie: string | undefined): Promise<OpenSession | undefined>;
  /**
   * Begins a session in the place of `before`, if there is one. `started`: when the credentials were read, so that those
   * which were changed since open nothing; now, if absent. Answers the cookie's value.
   */
  begin(
    session: Pick<Session, 'userId' | 'stage' | 'provider'> & { readonly started?: number },
    before?: OpenSession,
  ): Promise<string>;
  /** The same session under a new cookie, with changes. Answers the cookie's value. */
  renew(before: OpenSession, changes: Partial<Session>): Promise<string>;
  /** Changes a session under its cookie. */
  change(session: OpenSession, changes: Partial<Session>): Promise<void>;
  end(session: OpenSession): Promise<void>;
}

/** Between password and second factor there is so much time. */
const HALF_WAY_MILLISECONDS = 600_000;

/** A session's use is noted at most so often. */
const NOTED_MILLISECONDS = 60_000;

const COOKIE = /^[A-Za-z0-9_-]{43}$/;

/**
 * The record that is there as long as the session of this browser and user lasts, also when its cookie changes: what is
 * granted with `online_access` ends with it.
 */
export const onlineKey = ({ family }: Pick<Session, 'family'>): string => `online/${hashOf(family)}`;

const keyOf = (cookie: string): string => `session/${hashOf(cookie)}`;

const content = (session: Session): Session => {
  const { userId, family, stage, authenticated, started, used, newFactor, provider } = session;
  return {
    ...{ userId, family, stage, authenticated, started, used },
    ...(newFactor === undefined ? {} : { newFactor }),
    ...(provider === undefined ? {} : { provider }),
  };
};

export const createSessions = (
  records: Records,
  now: () => number,
  findUser: (id: string) => Promise<User | undefined>,
  limits: SessionLimits,
): Sessions => {
  const endOf = ({ stage, started, used }: Session): number =>
    stage === 'password'
      ? started + HALF_WAY_MILLISECONDS
      : Math.min(started + limits.sessionMilliseconds, used + limits.sessionIdleMilliseconds);

  const write = async (cookie: string, session: Session, revision: number): Promise<void> => {
    const expires = endOf(session);
    const isWritten = await records.put(keyOf(cookie), JSON.stringify(content(session)), { revision, expires });
    if (isWritten !== undefined && session.stage === 'full') await records.put(onlineKey(session), '{}', { expires });
  };

  const replaced = async (session: Session, before: OpenSession | undefined): Promise<string> => {
    const cookie = newSecret();
    await write(cookie, session, 0);
    if (before !== undefined) await records.delete(keyOf(before.cookie));
    if (before !== undefined && before.family !== session.family) await records.delete(onlineKey(before));
    return cookie;
  };

  const change = async (cookie: string, changes: Partial<Session>): Promise<void> => {
    const record = await records.get(keyOf(cookie));
    if (record === undefined) return;
    // If another request has changed it, or ended it, that counts.
    await write(cookie, { ...(JSON.parse(record.value) as Session), ...changes }, record.revision);
  };

  return {
    open: async (cookie) => {
      if (cookie === undefined || !COOKIE.test(cookie)) return undefined;
      const record = await records.get(keyOf(cookie));
      if (record === undefined) return undefined;
      const session = JSON.parse(record.value) as Session;
      const user = await findUser(session.userId);
      if (endOf(session) <= now()) return undefined;
      if (user === undefined || user.isDisabled || session.started < user.validFrom) return undefined;
      if (now() - session.used > NOTED_MILLISECONDS) await change(cookie, { used: now() });
      return { ...session, cookie, user };
    },
    begin: ({ userId, stage, provider, started: at = now() }, before) => {
      const isSame = before !== undefined && before.userId === userId;
      const times = { authenticated: at, started: at, used: at };
      const family = isSame ? before.family : newSecret();
      const session = { userId, family, stage, ...times, ...(provider === undefined ? {} : { provider }) };
      return replaced(session, before);
    },
    renew: (before, changes) => replaced({ ...before, used: now(), ...changes }, before),
    change: (session, changes) => change(session.cookie, changes),
    end: async (session) => {
      await records.delete(keyOf(session.cookie));
      await records.delete(onlineKey(session));
    },
  };
};

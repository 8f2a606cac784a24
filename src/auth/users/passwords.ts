/**
 * Passwords, hashed with argon2id. A hash takes tens of milliseconds and 19 MiB; it is made off the main thread, and only
 * some at once, so that sign-ins do not block other requests.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9106
 * @see https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#argon2id
 */
import { argon2, randomBytes, timingSafeEqual } from 'node:crypto';
import { OAuthError } from '../oauth-error.ts';

/** A password as it is kept; salt and hash in base64url. */
export interface PasswordHash {
  readonly algorithm: 'argon2id';
  readonly memoryKibibytes: number;
  readonly passes: number;
  readonly parallelism: number;
  readonly salt: string;
  readonly hash: string;
}

export interface Passwords {
  hashed(password: string): Promise<PasswordHash>;
  /** Whether it is the password of the hash. Without a hash (unknown user) it takes as long, and is false. */
  isRight(password: string, stored: PasswordHash | undefined): Promise<boolean>;
}

/** OWASP's first recommendation. */
const MEMORY_KIBIBYTES = 19_456;
const PASSES = 2;
const PARALLELISM = 1;
const HASH_BYTES = 32;
const SALT_BYTES = 16;

/** More sign-ins than that do not wait for their turn. */
const WAITING = 200;

/** Longer and shorter ones are refused. NIST SP 800-63B asks for 8 at least, and for 64 at least to be allowed. */
export const SHORTEST_PASSWORD = 8;
export const LONGEST_PASSWORD = 200;

/** As people type it on different keyboards, it is one text (NIST SP 800-63B, section 3.1.1.2). */
const normalized = (password: string): string => password.normalize('NFKC');

/** Why a password cannot be chosen; undefined if it can. Codes, as pages speak several languages. */
export type PasswordProblem = 'too-short' | 'too-long' | 'too-simple';

const FEWEST_DIFFERENT_CHARACTERS = 5;

/** `login`: as it is kept. A password may contain it, and anything else that people remember, but not be it. */
export const passwordProblem = (password: string, login: string): PasswordProblem | undefined => {
  const characters = [...normalized(password)];
  if (characters.length < SHORTEST_PASSWORD) return 'too-short';
  if (characters.length > LONGEST_PASSWORD) return 'too-long';
  const folded = normalized(password).toLowerCase();
  return folded === login || new Set(folded).size < FEWEST_DIFFERENT_CHARACTERS ? 'too-simple' : undefined;
};

const derived = (password: string, salt: Buffer, { memoryKibibytes, passes, parallelism }: Costs): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const parameters = { memory: memoryKibibytes, passes, parallelism, tagLength: HASH_BYTES };
    argon2('argon2id', { ...parameters, message: normalized(password), nonce: salt }, (error, key) =>
      error === null ? resolve(key) : reject(error),
    );
  });

type Costs = Pick<PasswordHash, 'memoryKibibytes' | 'passes' | 'parallelism'>;

const COSTS: Costs = { memoryKibibytes: MEMORY_KIBIBYTES, passes: PASSES, parallelism: PARALLELISM };

/** Lets `atOnce` run, and the others wait in line. */
const createTurns = (atOnce: number) => {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (running >= atOnce) {
      if (waiting.length >= WAITING)
        throw new OAuthError(503, 'temporarily_unavailable', 'Too many people sign in just now', {
          'retry-after': '5',
        });
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else running++;
    try {
      return await work();
    } finally {
      // The turn goes to the next in line, or is free again.
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  };
};

/** What an unknown user's password is compared with. */
const NOBODY: PasswordHash = {
  ...COSTS,
  algorithm: 'argon2id',
  salt: randomBytes(SALT_BYTES).toString('base64url'),
  hash: randomBytes(HASH_BYTES).toString('base64url'),
};

/** `atOnce`: how many hashes are made at the same time. Each takes a thread of the process's pool, which has four. */
export const createPasswords = (atOnce: number): Passwords => {
  const inTurn = createTurns(atOnce);
  return {
    hashed: async (password) => {
      const salt = randomBytes(SALT_BYTES);
      const hash = await inTurn(() => derived(password, salt, COSTS));
      return { algorithm: 'argon2id', ...COSTS, salt: salt.toString('base64url'), hash: hash.toString('base64url') };
    },
    isRight: async (password, stored = NOBODY) => {
      if (password.length > LONGEST_PASSWORD * 2) return false;
      const hash = await inTurn(() => derived(password, Buffer.from(stored.salt, 'base64url'), stored));
      return timingSafeEqual(hash, Buffer.from(stored.hash, 'base64url'));
    },
  };
};

/**
 * The keys that sign our own JWTs. All instances on a store share them: they lie in one record, encrypted, and whoever
 * changes it says which revision it has seen. A new key is published for a while before it signs, so that nobody meets a
 * signature of a key that is not in the set yet; an old one stays published until what it signed is over.
 *
 * @see https://openid.net/specs/openid-connect-core-1_0.html#RotateSigKeys
 */
import { generateKeyPair, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import type { Records } from '../../store/store.ts';
import { createSeal } from '../users/sealed.ts';
import { type Claims, isSigned, type PublicJwk, readJwt, signedJwt } from './jws.ts';

/** What an OpenID provider must offer, and what all clients know. */
export const SIGNING_ALGORITHM = 'RS256';

const RSA_BITS = 2048;
const RECORD = 'keys/signing';

const SECOND = 1000;
const DAY = 86_400 * SECOND;
/** How long an instance goes on with the keys that it has read. */
const FRESH_MILLISECONDS = 5 * SECOND;
/** From its making to its first signature: longer than any instance takes to see it, and any cache keeps the set. */
const AHEAD_MILLISECONDS = 600 * SECOND;
/** Longer than anything lives that was signed before another key took over. */
const RETIRED_MILLISECONDS = DAY;

interface SigningKey {
  /** A private JWK with `kid`, `alg` and `use`. */
  readonly jwk: PublicJwk & { readonly kid: string };
  /** Milliseconds since 1970 UTC, from which on it signs. */
  readonly from: number;
}

/** The stored form. */
interface Sealed {
  readonly sealed: string;
}

export interface SigningKeys {
  /** A JWT with these claims. */
  sign(claims: Claims): Promise<string>;
  /** The claims of a JWT that one of our keys has signed, whether it has expired or not; undefined for any other text. */
  verify(jwt: string): Promise<Claims | undefined>;
  /** The public halves. */
  jwks(): Promise<{ readonly keys: readonly PublicJwk[] }>;
  /** Makes a new key, which takes over ten minutes later; answers its `kid`. */
  rotate(): Promise<string>;
}

export interface SigningKeysOptions {
  readonly records: Records;
  /** 32 bytes. */
  readonly key: Buffer;
  /** After how many days a key is followed by a new one. */
  readonly days: number;
  now(): number;
}

const newSigningKey = async (from: number): Promise<SigningKey> => {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: RSA_BITS });
  const kid = randomBytes(12).toString('base64url');
  return {
    jwk: { ...(privateKey.export({ format: 'jwk' }) as PublicJwk), kid, alg: SIGNING_ALGORITHM, use: 'sig' },
    from,
  };
};

/** Of an RSA key all but these members is private. */
const publicHalf = (jwk: PublicJwk): PublicJwk => {
  const { kty, kid, alg, use, n, e } = jwk as PublicJwk & Record<string, string>;
  return { kty, kid, alg, use, n, e } as PublicJwk;
};

/** Those that sign now or later, and those whose signatures may still be met. Oldest first. */
const withoutRetired = (keys: readonly SigningKey[], now: number): readonly SigningKey[] =>
  keys.filter((_, index) => {
    const next = keys[index + 1];
    return next === undefined || next.from + RETIRED_MILLISECONDS > now;
  });

/** The newest that may sign already. */
const signing = (keys: readonly SigningKey[], now: number): SigningKey =>
  keys.findLast(({ from }) => from <= now) ?? (keys[0] as SigningKey);

export const createSigningKeys = ({ records, key, days, now }: SigningKeysOptions): SigningKeys => {
  const seal = createSeal(key);
  let remembered: { readonly keys: Promise<readonly SigningKey[]>; readonly until: number } | undefined;

  /** Adds a key to what is stored; of two instances that want to one comes first, and the other looks again. */
  const added = async (isWanted: (keys: readonly SigningKey[]) => boolean): Promise<readonly SigningKey[]> => {
    for (;;) {
      const record = await records.get(RECORD);
      const there =
        record === undefined
          ? []
          : (JSON.parse(seal.opened((JSON.parse(record.value) as Sealed).sealed, RECORD)) as SigningKey[]);
      if (!isWanted(there)) return there;
      const fresh = await newSigningKey(there.length === 0 ? now() : now() + AHEAD_MILLISECONDS);
      const keys = [...withoutRetired(there, now()), fresh];
      const value = JSON.stringify({ sealed: seal.sealed(JSON.stringify(keys), RECORD) } satisfies Sealed);
      if ((await records.put(RECORD, value, { revision: record?.revision ?? 0 })) !== undefined) return keys;
    }
  };

  const isDue = (keys: readonly SigningKey[]): boolean => {
    const newest = keys.at(-1);
    return newest === undefined || newest.from + days * DAY <= now();
  };

  const load = (): Promise<readonly SigningKey[]> => {
    if (remembered !== undefined && remembered.until > now()) return remembered.keys;
    const keys = added(isDue);
    const entry = { keys, until: now() + FRESH_MILLISECONDS };
    remembered = entry;
    keys.catch(() => {
      if (remembered === entry) remembered = undefined;
    });
    return keys;
  };

  const published = async (): Promise<readonly PublicJwk[]> =>
    withoutRetired(await load(), now()).map(({ jwk }) => jwk);

  return {
    sign: async (claims) => signedJwt(claims, signing(await load(), now()).jwk),
    verify: async (text) => {
      const jwt = readJwt(text, [SIGNING_ALGORITHM]);
      if (typeof jwt === 'string') return undefined;
      return (await isSigned(jwt, await published())) ? jwt.claims : undefined;
    },
    jwks: async () => ({ keys: (await published()).map(publicHalf) }),
    rotate: async () => {
      const before = new Set((await load()).map(({ jwk }) => jwk.kid));
      const keys = await added((there) => there.every(({ jwk }) => before.has(jwk.kid)));
      remembered = undefined;
      return keys.at(-1)?.jwk.kid ?? '';
    },
  };
};

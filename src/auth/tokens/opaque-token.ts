/** Tokens that say nothing to who holds them: `[grant id].[secret]`. */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto';

const SECRET_BYTES = 32;
const ID_BYTES = 16;

const TOKEN = /^([A-Za-z0-9_-]{22})\.[A-Za-z0-9_-]{43}$/;

export const newId = (): string => randomBytes(ID_BYTES).toString('base64url');

/** 256 random bits. */
export const newSecret = (): string => randomBytes(SECRET_BYTES).toString('base64url');

export const newToken = (grantId: string): string => `${grantId}.${newSecret()}`;

/** The grant that a token names, or undefined if the text has not the form of a token. */
export const grantIdOf = (token: string): string | undefined => TOKEN.exec(token)?.[1];

/** SHA-256, base64url: what is kept of a secret. 256 random bits need no slow hash. */
export const hashOf = (secret: string): string => hash('sha256', secret, 'base64url');

/** Compares two hashes in a time that does not depend on where they differ. */
export const isSameHash = (one: string, other: string): boolean => {
  const [first, second] = [Buffer.from(one), Buffer.from(other)];
  return first.length === second.length && timingSafeEqual(first, second);
};

/**
 * Page links carry where the page before ended. That is encrypted, as sort keys are names and dates of patients, and
 * authenticated, so that a changed link is refused and never guessed.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { invalid } from '../fhir/fhir-error.ts';
import type { PageKey } from './search-query.ts';

export interface PageTokens {
  /** `scope` is all that must be the same on the next page, such as the path and the parameters. */
  write(key: PageKey, scope: string): string;
  /** Throws a FhirError 400 if the token was not made for this scope. */
  read(token: string, scope: string): PageKey;
}

const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** `secret` are 32 bytes, the same wherever a token is to be read, and known to the server alone. */
export const createPageTokens = (secret: Buffer): PageTokens => ({
  write: (key, scope) => {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, secret, nonce).setAAD(Buffer.from(scope));
    const text = Buffer.concat([cipher.update(JSON.stringify(key)), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), text]).toString('base64url');
  },
  read: (token, scope) => {
    const bytes = Buffer.from(token, 'base64url');
    const nonce = bytes.subarray(0, NONCE_BYTES);
    const tag = bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES);
    try {
      // Decoding passes over characters that stand for no whole byte.
      if (bytes.toString('base64url') !== token) throw new Error('Not as it was written');
      const decipher = createDecipheriv(CIPHER, secret, nonce).setAAD(Buffer.from(scope)).setAuthTag(tag);
      const text = Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]);
      return JSON.parse(text.toString()) as PageKey;
    } catch {
      throw invalid('_page: this page link was changed, or is of another search; start again without _page');
    }
  },
});

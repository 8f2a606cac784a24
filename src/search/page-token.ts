/**
 * Page links carry where the pages of a search begin: the one that they lead to, and those before it, for the way back.
 * That is encrypted, as sort keys are names and dates of patients, and authenticated, so that a changed link is refused
 * and never guessed.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { invalid } from '../fhir/fhir-error.ts';
import type { PageKey } from './search-query.ts';

/** Where pages begin, up to the one in question: null for the first page, else the key that the page continues after. */
export type PageTrail = readonly (PageKey | null)[];

export interface PageTokens {
  /**
   * `scope` is all that must be the same on the next page, such as the path and the parameters. Of a trail that would
   * make a token of more than `TOKEN_CHARACTERS`, the oldest pages are left out; the last one never is.
   */
  write(trail: PageTrail, scope: string): string;
  /** Throws a FhirError 400 if the token was not made for this scope. */
  read(token: string, scope: string): PageTrail;
}

/** Urls of about 2,000 characters pass everywhere, and the parameters of the search need some of them. */
export const TOKEN_CHARACTERS = 1200;

const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** What fits into a token, as four characters stand for three bytes. */
const TRAIL_BYTES = Math.floor((TOKEN_CHARACTERS * 3) / 4) - NONCE_BYTES - TAG_BYTES;

/** Without the host: servers that share a store take each other's pages, whatever they are called. */
const scopeBytes = (scope: string): Buffer => Buffer.from(scope.replace(/^https?:\/\/[^/]*/, ''));

/** The trail as JSON, without the oldest pages if they do not fit. */
const trailText = (trail: PageTrail): string => {
  const kept: string[] = [];
  let bytes = 1;
  for (const start of trail.toReversed()) {
    const text = JSON.stringify(start);
    bytes += Buffer.byteLength(text) + 1;
    if (kept.length > 0 && bytes > TRAIL_BYTES) break;
    kept.unshift(text);
  }
  return `[${kept.join(',')}]`;
};

/** `secret` are 32 bytes, the same wherever a token is to be read, and known to the server alone. */
export const createPageTokens = (secret: Buffer): PageTokens => ({
  write: (trail, scope) => {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, secret, nonce).setAAD(scopeBytes(scope));
    const text = Buffer.concat([cipher.update(trailText(trail)), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), text]).toString('base64url');
  },
  read: (token, scope) => {
    const bytes = Buffer.from(token, 'base64url');
    const nonce = bytes.subarray(0, NONCE_BYTES);
    const tag = bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES);
    try {
      // Decoding passes over characters that stand for no whole byte.
      if (bytes.toString('base64url') !== token) throw new Error('Not as it was written');
      const decipher = createDecipheriv(CIPHER, secret, nonce).setAAD(scopeBytes(scope)).setAuthTag(tag);
      const text = Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]);
      return JSON.parse(text.toString()) as PageTrail;
    } catch {
      throw invalid('_page: this page link was changed, or is of another search; start again without _page');
    }
  },
});

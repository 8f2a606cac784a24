/**
 * Tokens in forms, against requests that another site makes in a person's browser (CSRF). They are bound to the session,
 * and before there is one, to a cookie of the browser.
 *
 * @see https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
 */
import { createHmac } from 'node:crypto';
import { isSameHash } from '../tokens/opaque-token.ts';

export interface Forms {
  /** `binding`: what another site cannot know: the session's family, or the browser's cookie. */
  token(binding: string): string;
  isToken(token: string | undefined, binding: string): boolean;
}

/** `key`: 32 bytes. */
export const createForms = (key: Buffer): Forms => {
  const token = (binding: string): string => createHmac('sha256', key).update(`form ${binding}`).digest('base64url');
  return {
    token,
    isToken: (given, binding) => isSameHash(given ?? '', token(binding)),
  };
};

const COOKIE = /^[A-Za-z0-9_-]{43}$/;

/** Whether a value can be the cookie of a browser: 256 bits. */
export const isBrowserCookie = (value: string | undefined): value is string =>
  value !== undefined && COOKIE.test(value);

/** Page links carry where the page before ended, authenticated, so that a changed link is refused and never guessed. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { invalid } from '../fhir/fhir-error.ts';
import type { PageKey } from './search-query.ts';

export interface PageTokens {
  /** `scope` is all that must be the same on the next page, such as the path and the parameters. */
  write(key: PageKey, scope: string): string;
  /** Throws a FhirError 400 if the token was not made for this scope. */
  read(token: string, scope: string): PageKey;
}

const MAC_BYTES = 16;

/** `secret` must be the same wherever a token is to be read, and known to the server alone. */
export const createPageTokens = (secret: Buffer): PageTokens => {
  const mac = (payload: string, scope: string): Buffer =>
    createHmac('sha256', secret).update(`${scope}\n${payload}`).digest().subarray(0, MAC_BYTES);
  return {
    write: (key, scope) => {
      const payload = Buffer.from(JSON.stringify(key)).toString('base64url');
      return `${payload}.${mac(payload, scope).toString('base64url')}`;
    },
    read: (token, scope) => {
      const [payload = '', code = ''] = token.split('.');
      const given = Buffer.from(code, 'base64url');
      if (given.length !== MAC_BYTES || !timingSafeEqual(given, mac(payload, scope)))
        throw invalid('_page: this page link was changed, or is of another search; start again without _page');
      return JSON.parse(Buffer.from(payload, 'base64url').toString()) as PageKey;
    },
  };
};

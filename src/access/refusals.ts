/**
 * What a caller is told who may not.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6750#section-3
 */
import type { Letter, ScopeLevel } from '../auth/scopes.ts';
import { FhirError, issue } from '../fhir/fhir-error.ts';
import type { Actor } from './actor.ts';

/** Characters that a quoted text of a header can have. */
const quoted = (text: string): string => `"${text.replace(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, '')}"`;

const challenge = (realm: string, more: Readonly<Record<string, string>> = {}): Record<string, string> => ({
  'www-authenticate': `Bearer ${Object.entries({ realm, ...more })
    .map(([name, value]) => `${name}=${quoted(value)}`)
    .join(', ')}`,
});

/** 401: there is no token. */
export const tokenMissing = (baseUrl: string): FhirError =>
  new FhirError(
    401,
    [
      issue(
        'login',
        `A token is needed: send Authorization: Bearer; ${baseUrl}/.well-known/smart-configuration tells where to get one`,
      ),
    ],
    challenge(baseUrl),
  );

/** 401: the token is none of ours, has ended, or was revoked. */
export const tokenInvalid = (baseUrl: string): FhirError =>
  new FhirError(
    401,
    [issue('login', 'The token is unknown, has expired, or was revoked')],
    challenge(baseUrl, {
      error: 'invalid_token',
      error_description: 'The token is unknown, has expired, or was revoked',
    }),
  );

/** 400: a token where it must not be. */
export const tokenMisplaced = (baseUrl: string): FhirError => {
  const text = 'A token in a url would be in logs and histories: send it as Authorization: Bearer';
  const more = { error: 'invalid_request', error_description: text };
  return new FhirError(400, [issue('invalid', text)], challenge(baseUrl, more));
};

const levelOf = ({ scopes, user }: Actor): ScopeLevel => scopes[0]?.level ?? (user === undefined ? 'system' : 'user');

/** 403: no scope of the token permits this. */
export const scopeMissing = (baseUrl: string, actor: Actor, type: string, letters: readonly Letter[]): FhirError => {
  const scope = `${levelOf(actor)}/${type}.${letters.join('')}`;
  return new FhirError(
    403,
    [issue('forbidden', `The token has no scope for this; ${scope} would permit it`)],
    challenge(baseUrl, { error: 'insufficient_scope', scope }),
  );
};

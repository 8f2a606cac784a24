/**
 * Tokens for a client without a user, by SMART Backend Services: for `npx consilium token` and for scripts.
 *
 * @see https://hl7.org/fhir/smart-app-launch/backend-services.html
 */
import { randomUUID } from 'node:crypto';
import { signedJwt } from '../auth/keys/jws.ts';
import { ConfigurationError } from '../config.ts';
import { readPrivateKey } from './private-key.ts';

/** The server takes assertions of at most five minutes. */
const ASSERTION_SECONDS = 120;
/** A new token is asked for when the one at hand has only so long to live. */
const SPARE_MILLISECONDS = 30_000;
/** Of an answer that is no token, so many characters are shown. */
const SHOWN_CHARACTERS = 500;
/** With these a server asks to come back later. */
const BUSY: ReadonlySet<number> = new Set([429, 503]);

export interface BackendClient {
  /** The FHIR base. */
  readonly base: string;
  readonly client: string;
  /** The file of its private key. */
  readonly key: string;
  readonly scope: string;
}

export interface BackendToken {
  readonly accessToken: string;
  /** Milliseconds since 1970 UTC. */
  readonly expires: number;
}

const answered = async <T>(url: string, form?: URLSearchParams): Promise<T> => {
  let response: Response;
  try {
    response = await fetch(url, form === undefined ? {} : { method: 'POST', body: form });
  } catch (error) {
    const { cause } = error as { cause?: { code?: string; message?: string } };
    throw new ConfigurationError(`${url} cannot be reached: ${cause?.code ?? cause?.message ?? error}`, { cause });
  }
  const text = await response.text();
  if (!response.ok) {
    const cause = { code: BUSY.has(response.status) ? 'BUSY' : 'REFUSED' };
    throw new ConfigurationError(`${url} answered ${response.status}: ${text.slice(0, SHOWN_CHARACTERS)}`, { cause });
  }
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new ConfigurationError(`${url} answered no JSON: is it the base of a FHIR server?`);
  }
};

/**
 * Asks the token endpoint that the server's SMART configuration names. Throws ConfigurationError; the `code` of its cause
 * is Node's, such as `ECONNREFUSED`, or `BUSY` if it may be tried again later.
 */
export const requestToken = async ({ base, client, key, scope }: BackendClient): Promise<BackendToken> => {
  const privateKey = readPrivateKey(key);
  const configuration = `${base.replace(/\/+$/, '')}/.well-known/smart-configuration`;
  const { token_endpoint } = await answered<{ token_endpoint?: string }>(configuration);
  if (token_endpoint === undefined) throw new ConfigurationError(`${configuration} names no token_endpoint`);
  const issued = Math.floor(Date.now() / 1000);
  const claims = { iss: client, sub: client, aud: token_endpoint, jti: randomUUID(), iat: issued };
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    scope,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: await signedJwt({ ...claims, exp: issued + ASSERTION_SECONDS }, privateKey),
  });
  const token = await answered<{ access_token: string; expires_in: number }>(token_endpoint, form);
  return { accessToken: token.access_token, expires: Date.now() + token.expires_in * 1000 };
};

/** Gives tokens that live a while longer; a new one is asked for when it is needed, by all who wait together. */
export const createTokenSource = (client: BackendClient): (() => Promise<string>) => {
  let current: BackendToken | undefined;
  let asking: Promise<string> | undefined;
  const ask = async (): Promise<string> => {
    current = await requestToken(client);
    return current.accessToken;
  };
  return () => {
    if (current !== undefined && current.expires - SPARE_MILLISECONDS > Date.now())
      return Promise.resolve(current.accessToken);
    asking ??= ask().finally(() => {
      asking = undefined;
    });
    return asking;
  };
};

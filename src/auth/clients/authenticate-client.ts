/**
 * Who sends a request to the token endpoint and its neighbours. A client proves it in the one way that its kind has:
 * public ones by their `client_id`, symmetric ones by their secret, asymmetric and backend ones by an assertion.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6749#section-2.3
 */
import type { AuthServer } from '../auth-server.ts';
import { type Form, required } from '../form.ts';
import { OAuthError } from '../oauth-error.ts';
import { readGrant } from '../tokens/grants.ts';
import { grantIdOf, hashOf, isSameHash } from '../tokens/opaque-token.ts';
import type { Client } from './client.ts';
import { ASSERTION_TYPE, clientByAssertion } from './client-assertion.ts';
import { enabledClient } from './clients.ts';

export interface ClientCredentials {
  readonly form: Form;
  /** The header of the request. */
  readonly authorization: string | undefined;
}

/** A hash of no secret, compared with where there is no client, so that this takes as long. */
const NO_HASH = hashOf('');

const unknownClient = (isBasic: boolean): OAuthError =>
  new OAuthError(
    401,
    'invalid_client',
    'The client is unknown or disabled, or its credentials are wrong or not those of its kind',
    // RFC 6749, section 5.2: who used the header is told which scheme it takes.
    isBasic ? { 'www-authenticate': 'Basic realm="Consilium"' } : {},
  );

const clientBySecret = async (server: AuthServer, id: string, secret: string, isBasic: boolean): Promise<Client> => {
  const client = await enabledClient(server, id);
  const isRight = isSameHash(hashOf(secret), client?.secretHash ?? NO_HASH);
  if (client?.kind !== 'confidential-symmetric' || !isRight) throw unknownClient(isBasic);
  return client;
};

/** Both halves are form-encoded before they are joined. */
const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw unknownClient(true);
  }
};

const clientByBasic = (server: AuthServer, form: Form, authorization: string): Promise<Client> => {
  const given = /^Basic +([A-Za-z0-9+/=_-]+) *$/i.exec(authorization)?.[1];
  if (given === undefined) throw unknownClient(true);
  const [id = '', ...secret] = Buffer.from(given, 'base64').toString('utf8').split(':');
  const named = form.get('client_id');
  if (named !== undefined && named !== decoded(id))
    throw new OAuthError(400, 'invalid_request', 'client_id is not the one of the Authorization header');
  return clientBySecret(server, decoded(id), decoded(secret.join(':')), true);
};

const assertedClient = async (server: AuthServer, form: Form): Promise<Client> => {
  if (required(form, 'client_assertion_type') !== ASSERTION_TYPE)
    throw new OAuthError(401, 'invalid_client', `client_assertion_type must be ${ASSERTION_TYPE}`);
  const client = await clientByAssertion(server, required(form, 'client_assertion'));
  const named = form.get('client_id');
  if (named !== undefined && named !== client.id)
    throw new OAuthError(401, 'invalid_client', 'client_id is not the one of the client assertion');
  return client;
};

/**
 * The `client_id` of the request. Apps in a browser refresh without it, as RFC 6749, section 6 lets them and fhirclient.js
 * does: then the refresh token tells whose it is, and still only a public client is known by that.
 */
const clientIdOf = async (server: AuthServer, form: Form): Promise<string> => {
  const isUnnamedRefresh = form.get('grant_type') === 'refresh_token' && !form.has('client_id');
  const grantId = isUnnamedRefresh ? grantIdOf(required(form, 'refresh_token')) : undefined;
  const found = grantId === undefined ? undefined : await readGrant(server, grantId);
  return found?.grant.clientId ?? required(form, 'client_id');
};

const publicClient = async (server: AuthServer, form: Form): Promise<Client> => {
  const client = await enabledClient(server, await clientIdOf(server, form));
  if (client?.kind !== 'public') throw unknownClient(false);
  return client;
};

/** Throws an OAuthError `invalid_client`, or `invalid_request` if it is not clear which way is meant. */
export const authenticatedClient = async (
  server: AuthServer,
  { form, authorization }: ClientCredentials,
): Promise<Client> => {
  const isAssertion = form.has('client_assertion') || form.has('client_assertion_type');
  const secret = form.get('client_secret');
  const ways = [authorization !== undefined, isAssertion, secret !== undefined].filter(Boolean).length;
  if (ways > 1) throw new OAuthError(400, 'invalid_request', 'A client proves who it is in one way at a time');
  if (authorization !== undefined) return clientByBasic(server, form, authorization);
  if (isAssertion) return assertedClient(server, form);
  if (secret !== undefined) return clientBySecret(server, required(form, 'client_id'), secret, false);
  return publicClient(server, form);
};

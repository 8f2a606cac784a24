/**
 * Refresh tokens: each is used once and followed by the next. One that comes a second time was stolen, or the one after it
 * was, so that it ends the grant.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9700#section-4.14.2
 */
import type { AuthServer } from '../auth-server.ts';
import type { Client } from '../clients/client.ts';
import { type Form, required } from '../form.ts';
import { OAuthError } from '../oauth-error.ts';
import { narrowedScopes } from '../scope-grants.ts';
import type { Grant } from './grant.ts';
import { deleteGrant, partiesOf, readGrant, type StoredGrant, saveGrant } from './grants.ts';
import { type TokenAnswer, tokenAnswer, withNewTokens } from './issue-tokens.ts';
import { grantIdOf, hashOf, isSameHash } from './opaque-token.ts';

const refusal = (): OAuthError =>
  new OAuthError(400, 'invalid_grant', 'The refresh token is unknown, expired, revoked, used, or of another client');

/** The grant whose refresh token this is. Ends the grant if the token was used before. */
const grantOf = async (server: AuthServer, client: Client, token: string): Promise<StoredGrant> => {
  const id = grantIdOf(token);
  const found = id === undefined ? undefined : await readGrant(server, id);
  if (found === undefined || found.grant.clientId !== client.id) throw refusal();
  const { refresh, access } = found.grant;
  const hash = hashOf(token);
  if (refresh !== undefined && isSameHash(refresh.hash, hash) && refresh.expires > server.now()) return found;
  // An access token in the wrong place is a mistake; any other text with the id of this grant was its refresh token.
  if (!access.some((each) => isSameHash(each.hash, hash))) await deleteGrant(server, found.grant);
  throw refusal();
};

/** Whether the session is there by which alone a grant without `offline_access` lives on. */
const hasSession = async ({ records }: AuthServer, { scopes, sessionKey }: Grant): Promise<boolean> =>
  scopes.includes('offline_access') || (sessionKey !== undefined && (await records.get(sessionKey)) !== undefined);

/** The step of the token endpoint for `grant_type=refresh_token`. Throws an OAuthError. */
export const refreshedTokens = async (server: AuthServer, client: Client, form: Form): Promise<TokenAnswer> => {
  const token = required(form, 'refresh_token');
  for (;;) {
    const { grant, revision } = await grantOf(server, client, token);
    const scopes = narrowedScopes(server, grant.scopes, form.get('scope'));
    const parties = await partiesOf(server, grant, grant.created);
    if (parties === undefined || !(await hasSession(server, grant))) throw refusal();
    const made = await withNewTokens(server, grant, parties, scopes);
    const answer = await tokenAnswer(server, made, scopes);
    // Whoever lost against another look again, and is told by the grant what has happened.
    if (await saveGrant(server, made.grant, revision)) return answer;
  }
};

/**
 * `POST /auth/revoke`.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7009
 */
import type { AuthServer } from '../auth-server.ts';
import { authenticatedClient, type ClientCredentials } from '../clients/authenticate-client.ts';
import { required } from '../form.ts';
import { OAuthError } from '../oauth-error.ts';
import type { Grant } from '../tokens/grant.ts';
import { deleteGrant, readGrant, saveGrant } from '../tokens/grants.ts';
import { grantIdOf, hashOf, isSameHash } from '../tokens/opaque-token.ts';

/** What is left of a grant without one of its access tokens; undefined if nothing is. */
const withoutAccess = (grant: Grant, hash: string): Grant | undefined => {
  const access = grant.access.filter((each) => !isSameHash(each.hash, hash));
  return access.length === 0 && grant.refresh === undefined ? undefined : { ...grant, access };
};

/**
 * A refresh token ends with all its access tokens, an access token alone. A token that is not there is revoked already.
 * Throws an OAuthError.
 */
export const revokeEndpoint = async (server: AuthServer, credentials: ClientCredentials): Promise<void> => {
  const client = await authenticatedClient(server, credentials);
  const token = required(credentials.form, 'token');
  const id = grantIdOf(token);
  const hash = hashOf(token);
  for (;;) {
    const found = id === undefined ? undefined : await readGrant(server, id);
    if (found === undefined) return;
    const { grant, revision } = found;
    if (grant.clientId !== client.id)
      throw new OAuthError(400, 'unauthorized_client', 'The token was issued to another client');
    if (isSameHash(grant.refresh?.hash ?? '', hash)) return deleteGrant(server, grant);
    if (!grant.access.some((each) => isSameHash(each.hash, hash))) return;
    const left = withoutAccess(grant, hash);
    if (left === undefined) return deleteGrant(server, grant);
    if (await saveGrant(server, left, revision)) return;
  }
};

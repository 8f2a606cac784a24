/**
 * `/auth/userinfo`, by GET and POST.
 *
 * @see https://openid.net/specs/openid-connect-core-1_0.html#UserInfo
 */
import type { AuthServer } from '../auth-server.ts';
import { OAuthError } from '../oauth-error.ts';
import { authenticate } from '../tokens/authenticate.ts';
import { fhirUserClaim } from '../tokens/id-token.ts';

export interface UserInfoAnswer {
  readonly sub: string;
  /** An absolute url. */
  readonly fhirUser?: string;
}

/** `token`: from the header or the form. Throws an OAuthError. */
export const userInfoEndpoint = async (server: AuthServer, token: string | undefined): Promise<UserInfoAnswer> => {
  if (token === undefined)
    throw new OAuthError(401, 'invalid_token', 'An access token is needed', { 'www-authenticate': 'Bearer' });
  const found = await authenticate(server, token);
  if (found === undefined)
    throw new OAuthError(401, 'invalid_token', 'The access token is unknown, expired or revoked', {
      'www-authenticate': 'Bearer error="invalid_token"',
    });
  const { grant, access } = found;
  if (grant.user === undefined || !access.scopes.includes('openid'))
    throw new OAuthError(403, 'insufficient_scope', 'The access token has no scope openid', {
      'www-authenticate': 'Bearer error="insufficient_scope", scope="openid"',
    });
  return { sub: grant.user.userId, ...fhirUserClaim(server, grant.user, access.scopes) };
};

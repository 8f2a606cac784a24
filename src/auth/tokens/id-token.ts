/**
 * Who the user is, for the client.
 *
 * @see https://openid.net/specs/openid-connect-core-1_0.html#IDToken
 * @see https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html#scopes-for-requesting-identity-data
 */
import type { AuthServer } from '../auth-server.ts';
import type { Granted, GrantedBy } from './grant.ts';

/** The absolute url of the user's resource, if the scopes let the client know it. */
export const fhirUserClaim = (
  { fhirBase }: Pick<AuthServer, 'fhirBase'>,
  { fhirUser }: GrantedBy,
  scopes: readonly string[],
): { readonly fhirUser?: string } =>
  // `profile` is what SMART called it first.
  scopes.includes('fhirUser') || scopes.includes('profile') ? { fhirUser: `${fhirBase}/${fhirUser}` } : {};

/** Undefined without a user, or without the scope `openid`. A refreshed one has no nonce, as OpenID Connect advises. */
export const idToken = async (
  server: AuthServer,
  { clientId, user }: Granted,
  scopes: readonly string[],
  nonce?: string,
): Promise<string | undefined> => {
  if (user === undefined || !scopes.includes('openid')) return undefined;
  const now = Math.floor(server.now() / 1000);
  return server.keys.sign({
    iss: server.issuer,
    sub: user.userId,
    aud: clientId,
    exp: now + server.limits.tokenSeconds,
    iat: now,
    auth_time: user.authTime,
    ...(nonce === undefined ? {} : { nonce }),
    ...fhirUserClaim(server, user, scopes),
  });
};

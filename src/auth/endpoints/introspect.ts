/**
 * `POST /auth/introspect`.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7662
 * @see https://hl7.org/fhir/smart-app-launch/token-introspection.html
 */
import type { AuthServer } from '../auth-server.ts';
import { authenticatedClient, type ClientCredentials } from '../clients/authenticate-client.ts';
import { required } from '../form.ts';
import { OAuthError } from '../oauth-error.ts';
import { authenticate, bearerToken } from '../tokens/authenticate.ts';
import type { Grant } from '../tokens/grant.ts';
import { partiesOf, readGrant } from '../tokens/grants.ts';
import { fhirUserClaim } from '../tokens/id-token.ts';
import { contextMembers } from '../tokens/issue-tokens.ts';
import { grantIdOf, hashOf, isSameHash } from '../tokens/opaque-token.ts';

const INACTIVE = { active: false } as const;

/** As JSON; of an inactive token `active` alone. */
export type IntrospectionAnswer = typeof INACTIVE | ({ readonly active: true } & Readonly<Record<string, unknown>>);

interface Asker {
  readonly clientId: string;
  /** Also about tokens of other clients. */
  readonly mayAskAboutAll: boolean;
}

/** By a bearer token, or by the credentials of a client. A system that reaches everything may ask about all tokens. */
const askerOf = async (server: AuthServer, credentials: ClientCredentials): Promise<Asker> => {
  const { form, authorization } = credentials;
  const bearer = bearerToken(authorization);
  if (bearer !== undefined) {
    const found = await authenticate(server, bearer);
    if (found === undefined)
      throw new OAuthError(401, 'invalid_token', 'The token of the Authorization header is not valid', {
        'www-authenticate': 'Bearer error="invalid_token"',
      });
    const { access, user, client } = found;
    return { clientId: client.id, mayAskAboutAll: user === undefined && access.reach.kind === 'all' };
  }
  const isNobody = authorization === undefined && !form.has('client_id') && !form.has('client_assertion');
  if (isNobody)
    throw new OAuthError(401, 'invalid_client', 'Send the credentials of a client, or a bearer token', {
      'www-authenticate': 'Bearer',
    });
  const client = await authenticatedClient(server, credentials);
  return { clientId: client.id, mayAskAboutAll: client.kind === 'backend' && client.reach === 'all' };
};

/** Scopes and end of an access or refresh token; undefined if it is none of the grant. */
const tokenOf = (
  { access, refresh, scopes }: Grant,
  token: string,
): { readonly scopes: readonly string[]; readonly expires: number } | undefined => {
  const hash = hashOf(token);
  if (refresh !== undefined && isSameHash(refresh.hash, hash)) return { scopes, expires: refresh.expires };
  return access.find((each) => isSameHash(each.hash, hash));
};

const seconds = (milliseconds: number): number => Math.floor(milliseconds / 1000);

/** The claims that an id_token has or would have: to learn who the user is needs the scope for it, here, too. */
const identityMembers = (server: AuthServer, { clientId, user }: Grant, scopes: readonly string[]): object => {
  if (user === undefined) return { sub: clientId };
  return scopes.includes('openid') ? { sub: user.userId, ...fhirUserClaim(server, user, scopes) } : {};
};

/** Throws an OAuthError. */
export const introspectEndpoint = async (
  server: AuthServer,
  credentials: ClientCredentials,
): Promise<IntrospectionAnswer> => {
  const asker = await askerOf(server, credentials);
  const token = required(credentials.form, 'token');
  const id = grantIdOf(token);
  const grant = id === undefined ? undefined : (await readGrant(server, id))?.grant;
  const found = grant === undefined ? undefined : tokenOf(grant, token);
  if (grant === undefined || found === undefined || found.expires <= server.now()) return INACTIVE;
  if (!asker.mayAskAboutAll && grant.clientId !== asker.clientId) return INACTIVE;
  if ((await partiesOf(server, grant, grant.created)) === undefined) return INACTIVE;
  return {
    active: true,
    scope: found.scopes.join(' '),
    client_id: grant.clientId,
    token_type: 'Bearer',
    exp: seconds(found.expires),
    iss: server.issuer,
    aud: server.fhirBase,
    ...identityMembers(server, grant, found.scopes),
    ...contextMembers(grant.context),
  };
};

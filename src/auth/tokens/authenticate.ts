/** Who holds an access token. Costs one read of the store at most. */
import type { AuthServer } from '../auth-server.ts';
import type { Client } from '../clients/client.ts';
import type { User } from '../users/user.ts';
import type { AccessToken, Grant } from './grant.ts';
import { grantAtHand, partiesOf } from './grants.ts';
import { grantIdOf, hashOf, isSameHash } from './opaque-token.ts';

export interface Authenticated {
  readonly grant: Grant;
  readonly access: AccessToken;
  readonly client: Client;
  readonly user?: User;
}

type Stored = Pick<AuthServer, 'records' | 'cached' | 'now' | 'isStoreShared'>;

/** Who was given a token, whether or not it has expired since. */
const holderOf = async (server: Stored, token: string, hash: string): Promise<Authenticated | undefined> => {
  const id = grantIdOf(token);
  const grant = id === undefined ? undefined : await grantAtHand(server, id);
  const access = grant?.access.find((each) => isSameHash(each.hash, hash));
  if (grant === undefined || access === undefined) return undefined;
  const parties = await partiesOf(server, grant, grant.created);
  return parties === undefined ? undefined : { grant, access, ...parties };
};

/** Undefined for a token that is unknown, expired or revoked, or whose client or user may not use it any more. */
export const authenticate = async (server: Stored, token: string): Promise<Authenticated | undefined> => {
  const hash = hashOf(token);
  const find = (): Promise<Authenticated | undefined> => holderOf(server, token, hash);
  // What another instance has revoked is refused at once.
  const holder = await (server.isStoreShared ? find() : server.cached.derived(`token ${hash}`, find));
  return holder === undefined || holder.access.expires <= server.now() ? undefined : holder;
};

/**
 * The token of an `Authorization: Bearer` header; undefined if there is none.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6750#section-2.1
 */
export const bearerToken = (authorization: string | undefined): string | undefined =>
  /^Bearer +([A-Za-z0-9._~+/-]+=*) *$/i.exec(authorization ?? '')?.[1];

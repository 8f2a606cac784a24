/** Grants as records: `grant/[id]`, and `user-grant/[user id]/[grant id]` by which a person's are found. */
import type { AuthServer } from '../auth-server.ts';
import type { Client } from '../clients/client.ts';
import { enabledClient } from '../clients/clients.ts';
import type { User } from '../users/user.ts';
import type { Grant, Granted } from './grant.ts';

type Stored = Pick<AuthServer, 'records'>;

export interface StoredGrant {
  readonly grant: Grant;
  readonly revision: number;
}

const grantKey = (id: string): string => `grant/${id}`;
const userKey = (userId: string, grantId: string): string => `user-grant/${userId}/${grantId}`;

/** More than a person has. */
const MAXIMUM_LISTED = 1000;

export const readGrant = async ({ records }: Stored, id: string): Promise<StoredGrant | undefined> => {
  const record = await records.get(grantKey(id));
  if (record === undefined) return undefined;
  const grant = JSON.parse(record.value) as Grant;
  // A mark in place of a grant, for a code that was used twice.
  return grant.clientId === undefined ? undefined : { grant, revision: record.revision };
};

/**
 * The grant, for a request with its token. One server alone on its store knows what it has revoked, and needs not read it
 * each time; what a command of the operator's does is seen within a second.
 */
export const grantAtHand = async (
  server: Pick<AuthServer, 'records' | 'cached' | 'isStoreShared'>,
  id: string,
): Promise<Grant | undefined> => {
  if (server.isStoreShared) return (await readGrant(server, id))?.grant;
  const grant = await server.cached.get<Grant>(grantKey(id));
  return grant?.clientId === undefined ? undefined : grant;
};

/** When the last of its tokens ends. */
const endOf = ({ refresh, access }: Grant): number =>
  Math.max(refresh?.expires ?? 0, ...access.map(({ expires }) => expires));

/** Whether it was written: `revision` is the one that was read, 0 for a new grant. */
export const saveGrant = async ({ records }: Stored, grant: Grant, revision: number): Promise<boolean> => {
  const expires = endOf(grant);
  const { user } = grant;
  if (user !== undefined) await records.put(userKey(user.userId, grant.id), '{}', { expires });
  return (await records.put(grantKey(grant.id), JSON.stringify(grant), { revision, expires })) !== undefined;
};

/** Keeps a grant of this id from being made until `expires`. Answers whether there was none yet. */
export const preventGrant = async ({ records }: Stored, id: string, expires: number): Promise<boolean> =>
  (await records.put(grantKey(id), '{}', { revision: 0, expires })) !== undefined;

/** Ends a grant with all its tokens. */
export const deleteGrant = async ({ records }: Stored, { id, user }: Pick<Grant, 'id' | 'user'>): Promise<void> => {
  await records.delete(grantKey(id));
  if (user !== undefined) await records.delete(userKey(user.userId, id));
};

/** What a person has granted and not revoked. */
export const grantsOfUser = async (server: Stored, userId: string): Promise<readonly Grant[]> => {
  const prefix = userKey(userId, '');
  const found = await server.records.list(prefix, MAXIMUM_LISTED);
  const grants = await Promise.all(found.map(({ key }) => readGrant(server, key.slice(prefix.length))));
  return grants.flatMap((each) => (each === undefined ? [] : [each.grant]));
};

/** Ends a grant that a person has made. Answers whether it was theirs. */
export const revokeGrantOfUser = async (server: Stored, userId: string, grantId: string): Promise<boolean> => {
  const found = await readGrant(server, grantId);
  if (found?.grant.user?.userId !== userId) return false;
  await deleteGrant(server, found.grant);
  return true;
};

export interface Parties {
  readonly client: Client;
  /** Undefined for a client on its own. */
  readonly user?: User;
}

/** Whether what a user granted at an instant is still worth something. */
const isValidSince = (user: User | undefined, created: number): user is User =>
  user !== undefined && !user.isDisabled && created >= user.validFrom;

/** The client and the user of a grant made at `created`; undefined if one of them may not use it any more. */
export const partiesOf = async (
  server: Pick<AuthServer, 'cached'>,
  { clientId, user: by }: Pick<Granted, 'clientId' | 'user'>,
  created: number,
): Promise<Parties | undefined> => {
  const client = await enabledClient(server, clientId);
  if (client === undefined || created < (client.validFrom ?? 0)) return undefined;
  if (by === undefined) return { client };
  const user = await server.cached.get<User>(`user/${by.userId}`);
  return isValidSince(user, created) ? { client, user } : undefined;
};

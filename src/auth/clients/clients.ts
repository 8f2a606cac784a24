/** The registered clients, as records. The commands of an operator and dynamic registration end here. */
import type { AuthServer } from '../auth-server.ts';
import { OAuthError } from '../oauth-error.ts';
import { hashOf, newId, newSecret } from '../tokens/opaque-token.ts';
import { type Change, changedRecord } from '../users/changed-record.ts';
import type { Client } from './client.ts';
import { acceptedRegistration, type Registration } from './registration.ts';

type ClientServer = Pick<
  AuthServer,
  'records' | 'cached' | 'isResourceType' | 'checkScopeParameters' | 'now' | 'limits'
>;

export interface RegisteredClient {
  readonly client: Client;
  /** Of a symmetric client; it is known to the server only now. */
  readonly secret?: string;
}

const PREFIX = 'client/';
const ID = /^[A-Za-z0-9_-]{1,64}$/;

/** Clients that are read at once when all are listed. */
const PAGE = 200;

/** Throws an OAuthError that says which field is refused, and why. */
export const registerClient = async (server: ClientServer, registration: Registration): Promise<RegisteredClient> => {
  const accepted = acceptedRegistration(server, registration);
  const { id = newId() } = registration;
  if (!ID.test(id))
    throw new OAuthError(
      400,
      'invalid_client_metadata',
      'The id must have 1 to 64 letters, digits, hyphens and underscores',
    );
  const secret = accepted.kind === 'confidential-symmetric' ? newSecret() : undefined;
  const client: Client = {
    ...accepted,
    id,
    ...(secret === undefined ? {} : { secretHash: hashOf(secret) }),
    isDisabled: false,
    created: server.now(),
  };
  const key = PREFIX + id;
  if ((await server.records.put(key, JSON.stringify(client), { revision: 0 })) === undefined)
    throw new OAuthError(400, 'invalid_client_metadata', `There is a client ${id} already`);
  server.cached.forget(key);
  return { client, ...(secret === undefined ? {} : { secret }) };
};

/** The client, at most a second old, also if it is disabled. */
export const clientOf = async ({ cached }: Pick<AuthServer, 'cached'>, id: string): Promise<Client | undefined> =>
  ID.test(id) ? cached.get<Client>(PREFIX + id) : undefined;

/** The client if it may be used. */
export const enabledClient = async (server: Pick<AuthServer, 'cached'>, id: string): Promise<Client | undefined> => {
  const client = await clientOf(server, id);
  return client === undefined || client.isDisabled ? undefined : client;
};

/** All clients, in no particular order. */
export const listClients = async ({ records }: Pick<AuthServer, 'records'>): Promise<readonly Client[]> => {
  const clients: Client[] = [];
  for (let after: string | undefined = ''; after !== undefined; ) {
    const page = await records.list(PREFIX, PAGE, after === '' ? undefined : after);
    clients.push(...page.map(({ value }) => JSON.parse(value) as Client));
    after = page.length < PAGE ? undefined : page.at(-1)?.key;
  }
  return clients;
};

const changedClient = async (
  { records, cached }: Pick<AuthServer, 'records' | 'cached'>,
  id: string,
  change: (client: Client) => Client,
): Promise<Client> => {
  const key = PREFIX + id;
  const changed = (client: Client | undefined): Change<Client> =>
    client === undefined ? undefined : { value: change(client) };
  const before = ID.test(id) ? await changedRecord<Client>(records, key, changed) : undefined;
  cached.forget(key);
  if (before === undefined) throw new OAuthError(400, 'invalid_request', `There is no client ${id}`);
  return change(before);
};

/** Gives a symmetric client a new secret; the old one is worth nothing from now on. */
export const rotateSecret = async (
  server: Pick<AuthServer, 'records' | 'cached'>,
  id: string,
): Promise<Required<RegisteredClient>> => {
  const secret = newSecret();
  const client = await changedClient(server, id, (before) => {
    if (before.kind !== 'confidential-symmetric')
      throw new OAuthError(400, 'invalid_request', `The client ${id} is ${before.kind} and has no secret`);
    return { ...before, secretHash: hashOf(secret) };
  });
  return { client, secret };
};

/** Ends all use of a client, also of the tokens that it has; `false` lets it be used again. */
export const disableClient = (
  server: Pick<AuthServer, 'records' | 'cached' | 'now'>,
  id: string,
  isDisabled = true,
): Promise<Client> =>
  changedClient(server, id, (client) => ({
    ...client,
    isDisabled,
    ...(isDisabled ? { validFrom: server.now() + 1 } : {}),
  }));

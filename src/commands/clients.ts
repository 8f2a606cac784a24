/** `npx consilium clients`: the apps and systems that may ask for tokens. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { createAuthorization, createFhirServer } from '../app.ts';
import type { AuthServer } from '../auth/auth-server.ts';
import type { Client } from '../auth/clients/client.ts';
import {
  disableClient,
  listClients,
  type RegisteredClient,
  registerClient,
  rotateSecret,
} from '../auth/clients/clients.ts';
import { OAuthError } from '../auth/oauth-error.ts';
import { ConfigurationError, fhirBaseIn } from '../config.ts';
import { print, printJson, table } from './printed.ts';
import { newKeyPair } from './private-key.ts';
import { type StoreState, withStore } from './records-of-store.ts';

const withClients = <T>(state: StoreState, command: (server: AuthServer) => Promise<T>): Promise<T> =>
  withStore(state, async (store, config) => {
    try {
      return await command(createAuthorization(config, createFhirServer(config, store, fhirBaseIn())));
    } catch (error) {
      if (error instanceof OAuthError) throw new ConfigurationError(error.description);
      throw error;
    }
  });

/** As the answer to a dynamic registration names them (RFC 7591), and what only an operator says. */
const shown = (client: Client) => ({
  client_id: client.id,
  client_name: client.name,
  kind: client.kind,
  redirect_uris: client.redirectUris,
  launch_uris: client.launchUris,
  ...(client.jwks === undefined ? {} : { jwks: client.jwks }),
  ...(client.jwksUrl === undefined ? {} : { jwks_uri: client.jwksUrl }),
  ...(client.logoUrl === undefined ? {} : { logo_uri: client.logoUrl }),
  scope: client.scope,
  ...(client.organization === undefined ? {} : { organization: client.organization }),
  purpose: client.purpose,
  reach: client.reach,
  disabled: client.isDisabled,
  client_id_issued_at: Math.floor(client.created / 1000),
});

interface Shape {
  readonly json?: boolean;
}

const printRegistered = ({ client, secret }: RegisteredClient, { json }: Shape, text: string): void => {
  if (json) {
    printJson({ ...shown(client), ...(secret === undefined ? {} : { client_secret: secret }) });
    return;
  }
  print(text);
  print(`client_id      ${client.id}`);
  if (secret !== undefined) print(`client_secret  ${secret}  (it is not shown again)`);
};

export interface AddClientOptions extends Shape {
  readonly id?: string;
  readonly name: string;
  readonly kind: string;
  readonly scope: string;
  readonly redirect?: readonly string[];
  readonly launch?: readonly string[];
  readonly jwks?: string;
  readonly jwksUrl?: string;
  readonly organization?: string;
  readonly purpose: string;
  readonly reach: string;
  readonly logo?: string;
}

/** A JWK set, or a single key as one. */
const jwksFrom = (file: string): unknown => {
  try {
    const value = JSON.parse(readFileSync(file, 'utf8')) as { readonly kty?: unknown } | null;
    return value?.kty === undefined ? value : { keys: [value] };
  } catch (error) {
    throw new ConfigurationError(`--jwks: ${file} cannot be read as JSON: ${(error as Error).message}`);
  }
};

export const addClient = (options: AddClientOptions): Promise<void> => {
  const { id, name, kind, scope, redirect, launch, jwks, jwksUrl, organization, purpose, reach, logo } = options;
  const registration = {
    ...{ name, kind, scope, purpose, reach },
    ...(id === undefined ? {} : { id }),
    ...(redirect === undefined ? {} : { redirectUris: redirect }),
    ...(launch === undefined ? {} : { launchUris: launch }),
    ...(jwks === undefined ? {} : { jwks: jwksFrom(jwks) }),
    ...(jwksUrl === undefined ? {} : { jwksUrl }),
    ...(organization === undefined ? {} : { organization }),
    ...(logo === undefined ? {} : { logoUrl: logo }),
  };
  return withClients('new or there', async (server) => {
    printRegistered(await registerClient(server, registration), options, `Registered ${name}`);
  });
};

const byName = (one: Client, other: Client): number => (one.name < other.name ? -1 : 1);

export const listAllClients = ({ json }: Shape): Promise<void> =>
  withClients('there', async (server) => {
    const clients = [...(await listClients(server))].sort(byName);
    if (json) return printJson(clients.map(shown));
    const rows = clients.map(({ id, name, kind, organization, purpose, reach, isDisabled }) => [
      ...[id, name, kind, organization ?? '', purpose, reach],
      isDisabled ? 'disabled' : '',
    ]);
    print(table([['CLIENT ID', 'NAME', 'KIND', 'ORGANIZATION', 'PURPOSE', 'REACH', ''], ...rows]));
  });

export const showClient = (id: string): Promise<void> =>
  withClients('there', async (server) => {
    const client = (await listClients(server)).find((each) => each.id === id);
    if (client === undefined) throw new ConfigurationError(`There is no client ${id}`);
    printJson(shown(client));
  });

export const rotateClientSecret = (id: string, options: Shape): Promise<void> =>
  withClients('there', async (server) => {
    printRegistered(await rotateSecret(server, id), options, 'The old secret is worth nothing any more');
  });

export const disable = (id: string, { json, undo }: Shape & { readonly undo?: boolean }): Promise<void> =>
  withClients('there', async (server) => {
    const client = await disableClient(server, id, undo !== true);
    if (json) return printJson(shown(client));
    print(
      client.isDisabled
        ? `${client.name} gets no more tokens, and those it has are worth nothing`
        : `${client.name} may be used`,
    );
  });

/** Only the owner may read the file. Throws ConfigurationError, also if there is such a file. */
const writeNew = (file: string, value: object, mode: number): void => {
  try {
    writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`, { mode, flag: 'wx' });
  } catch (error) {
    throw new ConfigurationError(`${file} cannot be written: ${(error as Error).message}`);
  }
};

/** Makes a key for a backend client or an asymmetric app: both files, or none. */
export const makeKey = async (files: { readonly private: string; readonly jwks: string }): Promise<void> => {
  if (resolve(files.private) === resolve(files.jwks))
    throw new ConfigurationError('--private and --jwks name the same file; the public key needs one of its own');
  const { privateJwk, publicJwk } = newKeyPair();
  writeNew(files.private, privateJwk, 0o600);
  try {
    writeNew(files.jwks, { keys: [publicJwk] }, 0o644);
  } catch (error) {
    rmSync(files.private);
    throw error;
  }
  print(`The private key is in ${files.private}; ${files.jwks} is what the server gets to know`);
};

/** Gives the server's own signing key a successor. */
export const rotateSigningKey = (): Promise<void> =>
  withClients('there', async (server) => {
    const kid = await server.keys.rotate();
    print(`The key ${kid} signs id tokens in ten minutes; the one before it stays published for a day`);
  });

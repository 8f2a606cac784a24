/** A server in smart mode whose tokens are made by the test: each stands for an actor. */
import type { Bundle, BundleEntry, OperationOutcome, Resource } from '@medplum/fhirtypes';
import type { Test } from 'tap';
import type { Actor } from '../../src/access/actor.ts';
import { buildApp, createAuthorization, createFhirServer } from '../../src/app.ts';
import type { Client } from '../../src/auth/clients/client.ts';
import type { Reach } from '../../src/auth/reach.ts';
import { parseScope } from '../../src/auth/scopes.ts';
import { saveGrant } from '../../src/auth/tokens/grants.ts';
import { hashOf, newId, newToken } from '../../src/auth/tokens/opaque-token.ts';
import type { Role, User } from '../../src/auth/users/user.ts';
import { readConfig } from '../../src/config.ts';
import type { FhirRequest, FhirResponse, FhirServer } from '../../src/interactions/fhir-request.ts';
import { openStore } from '../../src/open-store.ts';
import type { Store } from '../../src/store/store.ts';
import { temporaryFolder } from '../http/test-server.ts';
import { storeEnvironment } from '../http/test-store.ts';

export const ALL: Reach = { kind: 'all' };
export const sources = (...organizations: string[]): Reach => ({ kind: 'sources', organizations });
export const patients = (...ids: string[]): Reach => ({ kind: 'patients', patients: ids });

interface ActorOptions {
  readonly reach?: Reach;
  /** The patient of the launch, an id. */
  readonly patient?: string;
  /** By default there is a user if a scope is for one. */
  readonly role?: Role;
  readonly organization?: string;
  readonly clientId?: string;
  readonly userId?: string;
}

/** An actor with these scopes, parted by spaces; it reaches everything if nothing is said. */
export const actorWith = (scopes: string, options: ActorOptions = {}): Actor => {
  const { reach = ALL, patient, role, organization, clientId = 'client', userId = 'user' } = options;
  const parsed = scopes.split(' ').flatMap((text) => {
    const scope = parseScope(text, () => true);
    return scope.kind === 'resource' ? [scope.scope] : [];
  });
  const isUser = role !== undefined || parsed.some(({ level }) => level !== 'system');
  return {
    clientId,
    ...(isUser ? { user: { id: userId, fhirUser: 'Practitioner/somebody', role: role ?? 'referring-doctor' } } : {}),
    context: patient === undefined ? {} : { patient },
    scopes: parsed,
    reach,
    purpose: 'TREAT',
    ...(organization === undefined ? {} : { organization }),
  };
};

interface Sent {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  json<T = Resource>(): T;
  readonly diagnostics: string;
  /** Of a Bundle: `Type/id` of each resource, sorted. */
  readonly names: readonly string[];
}

const nameOf = ({ resource }: BundleEntry): string => `${resource?.resourceType}/${resource?.id}`;

export const namesOf = (bundle: Bundle): string[] =>
  (bundle.entry ?? [])
    .filter(({ search }) => search?.mode !== 'outcome')
    .map(nameOf)
    .sort();

const sentOf = (status: number, headers: Headers, text: string): Sent => ({
  status,
  headers,
  text,
  json: <T>() => JSON.parse(text) as T,
  get diagnostics() {
    return (JSON.parse(text) as OperationOutcome).issue.map(({ diagnostics }) => diagnostics).join('\n');
  },
  get names() {
    return namesOf(JSON.parse(text) as Bundle);
  },
});

interface SendOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface AccessTestServer {
  readonly baseUrl: string;
  readonly store: Store;
  readonly server: FhirServer;
  /** Sends a request with the token of an actor, or with none. */
  send(actor: Actor | undefined, method: string, path: string, options?: SendOptions): Promise<Sent>;
  /** The same without HTTP; fails with a FhirError. */
  answer(actor: Actor, method: string, path: string, more?: Partial<FhirRequest>): Promise<FhirResponse>;
  /** Writes resources as they are, on behalf of an organization. */
  put(organization: string | undefined, ...resources: readonly (Resource & { id: string })[]): Promise<void>;
}

const HOUR = 3_600_000;

const clientOf = ({ clientId, purpose }: Actor): Client => ({
  ...{ id: clientId, name: clientId, kind: 'public', redirectUris: [], launchUris: [], scope: '' },
  ...{ purpose, reach: 'source', isDisabled: false, created: 0 },
});

const userOf = ({ id, fhirUser, role }: NonNullable<Actor['user']>): User => ({
  ...{ id, login: id, fhirUser, role, reach: 'source', validFrom: 0, isDisabled: false },
});

/** Writes what an authorization would have left in the store, and gives the access token. */
const grantedToken = async (store: Store, actor: Actor): Promise<string> => {
  const { clientId, user, context, purpose, organization, reach } = actor;
  const scopes = actor.scopes.map(({ text }) => text);
  const id = newId();
  const token = newToken(id);
  const by =
    user === undefined ? undefined : { userId: user.id, fhirUser: user.fhirUser, role: user.role, authTime: 0 };
  await store.records.put(`client/${clientId}`, JSON.stringify(clientOf(actor)));
  if (user !== undefined) await store.records.put(`user/${user.id}`, JSON.stringify(userOf(user)));
  const grant = {
    ...{ id, clientId, context, scopes, purpose, created: Date.now(), usedRefresh: [] },
    ...(by === undefined ? {} : { user: by }),
    ...(organization === undefined ? {} : { organization }),
    access: [{ hash: hashOf(token), scopes, reach, expires: Date.now() + HOUR }],
  };
  if (!(await saveGrant(store, grant, 0))) throw new Error('The grant was not saved');
  return token;
};

const ADMINISTRATOR = actorWith('system/*.cruds');

export const startAccessServer = async (
  t: Test,
  environment: Readonly<Record<string, string>> = {},
): Promise<AccessTestServer> => {
  const folder = temporaryFolder(t);
  const config = readConfig({
    CONSILIUM_PORT: '0',
    CONSILIUM_LOG_LEVEL: 'silent',
    CONSILIUM_STORE_KEY: '5'.repeat(64),
    CONSILIUM_DATA: folder,
    CONSILIUM_ACCESS: 'smart',
    ...storeEnvironment(t, folder),
    ...environment,
  });
  const store = await openStore(config);
  const { promise, resolve } = Promise.withResolvers<FhirServer>();
  const auth = promise.then((server) => createAuthorization(config, server));
  const app = buildApp(config, promise, () => false, auth);
  const address = await app.listen({ host: '127.0.0.1', port: 0 });
  const baseUrl = `${address}/fhir`;
  const server = createFhirServer(config, store, baseUrl);
  await server.reindexing.start();
  resolve(server);
  t.teardown(async () => {
    await app.close();
    await server.reindexing.close();
    await store.close();
  });

  const tokens = new Map<Actor, string>();
  const tokenOf = async (actor: Actor): Promise<string> => {
    const token = tokens.get(actor) ?? (await grantedToken(store, actor));
    tokens.set(actor, token);
    return token;
  };

  return {
    ...{ baseUrl, store, server },
    send: async (actor, method, path, { headers = {}, body } = {}) => {
      const token = actor === undefined ? undefined : await tokenOf(actor);
      const isForm = typeof body === 'string';
      const type = isForm ? 'application/x-www-form-urlencoded' : 'application/fhir+json';
      const response = await fetch(path === '' ? baseUrl : `${baseUrl}/${path}`, {
        method,
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { 'content-type': type }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: isForm ? body : JSON.stringify(body) }),
      });
      return sentOf(response.status, response.headers, await response.text());
    },
    answer: async (actor, method, target, more = {}) => {
      const [path = '', ...query] = target.split('?');
      return server.as(actor).answer({ method, path, query: query.join('?'), headers: {}, ...more });
    },
    put: async (organization, ...resources) => {
      const actor = organization === undefined ? ADMINISTRATOR : { ...ADMINISTRATOR, organization };
      const entry = resources.map(
        (resource): BundleEntry => ({
          resource,
          request: { method: 'PUT', url: `${resource.resourceType}/${resource.id}` },
        }),
      );
      const body = JSON.stringify({ resourceType: 'Bundle', type: 'transaction', entry });
      await server.as(actor).answer({ method: 'POST', path: '', query: '', headers: {}, body });
    },
  };
};

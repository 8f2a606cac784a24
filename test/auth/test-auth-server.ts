/** An authorization server of its own on a temporary store, spoken to through HTTP, with clients that have real keys. */
import { createHash, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { BlockList } from 'node:net';
import { exportJWK, type JWK, SignJWT } from 'jose';
import type { Test } from 'tap';
import { type AuthServer, type AuthServerParts, createAuthServer } from '../../src/auth/auth-server.ts';
import type { Client } from '../../src/auth/clients/client.ts';
import { registerClient } from '../../src/auth/clients/clients.ts';
import type { Registration } from '../../src/auth/clients/registration.ts';
import { issueCode } from '../../src/auth/tokens/codes.ts';
import type { Granted, LaunchContext } from '../../src/auth/tokens/grant.ts';
import type { User } from '../../src/auth/users/user.ts';
import { readConfig } from '../../src/config.ts';
import { invalid } from '../../src/fhir/fhir-error.ts';
import { buildWebServer } from '../../src/http/web-server.ts';
import { openStore } from '../../src/open-store.ts';
import type { Store } from '../../src/store/store.ts';
import { temporaryFolder } from '../http/test-server.ts';
import { IS_MONGODB, storeEnvironment } from '../http/test-store.ts';
import { openTemporaryStore } from '../store/sqlite/temporary-store.ts';

const TYPES = new Set([
  'Patient',
  'Observation',
  'Condition',
  'Encounter',
  'ImagingStudy',
  'Organization',
  'Practitioner',
]);

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: Record<string, unknown>;
}

export interface TestAuthServer extends AuthServer {
  readonly store: Store;
  /** Moves the clock on. */
  wait(milliseconds: number): void;
  /** Sends a form by POST, or an object as JSON. */
  post(
    path: string,
    body: Readonly<Record<string, string>> | string | object,
    headers?: Record<string, string>,
  ): Promise<Answer>;
  send(method: string, path: string, headers?: Record<string, string>): Promise<Answer>;
}

export interface TestAuthOptions extends Partial<AuthServerParts> {
  readonly rateLimit?: number;
  readonly registrationToken?: string;
  readonly store?: Store;
}

/** Records that patients are within the reach of everybody but who reaches nothing. */
const DIRECTORY: AuthServer['directory'] = {
  reachOfUser: async ({ fhirUser }) => ({ kind: 'patients', patients: [fhirUser.replace('Patient/', '')] }),
  isWithin: async (reach, reference) => reach.kind !== 'none' && !reference.endsWith('/hidden'),
  isEncounterOf: async (encounter) => encounter !== 'of-another',
  patientsWithin: async () => [],
  encountersWithin: async () => [],
};

const openTestStore = async (t: Test): Promise<Store> => {
  if (!IS_MONGODB) return openTemporaryStore(t);
  const store = await openStore(
    readConfig({ CONSILIUM_STORE_KEY: '5'.repeat(64), ...storeEnvironment(t, temporaryFolder(t)) }),
  );
  t.teardown(() => store.close());
  return store;
};

export const startTestAuthServer = async (t: Test, options: TestAuthOptions = {}): Promise<TestAuthServer> => {
  const store = options.store ?? (await openTestStore(t));
  let ahead = 0;
  const { promise: auth, resolve } = Promise.withResolvers<AuthServer>();
  const { rateLimit = 100_000, registrationToken } = options;
  const app = buildWebServer({
    ...{ bodyBytes: 1_000_000, requestMilliseconds: 10_000, logLevel: 'silent', newId: randomUUID },
    isReady: async () => true,
    isLeaving: () => false,
    openApi: async () => '{}',
    callerOf: async () => 'anonymous',
    pages: undefined,
    answer: async () => ({ status: 200, headers: {}, body: '{"resourceType":"Patient"}' }),
    auth: {
      auth,
      rateLimit,
      isRegistrationOpen: registrationToken !== undefined,
      addressOf: ({ socket }) => socket.remoteAddress ?? '',
    },
  });
  const issuer = await app.listen({ host: '127.0.0.1', port: 0 });
  t.teardown(() => app.close());
  const limits = {
    ...{ tokenSeconds: 3600, scopeCharacters: 8192, keyDays: 90, jwksMilliseconds: 500, jwksBytes: 10_000 },
    ...{ jwksPrivateAddresses: new BlockList(), registrationToken },
  };
  const server = createAuthServer({
    isStoreShared: true,
    ...{
      issuer,
      records: store.records,
      limits,
      keysKey: Buffer.alloc(32, 7),
      isOnLoopback: true,
      directory: DIRECTORY,
    },
    isResourceType: (name) => TYPES.has(name),
    checkScopeParameters: (type, parameters) => {
      for (const [name] of parameters) if (name !== 'category') throw invalid(`${type} has no parameter ${name}`);
    },
    now: () => Date.now() + ahead,
    ...options,
  });
  resolve(server);
  const answered = async (path: string, init: RequestInit): Promise<Answer> => {
    const response = await fetch(/^https?:/.test(path) ? path : issuer + path, init);
    const text = await response.text();
    const json = response.headers.get('content-type')?.startsWith('application/json') ? JSON.parse(text) : {};
    return { status: response.status, headers: response.headers, text, json };
  };
  return {
    ...server,
    store,
    wait: (milliseconds) => {
      ahead += milliseconds;
    },
    send: (method, path, headers = {}) => answered(path, { method, headers }),
    post: (path, body, headers = {}) => {
      const isForm = typeof body === 'string' || path !== '/auth/launch';
      const isJson = !isForm || headers['content-type'] === 'application/json';
      const type = isJson ? 'application/json' : 'application/x-www-form-urlencoded';
      const text =
        typeof body === 'string' ? body : isJson ? JSON.stringify(body) : `${new URLSearchParams({ ...body })}`;
      return answered(path, { method: 'POST', headers: { 'content-type': type, ...headers }, body: text });
    },
  };
};

export interface TestKey {
  readonly privateKey: KeyObject;
  readonly publicJwk: JWK;
  readonly alg: string;
}

const TYPE_OF: Readonly<Record<string, () => { privateKey: KeyObject; publicKey: KeyObject }>> = {
  RS384: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES384: () => generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
};

export const newKey = async (alg = 'ES384', kid: string = randomUUID()): Promise<TestKey> => {
  const { privateKey, publicKey } = TYPE_OF[alg]?.() ?? { privateKey: undefined, publicKey: undefined };
  if (privateKey === undefined || publicKey === undefined) throw new Error(alg);
  return { privateKey, publicJwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' }, alg };
};

export const ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** A client assertion as a correct client makes it, but for what is given. */
export const assertion = (
  server: AuthServer,
  clientId: string,
  key: TestKey,
  claims: Readonly<Record<string, unknown>> = {},
  header: Readonly<Record<string, unknown>> = {},
): Promise<string> => {
  const now = Math.floor(server.now() / 1000);
  const all = {
    ...{
      iss: clientId,
      sub: clientId,
      aud: `${server.issuer}/auth/token`,
      iat: now,
      exp: now + 300,
      jti: randomUUID(),
    },
    ...claims,
  };
  return new SignJWT(Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)))
    .setProtectedHeader({ alg: key.alg, kid: key.publicJwk.kid ?? '', typ: 'JWT', ...header })
    .sign(key.privateKey);
};

export const SCOPE = 'system/Patient.rs system/Observation.rs';

/** A registered backend client with its key. */
export const newBackend = async (
  server: AuthServer,
  more: Partial<Registration> = {},
  alg = 'ES384',
): Promise<{ client: Client; key: TestKey }> => {
  const key = await newKey(alg);
  const { client } = await registerClient(server, {
    ...{ name: 'EHR', kind: 'backend', scope: SCOPE, purpose: 'TREAT', organization: 'Organization/1' },
    ...(more.jwksUrl === undefined ? { jwks: { keys: [key.publicJwk] } } : {}),
    ...more,
  });
  return { client, key };
};

/** The form of a token request of Backend Services. */
export const backendForm = async (
  server: AuthServer,
  clientId: string,
  key: TestKey,
  more: Readonly<Record<string, string>> = {},
): Promise<Record<string, string>> => ({
  grant_type: 'client_credentials',
  client_assertion_type: ASSERTION,
  client_assertion: await assertion(server, clientId, key),
  scope: SCOPE,
  ...more,
});

export const REDIRECT = 'https://app.example/callback';
export const APP_SCOPE =
  'openid fhirUser launch launch/patient offline_access online_access patient/Patient.rs patient/Observation.rs patient/Condition.rs';

export const newApp = (server: AuthServer, more: Partial<Registration> = {}) =>
  registerClient(server, {
    ...{ name: 'App', kind: 'public', redirectUris: [REDIRECT], scope: APP_SCOPE, purpose: 'PATRQT' },
    ...more,
  });

export const VERIFIER = 'v'.repeat(43);
const CHALLENGE = createHash('sha256').update(VERIFIER).digest('base64url');

/** A patient who can sign in. */
export const newUser = async ({ records, now }: AuthServer, more: Partial<User> = {}): Promise<User> => {
  const user: User = {
    ...{ id: randomUUID(), login: 'ada', fhirUser: 'Patient/ada', role: 'patient', reach: 'source' },
    ...{ validFrom: now() - 1000, isDisabled: false },
    ...more,
  };
  await records.put(`user/${user.id}`, JSON.stringify(user));
  return user;
};

/** What the user has approved. */
export const granted = (
  server: AuthServer,
  client: Client,
  user: User,
  scope = 'openid fhirUser launch/patient offline_access patient/Patient.rs patient/Observation.rs',
  more: Partial<Granted> = {},
  context: LaunchContext = { patient: 'ada' },
): Granted => ({
  clientId: client.id,
  user: { userId: user.id, fhirUser: user.fhirUser, role: user.role, authTime: Math.floor(server.now() / 1000) - 60 },
  context,
  scopes: scope.split(' '),
  purpose: client.purpose,
  ...more,
});

/** A code as the authorization endpoint gives it, after the user has approved. */
export const newCode = (server: AuthServer, grantedTo: Granted): Promise<string> =>
  issueCode(server, { granted: grantedTo, redirectUri: REDIRECT, codeChallenge: CHALLENGE });

/** The form with which a public client exchanges a code. */
export const codeForm = (clientId: string, code: string): Record<string, string> => ({
  grant_type: 'authorization_code',
  code,
  redirect_uri: REDIRECT,
  code_verifier: VERIFIER,
  client_id: clientId,
});

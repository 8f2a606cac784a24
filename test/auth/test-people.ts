/** A server with people, apps and patients, for tests of the pages: through HTTP, or in a browser. */
import { createHash } from 'node:crypto';
import type { BundleEntry, Resource } from '@medplum/fhirtypes';
import { Secret, TOTP } from 'otpauth';
import type { Test } from 'tap';
import { actorOf } from '../../src/access/actor-of.ts';
import { buildApp, createAuthorization, createFhirServer } from '../../src/app.ts';
import type { AuthServer } from '../../src/auth/auth-server.ts';
import type { Client } from '../../src/auth/clients/client.ts';
import { registerClient } from '../../src/auth/clients/clients.ts';
import type { Registration } from '../../src/auth/clients/registration.ts';
import { createPeople, type People } from '../../src/auth/users/people.ts';
import type { Provider } from '../../src/auth/users/providers.ts';
import { enrolFactor, factorToEnrol, signIn } from '../../src/auth/users/sign-in.ts';
import type { Role } from '../../src/auth/users/user.ts';
import { derivedKey, readConfig } from '../../src/config.ts';
import type { FhirServer } from '../../src/interactions/fhir-request.ts';
import { openStore } from '../../src/open-store.ts';
import { temporaryFolder } from '../http/test-server.ts';
import { storeEnvironment } from '../http/test-store.ts';

export const PASSWORD = 'correct horse battery';
export const REDIRECT = 'http://127.0.0.1:9/callback';
export const VERIFIER = 'v'.repeat(43);
export const CHALLENGE = createHash('sha256').update(VERIFIER).digest('base64url');

export const APP_SCOPE = [
  'openid fhirUser launch launch/patient launch/encounter offline_access online_access',
  'patient/*.cruds user/*.cruds',
].join(' ');

export interface PeopleServer {
  /** Without a path. */
  readonly origin: string;
  readonly fhirBase: string;
  readonly auth: AuthServer;
  readonly people: People;
  /** A registered app; its id is `app` if nothing else is said. */
  addApp(registration?: Partial<Registration>): Promise<Client>;
  addUser(login: string, fhirUser: string, role: Role, needsSecondFactor?: boolean): Promise<void>;
  /** Enrols an authenticator app; answers its secret. */
  enrol(login: string): Promise<string>;
  /** Writes resources as the organization does. */
  put(organization: string, ...resources: readonly (Resource & { id: string })[]): Promise<void>;
  /** Deletes a resource (`Patient/[id]`). */
  remove(reference: string): Promise<void>;
}

const patient = (id: string, given: string, family: string, birthDate: string): Resource & { id: string } => ({
  resourceType: 'Patient',
  id,
  name: [{ use: 'official', given: [given], family }],
  gender: 'female',
  birthDate,
});

const encounter = (id: string, patientId: string, start: string): Resource & { id: string } => ({
  resourceType: 'Encounter',
  id,
  status: 'finished',
  class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'AMB', display: 'ambulatory' },
  subject: { reference: `Patient/${patientId}` },
  period: { start },
});

const organization = (id: string, name: string): Resource & { id: string } => ({
  resourceType: 'Organization',
  id,
  name,
});

const practitioner = (id: string, given: string, family: string): Resource & { id: string } => ({
  resourceType: 'Practitioner',
  id,
  name: [{ prefix: ['Dr.'], given: [given], family }],
});

/** Two hospitals: what the one pushed, the people of the other do not see. */
const pushRecords = async (put: PeopleServer['put']): Promise<void> => {
  await put(
    'Organization/north',
    organization('north', 'North Hospital'),
    practitioner('marie', 'Marie', 'Curie'),
    patient('ada', 'Ada', 'Lovelace', '1985-12-10'),
    patient('grace', 'Grace', 'Hopper', '1976-12-09'),
    patient('emmy', 'Emmy', 'Noether', '1992-03-23'),
    encounter('visit-1', 'ada', '2026-01-10T09:00:00Z'),
    encounter('visit-2', 'ada', '2026-03-02T09:00:00Z'),
  );
  await put(
    'Organization/south',
    organization('south', 'South Clinic'),
    practitioner('lise', 'Lise', 'Meitner'),
    patient('rosa', 'Rosa', 'Parks', '1970-02-04'),
  );
};

/** Writes as an organization does, past HTTP. */
const writeInto =
  (server: FhirServer) =>
  async (source: string, entry: readonly BundleEntry[]): Promise<void> => {
    const grant = {
      ...{ id: 'test', clientId: 'test', context: {}, scopes: ['system/*.cruds'], purpose: 'TREAT' as const },
      ...{ organization: source, created: Date.now(), access: [] },
    };
    const access = { hash: '', scopes: grant.scopes, reach: { kind: 'all' } as const, expires: 0 };
    const body = JSON.stringify({ resourceType: 'Bundle', type: 'transaction', entry });
    await server.as(actorOf(grant, access)).answer({ method: 'POST', path: '', query: '', headers: {}, body });
  };

const putInto =
  (server: FhirServer): PeopleServer['put'] =>
  (source, ...resources) =>
    writeInto(server)(
      source,
      resources.map((resource) => ({
        resource,
        request: { method: 'PUT', url: `${resource.resourceType}/${resource.id}` },
      })),
    );

/** Enrols an authenticator app of somebody; answers its secret. */
const enrolledFactor = async (people: People, login: string): Promise<string> => {
  const result = await signIn(people, { login, password: PASSWORD });
  const half = result.kind === 'done' ? await people.sessions.open(result.cookie) : undefined;
  if (half === undefined) throw new Error(`${login} cannot sign in`);
  const secret = await factorToEnrol(people, half);
  const session = await people.sessions.open(half.cookie);
  // A code of the step before, so that the one of now is not used up.
  const enrolled = session && (await enrolFactor(people, session, codeOf(secret, Date.now() - 30_000)));
  if (enrolled?.kind !== 'done') throw new Error('The factor was refused');
  return secret;
};

export const startPeopleServer = async (
  t: Test,
  environment: Readonly<Record<string, string>> = {},
  providers: readonly Provider[] = [],
): Promise<PeopleServer> => {
  const folder = temporaryFolder(t);
  const read = readConfig({
    CONSILIUM_PORT: '0',
    CONSILIUM_LOG_LEVEL: 'silent',
    CONSILIUM_STORE_KEY: '5'.repeat(64),
    CONSILIUM_DATA: folder,
    CONSILIUM_ACCESS: 'smart',
    CONSILIUM_RATE_LIMIT: '100000',
    ...storeEnvironment(t, folder),
    ...environment,
  });
  const config = { ...read, providers };
  const store = await openStore(config);
  const { promise, resolve } = Promise.withResolvers<FhirServer>();
  const authorization = promise.then((server) => createAuthorization(config, server));
  const app = buildApp(config, promise, () => false, authorization);
  const origin = await app.listen({ host: '127.0.0.1', port: 0 });
  const server = createFhirServer(config, store, `${origin}/fhir`);
  await server.reindexing.start();
  resolve(server);
  t.teardown(async () => {
    await app.close();
    await server.reindexing.close();
    await store.close();
  });
  const auth = await authorization;
  const people = createPeople({
    ...{ records: store.records, limits: config, now: Date.now, key: derivedKey(config.storeKey, 'people') },
    isThere: async () => true,
    changed: auth.cached.forget,
  });
  const put = putInto(server);
  await pushRecords(put);
  return {
    ...{ origin, fhirBase: `${origin}/fhir`, auth, people, put },
    addApp: async (registration = {}) => {
      const { client } = await registerClient(auth, {
        ...{ id: 'app', name: 'Heart Diary', kind: 'public', redirectUris: [REDIRECT], scope: APP_SCOPE },
        ...{ purpose: 'PATRQT', organization: 'Organization/south' },
        ...registration,
      });
      return client;
    },
    addUser: async (login, fhirUser, role, needsSecondFactor) => {
      const choice = needsSecondFactor === undefined ? {} : { needsSecondFactor };
      await people.users.add({ login, fhirUser, role, password: PASSWORD, ...choice });
    },
    enrol: (login) => enrolledFactor(people, login),
    remove: (url) => writeInto(server)('Organization/north', [{ request: { method: 'DELETE', url } }]),
  };
};

/** What an authenticator app shows. */
export const codeOf = (secret: string, at = Date.now()): string =>
  new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: at });

/** The path of an authorization request, with changes; undefined takes a parameter away. */
export const authorizePath = (
  { fhirBase }: PeopleServer,
  changes: Readonly<Record<string, string | undefined>> = {},
): string => {
  const parameters = {
    ...{ response_type: 'code', client_id: 'app', redirect_uri: REDIRECT, state: 'a state', aud: fhirBase },
    scope: 'openid fhirUser launch/patient patient/Patient.rs patient/Observation.rs',
    ...{ code_challenge: CHALLENGE, code_challenge_method: 'S256' },
    ...changes,
  };
  const given = Object.entries(parameters).filter((pair): pair is [string, string] => pair[1] !== undefined);
  return `/auth/authorize?${new URLSearchParams(given)}`;
};

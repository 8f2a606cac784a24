/** The only place where the parts are put together. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createAccess, pageTokensOf, storeWithin } from './access/access.ts';
import type { Caller } from './access/access-rule.ts';
import type { Actor } from './access/actor.ts';
import { actorOf } from './access/actor-of.ts';
import { createClinicalDirectory } from './access/clinical-directory.ts';
import { reachOfUser } from './access/reach.ts';
import { checkScopeParameters } from './access/scope-clauses.ts';
import { type AuthServer, createAuthServer } from './auth/auth-server.ts';
import { endpointUrls } from './auth/endpoints/discovery.ts';
import { authenticate } from './auth/tokens/authenticate.ts';
import type { AccessToken, Grant } from './auth/tokens/grant.ts';
import { type Config, ConfigurationError, derivedKey, isLoopback } from './config.ts';
import { createCompartments } from './definitions/compartments.ts';
import { loadOperationDefinitions } from './definitions/operation-definitions.ts';
import { loadPackages, loadProfiles } from './definitions/packages/load-packages.ts';
import { PackageUnusable } from './definitions/packages/package-files.ts';
import { loadSearchParameters } from './definitions/search-parameters.ts';
import { loadStructures } from './definitions/structures.ts';
import { loadTerminology, type Terminology } from './definitions/terminology.ts';
import { FhirError } from './fhir/fhir-error.ts';
import { createInvariantCompiler } from './fhirpath/invariant.ts';
import { createFhirPathPatch } from './fhirpath/patch.ts';
import { type Authenticate, bearerCaller } from './http/bearer-caller.ts';
import { clientAddress } from './http/client-address.ts';
import type { RequestOrigin } from './http/fhir-routes.ts';
import { forwardedBaseUrl } from './http/forwarded.ts';
import type { RateLimitOptions } from './http/rate-limit.ts';
import { buildWebServer, type WebServer, type WebServerOptions } from './http/web-server.ts';
import { createCapabilities, originOf } from './interactions/capabilities.ts';
import type { FhirServer } from './interactions/fhir-request.ts';
import { createOpenApi } from './interactions/openapi/document.ts';
import { referrerEntries } from './interactions/referrers.ts';
import { createDispatch } from './interactions/route.ts';
import type { AuthEndpoints } from './interactions/security.ts';
import { definitionReferences, storeDefinitions } from './interactions/store-definitions.ts';
import { openStore } from './open-store.ts';
import { OPERATIONS } from './operations/operations.ts';
import { createPageServer } from './page-server.ts';
import { createIndexGate } from './reindex/index-gate.ts';
import { createReindexing } from './reindex/reindexing.ts';
import type { Log } from './reindex/run-job.ts';
import type { OfferedParameter } from './search/accept-parameters.ts';
import { createElementTypes } from './search/element-types.ts';
import { createExtractor } from './search/extract.ts';
import { createImpliedSystems } from './search/implied-systems.ts';
import { createPageTokens } from './search/page-token.ts';
import type { CodeLookup } from './search/search-context.ts';
import { protectedStore } from './store/protected-store.ts';
import type { Store } from './store/store.ts';
import { createInvariantCheck } from './validation/invariants.ts';
import { createValidator } from './validation/validate.ts';

const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '..', 'package.json'), 'utf8')) as {
  version: string;
};

const DEFINITIONS = loadOperationDefinitions(OPERATIONS.map(({ name }) => name));

/** What searches ask of the terminology. */
const codeLookup = (terminology: Terminology): CodeLookup => ({
  expansion: terminology.expansion,
  descendants: (system, code) => listed(terminology.descendants(system, code)),
  ancestors: (system, code) => listed(terminology.ancestors(system, code)),
});

const listed = (codes: ReadonlySet<string> | undefined): readonly string[] | undefined =>
  codes === undefined ? undefined : [...codes];

const PROFILES = join(import.meta.dirname, '..', 'profiles');

/** The SearchParameters of the server's own profiles and of the packages. Throws a ConfigurationError that names a broken file. */
const offeredParameters = (config: Config): OfferedParameter[] => {
  const { packagesFolder } = config;
  try {
    const packages = packagesFolder === undefined ? [] : loadPackages(packagesFolder, config);
    return [loadProfiles(PROFILES, config), ...packages].flatMap((each) => [...each.resources('SearchParameter')]);
  } catch (error) {
    if (error instanceof PackageUnusable) throw new ConfigurationError(`CONSILIUM_PACKAGES: ${error.message}`);
    throw error;
  }
};

/** To be raised when the extractor makes other entries for R4's own parameters: all resources are indexed anew then. */
const EXTRACTOR_VERSION = 2;

/** What entries depend on beside the resources: if it changes, all resources are indexed anew. */
const extractorName = ({ references, zoneOffsetMinutes }: Config): string => {
  const links = references === 'refuse' ? ' with all references' : '';
  const zone = zoneOffsetMinutes === 0 ? '' : ` in a zone of ${zoneOffsetMinutes} minutes`;
  return `${EXTRACTOR_VERSION}${links}${zone}`;
};

/** Where clients sign in, as the CapabilityStatement has it; `baseUrl` is the server's own FHIR base. */
const endpointsOf = (limits: Config, baseUrl: string): AuthEndpoints | undefined =>
  limits.access === 'open' ? undefined : endpointUrls({ issuer: originOf({ baseUrl }), limits });

/** How often a server looks for what others on the same store have changed; the embedded store is one process's alone. */
const SHARED_MILLISECONDS = 2000;

const SILENT: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };

/**
 * The FHIR server without HTTP. `baseUrl` is the FHIR base without a final slash. `reindexing` is still to be started:
 * `offered` are definitions of search parameters for it.
 */
export const createFhirServer = (
  config: Config,
  store: Store,
  baseUrl: string,
  offered: readonly OfferedParameter[] = [],
  log = SILENT,
): FhirServer => {
  const structures = loadStructures();
  const parameters = loadSearchParameters();
  const gate = createIndexGate(store, parameters);
  const terminology = loadTerminology();
  const codes = codeLookup(terminology);
  const { dispatch, checkPermitted } = createDispatch(
    createCapabilities(version, Date.now(), OPERATIONS, DEFINITIONS, endpointsOf(config, baseUrl)),
    OPERATIONS,
  );
  const whole = protectedStore(gate.store, definitionReferences(DEFINITIONS));
  const shared = {
    store: whole,
    searchWholeStore: whole.search,
    resourceTypes: structures.resourceTypes,
    isResourceType: structures.isResourceType,
    parameters,
    compartments: createCompartments(),
    codes,
    impliedSystems: createImpliedSystems(structures, codes),
    elementTypes: createElementTypes(structures),
    structureOf: structures.structure,
    pageTokens: createPageTokens(derivedKey(config.storeKey, 'page tokens')),
    limits: config,
    refusesDanglingReferences: config.references === 'refuse',
    validate: createValidator(structures, terminology),
    checkInvariants: createInvariantCheck(
      structures,
      createInvariantCompiler(terminology),
      config.validateMilliseconds,
    ),
    fhirPathPatched: createFhirPathPatch(structures, config),
    now: Date.now,
    newId: randomUUID,
  };
  const { refusesDanglingReferences, now, newId } = shared;
  const extractorAt = (base: string): FhirServer['indexEntries'] => {
    const searchEntries = createExtractor(structures, parameters, base, config.zoneOffsetMinutes);
    return refusesDanglingReferences
      ? (resource) => [...searchEntries(resource), ...referrerEntries(resource, base)]
      : searchEntries;
  };
  const reindexing = createReindexing({
    ...{ gate, parameters, structures, offered, log, now, newId },
    extract: extractorAt(baseUrl),
    extractor: extractorName(config),
    refreshMilliseconds: config.store === 'sqlite' ? 0 : SHARED_MILLISECONDS,
  });
  const at = (base: string): FhirServer => {
    const facts = { ...shared, baseUrl: base, indexEntries: gate.watched(extractorAt(base)), reindexing, at };
    const as = (caller: Caller): FhirServer => {
      const storeBy = createAccess(facts, caller);
      const server: FhirServer = {
        ...facts,
        pageTokens: pageTokensOf(facts.pageTokens, caller),
        as,
        under: (rule, type) => (caller === 'open' ? server : { ...server, store: storeBy(rule, type) }),
        checkPermitted: (asked) => (caller === 'open' ? undefined : checkPermitted(server, asked)),
        answer: (asked) => dispatch(server, asked),
      };
      return server;
    };
    return as(config.access === 'open' ? 'open' : 'anonymous');
  };
  return at(baseUrl);
};

/** How many base urls of proxies are remembered; one is usual. */
const BASE_URLS = 16;

/** The same server under the base url that a client uses: links, Locations and references are below that. */
const serverViews = (): ((server: FhirServer, baseUrl: string | undefined) => FhirServer) => {
  const views = new Map<string, FhirServer>();
  return (server, baseUrl) => {
    if (baseUrl === undefined) return server;
    const known = views.get(baseUrl);
    if (known !== undefined) return known;
    const view: FhirServer = server.at(baseUrl);
    if (views.size >= BASE_URLS) views.clear();
    views.set(baseUrl, view);
    return view;
  };
};

/** Whether the store answers a search that finds nothing, and takes a commit that writes nothing. */
const isReady = async (store: Store): Promise<boolean> =>
  (await store.count(PROBE)) === 0 && (await store.commit([])).length === 0;

/** A search that finds nothing. */
const PROBE = { searches: [{ type: 'Patient', clauses: [{ kind: 'id', values: [''] }] }], sort: [], count: 0 } as const;

/** The authorization server beside a FHIR server; its issuer is one step above the FHIR base. */
export const createAuthorization = (config: Config, server: FhirServer): AuthServer =>
  createAuthServer({
    issuer: originOf(server),
    records: server.store.records,
    limits: config,
    keysKey: derivedKey(config.storeKey, 'signing keys'),
    isOnLoopback: isLoopback(config.host),
    isStoreShared: config.store !== 'sqlite',
    directory: createClinicalDirectory({
      storeWithin: (reach) => storeWithin(server, reach),
      reachOfUser: (user) => reachOfUser(server, user),
    }),
    isResourceType: server.isResourceType,
    checkScopeParameters: (type, parameters) => checkScopeParameters(server, type, parameters),
    now: server.now,
  });

const actors = new WeakMap<AccessToken, Actor>();

/** The actor of a token, the same as long as the grant is remembered. */
const knownActor = (grant: Grant, access: AccessToken): Actor => {
  const actor = actors.get(access) ?? actorOf(grant, access);
  actors.set(access, actor);
  return actor;
};

/** Finds who holds a token. */
const actorBy =
  (auth: Promise<AuthServer> | undefined): Authenticate =>
  async (token) => {
    const found = auth === undefined ? undefined : await authenticate(await auth, token);
    return found === undefined ? undefined : knownActor(found.grant, found.access);
  };

const rateLimitOptions = ({ rateLimit, trustedProxies }: Config): RateLimitOptions => ({
  rateLimit,
  addressOf: ({ headers, socket }) => clientAddress(headers, socket.remoteAddress, trustedProxies),
});

const authOptions = (config: Config, auth: Promise<AuthServer>): WebServerOptions['auth'] => ({
  ...{ auth, ...rateLimitOptions(config) },
  isRegistrationOpen: config.registrationToken !== undefined,
});

const pagesOptions = (
  config: Config,
  auth: Promise<AuthServer>,
  server: FhirServer | Promise<FhirServer>,
): WebServerOptions['pages'] => ({
  pages: Promise.all([auth, server]).then(([known, { store }]) => createPageServer(config, known, store)),
  isHttps: config.baseUrl?.startsWith('https:') ?? false,
  ...rateLimitOptions(config),
});

/** The web server, not yet listening; requests wait for `server`, which may need the address that is listened on. */
export const buildApp = (
  config: Config,
  server: FhirServer | Promise<FhirServer>,
  isLeaving: () => boolean = () => false,
  auth?: Promise<AuthServer>,
): WebServer => {
  const viewOf = serverViews();
  const openApi = createOpenApi(version, OPERATIONS, DEFINITIONS);
  const serverAt = async ({ headers, remoteAddress }: RequestOrigin): Promise<FhirServer> => {
    const own = await server;
    return viewOf(own, forwardedBaseUrl(own.baseUrl, headers, remoteAddress, config.trustedProxies));
  };
  return buildWebServer({
    bodyBytes: config.bodyBytes,
    requestMilliseconds: config.requestMilliseconds,
    logLevel: config.logLevel,
    newId: randomUUID,
    auth: auth === undefined ? undefined : authOptions(config, auth),
    pages: auth === undefined ? undefined : pagesOptions(config, auth, server),
    isReady: async () => !isLeaving() && isReady((await server).store),
    isLeaving,
    callerOf:
      config.access === 'open'
        ? undefined
        : (request, origin) => bearerCaller(request, async () => (await serverAt(origin)).baseUrl, actorBy(auth)),
    answer: async (request, origin, caller) => {
      const view = await serverAt(origin);
      return (caller === undefined ? view : view.as(caller)).answer(request);
    },
    openApi: async (origin) => openApi(await serverAt(origin)),
  });
};

export interface RunningServer {
  /** The FHIR base url. */
  readonly baseUrl: string;
  /** Answers what is under way, then closes the store. */
  close(): Promise<void>;
}

/** Does what a full disk may hinder; that does not keep the server from what it can still do. */
const unlessRefused = (log: Log, action: Promise<void>, what: string): Promise<void> =>
  action.catch((error: unknown) => {
    if (!(error instanceof FhirError)) throw error;
    log.warn(`${what}: ${error.message}`);
  });

/** Opens the store, listens, and resolves when requests can be answered. Throws StoreUnusable or ConfigurationError. */
export const startServer = async (config: Config): Promise<RunningServer> => {
  const offered = offeredParameters(config);
  const store = await openStore(config);
  const { promise, resolve } = Promise.withResolvers<FhirServer>();
  let leaving = false;
  const auth = config.access === 'open' ? undefined : promise.then((server) => createAuthorization(config, server));
  const app = buildApp(config, promise, () => leaving, auth);
  const parts: { reindexing?: FhirServer['reindexing'] } = {};
  const close = async (): Promise<void> => {
    leaving = true;
    // Balancers see that it is not ready, and send no more, before connections are closed.
    await pause(config.leaveMilliseconds);
    await app.close();
    await parts.reindexing?.close();
    await store.close();
  };
  try {
    const address = await app.listen({ host: config.host, port: config.port });
    const baseUrl = `${config.baseUrl ?? address}/fhir`;
    const server = createFhirServer(config, store, baseUrl, offered, app.log);
    parts.reindexing = server.reindexing;
    await unlessRefused(app.log, server.reindexing.start(), 'Search parameters could not be indexed');
    const stored = storeDefinitions(server, store, DEFINITIONS);
    await unlessRefused(app.log, stored, 'The OperationDefinitions of this version could not be stored');
    resolve(server);
    const signingKeys = auth?.then(async ({ keys }) => void (await keys.jwks())) ?? Promise.resolve();
    await unlessRefused(app.log, signingKeys, 'The keys that sign id tokens could not be made');
    if (config.storeKeyWarning !== undefined) app.log.warn(config.storeKeyWarning);
    return { baseUrl, close };
  } catch (error) {
    await close();
    const { code, message } = error as { code?: string; message: string };
    if (code === 'EADDRINUSE')
      throw new ConfigurationError(`CONSILIUM_PORT ${config.port} is in use on ${config.host}`);
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EACCES')
      throw new ConfigurationError(`CONSILIUM_HOST or CONSILIUM_PORT cannot be listened on: ${message}`);
    throw error;
  }
};

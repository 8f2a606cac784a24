/** The only place where the parts are put together. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Config, ConfigurationError, derivedKey, STORE_FILE } from './config.ts';
import { createCompartments } from './definitions/compartments.ts';
import { loadSearchParameters } from './definitions/search-parameters.ts';
import { loadStructures } from './definitions/structures.ts';
import { loadTerminology, type Terminology } from './definitions/terminology.ts';
import { createInvariantCompiler } from './fhirpath/invariant.ts';
import { createFhirPathPatch } from './fhirpath/patch.ts';
import { forwardedBaseUrl } from './http/forwarded.ts';
import { buildWebServer, type WebServer } from './http/web-server.ts';
import { createCapabilities } from './interactions/capabilities.ts';
import type { FhirServer } from './interactions/fhir-request.ts';
import { createDispatch } from './interactions/route.ts';
import { OPERATIONS } from './operations/operations.ts';
import { createExtractor } from './search/extract.ts';
import { createImpliedSystems } from './search/implied-systems.ts';
import { createPageTokens } from './search/page-token.ts';
import type { CodeLookup } from './search/search-context.ts';
import { openSqliteStore } from './store/sqlite/open-store.ts';
import type { Store } from './store/store.ts';
import { createInvariantCheck } from './validation/invariants.ts';
import { createValidator } from './validation/validate.ts';

const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '..', 'package.json'), 'utf8')) as {
  version: string;
};

const openStore = (config: Config): Promise<Store> =>
  openSqliteStore({
    path: join(config.dataFolder, STORE_FILE),
    key: derivedKey(config.storeKey, 'store'),
    checkBytes: config.storeCheckBytes,
    searchThreads: config.searchThreads,
    searchLimits: { milliseconds: config.searchMilliseconds, rows: config.searchRows },
  });

/** What searches ask of the terminology. */
const codeLookup = (terminology: Terminology): CodeLookup => ({
  expansion: terminology.expansion,
  descendants: (system, code) => listed(terminology.descendants(system, code)),
  ancestors: (system, code) => listed(terminology.ancestors(system, code)),
});

const listed = (codes: ReadonlySet<string> | undefined): readonly string[] | undefined =>
  codes === undefined ? undefined : [...codes];

/** The FHIR server without HTTP. `baseUrl` is the FHIR base without a final slash. */
export const createFhirServer = (config: Config, store: Store, baseUrl: string): FhirServer => {
  const structures = loadStructures();
  const parameters = loadSearchParameters();
  const terminology = loadTerminology();
  const codes = codeLookup(terminology);
  const dispatch = createDispatch(createCapabilities(version, Date.now(), OPERATIONS), OPERATIONS);
  const shared = {
    store,
    resourceTypes: structures.resourceTypes,
    isResourceType: structures.isResourceType,
    parameters,
    compartments: createCompartments(),
    codes,
    impliedSystems: createImpliedSystems(structures, codes),
    structureOf: structures.structure,
    pageTokens: createPageTokens(derivedKey(config.storeKey, 'page tokens')),
    limits: config,
    refusesDanglingReferences: config.references === 'refuse',
    validate: createValidator(structures, terminology),
    checkInvariants: createInvariantCheck(structures, createInvariantCompiler(terminology)),
    fhirPathPatched: createFhirPathPatch(structures),
    now: Date.now,
    newId: randomUUID,
  };
  const at = (base: string): FhirServer => {
    const indexEntries = createExtractor(structures, parameters, base);
    const server: FhirServer = {
      ...shared,
      baseUrl: base,
      indexEntries,
      at,
      answer: (asked) => dispatch(server, asked),
    };
    return server;
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

/** The web server, not yet listening; requests wait for `server`, which may need the address that is listened on. */
export const buildApp = (config: Config, server: FhirServer | Promise<FhirServer>): WebServer => {
  const viewOf = serverViews();
  return buildWebServer({
    bodyBytes: config.bodyBytes,
    requestMilliseconds: config.requestMilliseconds,
    logLevel: config.logLevel,
    newId: randomUUID,
    isReady: async () => isReady((await server).store),
    answer: async (request, { headers, remoteAddress }) => {
      const own = await server;
      const baseUrl = forwardedBaseUrl(own.baseUrl, headers, remoteAddress, config.trustedProxies);
      return viewOf(own, baseUrl).answer(request);
    },
  });
};

export interface RunningServer {
  /** The FHIR base url. */
  readonly baseUrl: string;
  /** Answers what is under way, then closes the store. */
  close(): Promise<void>;
}

/** Opens the store, listens, and resolves when requests can be answered. Throws StoreUnusable or ConfigurationError. */
export const startServer = async (config: Config): Promise<RunningServer> => {
  const store = await openStore(config);
  const { promise, resolve } = Promise.withResolvers<FhirServer>();
  const app = buildApp(config, promise);
  const close = async (): Promise<void> => {
    await app.close();
    await store.close();
  };
  try {
    const address = await app.listen({ host: config.host, port: config.port });
    const baseUrl = `${config.baseUrl ?? address}/fhir`;
    resolve(createFhirServer(config, store, baseUrl));
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

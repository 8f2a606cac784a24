/** The only place where the parts are put together. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Config, ConfigurationError, derivedKey, STORE_FILE } from './config.ts';
import { loadSearchParameters } from './definitions/search-parameters.ts';
import { loadStructures } from './definitions/structures.ts';
import { createFhirPathPatch } from './fhirpath/patch.ts';
import { buildWebServer, type WebServer } from './http/web-server.ts';
import { createCapabilities } from './interactions/capabilities.ts';
import type { FhirServer } from './interactions/fhir-request.ts';
import { createDispatch } from './interactions/route.ts';
import { createExtractor } from './search/extract.ts';
import { createPageTokens } from './search/page-token.ts';
import { openSqliteStore } from './store/sqlite/open-store.ts';
import type { Store } from './store/store.ts';
import { createValidator } from './validation/validate.ts';

const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '..', 'package.json'), 'utf8')) as {
  version: string;
};

const openStore = (config: Config): Promise<Store> =>
  openSqliteStore({
    path: join(config.dataFolder, STORE_FILE),
    key: derivedKey(config.storeKey, 'store'),
    checkBytes: config.storeCheckBytes,
  });

/** The FHIR server without HTTP. `baseUrl` is the FHIR base without a final slash. */
export const createFhirServer = (config: Config, store: Store, baseUrl: string): FhirServer => {
  const structures = loadStructures();
  const parameters = loadSearchParameters();
  const dispatch = createDispatch(createCapabilities(version, Date.now()));
  const server: FhirServer = {
    store,
    baseUrl,
    resourceTypes: structures.resourceTypes,
    isResourceType: structures.isResourceType,
    parameters,
    pageTokens: createPageTokens(derivedKey(config.storeKey, 'page tokens')),
    limits: config,
    refusesDanglingReferences: config.references === 'refuse',
    validate: createValidator(structures),
    indexEntries: createExtractor(structures, parameters, baseUrl),
    fhirPathPatched: createFhirPathPatch(structures),
    now: Date.now,
    newId: randomUUID,
    answer: (request) => dispatch(server, request),
  };
  return server;
};

/** Whether the store answers a search that finds nothing, and takes a commit that writes nothing. */
const isReady = async (store: Store): Promise<boolean> =>
  (await store.count(PROBE)) === 0 && (await store.commit([])).length === 0;

/** A search that finds nothing. */
const PROBE = { type: 'Patient', clauses: [{ kind: 'id', values: [''] }], count: 0 } as const;

/** The web server, not yet listening; requests wait for `server`, which may need the address that is listened on. */
export const buildApp = (config: Config, server: FhirServer | Promise<FhirServer>): WebServer =>
  buildWebServer({
    bodyBytes: config.bodyBytes,
    requestMilliseconds: config.requestMilliseconds,
    logLevel: config.logLevel,
    newId: randomUUID,
    isReady: async () => isReady((await server).store),
    answer: async (request) => (await server).answer(request),
  });

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

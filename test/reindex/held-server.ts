/** A server without HTTP whose reindex stops before it writes, until it is told to go on: so that tests need no luck. */
import { join } from 'node:path';
import type { Bundle, OperationOutcome, Resource, SearchParameter } from '@medplum/fhirtypes';
import type { Test } from 'tap';
import { createFhirServer } from '../../src/app.ts';
import { derivedKey, readConfig } from '../../src/config.ts';
import { FhirError } from '../../src/fhir/fhir-error.ts';
import type { FhirServer } from '../../src/interactions/fhir-request.ts';
import { openSqliteStore } from '../../src/store/sqlite/open-store.ts';
import type { Store } from '../../src/store/store.ts';

interface HeldAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  json<T>(): T;
  readonly diagnostics: string;
}

export interface HeldServer {
  readonly fhir: FhirServer;
  readonly store: Store;
  readonly messages: readonly string[];
  send(method: string, path: string, body?: Resource, headers?: Record<string, string>): Promise<HeldAnswer>;
  /** How many resources a search finds; fails if it is not answered with 200. */
  found(search: string): Promise<number>;
  /** Lets the walk, and all later ones, write. */
  release(): void;
  /** Resolves when a walk wants to write for the first time. */
  readonly held: Promise<void>;
  /** Lets the walk write, and resolves when the job has ended, with its status. */
  finished(): Promise<string>;
  close(): Promise<void>;
}

const text = (value: string | Buffer | undefined): string => (value ?? '').toString();

const answered = async (action: Promise<Awaited<ReturnType<FhirServer['answer']>>>): Promise<HeldAnswer> => {
  const made = (status: number, headers: HeldAnswer['headers'], body: string): HeldAnswer => ({
    status,
    headers,
    json: <T>() => JSON.parse(body) as T,
    get diagnostics() {
      return (JSON.parse(body) as OperationOutcome).issue.map(({ diagnostics }) => diagnostics).join('\n');
    },
  });
  try {
    const { status, headers, body, outcome } = await action;
    return made(status, headers, text(body ?? outcome));
  } catch (error) {
    if (!(error instanceof FhirError)) throw error;
    return made(error.status, error.headers, JSON.stringify({ issue: error.issues }));
  }
};

/** Opens the store in `folder`; `packaged` are definitions as from a package. The walk is held if `isHeld`. */
export const openHeldServer = async (
  t: Test,
  folder: string,
  packaged: readonly SearchParameter[] = [],
  isHeld = true,
  environment: Readonly<Record<string, string>> = {},
): Promise<HeldServer> => {
  const config = readConfig({
    CONSILIUM_STORE_KEY: '7'.repeat(64),
    CONSILIUM_DATA: folder,
    CONSILIUM_ACCESS: 'open',
    ...environment,
  });
  const store = await openSqliteStore({
    path: join(folder, 'test.db'),
    key: derivedKey(config.storeKey, 'store'),
    checkBytes: 0,
    readCacheBytes: 2 ** 20,
    searchPool: { quickThreads: 1, slowThreads: 1, quickMilliseconds: 25, queue: 1000 },
    searchLimits: { milliseconds: 10_000, rows: 1_000_000 },
  });
  const gate = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  if (!isHeld) gate.resolve();
  const holding: Store = {
    ...store,
    commit: async (writes, expected) => {
      if (writes.some(({ kind }) => kind === 'index')) {
        held.resolve();
        await gate.promise;
      }
      return store.commit(writes, expected);
    },
  };
  const messages: string[] = [];
  const say = (message: string): number => messages.push(message);
  const log = { info: say, warn: say, error: (_details: object, message: string) => say(message) };
  const offered = packaged.map((resource, at) => ({ source: `package file-${at}`, resource }));
  const fhir = createFhirServer(config, holding, 'http://localhost/fhir', offered, log);
  let isClosed = false;
  const close = async (): Promise<void> => {
    if (isClosed) return;
    isClosed = true;
    gate.resolve();
    await fhir.reindexing.close();
    await store.close();
  };
  t.teardown(close);
  await fhir.reindexing.start();

  const send: HeldServer['send'] = (method, target, body, headers = {}) => {
    const [path = '', query = ''] = target.split('?');
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    return answered(fhir.answer({ method, path, query, headers, ...sent }));
  };
  const status = async () => (await fhir.reindexing.status())?.status ?? 'none';
  return {
    fhir,
    store,
    messages,
    send,
    found: async (search) => {
      const answer = await send('GET', search);
      if (answer.status !== 200) throw new Error(`${search}: ${answer.status} ${answer.diagnostics}`);
      return answer.json<Bundle>().entry?.length ?? 0;
    },
    release: gate.resolve,
    held: held.promise,
    finished: async () => {
      gate.resolve();
      while ((await status()) === 'in-progress') await new Promise((resolve) => setTimeout(resolve, 5));
      return status();
    },
    close,
  };
};

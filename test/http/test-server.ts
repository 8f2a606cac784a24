/** A server of its own on a temporary data folder, spoken to through HTTP. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bundle, OperationOutcome, Resource } from '@medplum/fhirtypes';
import type { Test } from 'tap';
import { startServer } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import { storeEnvironment } from './test-store.ts';

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON; fails if it is none. */
  json<T = Resource>(): T;
  readonly outcome: OperationOutcome;
  /** The diagnostics of all issues, a line each. */
  readonly diagnostics: string;
}

interface SendOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** A string or bytes go as they are, anything else as JSON with its Content-Type. */
  readonly body?: unknown;
}

export interface TestServer {
  /** The FHIR base. */
  readonly baseUrl: string;
  readonly origin: string;
  /** Sends a request; `path` is below the FHIR base, or a whole url. */
  send(method: string, path: string, options?: SendOptions): Promise<Answer>;
  /** Creates a resource and returns it as it was answered. Fails if it is refused. */
  create<T extends Resource>(resource: T): Promise<T & { id: string }>;
  /** Sends bytes as they are and resolves with all that comes back until the server closes or `milliseconds` pass. */
  sendRaw(text: string | Buffer, milliseconds?: number): Promise<string>;
  /** How many resources of a type there are. */
  count(type: string): Promise<number>;
  close(): Promise<void>;
}

const answerOf = (status: number, headers: Headers, text: string): Answer => ({
  status,
  headers,
  text,
  json: <T>() => JSON.parse(text) as T,
  get outcome() {
    return JSON.parse(text) as OperationOutcome;
  },
  get diagnostics() {
    return (JSON.parse(text) as OperationOutcome).issue.map(({ diagnostics }) => diagnostics).join('\n');
  },
});

const isWhole = (body: unknown): body is string | Uint8Array<ArrayBuffer> =>
  typeof body === 'string' || body instanceof Uint8Array;

export const temporaryFolder = (t: Test): string => {
  const folder = mkdtempSync(join(tmpdir(), 'consilium-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
};

const sendRaw = (origin: string, text: string | Buffer, milliseconds: number): Promise<string> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(origin);
    const socket = connect(Number(port), hostname, () => socket.write(text));
    let received = '';
    const end = (): void => {
      socket.destroy();
      resolve(received);
    };
    const timer = setTimeout(end, milliseconds);
    socket.on('data', (chunk) => {
      received += chunk.toString();
    });
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(received);
    });
    socket.on('error', (error) => (received === '' ? reject(error) : end()));
  });

/** Starts a server on a free port; it stops with the test. `environment` is as for `npm start`. */
export const startTestServer = async (
  t: Test,
  environment: Readonly<Record<string, string>> = {},
): Promise<TestServer> => {
  const folder = environment['CONSILIUM_DATA'] ?? temporaryFolder(t);
  const config = readConfig({
    CONSILIUM_PORT: '0',
    CONSILIUM_LOG_LEVEL: 'silent',
    // Most tests are about FHIR; those about access say so.
    CONSILIUM_ACCESS: 'open',
    CONSILIUM_STORE_KEY: '5'.repeat(64),
    CONSILIUM_DATA: folder,
    ...storeEnvironment(t, folder),
    ...environment,
  });
  const running = await startServer(config);
  let isClosed = false;
  const close = async (): Promise<void> => {
    if (!isClosed) await running.close();
    isClosed = true;
  };
  t.teardown(close);
  const { baseUrl } = running;
  const { origin } = new URL(baseUrl);

  const send: TestServer['send'] = async (method, path, { headers = {}, body } = {}) => {
    const url = /^https?:/.test(path) ? path : path === '' ? baseUrl : `${baseUrl}/${path}`;
    const isJson = body !== undefined && !isWhole(body);
    const response = await fetch(url, {
      method,
      headers: { ...(isJson ? { 'content-type': 'application/fhir+json' } : {}), ...headers },
      ...(body === undefined ? {} : { body: isWhole(body) ? body : JSON.stringify(body) }),
    });
    return answerOf(response.status, response.headers, await response.text());
  };

  return {
    baseUrl,
    origin,
    send,
    create: async <T extends Resource>(resource: T) => {
      const answer = await send('POST', resource.resourceType, { body: resource });
      if (answer.status !== 201) throw new Error(`${answer.status} ${answer.text}`);
      return answer.json<T & { id: string }>();
    },
    sendRaw: (text, milliseconds = 2000) => sendRaw(origin, text, milliseconds),
    count: async (type) => (await send('GET', `${type}?_summary=count`)).json<Bundle>().total ?? -1,
    close,
  };
};

/** One HTTP exchange, and how far it came when it failed: that decides whether it may be sent again. */
import http from 'node:http';
import https from 'node:https';
import { urlToHttpOptions } from 'node:url';
import type { Push } from './pushes.ts';

export interface Answer {
  readonly kind: 'answer';
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Failure {
  readonly kind: 'failure';
  /** Node's code, such as `ECONNREFUSED`; `BUSY` if the server had no token to give just then. */
  readonly code: string;
  readonly message: string;
  /** After `sent` the server has the whole request and may have done it; before that it cannot have. */
  readonly stage: 'without token' | 'unconnected' | 'unsent' | 'sent';
}

export interface FhirClient {
  send(push: Push): Promise<Answer | Failure>;
  close(): void;
}

export interface FhirClientOptions {
  /** The FHIR base without a final slash. */
  readonly base: string;
  readonly connections: number;
  /** How long the connection may be silent. */
  readonly timeoutSeconds: number;
  /** Ends the requests under way. */
  readonly signal: AbortSignal;
  /** Gives an access token; without it requests have none. */
  readonly token?: () => Promise<string>;
}

const timeoutError = (seconds: number): Error =>
  Object.assign(new Error(`no answer for ${seconds} s`), { code: 'ETIMEDOUT' });

/**
 * A client that keeps its connections and never rejects. It asks for `return=minimal`, since nobody reads the stored
 * resources here.
 *
 * @see https://hl7.org/fhir/R4/http.html#ops
 */
export const createFhirClient = ({
  base,
  connections,
  timeoutSeconds,
  signal,
  token,
}: FhirClientOptions): FhirClient => {
  const target = urlToHttpOptions(new URL(base));
  const isSecure = target.protocol === 'https:';
  const transport = isSecure ? https : http;
  const agent = new transport.Agent({ keepAlive: true, maxSockets: connections });
  const root = (target.path ?? '').replace(/\/$/, '');

  const requestOptions = (push: Push, accessToken: string | undefined): http.RequestOptions => ({
    ...target,
    agent,
    method: push.method,
    // Given as text, so that an id of two dots is not taken for the parent folder.
    path: push.path === '' ? root || '/' : `${root}/${push.path}`,
    timeout: timeoutSeconds * 1000,
    headers: {
      accept: 'application/fhir+json',
      'content-type': 'application/fhir+json',
      'content-length': push.body.length,
      prefer: 'return=minimal',
      ...(accessToken === undefined ? {} : { authorization: `Bearer ${accessToken}` }),
    },
    signal,
  });

  const exchange = (push: Push, accessToken: string | undefined): Promise<Answer | Failure> =>
    new Promise((resolve) => {
      let stage: Failure['stage'] = 'unconnected';
      let answer: Answer | undefined;
      const chunks: Buffer[] = [];
      const received = (): Answer | undefined => answer && { ...answer, body: Buffer.concat(chunks) };
      const fail = (error: NodeJS.ErrnoException): void => {
        const early = received();
        // A server that refuses a large body often closes the connection before it has read it all.
        if (early !== undefined && early.status >= 400) resolve(early);
        else resolve({ kind: 'failure', code: error.code ?? 'unknown', message: error.message, stage });
      };
      const request = transport.request(requestOptions(push, accessToken));
      const connected = (): void => {
        if (stage === 'unconnected') stage = 'unsent';
      };
      request.on('socket', (socket) => {
        if (socket.connecting) socket.once(isSecure ? 'secureConnect' : 'connect', connected);
        else connected();
      });
      request.on('finish', () => {
        stage = 'sent';
      });
      request.on('timeout', () => request.destroy(timeoutError(timeoutSeconds)));
      request.on('error', fail);
      request.on('response', (response) => {
        answer = { kind: 'answer', status: response.statusCode ?? 0, headers: response.headers, body: Buffer.alloc(0) };
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', fail);
        response.on('end', () => resolve(received()!));
      });
      request.end(push.body);
    });

  const send = async (push: Push): Promise<Answer | Failure> => {
    try {
      return await exchange(push, await token?.());
    } catch (error) {
      const { message, cause } = error as Error & { readonly cause?: { readonly code?: string } };
      return { kind: 'failure', code: cause?.code ?? 'unknown', message, stage: 'without token' };
    }
  };

  return { send, close: () => agent.destroy() };
};

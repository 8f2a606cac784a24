/** What the demo prints, and how it speaks to the server. */
import { styleText } from 'node:util';

interface Answer {
  readonly headers: Headers;
  readonly text: string;
  readonly bytes: Buffer;
}

interface Sent {
  /** An access token. */
  readonly token?: string;
  readonly body?: string | URLSearchParams;
  readonly headers?: Readonly<Record<string, string>>;
}

export const print = (text = ''): void => void process.stdout.write(`${text}\n`);
export const printIndented = (text: string): void => print(text.replace(/^/gm, '    '));

let step = 0;
export const title = (text: string): void => print(`\n${styleText('bold', `${++step}. ${text}`)}`);

/** Long values that mean nothing to a reader. */
const shortened = (url: string): string => url.replace(/([A-Za-z0-9_%-]{24})[A-Za-z0-9_%.-]{20,}/g, '$1...');

/** Sends a request and prints its line and status; fails if the status is not the expected one. */
export const send = async (expected: number, method: string, url: string, sent: Sent = {}): Promise<Answer> => {
  const { token, body, headers = {} } = sent;
  const started = performance.now();
  const response = await fetch(url, {
    method,
    headers: {
      ...(typeof body === 'string' ? { 'content-type': 'application/fhir+json' } : {}),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    },
    ...(body === undefined ? {} : { body }),
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  const more = Object.entries(headers).map(([name, value]) => `  ${name}: ${value}`);
  printIndented(`${method} ${shortened(decodeURIComponent(url))}${more.join('')}`);
  printIndented(`${response.status} ${response.statusText}, ${(performance.now() - started).toFixed(0)} ms`);
  if (response.status !== expected) throw new Error(`${method} ${url} answered ${response.status}: ${bytes}`);
  return { headers: response.headers, text: bytes.toString(), bytes };
};

export const sendForJson = async <T>(method: string, url: string, sent: Sent = {}): Promise<T> =>
  JSON.parse((await send(200, method, url, sent)).text) as T;

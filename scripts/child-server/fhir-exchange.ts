/** One HTTP exchange after the other with a FHIR server, over connections that are kept. */
import http from 'node:http';

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  /** The body, or, if `isCut`, as much of it as came. */
  readonly text: string;
  /** Whether the connection broke after the status had come. */
  readonly isCut: boolean;
}

export interface FhirExchange {
  /** `path` is below the base, or a whole url. Rejects if the connection breaks before the status comes. */
  send(method: string, path: string, body?: string, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  close(): void;
}

export const createFhirExchange = (base: string, connections: number): FhirExchange => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: connections });
  const { hostname, port, pathname } = new URL(base);
  const pathOf = (path: string): string => {
    if (path.startsWith('http')) return path.slice(new URL(path).origin.length);
    return path === '' ? pathname : `${pathname}/${path}`;
  };
  return {
    send: (method, path, body, headers = {}) =>
      new Promise((resolve, reject) => {
        const content = body === undefined ? {} : { 'content-type': 'application/fhir+json' };
        const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
        const options = { agent, hostname, port, method, path: pathOf(path) };
        const request = http.request(
          { ...options, headers: { accept: 'application/fhir+json', ...content, ...length, ...headers } },
          (response) => {
            const chunks: Buffer[] = [];
            const finish = (isCut: boolean): void =>
              resolve({
                status: response.statusCode ?? 0,
                headers: response.headers,
                text: Buffer.concat(chunks).toString(),
                isCut,
              });
            response.on('data', (chunk: Buffer) => chunks.push(chunk));
            response.on('error', () => finish(true));
            response.on('end', () => finish(!response.complete));
          },
        );
        request.on('error', reject);
        request.end(body);
      }),
    close: () => agent.destroy(),
  };
};

/** Like `Promise.all` over `items`, with at most `limit` under way. */
export const mapInFlight = async <T, R>(
  items: readonly T[],
  limit: number,
  action: (item: T, index: number) => Promise<R>,
): Promise<R[]> => {
  const results: R[] = new Array(items.length);
  let next = 0;
  const work = async (): Promise<void> => {
    for (let index = next++; index < items.length; index = next++) results[index] = await action(items[index]!, index);
  };
  await Promise.all(Array.from({ length: limit }, work));
  return results;
};

/** The parsed resources of all pages of a search. Throws an Error if a page is not answered with 200. */
export const allMatches = async (exchange: FhirExchange, search: string): Promise<{ id: string }[]> => {
  const found: { id: string }[] = [];
  for (let url: string | undefined = search; url !== undefined; ) {
    const { status, text } = await exchange.send('GET', url);
    if (status !== 200) throw new Error(`GET ${url} was answered with ${status}: ${text}`);
    const bundle = JSON.parse(text);
    for (const { resource } of bundle.entry ?? []) found.push(resource);
    url = bundle.link.find(({ relation }: { relation: string }) => relation === 'next')?.url;
  }
  return found;
};

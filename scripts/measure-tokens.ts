/** What sign-in costs: tokens per second, and requests with a token against requests without: `npm run measure:tokens`. */
import { createSign, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuthorization, createFhirServer } from '../src/app.ts';
import { registerClient } from '../src/auth/clients/clients.ts';
import { readConfig } from '../src/config.ts';
import { openStore } from '../src/open-store.ts';
import { createFhirExchange, type FhirExchange } from './child-server/fhir-exchange.ts';
import { type ChildServer, startChildServer } from './child-server/start-child-server.ts';
import { optionsOf } from './command-line.ts';
import * as requests from './measure/requests.ts';
import { type Figure, timed } from './measure/timed.ts';

const HELP = `Measures what sign-in costs on this machine.

  npm run measure:tokens -- [--seconds 1] [--rounds 7]

Registers a hospital and a client that reaches everything, pushes generated records as the hospital, and asks for tokens
(Backend Services, RS384, the rate limit raised; the assertions are signed before). Then reads and searches without
sign-in, as the client that reaches everything, and as the hospital, in turns, so many rounds of each kind of request;
prints medians, as shares of the rate without sign-in: by the clock, and by the server's processor time.
`;

const KEY = 'c0'.repeat(32);
const KID = 'measured';
const IN_FLIGHT = 16;
const SCOPE = 'system/*.cruds';
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const ASSERTION_SECONDS = 240;
/** Assertions a second that are made ready; none comes near. */
const SIGNED_PER_SECOND = 1500;
const SMART = { CONSILIUM_ACCESS: 'smart', CONSILIUM_RATE_LIMIT: '1000000' };

const note = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

interface Clients {
  readonly privateKey: KeyObject;
  readonly hospital: string;
  readonly everything: string;
}

/** Registers the clients in a store that no server has open. */
const registeredClients = async (dataFolder: string): Promise<Clients> => {
  const config = readConfig({ CONSILIUM_DATA: dataFolder, CONSILIUM_STORE_KEY: KEY });
  const store = await openStore(config);
  const fhir = createFhirServer(config, store, 'http://localhost/fhir');
  const server = createAuthorization(config, fhir);
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const jwks = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: KID, alg: 'RS384', use: 'sig' }] };
  const all = { kind: 'backend', scope: SCOPE, purpose: 'TREAT', jwks };
  const hospital = await registerClient(server, { ...all, name: 'Hospital', organization: 'Organization/measured' });
  const everything = await registerClient(server, { ...all, name: 'Everything', reach: 'all' });
  await fhir.reindexing.close();
  await store.close();
  return { privateKey, hospital: hospital.client.id, everything: everything.client.id };
};

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

const tokenForm = (origin: string, clientId: string, privateKey: KeyObject): string => {
  const exp = Math.floor(Date.now() / 1000) + ASSERTION_SECONDS;
  const claims = { iss: clientId, sub: clientId, aud: `${origin}/auth/token`, jti: randomUUID(), exp };
  const input = `${part({ alg: 'RS384', kid: KID, typ: 'JWT' })}.${part(claims)}`;
  const client_assertion = `${input}.${createSign('RSA-SHA384').update(input).sign(privateKey, 'base64url')}`;
  return `${new URLSearchParams({
    grant_type: 'client_credentials',
    client_assertion_type: ASSERTION_TYPE,
    client_assertion,
    scope: SCOPE,
  })}`;
};

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

/** Sends a token request; answers the token. */
const tokenBy = async (exchange: FhirExchange, origin: string, form: string): Promise<string> => {
  const { status, text } = await exchange.send('POST', `${origin}/auth/token`, form, FORM);
  if (status !== 200) throw new Error(`A token request was answered with ${status}: ${text}`);
  return (JSON.parse(text) as { access_token: string }).access_token;
};

/** The same exchange with a token in every request. */
const withToken = (exchange: FhirExchange, token: string): FhirExchange => ({
  ...exchange,
  send: (method, path, body, headers = {}) =>
    exchange.send(method, path, body, { ...headers, authorization: `Bearer ${token}` }),
});

interface Running {
  readonly server: ChildServer;
  /** With the token of a client, or without any. */
  as(clientId?: string): Promise<FhirExchange>;
}

const withServer = async <T>(
  dataFolder: string,
  environment: Readonly<Record<string, string>>,
  { privateKey }: Clients,
  action: (running: Running) => Promise<T>,
): Promise<T> => {
  const server = await startChildServer({ dataFolder, environment });
  const exchange = createFhirExchange(server.base, IN_FLIGHT);
  const { origin } = new URL(server.base);
  try {
    return await action({
      server,
      as: async (clientId) => {
        if (clientId === undefined) return exchange;
        return withToken(exchange, await tokenBy(exchange, origin, tokenForm(origin, clientId, privateKey)));
      },
    });
  } finally {
    exchange.close();
    await server.end('SIGTERM');
  }
};

interface Speed {
  readonly perSecond: number;
  /** Processor time of one request. */
  readonly serverMilliseconds: number;
}

const tokenFigure = async ({ server, as }: Running, clients: Clients, seconds: number): Promise<Figure> => {
  const { origin } = new URL(server.base);
  const exchange = await as();
  note('assertions are signed ...');
  const sign = (): string => tokenForm(origin, clients.hospital, clients.privateKey);
  const ready = Array.from({ length: Math.ceil(seconds * SIGNED_PER_SECOND) }, sign);
  note('tokens ...');
  const timing = { name: 'tokens', unit: 'tokens', inFlight: IN_FLIGHT, seconds, pid: server.pid };
  return timed(timing, async () => {
    await tokenBy(exchange, origin, ready.pop() ?? sign());
    return 1;
  });
};

/** Who sends the requests that are compared. */
interface Sender {
  readonly pid: number;
  readonly requests: Readonly<Record<string, requests.TimedRequest>>;
}

const senderOf = async (
  { server, as }: Running,
  clientId: string | undefined,
  stock: requests.Stock,
): Promise<Sender> => {
  const exchange = await as(clientId);
  const read = requests.readRequest(exchange, stock.observations);
  return { pid: server.pid, requests: { read, ...requests.searchRequests(exchange, stock) } };
};

const speedOf = async ({ pid, requests }: Sender, name: string, seconds: number): Promise<Speed> => {
  const request = requests[name] as requests.TimedRequest;
  const timing = { name, unit: 'requests', inFlight: IN_FLIGHT, seconds, pid };
  const { perSecond, serverMilliseconds = 1000 / perSecond } = await timed(timing, request);
  return { perSecond, serverMilliseconds };
};

/**
 * The senders in turns, one kind of request after the other: a machine that others use, too, is not as fast a minute later,
 * but about as fast a second later. For each round the speeds of each sender.
 */
const comparedSpeeds = async (
  senders: readonly Sender[],
  seconds: number,
  count: number,
): Promise<Map<string, Speed>[][]> => {
  const rounds = Array.from({ length: count }, () => senders.map(() => new Map<string, Speed>()));
  for (const name of Object.keys(senders[0]?.requests ?? {})) {
    note(`${name} ...`);
    // What a server does for the first time takes longer, with and without sign-in.
    for (const sender of senders) await speedOf(sender, name, seconds / 2);
    for (const round of rounds)
      for (const [at, sender] of senders.entries()) round[at]?.set(name, await speedOf(sender, name, seconds));
  }
  return rounds;
};

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;

/** A line for each kind of request: the rate without sign-in, and what is left of it, by the clock and by processor time. */
const rows = (rounds: readonly (readonly Map<string, Speed>[])[]): string[] => {
  const names = [...(rounds[0]?.[0]?.keys() ?? [])];
  return names.map((name) => {
    const of = (at: number, key: keyof Speed): number =>
      median(rounds.map((round) => round[at]?.get(name)?.[key] ?? 0));
    const shares = [1, 2].map((at) => {
      const rate = of(at, 'perSecond') / of(0, 'perSecond');
      const processor = of(0, 'serverMilliseconds') / of(at, 'serverMilliseconds');
      return `${(rate * 100).toFixed(0)} % / ${(processor * 100).toFixed(0)} %`.padStart(20);
    });
    return `${name.padEnd(28)}${of(0, 'perSecond').toFixed(0).padStart(9)}${shares.join('')}`;
  });
};

const measured = async (dataFolder: string, seconds: number, count: number): Promise<string> => {
  const clients = await registeredClients(dataFolder);
  const stock: requests.Stock = { patients: [], observations: [], resources: 0, jsonBytes: 0 };
  const tokens = await withServer(dataFolder, SMART, clients, async (running) => {
    note('records are pushed ...');
    const push = requests.ingestRequest(await running.as(clients.hospital), stock);
    for (let bundle = 0; bundle < 100; bundle++) await push();
    return tokenFigure(running, clients, seconds);
  });
  // Two servers on one folder: one of them has nothing to do while the other is measured.
  const rounds = await withServer(dataFolder, {}, clients, (open) =>
    withServer(dataFolder, SMART, clients, async (smart) => {
      const senders = [
        await senderOf(open, undefined, stock),
        await senderOf(smart, clients.everything, stock),
        await senderOf(smart, clients.hospital, stock),
      ];
      return comparedSpeeds(senders, seconds, count);
    }),
  );
  const head = `${'a second'.padEnd(28)}${'open'.padStart(9)}${'smart, all'.padStart(20)}${'smart, hospital'.padStart(20)}`;
  const { perSecond, median: milliseconds, percentile95 } = tokens;
  const times = `${milliseconds.toFixed(1)} / ${percentile95.toFixed(1)} ms`;
  return [
    `tokens, RS384: ${perSecond.toFixed(0)}/s, median and 95th percentile ${times}`,
    '',
    head,
    ...rows(rounds),
  ].join('\n');
};

const main = async (): Promise<void> => {
  const values = optionsOf({
    seconds: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '7' },
    help: { type: 'boolean' },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'consilium-tokens-'));
  try {
    process.stdout.write(`${await measured(join(folder, 'data'), Number(values.seconds), Number(values.rounds))}\n`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

await main();

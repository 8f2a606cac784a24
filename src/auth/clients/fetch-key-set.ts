/**
 * Fetches a client's key set from the url that it has registered. The url was chosen by a client, so that the request must
 * not lead to what is near this server: the addresses of the host's name are looked up once and checked, and one of these
 * is connected to; redirects are not followed; no credentials are sent.
 *
 * @see https://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html#registering-a-client-communicating-public-keys
 */
import { lookup as lookUp } from 'node:dns';
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { type BlockList, isIP, type LookupFunction } from 'node:net';
import type { PublicJwk } from '../keys/jws.ts';
import { isGlobalAddress, isListed, isLoopbackAddress } from './global-address.ts';
import { keysOfSet, reasonAgainstKey } from './public-keys.ts';

interface FetchLimits {
  readonly jwksMilliseconds: number;
  readonly jwksBytes: number;
  readonly jwksPrivateAddresses: BlockList;
}

export interface FetchOptions {
  readonly limits: FetchLimits;
  /** Whether key sets may be on loopback. */
  readonly isOnLoopback: boolean;
  /** Finds the addresses of a name; the system's resolver if absent. */
  readonly lookup?: LookupFunction;
}

export interface FetchedKeySet {
  readonly keys: readonly PublicJwk[];
  /** For how long the answer says that it may be kept; undefined if it says nothing. */
  readonly freshMilliseconds: number | undefined;
}

/** The set cannot be had. The message tells nothing about the network of this server. */
export class KeySetUnavailable extends Error {
  override readonly name = 'KeySetUnavailable';
}

/** Without encryption only what does not leave this machine is fetched. */
const isAllowed = (address: string, isEncrypted: boolean, { limits, isOnLoopback }: FetchOptions): boolean => {
  if (isLoopbackAddress(address))
    return isOnLoopback || (isEncrypted && isListed(address, limits.jwksPrivateAddresses));
  return isEncrypted && (isGlobalAddress(address) || isListed(address, limits.jwksPrivateAddresses));
};

/** A look-up that fails unless all addresses of the name are allowed; the connection then goes to one that it gave. */
const checkedLookup =
  (isEncrypted: boolean, options: FetchOptions): LookupFunction =>
  (hostname, asked, callback) => {
    const { lookup = lookUp as LookupFunction } = options;
    lookup(hostname, { ...asked, all: true }, (error, found) => {
      const addresses = Array.isArray(found) ? found : [];
      const [first] = addresses;
      if (error !== null || first === undefined) return callback(error ?? new Error('no address'), '');
      if (!addresses.every(({ address }) => isAllowed(address, isEncrypted, options)))
        return callback(new Error('address not allowed'), '');
      return asked.all ? callback(null, addresses) : callback(null, first.address, first.family);
    });
  };

const MAX_AGE = /(?:^|[\s,])max-age="?(\d{1,9})"?/i;

/** @see https://www.rfc-editor.org/rfc/rfc9111#section-4.2.1 */
const freshness = ({ headers }: IncomingMessage): number | undefined => {
  const control = headers['cache-control'];
  if (control !== undefined && /(?:^|[\s,])no-(?:store|cache)(?=[\s,=]|$)/i.test(control)) return 0;
  const age = Number(headers.age ?? 0);
  const maximum = MAX_AGE.exec(control ?? '')?.[1];
  if (maximum !== undefined) return Math.max(0, (Number(maximum) - (Number.isFinite(age) ? age : 0)) * 1000);
  if (headers.expires === undefined) return undefined;
  // A date that cannot be read, such as 0, is in the past.
  const expires = Date.parse(headers.expires);
  const from = Date.parse(headers.date ?? '');
  return Number.isNaN(expires) || Number.isNaN(from) ? 0 : Math.max(0, expires - from);
};

const received = async (answer: IncomingMessage, limit: number): Promise<string> => {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > limit) throw new KeySetUnavailable('The key set is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
};

const answered = (url: URL, signal: AbortSignal, options: FetchOptions): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const isEncrypted = url.protocol === 'https:';
    const literal = url.hostname.replace(/^\[|\]$/g, '');
    // An address in the url itself is not looked up.
    if (isIP(literal) !== 0 && !isAllowed(literal, isEncrypted, options)) {
      reject(new Error('address not allowed'));
      return;
    }
    const send = isEncrypted ? requestHttps : requestHttp;
    const headers = { accept: 'application/jwk-set+json, application/json' };
    // No agent: a connection of its own for each.
    send(url, { agent: false, lookup: checkedLookup(isEncrypted, options), headers, signal })
      .on('response', resolve)
      .on('error', reject)
      .end();
  });

/** Throws KeySetUnavailable. Keys that are private, weak or of another kind are left out. */
export const fetchedKeySet = async (url: string, options: FetchOptions): Promise<FetchedKeySet> => {
  const { jwksMilliseconds, jwksBytes } = options.limits;
  const ended = new AbortController();
  const timer = setTimeout(() => ended.abort(), jwksMilliseconds);
  try {
    const answer = await answered(new URL(url), ended.signal, options);
    if (answer.statusCode !== 200)
      throw new KeySetUnavailable(`The key set was answered with status ${answer.statusCode}`);
    const keys = keysOfSet(JSON.parse(await received(answer, jwksBytes)));
    if (typeof keys === 'string') throw new KeySetUnavailable(`There is no key set: ${keys}`);
    const usable = keys.filter((key) => reasonAgainstKey(key) === undefined) as PublicJwk[];
    return { keys: usable, freshMilliseconds: freshness(answer) };
  } catch (error) {
    if (error instanceof KeySetUnavailable) throw error;
    throw new KeySetUnavailable('The key set could not be fetched');
  } finally {
    clearTimeout(timer);
    // Also ends a connection whose answer was not read to its end.
    ended.abort();
  }
};

/**
 * The base url that a client uses, as proxies before this server say. Only proxies that the configuration names are
 * believed: anybody could send these headers, and so put links to a place of their own into an answer.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7239
 */
import { type BlockList, isIP } from 'node:net';

const HOST = /^(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/;
const PREFIX = /^(?:\/[A-Za-z0-9._~-]+)*\/?$/;

/** Without these there is nothing to believe. */
const FORWARDED = ['forwarded', 'x-forwarded-host', 'x-forwarded-proto', 'x-forwarded-prefix'];

type Headers = Readonly<Record<string, string | undefined>>;

interface Origin {
  readonly proto: string | undefined;
  readonly host: string | undefined;
}

/** Whether an address is one of a proxy that is believed. */
export const isTrusted = (proxies: BlockList, address: string): boolean => {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
  const family = isIP(plain);
  return family !== 0 && proxies.check(plain, family === 4 ? 'ipv4' : 'ipv6');
};

/** What the proxy that is next to this server has added to a list, which is at its end. */
const last = (header: string | undefined): string | undefined => header?.split(',').at(-1)?.trim();

/** `for=192.0.2.60;proto=https;host="example.org"` */
const forwardedOrigin = (header: string): Origin => {
  const pairs = (last(header) ?? '').split(';').map((part) => {
    const [name = '', value = ''] = part.split('=');
    return [name.trim().toLowerCase(), value.trim().replace(/^"|"$/g, '')] as const;
  });
  const given = new Map(pairs);
  return { proto: given.get('proto'), host: given.get('host') };
};

const originOf = (headers: Headers): Origin => {
  const { forwarded } = headers;
  if (forwarded !== undefined) return forwardedOrigin(forwarded);
  return { proto: last(headers['x-forwarded-proto']), host: last(headers['x-forwarded-host']) };
};

/**
 * The FHIR base url as the client knows it, without a final slash: `own` with the protocol, the host and the prefix that
 * a trusted proxy names. Undefined if it is as it was; what is malformed is passed over.
 */
export const forwardedBaseUrl = (
  own: string,
  headers: Headers,
  remoteAddress: string | undefined,
  proxies: BlockList,
): string | undefined => {
  if (!FORWARDED.some((name) => headers[name] !== undefined)) return undefined;
  if (remoteAddress === undefined || !isTrusted(proxies, remoteAddress)) return undefined;
  const { proto, host } = originOf(headers);
  const prefix = last(headers['x-forwarded-prefix']);
  const url = new URL(own);
  const scheme = /^https?$/i.test(proto ?? '') ? `${proto?.toLowerCase()}:` : url.protocol;
  // A port of ours means nothing on another host or protocol.
  const authority = host !== undefined && HOST.test(host) ? host : url.host;
  const path = prefix !== undefined && PREFIX.test(prefix) ? `${prefix.replace(/\/$/, '')}/fhir` : url.pathname;
  const base = `${scheme}//${authority}${path}`;
  return base === own ? undefined : base;
};

/** Where a request comes from, through the proxies that are believed. */
import type { BlockList } from 'node:net';
import { isTrusted } from './forwarded.ts';

/** `for=192.0.2.60;proto=https`, `for="[2001:db8::1]:4711"` */
const forwardedFor = (element: string): string => {
  const value = /(?:^|;)\s*for="?([^";]+)"?/i.exec(element)?.[1] ?? '';
  const bracketed = /^\[([^\]]+)\]/.exec(value)?.[1];
  return bracketed ?? value.replace(/:\d+$/, '');
};

const listed = (header: string | undefined): string[] => header?.split(',').map((each) => each.trim()) ?? [];

/** The addresses that proxies say they were asked from, nearest last. */
const sendersOf = (headers: Readonly<Record<string, unknown>>): string[] => {
  const { forwarded, 'x-forwarded-for': plain } = headers as Record<string, string | undefined>;
  return forwarded === undefined ? listed(plain) : listed(forwarded).map(forwardedFor);
};

/** The address nearest to this server that is none of a trusted proxy. */
export const clientAddress = (
  headers: Readonly<Record<string, unknown>>,
  remoteAddress: string | undefined,
  proxies: BlockList,
): string => {
  let address = remoteAddress ?? '';
  for (const sender of sendersOf(headers).reverse()) {
    if (!isTrusted(proxies, address)) return address;
    address = sender;
  }
  return address;
};

/** Which addresses belong to the internet at large, and not to somebody's own network. */
import { BlockList, isIP } from 'node:net';

/** @see https://www.iana.org/assignments/iana-ipv4-special-registry */
const OWN_IPV4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const;

/** Only 2000::/3 is global, and of it not these. @see https://www.iana.org/assignments/iana-ipv6-special-registry */
const GLOBAL_IPV6 = ['2000::', 3] as const;
const OWN_IPV6 = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const;

const listOf = (subnets: readonly (readonly [string, number])[], family: 'ipv4' | 'ipv6'): BlockList => {
  const list = new BlockList();
  for (const [address, prefix] of subnets) list.addSubnet(address, prefix, family);
  return list;
};

const own4 = listOf(OWN_IPV4, 'ipv4');
const own6 = listOf(OWN_IPV6, 'ipv6');
const global6 = listOf([GLOBAL_IPV6], 'ipv6');

/** An IPv4 address that is written as one of IPv6, as itself. */
const plain = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, '');

export const isGlobalAddress = (address: string): boolean => {
  const bare = plain(address);
  if (isIP(bare) === 4) return !own4.check(bare, 'ipv4');
  return isIP(bare) === 6 && global6.check(bare, 'ipv6') && !own6.check(bare, 'ipv6');
};

export const isLoopbackAddress = (address: string): boolean => {
  const bare = plain(address);
  return isIP(bare) === 4 ? bare.startsWith('127.') : bare === '::1';
};

/** Whether an address is in a list. */
export const isListed = (address: string, list: BlockList): boolean => {
  const bare = plain(address);
  return isIP(bare) !== 0 && list.check(bare, isIP(bare) === 4 ? 'ipv4' : 'ipv6');
};

import { BlockList } from 'node:net';
import { test } from 'tap';
import { clientAddress } from '../../src/http/client-address.ts';

test('The address of a client is believed of trusted proxies only', (t) => {
  const proxies = new BlockList();
  proxies.addSubnet('10.0.0.0', 8, 'ipv4');
  const cases: [headers: Record<string, string>, remote: string, expected: string][] = [
    [{}, '192.0.2.1', '192.0.2.1'],
    [{ 'x-forwarded-for': '198.51.100.9' }, '192.0.2.1', '192.0.2.1'],
    [{ 'x-forwarded-for': '198.51.100.9' }, '10.0.0.1', '198.51.100.9'],
    [{ 'x-forwarded-for': '198.51.100.9' }, '::ffff:10.0.0.1', '198.51.100.9'],
    [{ 'x-forwarded-for': '1.1.1.1, 198.51.100.9' }, '10.0.0.1', '198.51.100.9'],
    [{ 'x-forwarded-for': '1.1.1.1, 198.51.100.9, 10.0.0.2' }, '10.0.0.1', '198.51.100.9'],
    [{ forwarded: 'for=1.1.1.1, for=198.51.100.9;proto=https' }, '10.0.0.1', '198.51.100.9'],
    [{ forwarded: 'proto=https;for="[2001:db8::1]:4711"' }, '10.0.0.1', '2001:db8::1'],
    [{ forwarded: 'for=198.51.100.9:80', 'x-forwarded-for': '1.1.1.1' }, '10.0.0.1', '198.51.100.9'],
  ];
  for (const [headers, remote, expected] of cases)
    t.equal(clientAddress(headers, remote, proxies), expected, JSON.stringify([headers, remote]));
  t.end();
});

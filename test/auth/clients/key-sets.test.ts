/** Key sets by url: when they are fetched, and what a url may not lead to. */
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, BlockList, type LookupFunction } from 'node:net';
import { type Test, test } from 'tap';
import { createKeySets, type KeySetsOptions } from '../../../src/auth/clients/key-sets.ts';
import { backendForm, newBackend, newKey, startTestAuthServer } from '../test-auth-server.ts';

/** A server on loopback; `asked` counts. */
const startKeyServer = async (t: Test, listener: RequestListener) => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    listener(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/jwks`, port, asked };
};

const keySets = (more: Partial<KeySetsOptions> = {}, clock = { now: 1_900_000_000_000 }) =>
  createKeySets({
    limits: { jwksMilliseconds: 300, jwksBytes: 5000, jwksPrivateAddresses: new BlockList() },
    isOnLoopback: true,
    now: () => clock.now,
    ...more,
  });

const answering = async (headers: Record<string, string> = {}) => {
  const { publicJwk } = await newKey();
  const listener: RequestListener = (_request, response) =>
    response
      .writeHead(200, { 'content-type': 'application/json', ...headers })
      .end(JSON.stringify({ keys: [publicJwk] }));
  return listener;
};

test('BDT "Authorization using JWKS URL", REQ-S 296, 297, 326, 339: a registered url is fetched, and a new key there is honoured at once', async (t) => {
  const keys = [await newKey('RS384'), await newKey('ES384')];
  const shown = { index: 0 };
  const { url, asked } = await startKeyServer(t, (_request, response) => {
    response.writeHead(200, { 'cache-control': 'max-age=3600' });
    response.end(JSON.stringify({ keys: [keys[shown.index]?.publicJwk] }));
  });
  const server = await startTestAuthServer(t);
  const { client } = await newBackend(server, { jwksUrl: url });
  const tokenBy = async (index: number, header = {}) => {
    const key = keys[index];
    if (key === undefined) throw new Error();
    const form = await backendForm(server, client.id, key, header);
    return (await server.post('/auth/token', form)).status;
  };
  t.equal(await tokenBy(0), 200);
  t.equal(await tokenBy(0), 200);
  t.equal(asked.length, 1, 'it is fetched once');
  shown.index = 1;
  t.equal(await tokenBy(1), 200, 'an unknown kid is looked for');
  t.equal(asked.length, 2);
  t.equal(await tokenBy(0), 401, 'and the key that was withdrawn is worth nothing');
});

test('Unknown keys do not make the server ask more often than ten times in ten seconds', async (t) => {
  const clock = { now: 1_900_000_000_000 };
  const { url, asked } = await startKeyServer(t, await answering({ 'cache-control': 'max-age=60' }));
  const sets = keySets({}, clock);
  for (let n = 0; n < 30; n++) await sets.after(url, await sets.at(url));
  t.equal(asked.length, 11, 'once, and ten times more');
  clock.now += 10_000;
  const keys = await sets.at(url);
  t.equal(asked.length, 11);
  await Promise.all(Array.from({ length: 20 }, async () => sets.after(url, keys)));
  t.equal(asked.length, 12, 'and those who wait share one answer');
});

test('An unknown key costs the keys at hand nothing: while others are sought, and if there are none, they are good', async (t) => {
  const { publicJwk } = await newKey();
  const state = { isDown: false };
  const { url, asked } = await startKeyServer(t, (_request, response) => {
    response.writeHead(state.isDown ? 500 : 200, { 'cache-control': 'max-age=3600' });
    response.end(JSON.stringify({ keys: [publicJwk] }));
  });
  const sets = keySets();
  const keys = await sets.at(url);
  state.isDown = true;
  const seek = sets.after(url, keys);
  t.equal(await sets.at(url), keys, 'meanwhile');
  await t.rejects(seek, { name: 'KeySetUnavailable' });
  t.equal(await sets.at(url), keys, 'and after that');
  t.equal(asked.length, 2);
  state.isDown = false;
  const others = await sets.after(url, keys);
  t.not(others, keys);
  t.equal(await sets.at(url), others);
});

test('Keys that must not be kept are fetched once for each token, also where none of them is the right one', async (t) => {
  const { url, asked } = await startKeyServer(t, await answering({ 'cache-control': 'no-store' }));
  const sets = keySets();
  for (let n = 0; n < 5; n++) await sets.after(url, await sets.at(url));
  t.equal(asked.length, 5);
});

test('Those who wait for keys that must not be kept share an answer', async (t) => {
  const { url, asked } = await startKeyServer(t, await answering({ 'cache-control': 'no-store' }));
  const sets = keySets();
  await Promise.all(Array.from({ length: 20 }, () => sets.at(url)));
  t.ok(asked.length <= 2, `asked ${asked.length} times`);
});

test('REQ-S 341, 342: a key set is kept as long as its headers say, and not longer', async (t) => {
  const from = new Date(1_900_000_000_000);
  const cases: [headers: Record<string, string>, seconds: number][] = [
    [{ 'cache-control': 'max-age=100' }, 100],
    [{ 'cache-control': 'public, max-age="20"' }, 20],
    [{ 'cache-control': 'max-age=100', age: '40' }, 60],
    [{ 'cache-control': 'no-store' }, 0],
    [{ 'cache-control': 'no-cache, max-age=100' }, 0],
    [{ 'cache-control': 'max-age=0' }, 0],
    [{ date: from.toUTCString(), expires: new Date(from.getTime() + 50_000).toUTCString() }, 50],
    [{ date: from.toUTCString(), expires: '0' }, 0],
    [{ 'cache-control': 'max-age=9999999' }, 3600],
    [{}, 60],
  ];
  for (const [headers, seconds] of cases) {
    const clock = { now: from.getTime() };
    const { url, asked } = await startKeyServer(t, await answering(headers));
    const sets = keySets({}, clock);
    await sets.at(url);
    clock.now += Math.max(0, seconds * 1000 - 1);
    if (seconds > 0) await sets.at(url);
    t.equal(asked.length, 1, `${JSON.stringify(headers)} within ${seconds} s`);
    clock.now += seconds > 0 ? 2 : 0;
    await sets.at(url);
    t.equal(asked.length, 2, `${JSON.stringify(headers)} after ${seconds} s`);
  }
});

test('What is no key set is refused', async (t) => {
  const answers: Record<string, RequestListener> = {
    'a redirect': (_request, response) => response.writeHead(302, { location: '/jwks' }).end(),
    'an error': (_request, response) => response.writeHead(500).end('{"keys":[]}'),
    'no JSON': (_request, response) => response.end('<html>'),
    'no keys': (_request, response) => response.end('{"keys":{}}'),
    'too many keys': (_request, response) => response.end(JSON.stringify({ keys: Array(51).fill({}) })),
    'a huge answer': (_request, response) => response.end(`{"keys":[]${' '.repeat(10_000)}}`),
    'an endless answer': (_request, response) => {
      response.write('{"keys":[');
    },
    'no answer': () => undefined,
  };
  for (const [name, listener] of Object.entries(answers)) {
    const { url, asked } = await startKeyServer(t, listener);
    const started = Date.now();
    await t.rejects(keySets().at(url), { name: 'KeySetUnavailable' }, name);
    t.ok(Date.now() - started < 2000, `${name} in time`);
    t.equal(asked.length, 1, name);
  }
});

test('Private and weak keys of a set are not used', async (t) => {
  const { publicJwk } = await newKey('ES384', 'good');
  const keys = [
    publicJwk,
    { kty: 'oct', k: 'AAAA', kid: 'secret' },
    { ...publicJwk, d: 'AAAA', kid: 'private' },
    7,
    { kty: 'RSA', n: 'AQAB', e: 'AQAB', kid: 'weak' },
  ];
  const { url } = await startKeyServer(t, (_request, response) => response.end(JSON.stringify({ keys })));
  t.same(
    (await keySets().at(url)).map(({ kid }) => kid),
    ['good'],
  );
});

test('A url leads to nothing near this server', async (t) => {
  const { url, port, asked } = await startKeyServer(t, await answering());
  const outside = keySets({ isOnLoopback: false });
  const urls = [
    url,
    ...['localhost', '127.0.0.1', '127.1.2.3', '[::1]', '[::ffff:127.0.0.1]', '0.0.0.0', '2130706433', '0x7f000001'],
    ...['10.0.0.1', '172.16.0.1', '192.168.1.1', '169.254.169.254', '100.64.0.1', '[fd00::1]', '[fe80::1]'],
    ...['[64:ff9b::7f00:1]', '[2002:7f00:1::]', '[::]', '224.0.0.1', '255.255.255.255'],
  ].map((host) => (host.startsWith('http') ? host : `https://${host}:${port}/jwks`));
  for (const each of urls) await t.rejects(outside.at(each), { name: 'KeySetUnavailable' }, each);
  await t.rejects(
    outside.at('http://example.org/jwks'),
    { name: 'KeySetUnavailable' },
    'nor anywhere without encryption',
  );
  t.equal(asked.length, 0, 'nothing was asked');
});

test('The address that was checked is the one that is connected to', async (t) => {
  const { port, asked } = await startKeyServer(t, await answering());
  const found = (...addresses: string[]) => {
    const calls = { count: 0 };
    const lookup: LookupFunction = (_name, _options, callback) => {
      const address = addresses[Math.min(calls.count, addresses.length - 1)] ?? '';
      calls.count += 1;
      callback(null, [{ address, family: address.includes(':') ? 6 : 4 }]);
    };
    return { lookup, calls };
  };
  const both: LookupFunction = (_name, _options, callback) =>
    callback(null, [
      { address: '93.184.216.34', family: 4 },
      { address: '127.0.0.1', family: 4 },
    ]);
  for (const lookup of [
    found('127.0.0.1').lookup,
    found('::ffff:10.0.0.1').lookup,
    found('169.254.169.254').lookup,
    both,
  ])
    await t.rejects(keySets({ isOnLoopback: false, lookup }).at(`https://keys.example:${port}/jwks`), {
      name: 'KeySetUnavailable',
    });
  const rebinding = found('127.0.0.1', '10.0.0.1');
  const sets = keySets({ lookup: rebinding.lookup });
  t.equal((await sets.at(`http://keys.example:${port}/jwks`)).length, 1);
  t.equal(rebinding.calls.count, 1, 'a name is looked up once for a connection');
  t.equal(asked.length, 1);
});

test('Private addresses can be allowed by name', async (t) => {
  const allowed = new BlockList();
  allowed.addSubnet('127.0.0.0', 8, 'ipv4');
  const tried: string[] = [];
  const lookup: LookupFunction = (name, _options, callback) => {
    tried.push(name);
    callback(null, [{ address: '127.0.0.1', family: 4 }]);
  };
  const limits = { jwksMilliseconds: 300, jwksBytes: 5000, jwksPrivateAddresses: allowed };
  const { port, asked } = await startKeyServer(t, await answering());
  const sets = keySets({ isOnLoopback: false, limits, lookup });
  // It speaks no TLS: that it was connected to shows in the failed handshake only.
  await t.rejects(sets.at(`https://keys.example:${port}/jwks`), { name: 'KeySetUnavailable' });
  t.same(tried, ['keys.example']);
  await t.rejects(
    sets.at(`http://keys.example:${port}/jwks`),
    { name: 'KeySetUnavailable' },
    'but only with encryption',
  );
  t.equal(asked.length, 0);
});

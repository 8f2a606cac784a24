import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { readConfig, unknownVariables } from '../src/config.ts';
import { startServerProcess } from './http/server-process.ts';
import { temporaryFolder } from './http/test-server.ts';

const KEY = 'ab'.repeat(32);

test('The defaults are those of the documentation', (t) => {
  const config = readConfig({ CONSILIUM_STORE_KEY: KEY });
  t.match(config, {
    host: '127.0.0.1',
    port: 8080,
    baseUrl: undefined,
    store: 'sqlite',
    access: 'smart',
    bodyBytes: 50_000_000,
    answerBytes: 64_000_000,
    bundleMilliseconds: 60_000,
    requestMilliseconds: 300_000,
    references: 'accept',
    conditionalDelete: 'single',
    conditionalDeleteLimit: 100,
  });
  t.match(config.dataFolder, /\/data$/);
  t.ok(Object.isFrozen(config));
  t.end();
});

test('A wrong value is refused with one line that names the variable', (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, 'file');
  writeFileSync(file, 'no key');
  const wrong: Readonly<Record<string, readonly string[]>> = {
    CONSILIUM_HOST: [''],
    CONSILIUM_PORT: ['http', '-1', '65536', '80.5', ''],
    CONSILIUM_BASE_URL: [
      'example.org',
      'ftp://example.org',
      'http://',
      'http://example.org/?x',
      'http://a b',
      'http://a/fhir',
    ],
    CONSILIUM_DATA: ['', join(file, 'below')],
    CONSILIUM_STORE: ['postgres', '', 'mongodb:', 'mongodb://', 'mongodb://a b'],
    CONSILIUM_STORE_SECONDS: ['0', '601'],
    CONSILIUM_TRANSACTIONS: ['0', '101'],
    CONSILIUM_TRANSACTION_QUEUE: ['0'],
    CONSILIUM_TRANSACTION_ENTRIES: ['0'],
    CONSILIUM_TRANSACTION_MEGABYTES: ['0', '1001'],
    CONSILIUM_STORE_KEY: ['', 'abc', 'xy'.repeat(32), `${KEY}00`],
    CONSILIUM_STORE_KEY_FILE: ['', file, join(folder, 'none'), folder],
    CONSILIUM_STORE_CHECK_MEGABYTES: ['-1', 'all'],
    CONSILIUM_ACCESS: ['closed', ''],
    CONSILIUM_TOKEN_SECONDS: ['59', '3601'],
    CONSILIUM_KEY_DAYS: ['0', 'never'],
    CONSILIUM_RATE_LIMIT: ['0', 'none'],
    CONSILIUM_REGISTRATION_TOKEN: ['', 'short', 'with spaces and more of them'],
    CONSILIUM_JWKS_SECONDS: ['0', '61'],
    CONSILIUM_JWKS_KILOBYTES: ['0', '10001'],
    CONSILIUM_JWKS_PRIVATE_ADDRESSES: ['keys.example', '10.0.0.0/33'],
    CONSILIUM_SIGN_IN_THREADS: ['0', '65'],
    CONSILIUM_SIGN_IN_ATTEMPTS: ['0', '101'],
    CONSILIUM_SIGN_IN_LOCK_SECONDS: ['0', '3601'],
    CONSILIUM_SESSION_IDLE_MINUTES: ['0', '1441'],
    CONSILIUM_SESSION_HOURS: ['0', '169'],
    CONSILIUM_PROVIDERS_FILE: [''],
    CONSILIUM_LOG_LEVEL: ['loud', ''],
    CONSILIUM_BODY_MEGABYTES: ['0', '501', '1e9'],
    CONSILIUM_REQUEST_SECONDS: ['0', '86401', 'never'],
    CONSILIUM_VALIDATE_SECONDS: ['0', '601'],
    CONSILIUM_PATCH_OPERATIONS: ['0', '10001'],
    CONSILIUM_PATCH_STEPS: ['999', 'all'],
    CONSILIUM_JSON_DEPTH: ['7', '1001'],
    CONSILIUM_BUNDLE_ENTRIES: ['0', 'many'],
    CONSILIUM_BUNDLE_SECONDS: ['0', '3601'],
    CONSILIUM_ANSWER_MEGABYTES: ['0', '257'],
    CONSILIUM_SEARCH_DEFAULT_COUNT: ['0'],
    CONSILIUM_SEARCH_MAXIMUM_COUNT: ['0', '10001'],
    CONSILIUM_SEARCH_VALUES: ['0'],
    CONSILIUM_SEARCH_SLOW_THREADS: ['0', '65'],
    CONSILIUM_SEARCH_QUICK_MILLISECONDS: ['0', '10001'],
    CONSILIUM_SEARCH_QUEUE: ['0', '100001'],
    CONSILIUM_REFERENCES: ['maybe'],
    CONSILIUM_LEAVE_SECONDS: ['-1', '601'],
    CONSILIUM_DRAIN_SECONDS: ['0', '3601'],
    CONSILIUM_CONDITIONAL_DELETE: ['many', ''],
    CONSILIUM_CONDITIONAL_DELETE_LIMIT: ['0', '10001'],
    CONSILIUM_PACKAGES: [''],
    CONSILIUM_PACKAGE_MEGABYTES: ['0', '2001'],
    CONSILIUM_PACKAGE_FILES: ['0', 'all'],
    CONSILIUM_TRUSTED_PROXIES: ['proxy.example', '10.0.0.0/33', '10.0.0.1/x', '::1/129', '10.0.0.0/8/8', '1.2.3'],
  };
  for (const [name, values] of Object.entries(wrong))
    for (const value of values) {
      const isKey = name.startsWith('CONSILIUM_STORE_KEY') || name === 'CONSILIUM_DATA';
      const environment = { ...(isKey ? {} : { CONSILIUM_STORE_KEY: KEY }), [name]: value };
      const message = new RegExp(`^.*${name}.*$`);
      t.throws(() => readConfig(environment), { name: 'ConfigurationError', message }, `${name}='${value}'`);
    }
  const file64 = join(folder, 'key');
  writeFileSync(file64, `${KEY}\n`);
  t.throws(() => readConfig({ CONSILIUM_STORE_KEY: KEY, CONSILIUM_STORE_KEY_FILE: file64 }), /both/);
  t.same(readConfig({ CONSILIUM_STORE_KEY_FILE: file64 }).storeKey, Buffer.from(KEY, 'hex'));
  t.end();
});

test('A wrong value is answered with what is expected, in words', (t) => {
  const expected: Readonly<Record<string, readonly [value: string, sentence: RegExp]>> = {
    CONSILIUM_PORT: ['80.5', /must be a whole number from 0 to 65535 \(it is '80\.5'\)$/],
    CONSILIUM_BASE_URL: [
      'example.org',
      /must be a url that begins with http:\/\/ or https:\/\/.* \(it is 'example.org'\)$/,
    ],
    CONSILIUM_HOST: ['', /must not be empty/],
    CONSILIUM_ACCESS: ['closed', /must be one of smart, open \(it is 'closed'\)$/],
    CONSILIUM_SEARCH_ZONE: ['CET', /must be Z or an offset such as \+02:00/],
    CONSILIUM_REGISTRATION_TOKEN: ['short', /must be 20 to 200 letters, digits or /],
  };
  for (const [name, [value, sentence]] of Object.entries(expected))
    t.throws(() => readConfig({ CONSILIUM_STORE_KEY: KEY, [name]: value }), { message: sentence }, name);
  for (const url of ['https://a.example/fhir', 'https://a.example/x/fhir/'])
    t.throws(() => readConfig({ CONSILIUM_STORE_KEY: KEY, CONSILIUM_BASE_URL: url }), {
      message: /must not end in \/fhir: the FHIR base is <base url>\/fhir/,
    });
  for (const url of ['https://fhir', 'https://a.example/fhir/r4', 'https://a.example/smart-fhir'])
    t.equal(readConfig({ CONSILIUM_STORE_KEY: KEY, CONSILIUM_BASE_URL: url }).baseUrl, url);
  t.end();
});

test('A variable that is not known is told at the start, and hinders nothing', async (t) => {
  const environment = { CONSILIUM_PROT: '1', CONSILIUM_COLOUR: 'red', CONSILIUM_TEST_RUNS: '5', CONSILIUM_PORT: '0' };
  t.same(unknownVariables(environment), [
    'CONSILIUM_PROT is not known and has no effect; is CONSILIUM_PORT meant?',
    'CONSILIUM_COLOUR is not known and has no effect',
  ]);
  const data = { CONSILIUM_DATA: temporaryFolder(t), CONSILIUM_STORE_KEY: KEY };
  const server = startServerProcess(t, { ...environment, ...data });
  await server.ready;
  server.signal('SIGTERM');
  t.match(await server.ended, { code: 0, stderr: /^CONSILIUM_PROT is not known[^\n]*\nCONSILIUM_COLOUR / });
});

test('A secret that is wrong is not repeated in the message', (t) => {
  const environment = { CONSILIUM_STORE_KEY: KEY, CONSILIUM_REGISTRATION_TOKEN: 'secret, with a comma' };
  t.throws(() => readConfig(environment), /^(?!.*with a comma).*CONSILIUM_REGISTRATION_TOKEN/);
  t.end();
});

test('Trusted proxies are addresses and networks, of both families', (t) => {
  const { trustedProxies } = readConfig({
    CONSILIUM_STORE_KEY: KEY,
    CONSILIUM_TRUSTED_PROXIES: '10.0.0.0/8, 192.0.2.1,fd00::/8',
  });
  t.ok(trustedProxies.check('10.9.9.9'));
  t.ok(trustedProxies.check('192.0.2.1'));
  t.ok(trustedProxies.check('fd12::1', 'ipv6'));
  for (const address of ['192.0.2.2', '127.0.0.1']) t.notOk(trustedProxies.check(address), address);
  t.notOk(readConfig({ CONSILIUM_STORE_KEY: KEY }).trustedProxies.check('127.0.0.1'));
  t.end();
});

const OPEN = { CONSILIUM_ACCESS: 'open' };

test('Without sign-in only loopback can be listened on', (t) => {
  for (const host of ['0.0.0.0', '::', '192.168.1.1', 'example.org', '127.0.0.1.example.org'])
    t.throws(() => readConfig({ CONSILIUM_STORE_KEY: KEY, ...OPEN, CONSILIUM_HOST: host }), /CONSILIUM_ACCESS/, host);
  for (const host of ['127.0.0.1', '127.1.2.3', 'localhost', '::1'])
    t.equal(readConfig({ CONSILIUM_STORE_KEY: KEY, ...OPEN, CONSILIUM_HOST: host }).host, host);
  t.end();
});

test('A key is made once, for its owner alone, and a warning says what to do in production', (t) => {
  const folder = join(temporaryFolder(t), 'deep', 'data');
  const first = readConfig({ CONSILIUM_DATA: folder });
  t.equal(statSync(join(folder, 'store.key')).mode & 0o777, 0o600);
  t.equal(first.storeKey.length, 32);
  t.match(first.storeKeyWarning, /CONSILIUM_STORE_KEY_FILE/);
  t.same(readConfig({ CONSILIUM_DATA: folder }).storeKey, first.storeKey);
  t.equal(readConfig({ CONSILIUM_DATA: folder, CONSILIUM_STORE_KEY: KEY }).storeKeyWarning, undefined);
  t.end();
});

test('A store without its key is given no other one', (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'consilium.db'), 'a store');
  t.throws(() => readConfig({ CONSILIUM_DATA: folder }), /CONSILIUM_STORE_KEY_FILE is not set.*no key/);
  t.same(readdirSync(folder), ['consilium.db'], 'nothing was made');
  t.end();
});

test('A store that must exist is not made, nor its folder or key', (t) => {
  const folder = join(temporaryFolder(t), 'data');
  for (const key of [{}, { CONSILIUM_STORE_KEY: KEY }])
    t.throws(() => readConfig({ CONSILIUM_DATA: folder, ...key }, { mustExist: true }), {
      name: 'ConfigurationError',
      message: `There is no store in ${folder} (CONSILIUM_DATA)`,
    });
  t.notOk(existsSync(folder));
  t.end();
});

test('The page without _count is never larger than the largest page', (t) => {
  const config = readConfig({ CONSILIUM_STORE_KEY: KEY, CONSILIUM_SEARCH_MAXIMUM_COUNT: '5' });
  t.equal(config.searchDefaultCount, 5);
  t.end();
});

test('The start stops with status 1 and one line', async (t) => {
  const folder = temporaryFolder(t);
  const taken = startServerProcess(t, { CONSILIUM_DATA: join(folder, 'first'), CONSILIUM_STORE_KEY: KEY });
  const { port } = new URL(await taken.ready);
  const notWritable = join(folder, 'not-writable');
  mkdirSync(notWritable, { mode: 0o500 });
  const cases: [expected: RegExp, environment: Record<string, string>][] = [
    [/^CONSILIUM_PORT .*'http'/, { CONSILIUM_PORT: 'http' }],
    [/^CONSILIUM_ACCESS=open .*0\.0\.0\.0/, { CONSILIUM_HOST: '0.0.0.0' }],
    [new RegExp(`^CONSILIUM_PORT ${port} is in use`), { CONSILIUM_PORT: port }],
    [/key/, { CONSILIUM_DATA: join(folder, 'first'), CONSILIUM_STORE_KEY: 'cd'.repeat(32) }],
    ...(process.getuid?.() === 0
      ? []
      : [[/not-writable/, { CONSILIUM_DATA: notWritable }] as [RegExp, Record<string, string>]]),
  ];
  for (const [expected, environment] of cases) {
    const given = { CONSILIUM_DATA: join(folder, 'second'), CONSILIUM_STORE_KEY: KEY, ...environment };
    const { code, stdout, stderr } = await startServerProcess(t, given).ended;
    t.equal(code, 1, stderr);
    t.equal(stdout, '');
    t.match(stderr, expected);
    t.match(stderr, /^[^\n]+\n$/, 'one line');
  }
});

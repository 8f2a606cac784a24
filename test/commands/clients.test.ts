/** Clients, tokens and keys by command, on the store of a running and of a stopped server. */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { test } from 'tap';
import { temporaryFolder } from '../http/test-server.ts';
import { EMBEDDED_ONLY } from '../http/test-store.ts';
import { place } from './place.ts';
import { runCommand } from './run-command.ts';

/** So long a server may believe what it knows of a client or user, and a little more. */
const CACHED_MILLISECONDS = 1_300;

const SYMMETRIC = [
  ...['--kind', 'confidential-symmetric', '--purpose', 'PATRQT', '--scope', 'openid'],
  ...['--redirect', 'https://a.example/'],
];

const added = (jwks: string, more: readonly string[] = []): string[] => [
  ...['clients', 'add', '--id', 'north', '--name', 'North Hospital', '--kind', 'backend', '--scope', 'system/*.cruds'],
  ...['--jwks', jwks, '--organization', 'Organization/north', '--purpose', 'TREAT', ...more],
];

test('A client is registered, gets tokens, and is disabled, while a server runs and while none does', async (t) => {
  const { file, start, consilium, json, refusal } = place(t);
  const [key, jwks] = [file('key.json'), file('jwks.json')];
  await consilium(['clients', 'key', '--private', key, '--jwks', jwks]);
  t.match(await refusal(['clients', 'key', '--private', key, '--jwks', jwks]), /key\.json cannot be written: EEXIST/);

  const server = await start();
  const client = {
    client_id: 'north',
    client_name: 'North Hospital',
    kind: 'backend',
    purpose: 'TREAT',
    reach: 'source',
  };
  t.match(await json(added(jwks)), { ...client, scope: 'system/*.cruds', organization: 'Organization/north' });
  const ask = ['token', '--client', 'north', '--key', key, '--base', `${server.baseUrl}/`];
  const token = (await consilium(ask)).trim();
  const read = () => server.send('GET', 'Patient', { headers: { authorization: `Bearer ${token}` } });
  t.equal((await read()).status, 200);
  t.match(await json(['clients', 'disable', 'north']), { ...client, disabled: true });
  await pause(CACHED_MILLISECONDS);
  t.equal((await read()).status, 401, 'the token is worth nothing any more');
  t.match(await refusal(ask), /answered 401: \{"error":"invalid_client"/);
  await server.close();

  t.match(
    await consilium(['clients', 'list']),
    /north +North Hospital +backend +Organization\/north +TREAT +source +disabled\n$/,
  );
  t.match(await consilium(['clients', 'disable', 'north', '--undo']), /^North Hospital may be used\n$/);
  t.match(await json<object[]>(['clients', 'list']), [{ ...client, disabled: false }]);
  t.match(await consilium(['keys', 'rotate']), /^The key \S+ signs id tokens/);
  const again = await start();
  t.match(await consilium([...ask.slice(0, -1), again.baseUrl]), /^[\w-]+\.[\w-]+\n$/);
  const published = await again.send('GET', `${again.origin}/auth/jwks`);
  t.equal((JSON.parse(published.text) as { keys: unknown[] }).keys.length, 2, 'both keys are published');
});

test('The secret of an app is shown once, and a new one takes its place', async (t) => {
  const { json, consilium, refusal } = place(t);
  const app = ['clients', 'add', '--name', 'Diary', '--kind', 'confidential-symmetric', '--purpose', 'PATRQT'];
  const registered = await json<{ client_id: string; client_secret: string }>([
    ...[...app, '--scope', 'launch/patient openid patient/*.rs', '--redirect', 'https://a.example/1'],
    ...['https://a.example/2', '--launch', 'https://a.example/launch', '--logo', 'https://a.example/logo.png'],
  ]);
  const { client_id: id, client_secret: secret } = registered;
  t.match(registered, {
    redirect_uris: ['https://a.example/1', 'https://a.example/2'],
    launch_uris: ['https://a.example/launch'],
    logo_uri: 'https://a.example/logo.png',
  });
  t.match(secret, /^[\w-]{43}$/);
  const rotated = await json<{ client_secret: string }>(['clients', 'rotate', id]);
  t.match(rotated.client_secret, /^[\w-]{43}$/);
  t.not(rotated.client_secret, secret);
  const shown = await consilium(['clients', 'show', id]);
  t.match(JSON.parse(shown), { client_id: id, disabled: false });
  t.notMatch(shown, /secret/i);
  t.match(await refusal(['clients', 'show', 'nobody']), /^There is no client nobody\n$/);
});

test('A key is made with both files or with none', { skip: EMBEDDED_ONLY }, async (t) => {
  const { file, refusal, consilium } = place(t);
  const key = (jwks: string) => ['clients', 'key', '--private', file('key.json'), '--jwks', jwks];
  t.match(await refusal(key(file('absent/jwks.json'))), /absent\/jwks\.json cannot be written: ENOENT/);
  t.match(await refusal(key(file('x/../key.json'))), /^--private and --jwks name the same file/);
  t.same(readdirSync(file('.')), []);
  await consilium(key(file('jwks.json')));
  t.same(readdirSync(file('.')), ['jwks.json', 'key.json'], 'the next attempt has its way');
});

test('Only what registers somebody makes a store, and says where', { skip: EMBEDDED_ONLY }, async (t) => {
  const data = join(temporaryFolder(t), 'data');
  const environment = { CONSILIUM_DATA: data, CONSILIUM_STORE_KEY: '' };
  const input = 'correct horse battery\n';
  for (const command of [
    ...[
      ['users', 'list'],
      ['users', 'disable', '--login', 'a'],
      ['clients', 'list'],
      ['clients', 'show', 'a'],
    ],
    ...[
      ['clients', 'rotate', 'a'],
      ['clients', 'disable', 'a'],
      ['keys', 'rotate'],
    ],
    ['users', 'reset', '--login', 'a', '--password-stdin'],
  ]) {
    const ended = await runCommand(command, environment, input);
    t.match(
      ended,
      { code: 1, stdout: '', stderr: `There is no store in ${data} (CONSILIUM_DATA)\n` },
      command.join(' '),
    );
    t.notOk(existsSync(data));
  }
  const user = ['users', 'add', '--login', 'ada', '--fhir-user', 'Patient/1', '--role', 'patient'];
  const made = await runCommand(user, environment);
  t.equal(made.code, 0);
  t.equal(made.stderr.split('\n')[0], `A new store was made in ${data} (CONSILIUM_DATA)`);
  const client = await runCommand(['clients', 'add', '--name', 'a', ...SYMMETRIC], environment);
  t.match(client, { code: 0, stderr: /^$/ });
});

test('What is wrong with a client is said in one line', { skip: EMBEDDED_ONLY }, async (t) => {
  const { file, refusal, consilium } = place(t);
  await consilium(['clients', 'key', '--private', file('key.json'), '--jwks', file('jwks.json')]);
  await consilium(['clients', 'add', '--name', 'a', ...SYMMETRIC]);
  writeFileSync(file('null.json'), 'null');
  const wrong: readonly (readonly [options: string[], reason: RegExp])[] = [
    [added(file('jwks.json'), ['--purpose', 'HMARKT']), /research, marketing and training cannot be registered/],
    [added(file('key.json')), /private/],
    [added(file('null.json')), /JWK set/],
    [added(file('jwks.json'), ['--scope', 'system/Nonsense.rs']), /no resource type Nonsense/],
    [
      ['token', '--client', 'north', '--key', file('key.json'), '--base', 'http://127.0.0.1:2/fhir'],
      /cannot be reached/,
    ],
  ];
  await Promise.all(wrong.map(async ([options, reason]) => t.match(await refusal(options), reason)));
  const { code, stdout, stderr } = await runCommand(['clients', 'add', '--name', 'x', '--kind', 'nonsense']);
  t.match({ code, stdout }, { code: 1, stdout: '' });
  t.match(stderr, /^error: .*'nonsense' is invalid.*\n+Add --help for the options\.\n$/);
});

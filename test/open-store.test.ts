/** The store that the configuration names, in the hands of a server, of a command and of a copy. */
import { readdirSync } from 'node:fs';
import { type Test, test } from 'tap';
import { readConfig } from '../src/config.ts';
import { openStore } from '../src/open-store.ts';
import { KEY_CHECK } from '../src/store/key-check.ts';
import { runCommand } from './commands/run-command.ts';
import { startServerProcess } from './http/server-process.ts';
import { temporaryFolder } from './http/test-server.ts';
import { created, resourceOf } from './store/contract/resources.ts';
import { temporaryDatabase, WITHOUT_MONGODB } from './store/mongodb/temporary-store.ts';

const KEY = 'ab'.repeat(32);
const OTHER = 'cd'.repeat(32);
const REFUSAL = /^The key is not that of the store mongodb:[^\n]*CONSILIUM_STORE_KEY_FILE[^\n]*\n$/;

const skip = WITHOUT_MONGODB;

const temporaryUrl = (t: Test): string => {
  const { url, database } = temporaryDatabase(t);
  const place = new URL(url);
  place.pathname = `/${database}`;
  return place.href;
};

const configOf = (url: string, key: string) => readConfig({ CONSILIUM_STORE: url, CONSILIUM_STORE_KEY: key });

/** A store with a resource, made under KEY. */
const madeStore = async (t: Test): Promise<string> => {
  const url = temporaryUrl(t);
  const store = await openStore(configOf(url, KEY));
  await store.commit([created(resourceOf('Patient', 'a'), [])]);
  await store.close();
  return url;
};

test('a MongoDB store is opened with its own key alone, by whomever', { skip }, async (t) => {
  const url = await madeStore(t);
  const wrong = { CONSILIUM_STORE: url, CONSILIUM_STORE_KEY: OTHER };
  const right = { CONSILIUM_STORE: url, CONSILIUM_STORE_KEY: KEY };
  t.match(await startServerProcess(t, wrong).ended, { code: 1, stdout: '', stderr: REFUSAL });

  const add = ['users', 'add', '--login', 'ada', '--fhir-user', 'Patient/a', '--role', 'patient'];
  for (const command of [add, ['clients', 'list'], ['keys', 'rotate']])
    t.match(await runCommand(command, wrong), { code: 1, stdout: '', stderr: REFUSAL }, command.join(' '));
  t.match(await runCommand(add, right), { code: 0, stdout: /^Added ada/ }, 'the wrong key has changed nothing');
  t.match(await runCommand(['keys', 'rotate'], right), { code: 0 });
});

test('a copy is made under the key of a MongoDB store alone, on either side', { skip }, async (t) => {
  const url = await madeStore(t);
  const folder = temporaryFolder(t);
  const wrong = { CONSILIUM_STORE_KEY: OTHER };
  const right = { CONSILIUM_STORE_KEY: KEY };
  const leading = (from: string, to: string) => ['copy', '--from', from, '--to', to];
  t.match(await runCommand(leading(url, `sqlite:${folder}`), wrong), { code: 1, stderr: REFUSAL });
  t.same(readdirSync(folder), []);
  t.match(await runCommand(leading(url, `sqlite:${folder}`), right), { code: 0, stderr: /compared/ });

  const other = temporaryUrl(t);
  await (await openStore(configOf(other, OTHER))).close();
  t.match(await runCommand(leading(`sqlite:${folder}`, other), right), { code: 1, stderr: REFUSAL });

  const third = temporaryUrl(t);
  t.match(await runCommand(leading(url, third), right), { code: 0 }, 'one that knows the same key is as good as empty');
  t.match(await runCommand(['clients', 'list'], { CONSILIUM_STORE: third, ...wrong }), { code: 1, stderr: REFUSAL });
});

test('the source of a copy is not told a key that may be wrong', { skip }, async (t) => {
  const url = temporaryUrl(t);
  const copied = await runCommand(['copy', '--from', url, '--to', temporaryUrl(t)], { CONSILIUM_STORE_KEY: OTHER });
  t.match(copied, { code: 1, stderr: /^The source has no resources/ });
  await (await openStore(configOf(url, KEY))).close();
});

test('several servers may begin with a MongoDB store at once, and it never tells its key', { skip }, async (t) => {
  const url = temporaryUrl(t);
  const opened = await Promise.allSettled([KEY, KEY, OTHER, KEY].map((key) => openStore(configOf(url, key))));
  const stores = opened.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  const isFirst = opened[2]?.status === 'fulfilled';
  t.equal(stores.length, isFirst ? 1 : 3, 'all that have the key of the first');
  const record = await stores[0]?.records.get(KEY_CHECK);
  t.match(record?.value, /^"[0-9a-f]{64}"$/);
  t.notOk(record?.value.includes(isFirst ? OTHER : KEY));
  for (const store of stores) await store.close();
});

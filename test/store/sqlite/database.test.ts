import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { type Test, test } from 'tap';
import { openConnection, prepareDatabase } from '../../../src/store/sqlite/database.ts';
import { openSqliteStore } from '../../../src/store/sqlite/open-store.ts';
import { StoreUnusable } from '../../../src/store/store-unusable.ts';
import { created, deleted, idsOf, resourceOf, token, updated, withToken } from '../contract/resources.ts';
import { CHECK_BYTES, KEY, OPTIONS, temporaryFolder } from './temporary-store.ts';

const OTHER_KEY = Buffer.alloc(32, 0x5c);
const NAME = 'Brzeczyszczykiewicz';
const PATIENT = { type: 'Patient', id: 'p0' };

const open = (path: string, key = KEY) => openSqliteStore({ ...OPTIONS, path, key });

const patient = (at: number) => resourceOf('Patient', `p${at}`, `"name":[{"family":"${NAME}"}],"content":${at}`);

/** A closed store with 300 patients; some hundred kilobytes. */
const filledStore = async (t: Test): Promise<string> => {
  const path = join(temporaryFolder(t), 'store.db');
  const store = await open(path);
  await store.commit(
    Array.from({ length: 300 }, (_, at) =>
      created(patient(at), [
        token('identifier', `${NAME}-${at}`, `urn:${NAME}`),
        { kind: 'string', param: 'family', value: NAME.toLowerCase(), exact: NAME },
      ]),
    ),
  );
  await store.commit([deleted(patient(299)), updated(resourceOf('Patient', 'p0', '"content":"new"'))]);
  await store.close();
  return path;
};

/** Refused with one line that names the file, and neither the file nor its time has changed. */
const isRefusedUntouched = async (t: Test, path: string, reason: RegExp, key = KEY): Promise<void> => {
  const before = { bytes: readFileSync(path), time: statSync(path).mtimeMs };
  const error = await open(path, key).then(
    (store) => store.close(),
    (thrown: unknown) => thrown,
  );
  t.ok(error instanceof StoreUnusable, String(error));
  const { message } = error as Error;
  t.match(message, reason);
  t.ok(message.includes(path), 'the line names the file');
  t.notMatch(message, /\n/, 'it is one line');
  t.ok(readFileSync(path).equals(before.bytes), 'the bytes are untouched');
  t.equal(statSync(path).mtimeMs, before.time, 'the time is untouched');
};

test('a store that is closed and opened again has all that was stored', async (t) => {
  const path = await filledStore(t);
  const store = await open(path);
  t.match(await store.read(PATIENT), { version: 2 });
  t.match(await store.read(PATIENT, 1), { version: 1 });
  t.match(await store.read({ type: 'Patient', id: 'p299' }), { version: 2, isDeleted: true });
  t.equal((await idsOf(store, 'Patient')).length, 299);
  t.same(await idsOf(store, 'Patient', withToken('identifier', `${NAME}-7`, `urn:${NAME}`)), ['p7']);
  t.match(await store.commit([updated(patient(7), [])]), [{ outcome: 'unchanged', version: 1 }]);
  t.match(await store.commit([updated(patient(299), [])]), [{ outcome: 'created', version: 3 }]);
  await store.close();
});

test('a store whose process ended without closing it has all that was answered', async (t) => {
  const path = join(temporaryFolder(t), 'store.db');
  const store = await open(path);
  await store.commit([created(patient(0))]);
  await store.commit([updated(patient(0)), created(patient(1))]);
  const folder = temporaryFolder(t);
  for (const suffix of ['', '-wal']) copyFileSync(path + suffix, join(folder, `copy.db${suffix}`));
  await store.close();

  const copy = join(folder, 'copy.db');
  const log = readFileSync(`${copy}-wal`);
  await isRefusedUntouched(t, copy, /key is wrong/, OTHER_KEY);
  t.ok(readFileSync(`${copy}-wal`).equals(log), 'a wrong key does not touch the log either');
  const again = await open(copy);
  t.same(await idsOf(again, 'Patient'), ['p0', 'p1']);
  await again.close();
});

test('a wrong key is refused', async (t) => {
  const path = await filledStore(t);
  await isRefusedUntouched(t, path, /the key is wrong/, OTHER_KEY);
  const store = await open(path);
  t.match(await store.read(PATIENT), { version: 2 }, 'the right key still opens it');
  await store.close();
});

test('a damaged file is refused', async (t) => {
  const path = await filledStore(t);
  const whole = readFileSync(path);
  const damaged = async (name: string, damage: (copy: string) => void): Promise<void> => {
    const copy = join(temporaryFolder(t), 'damaged.db');
    writeFileSync(copy, whole);
    damage(copy);
    await t.test(name, (each) => isRefusedUntouched(each, copy, /damaged/));
  };
  const flipAt = (share: number) => (copy: string) => {
    const bytes = Buffer.from(whole);
    const at = Math.floor(bytes.length * share);
    bytes.writeUInt8((bytes[at] ?? 0) ^ 0x01, at);
    writeFileSync(copy, bytes);
  };
  // The first 16 bytes, which would be the salt of a passphrase, mean nothing with a raw key.
  for (const share of [0.001, 0.25, 0.5, 0.75, 0.999]) await damaged(`one bit flipped at ${share}`, flipAt(share));
  await damaged('the last page is cut off', (copy) => truncateSync(copy, whole.length - 8192));
  await damaged('half of it is cut off', (copy) => truncateSync(copy, Math.floor(whole.length / 2)));
  await damaged('cut within a page', (copy) => truncateSync(copy, 5000));
  await damaged('the first bytes alone', (copy) => truncateSync(copy, 16));
  await damaged('two pages exchanged', (copy) => {
    const page = (at: number): Buffer => whole.subarray(at * 8192, (at + 1) * 8192);
    writeFileSync(copy, Buffer.concat([page(0), page(2), page(1), whole.subarray(3 * 8192)]));
  });
  await damaged('all of it is cut off', (copy) => truncateSync(copy, 0));
  await damaged('random bytes', (copy) => writeFileSync(copy, crypto.getRandomValues(Buffer.alloc(65_536))));
  await damaged('a text', (copy) => writeFileSync(copy, 'This is no store.\n'.repeat(1000)));
  await damaged('an unencrypted SQLite header', (copy) =>
    writeFileSync(copy, Buffer.concat([Buffer.from('SQLite format 3\0'), Buffer.alloc(8192)])),
  );
});

test('the files of a store are for their owner alone', async (t) => {
  const path = join(temporaryFolder(t), 'store.db');
  const store = await open(path);
  await store.commit([created(patient(0))]);
  for (const suffix of ['', '-wal', '-shm']) t.equal(statSync(path + suffix).mode & 0o777, 0o600, `store.db${suffix}`);
  await store.close();
  t.same(readdirSync(dirname(path)), ['store.db'], 'nothing else is left');
});

test('a newer schema version is refused', async (t) => {
  const path = await filledStore(t);
  const connection = openConnection({ path, key: KEY }, 'write');
  connection.pragma('user_version = 9999');
  connection.close();
  await isRefusedUntouched(t, path, /schema version is 9999.*use the newer program/);
});

test('a place that can hold no store is refused with one line', async (t) => {
  const refused = async (path: string, reason: RegExp): Promise<void> => {
    const error = await open(path).then(
      (store) => store.close(),
      (thrown: unknown) => thrown,
    );
    t.ok(error instanceof StoreUnusable, String(error));
    t.match((error as Error).message, reason);
    t.ok((error as Error).message.includes(path));
    t.notMatch((error as Error).message, /\n/);
  };
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'file'), 'content');
  await refused(join(folder, 'file', 'store.db'), /EEXIST|ENOTDIR/);
  await refused(join(folder, 'file', 'below', 'store.db'), /ENOTDIR/);
  t.equal(readFileSync(join(folder, 'file'), 'utf8'), 'content');
  mkdirSync(join(folder, 'store.db'));
  await refused(join(folder, 'store.db'), /cannot be opened/);
  t.same(readdirSync(join(folder, 'store.db')), []);
});

const isRoot = process.getuid?.() === 0;
test('a folder that is not writable is refused', { skip: isRoot ? 'root may write everywhere' : false }, async (t) => {
  const path = await filledStore(t);
  const folder = join(path, '..');
  chmodSync(folder, 0o500);
  t.teardown(() => chmodSync(folder, 0o700));
  await isRefusedUntouched(t, path, /EACCES/);
});

test('no file of a store has clear text of what is stored', async (t) => {
  const path = join(temporaryFolder(t), 'store.db');
  const store = await open(path);
  const clear = [NAME, NAME.toLowerCase(), 'Patient', 'identifier', 'SQLite format'];
  const filesHide = (when: string): void => {
    const files = readdirSync(join(path, '..')).filter((name) => !name.endsWith('-shm'));
    t.ok(files.includes('store.db'));
    for (const name of files) {
      const bytes = readFileSync(join(path, '..', name));
      t.ok(bytes.length > 0, `${name} ${when} has ${bytes.length} bytes`);
      for (const text of clear) {
        t.notOk(bytes.includes(text), `${text} in ${name} ${when}`);
        t.notOk(bytes.includes(Buffer.from(text, 'utf16le')), `${text} as UTF-16 in ${name} ${when}`);
      }
    }
  };
  for (let at = 0; at < 50; at++) await store.commit([created(patient(at), [token('identifier', NAME)])]);
  t.ok(existsSync(`${path}-wal`), 'the log is there while the store is open');
  filesHide('while it is open');
  await store.close();
  filesHide('when it is closed');
});

test('a store of before sources were kept is opened with all that it has, and takes sources from then on', async (t) => {
  const path = join(temporaryFolder(t), 'store.db');
  const steps = temporaryFolder(t);
  const first = '0001-resources-and-index.sql';
  copyFileSync(new URL(`../../../src/store/sqlite/migrations/${first}`, import.meta.url), join(steps, first));
  prepareDatabase({ path, key: KEY }, CHECK_BYTES, steps);
  const connection = openConnection({ path, key: KEY }, 'write');
  const text = (version: number): string =>
    `{"resourceType":"Patient","id":"a","meta":{"versionId":"${version}","lastUpdated":"1970-01-01T00:00:00.00${version}Z"}}`;
  connection.exec(`INSERT INTO symbol (text) VALUES ('Patient');
    INSERT INTO resource (type, id, version, updated, live, action, index_rows, body)
      VALUES (1, 'a', 3, 3, 1, 2, '', CAST('${text(3)}' AS BLOB));
    INSERT INTO history (rid, type, version, updated, live, action, body)
      VALUES (1, 1, 1, 1, 1, 1, CAST('${text(1)}' AS BLOB)), (1, 1, 2, 2, 0, 0, x'');
    INSERT INTO type_count VALUES (1, 1);`);
  connection.close();
  const store = await open(path);
  t.teardown(() => store.close());
  const reference = { type: 'Patient', id: 'a' };
  const versions = async () =>
    (await store.history(reference, { count: 10 })).items.map(({ action, source }) => `${action} by ${source}`);
  t.same(await versions(), ['update-as-create by undefined', 'delete by undefined', 'create by undefined']);
  t.equal(String((await store.read(reference, 1))?.text), text(1));
  const own = updated(resourceOf('Patient', 'a', '"active":true'), [], { source: 'Organization/o' });
  t.match(await store.commit([own]), [{ outcome: 'updated', version: 4 }]);
  t.equal((await versions())[0], 'update by Organization/o');
  const clause = { kind: 'source', values: ['Organization/o'] } as const;
  t.same(await idsOf(store, 'Patient', clause), ['a']);
});

test('migrations are applied in order, each in a transaction', async (t) => {
  const folder = temporaryFolder(t);
  const steps = temporaryFolder(t);
  const file = { path: join(folder, 'store.db'), key: KEY };
  const write = (name: string, sql: string): void => writeFileSync(join(steps, name), sql);
  const state = (): { version: unknown; tables: unknown; rows: unknown } => {
    const connection = openConnection(file, 'read');
    const version = connection.pragma('user_version', { simple: true });
    const tables = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1").pluck().all();
    const rows = connection.prepare('SELECT value FROM one ORDER BY 1').pluck().all();
    connection.close();
    return { version, tables, rows };
  };
  write('0001-one.sql', 'CREATE TABLE one (value INTEGER);');
  write('0002-fill.sql', 'INSERT INTO one VALUES (1); INSERT INTO one VALUES (2);');
  write('README.md', 'not a migration');
  prepareDatabase(file, CHECK_BYTES, steps);
  t.same(state(), { version: 2, tables: ['one'], rows: [1, 2] });
  prepareDatabase(file, CHECK_BYTES, steps);
  t.same(state(), { version: 2, tables: ['one'], rows: [1, 2] }, 'none is applied twice');

  write('0003-good.sql', 'INSERT INTO one VALUES (3);');
  write('0004-bad.sql', 'CREATE TABLE two (value INTEGER); DELETE FROM one; INSERT INTO absent VALUES (1);');
  t.throws(() => prepareDatabase(file, CHECK_BYTES, steps), StoreUnusable);
  t.same(state(), { version: 3, tables: ['one'], rows: [1, 2, 3] }, 'the failing one has left nothing');
  write('0004-bad.sql', 'CREATE TABLE two (value INTEGER);');
  prepareDatabase(file, CHECK_BYTES, steps);
  t.same(state(), { version: 4, tables: ['one', 'two'], rows: [1, 2, 3] });
});

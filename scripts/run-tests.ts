/**
 * Runs the tests (`npm test` calls it, after the checks): all of them, and, where MONGODB_URL names a replica set, those
 * through HTTP a second time on MongoDB. Without MONGODB_URL the tests of the MongoDB store are skipped.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

const STARTS_SERVER =
  /startTest(?:Auth)?Server|startPeopleServer|from '\.\/(?:place|people|authorization-flow|access-server)\.ts'/;
/** What a browser shows is the same on every store. */
const IN_BROWSER = /^test\/browser\//;

/** Tests that start a server and speak to it. */
const testsThroughHttp = (): string[] =>
  readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
    .map((name) => join('test', name))
    .filter(
      (name) =>
        name.endsWith('.test.ts') &&
        !IN_BROWSER.test(name) &&
        STARTS_SERVER.test(readFileSync(join(ROOT, name), 'utf8')),
    )
    .sort();

/** Where the program itself keeps what was compiled: each test is a process or several. */
const COMPILED = join(ROOT, 'node_modules', '.cache', 'consilium');

/** Runs tap; the exit status of this process tells if any run failed. */
const run = (options: readonly string[], environment: Readonly<Record<string, string>> = {}): void => {
  const { status } = spawnSync('tap', ['run', ...options], {
    cwd: ROOT,
    stdio: 'inherit',
    env: { NODE_COMPILE_CACHE: COMPILED, ...process.env, ...environment },
  });
  if (status !== 0) process.exitCode = 1;
};

run([]);
if (process.env['MONGODB_URL'] !== undefined)
  run(['--disable-coverage', ...testsThroughHttp()], { CONSILIUM_TEST_STORE: 'mongodb' });

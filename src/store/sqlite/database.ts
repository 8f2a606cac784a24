/**
 * Opens the encrypted SQLite file: checks it before anything is written, brings its schema up to date, and says in one
 * line what is wrong when it cannot be opened.
 */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3-multiple-ciphers';
import { StoreUnusable } from '../store-unusable.ts';

export type Connection = Database.Database;
export type Statement = Database.Statement<unknown[]>;

export interface DatabaseFile {
  readonly path: string;
  /** 32 bytes. */
  readonly key: Buffer;
}

const MIGRATIONS = join(import.meta.dirname, 'migrations');
const PAGE_BYTES = 8192;
const CACHE_KIBIBYTES = 65_536;
/** Pages in the write-ahead log before they are copied into the file. */
const CHECKPOINT_PAGES = 4000;
const BUSY_MILLISECONDS = 10_000;

const codeOf = (error: unknown): string => String((error as { code?: unknown }).code ?? '');

const connect = (file: DatabaseFile, options: Database.Options): Connection => {
  const connection = new Database(file.path, options);
  connection.pragma(`cipher = 'aegis'`);
  connection.pragma(`key = "raw:${file.key.toString('hex')}"`);
  return connection;
};

/** Whether this connection may write decides little else: both see a whole snapshot at every statement. */
export const openConnection = (file: DatabaseFile, mode: 'read' | 'write'): Connection => {
  const connection = connect(file, { readonly: mode === 'read', timeout: BUSY_MILLISECONDS });
  connection.pragma(`cache_size = -${CACHE_KIBIBYTES}`);
  connection.pragma('temp_store = MEMORY');
  if (mode === 'write') {
    connection.pragma('synchronous = FULL');
    connection.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
  }
  return connection;
};

const migrationsIn = (folder: string): { version: number; sql: string }[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.sql'))
    .sort()
    .map((name) => ({ version: Number(name.slice(0, 4)), sql: readFileSync(join(folder, name), 'utf8') }));

const schemaVersion = (connection: Connection): number => connection.pragma('user_version', { simple: true }) as number;

/** Applies what is missing, each migration in a transaction of its own. */
const migrate = (connection: Connection, folder: string): void => {
  for (const { version, sql } of migrationsIn(folder)) {
    if (version <= schemaVersion(connection)) continue;
    connection.exec('BEGIN IMMEDIATE');
    try {
      if (version > schemaVersion(connection)) {
        connection.exec(sql);
        connection.pragma(`user_version = ${version}`);
      }
      connection.exec('COMMIT');
    } catch (error) {
      connection.exec('ROLLBACK');
      throw error;
    }
  }
};

const unusable = (file: DatabaseFile, error: unknown): StoreUnusable => {
  const code = codeOf(error);
  const reason =
    code === 'SQLITE_NOTADB'
      ? 'the key is wrong, or the file is damaged or is no Consilium store'
      : code.startsWith('SQLITE_CORRUPT') || code.startsWith('SQLITE_IOERR')
        ? `the file is damaged (${code}); restore it from a backup`
        : `${(error as Error).message}${code === '' ? '' : ` (${code})`}`;
  return new StoreUnusable(`The store ${file.path} cannot be opened: ${reason}`);
};

/**
 * Looks at an existing file without write access, so that a file that is refused stays as it is. Files of up to
 * `checkBytes` are read whole: every page is authenticated by its cipher.
 */
const checkFile = (file: DatabaseFile, checkBytes: number, folder: string): void => {
  const connection = connect(file, { readonly: true, fileMustExist: true, timeout: BUSY_MILLISECONDS });
  try {
    const version = schemaVersion(connection);
    const newest = migrationsIn(folder).at(-1)?.version ?? 0;
    if (version > newest)
      throw new StoreUnusable(
        `The store ${file.path} cannot be opened: its schema version is ${version}, this program knows versions up to ${newest}; use the newer program`,
      );
    if (version === 0) throw new StoreUnusable(`The store ${file.path} cannot be opened: the file is empty or damaged`);
    if (statSync(file.path).size > checkBytes) return;
    const found = connection.pragma('quick_check(1)', { simple: true });
    if (found !== 'ok')
      throw new StoreUnusable(
        `The store ${file.path} cannot be opened: the file is damaged (${String(found).split('\n').at(-1)}); restore it from a backup`,
      );
  } finally {
    connection.close();
  }
};

const bringUpToDate = (file: DatabaseFile, folder: string): void => {
  const connection = openConnection(file, 'write');
  try {
    connection.pragma(`page_size = ${PAGE_BYTES}`);
    connection.pragma('journal_mode = WAL');
    migrate(connection, folder);
  } finally {
    connection.close();
  }
};

/**
 * Makes a file that its owner alone may read. It gets its name when it is whole, so that an empty file under that name
 * is always one that has lost its content.
 */
const makeFile = (file: DatabaseFile, folder: string): void => {
  const path = `${file.path}.${process.pid}.new`;
  rmSync(path, { force: true });
  closeSync(openSync(path, 'wx', 0o600));
  try {
    bringUpToDate({ ...file, path }, folder);
    // A link fails where a rename would replace the file that another process has made meanwhile.
    linkSync(path, file.path);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  } finally {
    rmSync(path, { force: true });
  }
};

/**
 * Checks or makes the file and brings its schema up to date by the numbered files in `folder`. Throws StoreUnusable.
 */
export const prepareDatabase = (file: DatabaseFile, checkBytes: number, folder = MIGRATIONS): void => {
  try {
    mkdirSync(dirname(file.path), { recursive: true, mode: 0o700 });
    accessSync(dirname(file.path), constants.W_OK | constants.X_OK);
    if (existsSync(file.path)) {
      accessSync(file.path, constants.R_OK | constants.W_OK);
      checkFile(file, checkBytes, folder);
      bringUpToDate(file, folder);
    } else {
      makeFile(file, folder);
    }
  } catch (error) {
    throw error instanceof StoreUnusable ? error : unusable(file, error);
  }
};

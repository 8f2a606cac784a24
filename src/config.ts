/**
 * The configuration: one schema, one frozen object. The only file that reads the environment; README has the same table.
 */
import { hkdfSync, randomBytes } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { BlockList, isIP } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { envSchema } from 'env-schema';
import type { AuthLimits } from './auth/auth-server.ts';
import type { PeopleLimits } from './auth/users/people.ts';
import { type Provider, providersOf } from './auth/users/providers.ts';
import { expectationOf, SCHEMA, type Variables } from './config-variables.ts';
import type { Limits } from './interactions/fhir-request.ts';
import { closestName } from './validation/closest-name.ts';

export interface Config extends Limits, AuthLimits, PeopleLimits {
  readonly host: string;
  readonly port: number;
  /** Undefined: derived from the address that the server listens on. */
  readonly baseUrl: string | undefined;
  readonly dataFolder: string;
  /** `sqlite`, or the url of a MongoDB. */
  readonly store: string;
  /** How long a request may wait for the database, in milliseconds. */
  readonly storeMilliseconds: number;
  /** Transactions that a MongoDB is given at once, and that may wait for that. */
  readonly transactions: number;
  readonly transactionQueue: number;
  readonly transactionEntries: number;
  readonly transactionBytes: number;
  /** 32 bytes. */
  readonly storeKey: Buffer;
  /** A sentence for the log if the key was found or made in the data folder. */
  readonly storeKeyWarning: string | undefined;
  readonly storeCheckBytes: number;
  readonly access: 'open' | 'smart';
  /** The most resources, or versions, that are looked through to learn what a token may see. */
  readonly accessResources: number;
  /** The longest list of scopes. */
  readonly scopeCharacters: number;
  readonly logLevel: string;
  readonly bodyBytes: number;
  readonly requestMilliseconds: number;
  /** How long a $validate may work on the invariants of a resource, in milliseconds. */
  readonly validateMilliseconds: number;
  readonly patchOperations: number;
  readonly patchSteps: number;
  readonly searchMilliseconds: number;
  readonly searchRows: number;
  readonly readCacheBytes: number;
  readonly searchThreads: number;
  readonly searchSlowThreads: number;
  readonly searchQuickMilliseconds: number;
  readonly searchQueue: number;
  readonly references: 'accept' | 'refuse';
  /** From the moment that it is asked to end, the server still serves so long, but is not ready. */
  readonly leaveMilliseconds: number;
  readonly drainMilliseconds: number;
  /** The OpenID providers of hospitals. */
  readonly providers: readonly Provider[];
  /** Requests a minute of each client and address at endpoints where secrets are tried. */
  readonly rateLimit: number;
  /** Proxies whose Forwarded headers are believed. */
  readonly trustedProxies: BlockList;
  /** A folder of FHIR packages; undefined for none. */
  readonly packagesFolder: string | undefined;
  readonly packageBytes: number;
  readonly packageFiles: number;
}

/** The configuration is wrong; the message is one line that names the variable. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
}

const KEY_PATTERN = /^[0-9a-f]{64}$/i;
const KEY_FILE = 'store.key';
/** The name of the embedded store in the data folder. */
export const STORE_FILE = 'consilium.db';
const MEGABYTE = 1_000_000;

const readVariables = (environment: Readonly<Record<string, string | undefined>>): Variables => {
  try {
    const variables = envSchema<Variables>({ schema: SCHEMA, data: { ...environment }, dotenv: false, env: false });
    const { CONSILIUM_BASE_URL: url = '' } = variables;
    if (/[^/]\/fhir\/*$/.test(url))
      throw new ConfigurationError(
        `CONSILIUM_BASE_URL must not end in /fhir: the FHIR base is <base url>/fhir (it is '${url}')`,
      );
    return variables;
  } catch (error) {
    if (error instanceof ConfigurationError) throw error;
    const [first] = (error as { errors?: { instancePath: string; message?: string }[] }).errors ?? [];
    const name = first?.instancePath.slice(1) || 'The environment';
    const reason = expectationOf(name) ?? first?.message;
    // The url of a database may hold a password, and a token is one.
    const isSecret = name === 'CONSILIUM_STORE' || name === 'CONSILIUM_REGISTRATION_TOKEN';
    const isShown = environment[name] !== undefined && !isSecret;
    const given = isShown ? ` (it is '${environment[name]}')` : '';
    throw new ConfigurationError(`${name} ${reason ?? (error as Error).message}${given}`);
  }
};

/** A sentence for each variable that Consilium does not know, although its name begins as if it did. */
export const unknownVariables = (
  environment: Readonly<Record<string, string | undefined>> = process.env,
): readonly string[] => {
  const known = Object.keys(SCHEMA.properties);
  return Object.keys(environment)
    .filter((name) => /^CONSILIUM_(?!TEST_)/.test(name) && !known.includes(name))
    .map((name) => {
      const meant = closestName(name, known);
      return `${name} is not known and has no effect${meant === undefined ? '' : `; is ${meant} meant?`}`;
    });
};

const keyFrom = (text: string, name: string): Buffer => {
  if (KEY_PATTERN.test(text.trim())) return Buffer.from(text.trim(), 'hex');
  throw new ConfigurationError(`${name} must be 64 hexadecimal digits, as \`openssl rand -hex 32\` prints`);
};

const readKeyFile = (path: string, name: string): Buffer => {
  try {
    return keyFrom(readFileSync(path, 'utf8'), name);
  } catch (error) {
    if (error instanceof ConfigurationError) throw error;
    throw new ConfigurationError(`${name} cannot be read: ${(error as Error).message}`);
  }
};

/** Writes a key that its owner alone may read. It gets its name when it is whole, as another start may wait for it. */
const writeKey = (path: string, key: Buffer, name: string): void => {
  const draft = `${path}.${process.pid}.new`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(draft, `${key.toString('hex')}\n`, { mode: 0o600 });
    linkSync(draft, path);
    rmSync(draft);
  } catch (error) {
    if (existsSync(draft)) rmSync(draft);
    if (existsSync(path)) return;
    throw new ConfigurationError(`${name} cannot be written: ${(error as Error).message}`);
  }
};

/** The key in the data folder, made with the store. A store whose key is gone is not given another one. */
const localKey = (folder: string): Buffer => {
  const path = join(folder, KEY_FILE);
  if (!existsSync(path) && existsSync(join(folder, STORE_FILE)))
    throw new ConfigurationError(
      `CONSILIUM_STORE_KEY_FILE is not set, and ${folder} has a store but no key for it (${KEY_FILE})`,
    );
  if (!existsSync(path)) writeKey(path, randomBytes(32), 'CONSILIUM_DATA');
  return readKeyFile(path, path);
};

/** The key that the environment gives, if it does. */
const givenKey = ({ CONSILIUM_STORE_KEY: key, CONSILIUM_STORE_KEY_FILE: file }: Variables): Buffer | undefined => {
  if (key !== undefined && file !== undefined)
    throw new ConfigurationError('CONSILIUM_STORE_KEY and CONSILIUM_STORE_KEY_FILE are both set; set one');
  if (key !== undefined) return keyFrom(key, 'CONSILIUM_STORE_KEY');
  return file === undefined ? undefined : readKeyFile(file, 'CONSILIUM_STORE_KEY_FILE');
};

type StoreKey = Pick<Config, 'storeKey' | 'storeKeyWarning'>;

const storeKeyOf = (variables: Variables, folder: string): StoreKey => {
  const given = givenKey(variables);
  if (given !== undefined) return { storeKey: given, storeKeyWarning: undefined };
  if (variables.CONSILIUM_STORE !== 'sqlite')
    throw new ConfigurationError(
      'CONSILIUM_STORE_KEY or CONSILIUM_STORE_KEY_FILE must be set, the same for every server on this MongoDB',
    );
  const path = join(folder, KEY_FILE);
  const storeKeyWarning = `The store's key lies beside its data, in ${path}; in production keep it elsewhere and set CONSILIUM_STORE_KEY_FILE`;
  return { storeKey: localKey(folder), storeKeyWarning };
};

/** `+02:00` as 120. */
const offsetMinutes = (zone: string): number =>
  zone === 'Z' ? 0 : (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4))) * (zone.startsWith('-') ? -1 : 1);

/** Addresses and networks, such as `10.0.0.1, 10.1.0.0/16, fd00::/8`. */
const addressesOf = (name: string, text: string): BlockList => {
  const addresses = new BlockList();
  const given = text.split(',').map((part) => part.trim());
  for (const each of given.filter((part) => part !== '')) {
    const [address = '', prefix, ...more] = each.split('/');
    const family = isIP(address);
    const longest = family === 4 ? 32 : 128;
    const bits = prefix === undefined ? longest : /^\d{1,3}$/.test(prefix) ? Number(prefix) : Number.NaN;
    if (family === 0 || more.length > 0 || !(bits >= 0 && bits <= longest))
      throw new ConfigurationError(`${name}: '${each}' is no address such as 10.0.0.1 or 10.0.0.0/8`);
    addresses.addSubnet(address, bits, family === 4 ? 'ipv4' : 'ipv6');
  }
  return addresses;
};

/** Whether only this machine reaches what listens there. */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));

/** What a host is called by who is on the same machine; an address that stands for all is none. */
const localName = (host: string): string => {
  const name = { '0.0.0.0': '127.0.0.1', '::': '::1' }[host] ?? host;
  return isIP(name) === 6 ? `[${name}]` : name;
};

/** The FHIR base of the server that has this environment, as a command beside it reaches it. Throws ConfigurationError. */
export const fhirBaseIn = (environment: Readonly<Record<string, string | undefined>> = process.env): string => {
  const { CONSILIUM_BASE_URL: url, CONSILIUM_HOST: host, CONSILIUM_PORT: port } = readVariables(environment);
  return `${url?.replace(/\/+$/, '') ?? `http://${localName(host)}:${port}`}/fhir`;
};

const providersIn = (path: string | undefined): readonly Provider[] => {
  if (path === undefined) return [];
  try {
    return providersOf(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new ConfigurationError(`CONSILIUM_PROVIDERS_FILE cannot be used: ${(error as Error).message}`);
  }
};

const configOf = (
  variables: Variables,
  keyOf: (variables: Variables, folder: string) => StoreKey = storeKeyOf,
): Config => {
  const host = variables.CONSILIUM_HOST;
  if (variables.CONSILIUM_ACCESS === 'open' && !isLoopback(host))
    throw new ConfigurationError(
      `CONSILIUM_ACCESS=open has no sign-in and is for loopback only, but CONSILIUM_HOST is ${host}`,
    );
  const folder = resolve(variables.CONSILIUM_DATA);
  return Object.freeze({
    host,
    port: variables.CONSILIUM_PORT,
    baseUrl: variables.CONSILIUM_BASE_URL?.replace(/\/+$/, ''),
    dataFolder: folder,
    store: variables.CONSILIUM_STORE,
    storeMilliseconds: variables.CONSILIUM_STORE_SECONDS * 1000,
    transactions: variables.CONSILIUM_TRANSACTIONS,
    transactionQueue: variables.CONSILIUM_TRANSACTION_QUEUE,
    transactionEntries: variables.CONSILIUM_TRANSACTION_ENTRIES,
    transactionBytes: variables.CONSILIUM_TRANSACTION_MEGABYTES * MEGABYTE,
    ...keyOf(variables, folder),
    storeCheckBytes: variables.CONSILIUM_STORE_CHECK_MEGABYTES * MEGABYTE,
    access: variables.CONSILIUM_ACCESS,
    accessResources: variables.CONSILIUM_ACCESS_RESOURCES,
    scopeCharacters: variables.CONSILIUM_SCOPE_CHARACTERS,
    tokenSeconds: variables.CONSILIUM_TOKEN_SECONDS,
    keyDays: variables.CONSILIUM_KEY_DAYS,
    rateLimit: variables.CONSILIUM_RATE_LIMIT,
    signInThreads: variables.CONSILIUM_SIGN_IN_THREADS,
    signInAttempts: variables.CONSILIUM_SIGN_IN_ATTEMPTS,
    signInLockMilliseconds: variables.CONSILIUM_SIGN_IN_LOCK_SECONDS * 1000,
    sessionIdleMilliseconds: variables.CONSILIUM_SESSION_IDLE_MINUTES * 60_000,
    sessionMilliseconds: variables.CONSILIUM_SESSION_HOURS * 3_600_000,
    providers: providersIn(variables.CONSILIUM_PROVIDERS_FILE),
    registrationToken: variables.CONSILIUM_REGISTRATION_TOKEN,
    jwksMilliseconds: variables.CONSILIUM_JWKS_SECONDS * 1000,
    jwksBytes: variables.CONSILIUM_JWKS_KILOBYTES * 1000,
    jwksPrivateAddresses: addressesOf('CONSILIUM_JWKS_PRIVATE_ADDRESSES', variables.CONSILIUM_JWKS_PRIVATE_ADDRESSES),
    logLevel: variables.CONSILIUM_LOG_LEVEL,
    bodyBytes: variables.CONSILIUM_BODY_MEGABYTES * MEGABYTE,
    requestMilliseconds: variables.CONSILIUM_REQUEST_SECONDS * 1000,
    validateMilliseconds: variables.CONSILIUM_VALIDATE_SECONDS * 1000,
    patchOperations: variables.CONSILIUM_PATCH_OPERATIONS,
    patchSteps: variables.CONSILIUM_PATCH_STEPS,
    jsonDepth: variables.CONSILIUM_JSON_DEPTH,
    bundleEntries: variables.CONSILIUM_BUNDLE_ENTRIES,
    bundleMilliseconds: variables.CONSILIUM_BUNDLE_SECONDS * 1000,
    answerBytes: variables.CONSILIUM_ANSWER_MEGABYTES * MEGABYTE,
    searchDefaultCount: Math.min(variables.CONSILIUM_SEARCH_DEFAULT_COUNT, variables.CONSILIUM_SEARCH_MAXIMUM_COUNT),
    searchMaximumCount: variables.CONSILIUM_SEARCH_MAXIMUM_COUNT,
    searchValues: variables.CONSILIUM_SEARCH_VALUES,
    searchComparedValues: variables.CONSILIUM_SEARCH_COMPARED_VALUES,
    searchParameters: variables.CONSILIUM_SEARCH_PARAMETERS,
    searchTotalValues: variables.CONSILIUM_SEARCH_TOTAL_VALUES,
    searchChain: variables.CONSILIUM_SEARCH_CHAIN,
    searchIncludes: variables.CONSILIUM_SEARCH_INCLUDES,
    searchMilliseconds: variables.CONSILIUM_SEARCH_MILLISECONDS,
    searchRows: variables.CONSILIUM_SEARCH_ROWS,
    readCacheBytes: variables.CONSILIUM_READ_CACHE_MEGABYTES * MEGABYTE,
    searchThreads: variables.CONSILIUM_SEARCH_THREADS,
    searchSlowThreads: variables.CONSILIUM_SEARCH_SLOW_THREADS,
    searchQuickMilliseconds: variables.CONSILIUM_SEARCH_QUICK_MILLISECONDS,
    searchQueue: variables.CONSILIUM_SEARCH_QUEUE,
    zoneOffsetMinutes: offsetMinutes(variables.CONSILIUM_SEARCH_ZONE),
    approximateShare: variables.CONSILIUM_SEARCH_APPROXIMATE_PERCENT / 100,
    references: variables.CONSILIUM_REFERENCES,
    leaveMilliseconds: variables.CONSILIUM_LEAVE_SECONDS * 1000,
    drainMilliseconds: variables.CONSILIUM_DRAIN_SECONDS * 1000,
    conditionalDelete: variables.CONSILIUM_CONDITIONAL_DELETE,
    conditionalDeleteLimit: variables.CONSILIUM_CONDITIONAL_DELETE_LIMIT,
    trustedProxies: addressesOf('CONSILIUM_TRUSTED_PROXIES', variables.CONSILIUM_TRUSTED_PROXIES),
    packagesFolder: variables.CONSILIUM_PACKAGES === undefined ? undefined : resolve(variables.CONSILIUM_PACKAGES),
    packageBytes: variables.CONSILIUM_PACKAGE_MEGABYTES * MEGABYTE,
    packageFiles: variables.CONSILIUM_PACKAGE_FILES,
  });
};

/**
 * Reads and checks the environment. Throws ConfigurationError. Makes the data folder's key if none is given, unless the
 * embedded store `mustExist`: then it is refused if it does not.
 */
export const readConfig = (
  environment: Readonly<Record<string, string | undefined>> = process.env,
  { mustExist = false }: { readonly mustExist?: boolean } = {},
): Config => {
  const variables = readVariables(environment);
  const folder = resolve(variables.CONSILIUM_DATA);
  if (mustExist && variables.CONSILIUM_STORE === 'sqlite' && !existsSync(join(folder, STORE_FILE)))
    throw new ConfigurationError(`There is no store in ${folder} (CONSILIUM_DATA)`);
  return configOf(variables);
};

/** A configuration whose key lies in a folder, or else is given by the environment. */
export interface FolderConfig {
  readonly config: Config;
  readonly isKeyOfFolder: boolean;
}

/** The configuration with the key of `folder`, if the environment gives none. Makes nothing. Throws ConfigurationError. */
export const readConfigWithKeyIn = (
  folder: string | undefined,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): FolderConfig => {
  const variables = readVariables(environment);
  const given = givenKey(variables);
  const path = folder === undefined ? undefined : join(folder, KEY_FILE);
  if (given === undefined && (path === undefined || !existsSync(path))) {
    const reason = folder === undefined ? '' : `, as ${folder} has no key (${KEY_FILE})`;
    throw new ConfigurationError(`CONSILIUM_STORE_KEY or CONSILIUM_STORE_KEY_FILE must be set${reason}`);
  }
  const storeKey = given ?? readKeyFile(path as string, path as string);
  return {
    config: configOf(variables, () => ({ storeKey, storeKeyWarning: undefined })),
    isKeyOfFolder: given === undefined,
  };
};

/** Throws ConfigurationError if a folder has a key, and it is another one. */
export const checkKeyOf = (folder: string, key: Buffer): void => {
  const path = join(folder, KEY_FILE);
  if (existsSync(path) && !readKeyFile(path, path).equals(key))
    throw new ConfigurationError(`${path} is another key than that of the other store`);
};

/** Writes the key beside the store in a folder, unless it is there. Throws ConfigurationError. */
export const keepKeyIn = (folder: string, key: Buffer): void => {
  const path = join(folder, KEY_FILE);
  if (!existsSync(path)) writeKey(path, key, path);
};

/** A key of 32 bytes for one purpose, which says nothing about the store's own key. */
export const derivedKey = (storeKey: Buffer, purpose: string): Buffer =>
  Buffer.from(hkdfSync('sha256', storeKey, '', `consilium ${purpose}`, 32));

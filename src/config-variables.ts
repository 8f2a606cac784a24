/** The environment variables, as README lists them; `config.ts` reads them. */

/** The variables as they are read. */
export interface Variables {
  readonly CONSILIUM_HOST: string;
  readonly CONSILIUM_PORT: number;
  readonly CONSILIUM_BASE_URL?: string;
  readonly CONSILIUM_DATA: string;
  readonly CONSILIUM_STORE: string;
  readonly CONSILIUM_STORE_SECONDS: number;
  readonly CONSILIUM_TRANSACTIONS: number;
  readonly CONSILIUM_TRANSACTION_QUEUE: number;
  readonly CONSILIUM_TRANSACTION_ENTRIES: number;
  readonly CONSILIUM_TRANSACTION_MEGABYTES: number;
  readonly CONSILIUM_STORE_KEY?: string;
  readonly CONSILIUM_STORE_KEY_FILE?: string;
  readonly CONSILIUM_STORE_CHECK_MEGABYTES: number;
  readonly CONSILIUM_ACCESS: 'smart' | 'open';
  readonly CONSILIUM_ACCESS_RESOURCES: number;
  readonly CONSILIUM_SCOPE_CHARACTERS: number;
  readonly CONSILIUM_TOKEN_SECONDS: number;
  readonly CONSILIUM_KEY_DAYS: number;
  readonly CONSILIUM_RATE_LIMIT: number;
  readonly CONSILIUM_SIGN_IN_THREADS: number;
  readonly CONSILIUM_SIGN_IN_ATTEMPTS: number;
  readonly CONSILIUM_SIGN_IN_LOCK_SECONDS: number;
  readonly CONSILIUM_SESSION_IDLE_MINUTES: number;
  readonly CONSILIUM_SESSION_HOURS: number;
  readonly CONSILIUM_PROVIDERS_FILE?: string;
  readonly CONSILIUM_REGISTRATION_TOKEN?: string;
  readonly CONSILIUM_JWKS_SECONDS: number;
  readonly CONSILIUM_JWKS_KILOBYTES: number;
  readonly CONSILIUM_JWKS_PRIVATE_ADDRESSES: string;
  readonly CONSILIUM_LOG_LEVEL: string;
  readonly CONSILIUM_BODY_MEGABYTES: number;
  readonly CONSILIUM_REQUEST_SECONDS: number;
  readonly CONSILIUM_VALIDATE_SECONDS: number;
  readonly CONSILIUM_PATCH_OPERATIONS: number;
  readonly CONSILIUM_PATCH_STEPS: number;
  readonly CONSILIUM_JSON_DEPTH: number;
  readonly CONSILIUM_BUNDLE_ENTRIES: number;
  readonly CONSILIUM_BUNDLE_SECONDS: number;
  readonly CONSILIUM_ANSWER_MEGABYTES: number;
  readonly CONSILIUM_SEARCH_DEFAULT_COUNT: number;
  readonly CONSILIUM_SEARCH_MAXIMUM_COUNT: number;
  readonly CONSILIUM_SEARCH_VALUES: number;
  readonly CONSILIUM_SEARCH_COMPARED_VALUES: number;
  readonly CONSILIUM_SEARCH_PARAMETERS: number;
  readonly CONSILIUM_SEARCH_TOTAL_VALUES: number;
  readonly CONSILIUM_SEARCH_CHAIN: number;
  readonly CONSILIUM_SEARCH_INCLUDES: number;
  readonly CONSILIUM_SEARCH_MILLISECONDS: number;
  readonly CONSILIUM_SEARCH_ROWS: number;
  readonly CONSILIUM_READ_CACHE_MEGABYTES: number;
  readonly CONSILIUM_SEARCH_THREADS: number;
  readonly CONSILIUM_SEARCH_SLOW_THREADS: number;
  readonly CONSILIUM_SEARCH_QUICK_MILLISECONDS: number;
  readonly CONSILIUM_SEARCH_QUEUE: number;
  readonly CONSILIUM_SEARCH_ZONE: string;
  readonly CONSILIUM_SEARCH_APPROXIMATE_PERCENT: number;
  readonly CONSILIUM_REFERENCES: 'accept' | 'refuse';
  readonly CONSILIUM_LEAVE_SECONDS: number;
  readonly CONSILIUM_DRAIN_SECONDS: number;
  readonly CONSILIUM_CONDITIONAL_DELETE: 'single' | 'multiple';
  readonly CONSILIUM_CONDITIONAL_DELETE_LIMIT: number;
  readonly CONSILIUM_TRUSTED_PROXIES: string;
  readonly CONSILIUM_PACKAGES?: string;
  readonly CONSILIUM_PACKAGE_MEGABYTES: number;
  readonly CONSILIUM_PACKAGE_FILES: number;
}

const wholeNumber = (byDefault: number, minimum: number, maximum: number) => ({
  type: 'integer',
  default: byDefault,
  minimum,
  maximum,
});

/** What each may be, and what it is by default. */
export const SCHEMA = {
  type: 'object',
  properties: {
    CONSILIUM_HOST: { type: 'string', default: '127.0.0.1', minLength: 1 },
    CONSILIUM_PORT: wholeNumber(8080, 0, 65_535),
    CONSILIUM_BASE_URL: { type: 'string', pattern: '^https?://[^/?#\\s]+(/[^?#\\s]*)?$' },
    CONSILIUM_DATA: { type: 'string', default: './data', minLength: 1 },
    CONSILIUM_STORE: { type: 'string', pattern: '^(sqlite|mongodb(\\+srv)?://[^\\s]+)$', default: 'sqlite' },
    CONSILIUM_STORE_SECONDS: wholeNumber(30, 1, 600),
    CONSILIUM_TRANSACTIONS: wholeNumber(4, 1, 100),
    CONSILIUM_TRANSACTION_QUEUE: wholeNumber(2000, 1, 100_000),
    CONSILIUM_TRANSACTION_ENTRIES: wholeNumber(10_000, 1, 100_000),
    CONSILIUM_TRANSACTION_MEGABYTES: wholeNumber(100, 1, 1000),
    CONSILIUM_STORE_KEY: { type: 'string' },
    CONSILIUM_STORE_KEY_FILE: { type: 'string', minLength: 1 },
    CONSILIUM_STORE_CHECK_MEGABYTES: wholeNumber(64, 0, 1_000_000),
    CONSILIUM_ACCESS: { type: 'string', enum: ['smart', 'open'], default: 'smart' },
    CONSILIUM_ACCESS_RESOURCES: wholeNumber(10_000, 100, 1_000_000),
    CONSILIUM_SCOPE_CHARACTERS: wholeNumber(8192, 100, 100_000),
    CONSILIUM_TOKEN_SECONDS: wholeNumber(3600, 60, 3600),
    CONSILIUM_KEY_DAYS: wholeNumber(90, 1, 3650),
    CONSILIUM_RATE_LIMIT: wholeNumber(300, 1, 1_000_000),
    CONSILIUM_SIGN_IN_THREADS: wholeNumber(2, 1, 64),
    CONSILIUM_SIGN_IN_ATTEMPTS: wholeNumber(5, 1, 100),
    CONSILIUM_SIGN_IN_LOCK_SECONDS: wholeNumber(60, 1, 3600),
    CONSILIUM_SESSION_IDLE_MINUTES: wholeNumber(30, 1, 1440),
    CONSILIUM_SESSION_HOURS: wholeNumber(12, 1, 168),
    CONSILIUM_PROVIDERS_FILE: { type: 'string', minLength: 1 },
    CONSILIUM_REGISTRATION_TOKEN: { type: 'string', pattern: '^[A-Za-z0-9._~+/-]{20,200}=*$' },
    CONSILIUM_JWKS_SECONDS: wholeNumber(5, 1, 60),
    CONSILIUM_JWKS_KILOBYTES: wholeNumber(100, 1, 10_000),
    CONSILIUM_JWKS_PRIVATE_ADDRESSES: { type: 'string', default: '' },
    CONSILIUM_LOG_LEVEL: {
      type: 'string',
      enum: ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
      default: 'info',
    },
    CONSILIUM_BODY_MEGABYTES: wholeNumber(50, 1, 500),
    CONSILIUM_REQUEST_SECONDS: wholeNumber(300, 1, 86_400),
    CONSILIUM_VALIDATE_SECONDS: wholeNumber(10, 1, 600),
    CONSILIUM_PATCH_OPERATIONS: wholeNumber(100, 1, 10_000),
    CONSILIUM_PATCH_STEPS: wholeNumber(5_000_000, 1000, 1_000_000_000),
    CONSILIUM_JSON_DEPTH: wholeNumber(64, 8, 1000),
    CONSILIUM_BUNDLE_ENTRIES: wholeNumber(10_000, 1, 1_000_000),
    CONSILIUM_BUNDLE_SECONDS: wholeNumber(60, 1, 3600),
    // An answer is one string, and a string of V8 has at most about 500 million characters.
    CONSILIUM_ANSWER_MEGABYTES: wholeNumber(64, 1, 256),
    CONSILIUM_SEARCH_DEFAULT_COUNT: wholeNumber(50, 1, 10_000),
    CONSILIUM_SEARCH_MAXIMUM_COUNT: wholeNumber(1000, 1, 10_000),
    CONSILIUM_SEARCH_VALUES: wholeNumber(200, 1, 1000),
    CONSILIUM_SEARCH_COMPARED_VALUES: wholeNumber(20, 1, 100),
    CONSILIUM_SEARCH_PARAMETERS: wholeNumber(30, 1, 100),
    CONSILIUM_SEARCH_TOTAL_VALUES: wholeNumber(1000, 1, 10_000),
    CONSILIUM_SEARCH_CHAIN: wholeNumber(5, 1, 20),
    CONSILIUM_SEARCH_INCLUDES: wholeNumber(1000, 1, 100_000),
    CONSILIUM_SEARCH_MILLISECONDS: wholeNumber(10_000, 1, 600_000),
    CONSILIUM_SEARCH_ROWS: wholeNumber(10_000_000, 1000, 1_000_000_000),
    CONSILIUM_READ_CACHE_MEGABYTES: wholeNumber(64, 0, 65_536),
    CONSILIUM_SEARCH_THREADS: wholeNumber(2, 1, 64),
    CONSILIUM_SEARCH_SLOW_THREADS: wholeNumber(1, 1, 64),
    CONSILIUM_SEARCH_QUICK_MILLISECONDS: wholeNumber(25, 1, 10_000),
    CONSILIUM_SEARCH_QUEUE: wholeNumber(1000, 1, 100_000),
    CONSILIUM_SEARCH_ZONE: { type: 'string', pattern: '^(Z|[+-](0\\d|1[0-4]):[0-5]\\d)$', default: 'Z' },
    CONSILIUM_SEARCH_APPROXIMATE_PERCENT: wholeNumber(10, 0, 100),
    CONSILIUM_REFERENCES: { type: 'string', enum: ['accept', 'refuse'], default: 'accept' },
    CONSILIUM_LEAVE_SECONDS: wholeNumber(0, 0, 600),
    CONSILIUM_DRAIN_SECONDS: wholeNumber(30, 1, 3600),
    CONSILIUM_CONDITIONAL_DELETE: { type: 'string', enum: ['single', 'multiple'], default: 'single' },
    CONSILIUM_CONDITIONAL_DELETE_LIMIT: wholeNumber(100, 1, 10_000),
    CONSILIUM_TRUSTED_PROXIES: { type: 'string', default: '' },
    CONSILIUM_PACKAGES: { type: 'string', minLength: 1 },
    CONSILIUM_PACKAGE_MEGABYTES: wholeNumber(200, 1, 2000),
    CONSILIUM_PACKAGE_FILES: wholeNumber(20_000, 1, 1_000_000),
  },
} as const;

/** What those with a pattern must be, in words. */
const IN_WORDS: Readonly<Record<string, string>> = {
  CONSILIUM_BASE_URL: 'must be a url that begins with http:// or https:// and has no spaces, ? or #',
  CONSILIUM_STORE: 'must be sqlite or a url such as mongodb://host/database',
  CONSILIUM_REGISTRATION_TOKEN: 'must be 20 to 200 letters, digits or - . _ ~ + /',
  CONSILIUM_SEARCH_ZONE: 'must be Z or an offset such as +02:00',
};

interface Expected {
  readonly type: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
}

/** What a variable must be, as the end of a sentence that begins with its name; undefined if there is none of that name. */
export const expectationOf = (name: string): string | undefined => {
  const schema = (SCHEMA.properties as Readonly<Record<string, Expected>>)[name];
  if (schema === undefined) return undefined;
  if (schema.enum !== undefined) return `must be one of ${schema.enum.join(', ')}`;
  if (schema.type === 'integer') return `must be a whole number from ${schema.minimum} to ${schema.maximum}`;
  return IN_WORDS[name] ?? 'must not be empty';
};

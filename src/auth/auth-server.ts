/**
 * The authorization server: all that its endpoints and pages use, put together in `app.ts`. Its parts are functions that
 * get it as their first argument, and know no HTTP library.
 */
import type { BlockList } from 'node:net';
import type { Records } from '../store/store.ts';
import { type CachedRecords, createCachedRecords } from './cached-records.ts';
import { createKeySets, type KeySets } from './clients/key-sets.ts';
import type { ClinicalDirectory } from './clinical-directory.ts';
import { createSigningKeys, type SigningKeys } from './keys/signing-keys.ts';

/** Limits of the authorization server; see the configuration table in README. */
export interface AuthLimits {
  /** How long an access token of a user lives. */
  readonly tokenSeconds: number;
  /** The longest list of scopes. */
  readonly scopeCharacters: number;
  /** After how many days a signing key is followed by a new one. */
  readonly keyDays: number;
  /** How long a client's key set may take to arrive, and how large it may be. */
  readonly jwksMilliseconds: number;
  readonly jwksBytes: number;
  /** Private addresses at which key sets may be. */
  readonly jwksPrivateAddresses: BlockList;
  /** The initial access token of dynamic registration; undefined if there is none. */
  readonly registrationToken: string | undefined;
}

export interface AuthServerParts {
  /** The server's one base url, without a final slash; FHIR is at `/fhir` below it. */
  readonly issuer: string;
  readonly records: Records;
  readonly limits: AuthLimits;
  /** 32 bytes, under which the signing keys are kept encrypted. */
  readonly keysKey: Buffer;
  /** Whether other servers write to the store, so that what they revoke must be seen at once. */
  readonly isStoreShared: boolean;
  /** Whether the server itself listens on loopback, so that the key sets of its clients may be there, too. */
  readonly isOnLoopback: boolean;
  readonly directory: ClinicalDirectory;
  isResourceType(name: string): boolean;
  /** Throws a FhirError if the parameters of a granular scope are none of the type's, or their values are malformed. */
  checkScopeParameters(type: string, parameters: readonly (readonly [name: string, value: string])[]): void;
  /** Milliseconds since 1970 UTC. */
  now(): number;
}

export interface AuthServer extends Omit<AuthServerParts, 'keysKey'> {
  /** `[issuer]/fhir`: the `aud` of authorization requests. */
  readonly fhirBase: string;
  /** Reads of clients and users, at most a second old. */
  readonly cached: CachedRecords;
  /** Signs and verifies our own JWTs. */
  readonly keys: SigningKeys;
  /** The public keys of clients. */
  readonly keySets: KeySets;
}

/** The records, of which nothing is remembered that was written over. */
const forgetful = (records: Records, { forget }: CachedRecords): Records => ({
  ...records,
  put: (key, value, options) => records.put(key, value, options).finally(() => forget(key)),
  delete: (key, revision) => records.delete(key, revision).finally(() => forget(key)),
});

export const createAuthServer = ({ keysKey, ...parts }: AuthServerParts): AuthServer => {
  const { limits, now, isOnLoopback, issuer } = parts;
  const cached = createCachedRecords(parts.records, now);
  const records = forgetful(parts.records, cached);
  return {
    ...parts,
    records,
    fhirBase: `${issuer}/fhir`,
    cached,
    keys: createSigningKeys({ records, key: keysKey, days: limits.keyDays, now }),
    keySets: createKeySets({ limits, isOnLoopback, now }),
  };
};

/** What somebody says of a client that is to be registered, and what of it is accepted. */

import type { PublicJwk } from '../keys/jws.ts';
import { OAuthError, type OAuthErrorCode } from '../oauth-error.ts';
import { registrableScope, type ScopeRules } from '../scope-grants.ts';
import { CLIENT_KINDS, type Client, type ClientKind, PURPOSES } from './client.ts';
import { keysOfSet, reasonAgainstKey } from './public-keys.ts';
import { isRedirectUri, isWebUrl } from './urls.ts';

/** As it comes from a command or a request: nothing of it has been checked. */
export interface Registration {
  /** A random one if absent. */
  readonly id?: string;
  readonly name: string;
  readonly kind: string;
  readonly redirectUris?: readonly string[];
  readonly launchUris?: readonly string[];
  /** A JWK set. */
  readonly jwks?: unknown;
  readonly jwksUrl?: string;
  readonly scope: string;
  /** `Organization/[id]` */
  readonly organization?: string;
  readonly purpose: string;
  /** `source` if absent. */
  readonly reach?: string;
  readonly logoUrl?: string;
}

/** All of a client but what the server makes. */
export type AcceptedRegistration = Omit<Client, 'id' | 'secretHash' | 'isDisabled' | 'created'>;

/** Redirect and launch urls that a client may have, each. */
const MAXIMUM_URIS = 20;
const NAME = /^[^\p{Cc}\p{Zl}\p{Zp}]{1,200}$/u;
const ORGANIZATION = /^Organization\/[A-Za-z0-9.-]{1,64}$/;

const refusal = (description: string, error: OAuthErrorCode = 'invalid_client_metadata'): OAuthError =>
  new OAuthError(400, error, description);

const one = <T extends string>(values: readonly T[], value: string, what: string, why = ''): T => {
  const found = values.find((each) => each === value);
  if (found === undefined) throw refusal(`${what} must be one of ${values.join(', ')}${why}`);
  return found;
};

const checkUris = ({ kind, redirectUris = [], launchUris = [] }: Registration): void => {
  if (redirectUris.length > MAXIMUM_URIS || launchUris.length > MAXIMUM_URIS)
    throw refusal(`There may be at most ${MAXIMUM_URIS} redirect uris and launch uris`);
  const isBackend = kind === 'backend';
  if (isBackend && redirectUris.length + launchUris.length > 0)
    throw refusal('A backend client has no redirect uris and no launch uris: nobody signs in');
  if (!isBackend && redirectUris.length === 0)
    throw refusal('At least one redirect uri is needed', 'invalid_redirect_uri');
  const rule = 'must be absolute, https, http on loopback, or a scheme of its own with a dot, without a fragment';
  for (const uri of redirectUris)
    if (!isRedirectUri(uri)) throw refusal(`The redirect uri ${uri} ${rule}`, 'invalid_redirect_uri');
  for (const uri of launchUris) if (!isRedirectUri(uri)) throw refusal(`The launch uri ${uri} ${rule}`);
};

const checkKeys = ({ kind, jwks, jwksUrl }: Registration): void => {
  const given = [jwks, jwksUrl].filter((each) => each !== undefined).length;
  const hasKeys = kind === 'confidential-asymmetric' || kind === 'backend';
  if (given !== (hasKeys ? 1 : 0))
    throw refusal(`A client of the kind ${kind} has ${hasKeys ? 'a JWK set or the url of one' : 'no keys'}`);
  if (jwksUrl !== undefined && !isWebUrl(jwksUrl))
    throw refusal('The url of the JWK set must be https, or http on loopback');
  if (jwks === undefined) return;
  const keys = keysOfSet(jwks);
  if (typeof keys === 'string') throw refusal(keys);
  if (keys.length === 0) throw refusal('The JWK set has no key');
  keys.forEach((key, index) => {
    const reason = reasonAgainstKey(key);
    if (reason !== undefined) throw refusal(`Key ${index + 1} of the JWK set: ${reason}`);
  });
  const signing = (keys as PublicJwk[]).filter(({ use }) => use !== 'enc');
  const names = signing.map(({ kid, kty, crv = '' }) => `${kid} ${kty} ${crv}`);
  if (new Set(names).size < names.length) throw refusal('Two keys of the JWK set have the same kid');
};

/** @see https://www.rfc-editor.org/rfc/rfc7591#section-3.2.2 */
const scopeOf = (rules: ScopeRules, kind: ClientKind, scope: string): string => {
  try {
    return registrableScope(rules, kind, scope);
  } catch (error) {
    throw error instanceof OAuthError ? refusal(error.description) : error;
  }
};

const reachOf = ({ kind, reach = 'source', organization }: Registration): Client['reach'] => {
  const found = one(['source', 'all'], reach, 'The reach');
  if (organization !== undefined && !ORGANIZATION.test(organization))
    throw refusal('The organization must be a reference such as Organization/123');
  if (kind === 'backend' && found === 'source' && organization === undefined)
    throw refusal(
      'A backend client acts for an organization, and reaches what that pushed; name it, or let it reach all',
    );
  return found;
};

/** Throws an OAuthError `invalid_client_metadata` or `invalid_redirect_uri` that says which field, and why. */
export const acceptedRegistration = (rules: ScopeRules, registration: Registration): AcceptedRegistration => {
  const { name, jwks, jwksUrl, organization, logoUrl } = registration;
  if (!NAME.test(name.trim())) throw refusal('The name must have 1 to 200 characters, on one line');
  const kind = one(CLIENT_KINDS, registration.kind, 'The kind');
  const why = '; research, marketing and training cannot be registered';
  const purpose = one(PURPOSES, registration.purpose, 'The purpose of use', why);
  checkUris(registration);
  checkKeys(registration);
  if (logoUrl !== undefined && !isWebUrl(logoUrl))
    throw refusal('The url of the logo must be https, or http on loopback');
  const reach = reachOf(registration);
  return {
    name: name.trim(),
    kind,
    redirectUris: registration.redirectUris ?? [],
    launchUris: registration.launchUris ?? [],
    ...(jwks === undefined ? {} : { jwks: jwks as { keys: object[] } }),
    ...(jwksUrl === undefined ? {} : { jwksUrl }),
    scope: scopeOf(rules, kind, registration.scope),
    ...(organization === undefined ? {} : { organization }),
    purpose,
    reach,
    ...(logoUrl === undefined ? {} : { logoUrl }),
  };
};

/**
 * A client that proves who it is by a JWT that it has signed with its private key.
 *
 * @see https://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html#authenticating-to-the-token-endpoint
 */
import type { AuthServer } from '../auth-server.ts';
import { type Claims, isSigned, type PublicJwk, readJwt, type UnverifiedJwt } from '../keys/jws.ts';
import { OAuthError } from '../oauth-error.ts';
import { hashOf } from '../tokens/opaque-token.ts';
import type { Client } from './client.ts';
import { enabledClient } from './clients.ts';
import { KeySetUnavailable } from './fetch-key-set.ts';

export const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

export const ASSERTION_ALGORITHMS = ['RS384', 'ES384', 'RS256', 'ES256'] as const;

/** From its making to its end. */
const LONGEST_SECONDS = 300;
/** By how much the clock of a client may be wrong. */
const SKEW_SECONDS = 10;
/** A token that was made long ago was not made for this request. */
const OLDEST_SECONDS = 600;
const MAXIMUM_JTI = 256;

const refusal = (reason: string): OAuthError =>
  new OAuthError(401, 'invalid_client', `The client assertion is refused: ${reason}`);

const isTime = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);

/** Why the times of an assertion are refused; `now` in seconds since 1970 UTC. */
const reasonAgainstTimes = ({ exp, nbf, iat }: Claims, now: number): string | undefined => {
  if (!isTime(exp)) return 'exp is missing';
  if (exp <= now) return 'exp is past';
  if (exp > now + LONGEST_SECONDS + SKEW_SECONDS) return `exp is more than ${LONGEST_SECONDS} seconds ahead`;
  if (nbf !== undefined && !(isTime(nbf) && nbf <= now + SKEW_SECONDS)) return 'nbf is in the future';
  if (iat === undefined) return undefined;
  if (!isTime(iat) || iat > now + SKEW_SECONDS) return 'iat is in the future';
  return iat < now - OLDEST_SECONDS ? `iat is more than ${OLDEST_SECONDS} seconds ago` : undefined;
};

const audienceOf = ({ aud }: Claims): unknown => (Array.isArray(aud) && aud.length === 1 ? aud[0] : aud);

/** Why the claims of an assertion are refused, apart from its signature. */
const reasonAgainst = (server: AuthServer, { header, claims }: UnverifiedJwt, client: Client): string | undefined => {
  const { iss, sub, jti } = claims;
  if (iss !== client.id || sub !== client.id) return 'iss and sub must both be the client_id';
  const audiences = [`${server.issuer}/auth/token`, server.issuer];
  if (!audiences.includes(audienceOf(claims) as string)) return 'aud must be the token endpoint or the issuer';
  if (typeof jti !== 'string' || jti === '' || jti.length > MAXIMUM_JTI) return 'jti is missing';
  if (header.jku !== undefined && header.jku !== client.jwksUrl) return 'jku is not the registered url';
  return reasonAgainstTimes(claims, server.now() / 1000);
};

const isSignedByUrl = async ({ keySets }: AuthServer, jwt: UnverifiedJwt, url: string): Promise<boolean> => {
  const keys = await keySets.at(url);
  if (await isSigned(jwt, keys)) return true;
  const newer = await keySets.after(url, keys);
  return newer !== keys && isSigned(jwt, newer);
};

const isSignedByClient = async (server: AuthServer, jwt: UnverifiedJwt, client: Client): Promise<boolean> => {
  if (client.jwksUrl === undefined) return isSigned(jwt, (client.jwks?.keys ?? []) as PublicJwk[]);
  try {
    return await isSignedByUrl(server, jwt, client.jwksUrl);
  } catch (error) {
    if (error instanceof KeySetUnavailable) throw refusal(error.message);
    throw error;
  }
};

/** Remembers an assertion until it has expired; no instance accepts it again. Throws an OAuthError if it was used. */
const useOnce = async ({ records }: AuthServer, client: Client, { exp, jti }: Claims): Promise<void> => {
  const key = `jti/${client.id}/${hashOf(jti as string)}`;
  const expires = ((exp as number) + SKEW_SECONDS) * 1000;
  if ((await records.put(key, '1', { revision: 0, expires })) === undefined) throw refusal('its jti was used before');
};

/** The client that has signed the assertion. Throws an OAuthError `invalid_client`. */
export const clientByAssertion = async (server: AuthServer, assertion: string): Promise<Client> => {
  const jwt = readJwt(assertion, ASSERTION_ALGORITHMS);
  if (typeof jwt === 'string') throw refusal(jwt);
  const { iss } = jwt.claims;
  const client = typeof iss === 'string' ? await enabledClient(server, iss) : undefined;
  if (client?.kind !== 'confidential-asymmetric' && client?.kind !== 'backend')
    throw refusal('iss is no client that has registered keys');
  const reason = reasonAgainst(server, jwt, client);
  if (reason !== undefined) throw refusal(reason);
  if (!(await isSignedByClient(server, jwt, client))) throw refusal('no registered key with its kid has signed it');
  await useOnce(server, client, jwt.claims);
  return client;
};

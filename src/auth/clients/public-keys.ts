/**
 * Which keys of a client are accepted: RSA of 2048 bits or more and the curves P-256 and P-384, public halves only.
 *
 * @see https://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html#registering-a-client-communicating-public-keys
 */
import { createPublicKey, type JsonWebKey } from 'node:crypto';
import type { PublicJwk } from '../keys/jws.ts';

const CURVES = ['P-256', 'P-384'];
const RSA_BITS = 2048;
/** Longer moduli make verification slow. */
const MAXIMUM_RSA_BITS = 8192;

/** Members of private and of symmetric keys. */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

const MAXIMUM_KEYS = 50;

const modulusBits = (jwk: object): number | undefined => {
  try {
    return createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' }).asymmetricKeyDetails?.modulusLength ?? 0;
  } catch {
    return undefined;
  }
};

/** Why a JWK cannot be a client's key; undefined if it can. */
export const reasonAgainstKey = (jwk: unknown): string | undefined => {
  if (typeof jwk !== 'object' || jwk === null) return 'it is no JSON object';
  if (PRIVATE_MEMBERS.some((name) => name in jwk)) return 'it holds a private or symmetric key; send public keys only';
  const { kty, crv, kid } = jwk as PublicJwk;
  if (typeof kid !== 'string' || kid === '') return 'kid is missing';
  if (kty !== 'RSA' && kty !== 'EC') return 'kty must be RSA or EC';
  if (kty === 'EC' && !CURVES.includes(crv ?? '')) return `crv must be ${CURVES.join(' or ')}`;
  const bits = modulusBits(jwk);
  if (bits === undefined) return 'its members are malformed';
  if (kty === 'RSA' && (bits < RSA_BITS || bits > MAXIMUM_RSA_BITS))
    return `its modulus must have ${RSA_BITS} to ${MAXIMUM_RSA_BITS} bits`;
  return undefined;
};

/** The members `keys` of a JWK set, or a sentence that says why it is none. The keys are not looked at. */
export const keysOfSet = (set: unknown): readonly unknown[] | string => {
  const keys = typeof set === 'object' && set !== null ? (set as { keys?: unknown }).keys : undefined;
  if (!Array.isArray(keys)) return 'a JWK set has an array keys';
  if (keys.length > MAXIMUM_KEYS) return `a JWK set has at most ${MAXIMUM_KEYS} keys here`;
  return keys;
};

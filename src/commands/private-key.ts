/** Keys of clients, as the commands of an operator make and read them. */
import { createHash, createPrivateKey, generateKeyPairSync, type JsonWebKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { PublicJwk, SignatureAlgorithm } from '../auth/keys/jws.ts';
import { ConfigurationError } from '../config.ts';

/** With `kid` and `alg`; the other members are those of a JWK. */
export type PrivateJwk = JsonWebKey & PublicJwk & { readonly kid: string; readonly alg: SignatureAlgorithm };

const ALGORITHMS: Readonly<Record<string, SignatureAlgorithm>> = { 'P-256': 'ES256', 'P-384': 'ES384' };

/** @see https://www.rfc-editor.org/rfc/rfc7638 */
const thumbprint = ({ crv, e, kty, n, x, y }: JsonWebKey): string => {
  const members = kty === 'RSA' ? { e, kty, n } : { crv, kty, x, y };
  return createHash('sha256').update(JSON.stringify(members)).digest('base64url');
};

const withNames = (jwk: JsonWebKey & Partial<PublicJwk>, file: string): PrivateJwk => {
  const alg = (jwk.alg as SignatureAlgorithm | undefined) ?? (jwk.kty === 'RSA' ? 'RS384' : ALGORITHMS[jwk.crv ?? '']);
  if (jwk.kty === undefined || alg === undefined || jwk.d === undefined)
    throw new ConfigurationError(`${file} has no private key of RSA, P-256 or P-384`);
  return { ...jwk, kty: jwk.kty, kid: jwk.kid ?? thumbprint(jwk), alg };
};

const exported = (key: KeyObject): JsonWebKey => key.export({ format: 'jwk' });

/** Reads a private key: a JWK, the first one of a JWK set, or PEM. Throws ConfigurationError. */
export const readPrivateKey = (file: string): PrivateJwk => {
  try {
    const text = readFileSync(file, 'utf8');
    if (!text.trimStart().startsWith('{')) return withNames(exported(createPrivateKey(text)), file);
    const parsed = JSON.parse(text) as JsonWebKey & { readonly keys?: readonly JsonWebKey[] };
    return withNames(parsed.keys?.[0] ?? parsed, file);
  } catch (error) {
    if (error instanceof ConfigurationError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    const isUnread = code !== undefined && /^E[A-Z]+$/.test(code);
    throw new ConfigurationError(
      isUnread ? `${file} cannot be read: ${message}` : `${file} is no private key as JWK or PEM`,
    );
  }
};

/** A new key for ES384, and its public half. */
export const newKeyPair = (): { readonly privateJwk: PrivateJwk; readonly publicJwk: JsonWebKey } => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const privateJwk = withNames(exported(privateKey), 'The new key');
  const { kid, alg } = privateJwk;
  return { privateJwk, publicJwk: { ...exported(publicKey), kid, alg, use: 'sig' } };
};

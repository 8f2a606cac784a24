/**
 * Signs and verifies compact JWS. With `signing-keys.ts` the only place that knows node-jose.
 *
 * A token never decides how it is verified: the caller says which algorithms it accepts and which keys there are, the
 * algorithm then says of which type the key must be, and keys inside a token (`jwk`, `x5c`) are not looked at.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8725#section-3
 */
import jose from 'node-jose';

export type SignatureAlgorithm = 'RS256' | 'RS384' | 'ES256' | 'ES384';

/** A public key as JSON. @see https://www.rfc-editor.org/rfc/rfc7517#section-4 */
export interface PublicJwk {
  readonly kty: string;
  readonly kid?: string;
  readonly alg?: string;
  readonly use?: string;
  readonly key_ops?: readonly string[];
  readonly crv?: string;
}

interface JwtHeader {
  readonly alg: SignatureAlgorithm;
  readonly kid: string;
  readonly jku?: unknown;
}

export type Claims = Readonly<Record<string, unknown>>;

/** A JWT whose signature has not been verified yet. */
export interface UnverifiedJwt {
  readonly text: string;
  readonly header: JwtHeader;
  readonly claims: Claims;
}

/** Longer ones are refused unread. */
const MAXIMUM_CHARACTERS = 16_000;

const COMPACT = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/;

/** The type, and for elliptic curves the curve, of the keys of an algorithm. */
const KEYS: Readonly<Record<SignatureAlgorithm, { readonly kty: string; readonly crv?: string }>> = {
  RS256: { kty: 'RSA' },
  RS384: { kty: 'RSA' },
  ES256: { kty: 'EC', crv: 'P-256' },
  ES384: { kty: 'EC', crv: 'P-384' },
};

const objectFrom = (part: string): Record<string, unknown> | undefined => {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
};

/** Why a text is no JWT that could be accepted, as a sentence. */
const reasonAgainst = (
  header: Record<string, unknown>,
  algorithms: readonly SignatureAlgorithm[],
): string | undefined => {
  const { alg, kid } = header;
  if (!algorithms.includes(alg as SignatureAlgorithm)) return `alg must be one of ${algorithms.join(', ')}`;
  if (typeof kid !== 'string' || kid === '') return 'kid is missing';
  // Extensions that must be understood: none is.
  if ('crit' in header || 'b64' in header) return 'crit and b64 are not supported';
  if (Object.hasOwn(header, '__proto__')) return 'it is not a signed JWT';
  return undefined;
};

/** The parts of a JWT, or a sentence that says why it cannot be accepted, whatever its signature. */
export const readJwt = (text: string, algorithms: readonly SignatureAlgorithm[]): UnverifiedJwt | string => {
  const [, head, body] = (text.length <= MAXIMUM_CHARACTERS && COMPACT.exec(text)) || [];
  const header = head === undefined ? undefined : objectFrom(head);
  const claims = body === undefined ? undefined : objectFrom(body);
  if (header === undefined || claims === undefined) return 'it is not a signed JWT';
  return reasonAgainst(header, algorithms) ?? { text, header: header as unknown as JwtHeader, claims };
};

const isKeyFor = ({ alg, kid }: JwtHeader, key: PublicJwk): boolean => {
  const { kty, crv } = KEYS[alg];
  return (
    key.kid === kid &&
    key.kty === kty &&
    (crv === undefined || key.crv === crv) &&
    (key.alg === undefined || key.alg === alg) &&
    (key.use === undefined || key.use === 'sig') &&
    (key.key_ops === undefined || key.key_ops.includes('verify'))
  );
};

/** Keys that were read before: their preparation costs more than a verification. */
const prepared = new WeakMap<object, Promise<jose.JWK.Key>>();

const preparedKey = (key: object): Promise<jose.JWK.Key> => {
  const known = prepared.get(key);
  if (known !== undefined) return known;
  const made = jose.JWK.asKey(key);
  prepared.set(key, made);
  return made;
};

const isSignedBy = async ({ text, header }: UnverifiedJwt, key: PublicJwk): Promise<boolean> => {
  try {
    const options = { algorithms: [header.alg], allowEmbeddedKey: false };
    await jose.JWS.createVerify(await preparedKey(key), options).verify(text);
    return true;
  } catch {
    return false;
  }
};

/**
 * Whether the one key that has the token's `kid` and suits its algorithm made its signature. Of two such keys it is not
 * clear which is meant.
 *
 * @see https://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html#signature-verification
 */
export const isSigned = async (jwt: UnverifiedJwt, keys: readonly PublicJwk[]): Promise<boolean> => {
  const [key, another] = keys.filter((each) => isKeyFor(jwt.header, each));
  return key !== undefined && another === undefined && isSignedBy(jwt, key);
};

/** `key` is private, with `kid` and `alg`. */
export const signedJwt = async (claims: Claims, key: PublicJwk): Promise<string> => {
  const options = { format: 'compact', fields: { typ: 'JWT' } } as const;
  const signed = await jose.JWS.createSign(options, await preparedKey(key))
    .update(JSON.stringify(claims), 'utf8')
    .final();
  return signed as unknown as string;
};

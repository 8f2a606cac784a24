/**
 * `POST /auth/register`: dynamic registration, for whoever holds the initial access token. What is registered so gets the
 * least: apps of people only, no organization, nothing beyond what the user reaches.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7591
 */
import { timingSafeEqual } from 'node:crypto';
import type { AuthServer } from '../auth-server.ts';
import type { ClientKind } from '../clients/client.ts';
import { registerClient } from '../clients/clients.ts';
import { OAuthError } from '../oauth-error.ts';
import { hashOf } from '../tokens/opaque-token.ts';

/** By the way in which a client wants to prove who it is. */
const KINDS: Readonly<Record<string, ClientKind>> = {
  none: 'public',
  client_secret_basic: 'confidential-symmetric',
  client_secret_post: 'confidential-symmetric',
  private_key_jwt: 'confidential-asymmetric',
};

const GRANT_TYPES = ['authorization_code', 'refresh_token'];

/** What an app gets that does not say what it needs. */
const DEFAULT_SCOPE = 'launch launch/patient openid fhirUser patient/*.rs';
const DEFAULT_PURPOSE = 'PATRQT';

type Metadata = Readonly<Record<string, unknown>>;

const refusal = (description: string): OAuthError => new OAuthError(400, 'invalid_client_metadata', description);

const text = (metadata: Metadata, name: string): string | undefined => {
  const value = metadata[name];
  if (value !== undefined && typeof value !== 'string') throw refusal(`${name} must be a text`);
  return value;
};

const texts = (metadata: Metadata, name: string): readonly string[] | undefined => {
  const value = metadata[name];
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || !value.every((each) => typeof each === 'string'))
    throw refusal(`${name} must be an array of texts`);
  return value as string[];
};

const checkToken = ({ limits }: AuthServer, token: string | undefined): void => {
  const expected = Buffer.from(hashOf(limits.registrationToken ?? ''));
  const isRight =
    token !== undefined &&
    limits.registrationToken !== undefined &&
    timingSafeEqual(Buffer.from(hashOf(token)), expected);
  if (!isRight)
    throw new OAuthError(401, 'invalid_token', 'The initial access token of this server is needed', {
      'www-authenticate': token === undefined ? 'Bearer' : 'Bearer error="invalid_token"',
    });
};

const kindOf = (metadata: Metadata): ClientKind => {
  const method = text(metadata, 'token_endpoint_auth_method') ?? 'client_secret_basic';
  const kind = Object.hasOwn(KINDS, method) ? KINDS[method] : undefined;
  if (kind === undefined) throw refusal(`token_endpoint_auth_method must be one of ${Object.keys(KINDS).join(', ')}`);
  return kind;
};

const checkSupported = (metadata: Metadata): void => {
  if (texts(metadata, 'grant_types')?.some((type) => !GRANT_TYPES.includes(type)))
    throw refusal(`grant_types may be ${GRANT_TYPES.join(', ')}; a backend client is registered by an operator`);
  if (texts(metadata, 'response_types')?.some((type) => type !== 'code')) throw refusal('response_types may be code');
};

/** `body` is the parsed JSON; members that are unknown are passed over. Throws an OAuthError. */
export const registerEndpoint = async (
  server: AuthServer,
  token: string | undefined,
  body: unknown,
): Promise<Metadata> => {
  checkToken(server, token);
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw refusal('The body must be a JSON object');
  const metadata = body as Metadata;
  checkSupported(metadata);
  const jwksUrl = text(metadata, 'jwks_uri');
  const logoUrl = text(metadata, 'logo_uri');
  const { client, secret } = await registerClient(server, {
    name: text(metadata, 'client_name') ?? 'An app without a name',
    kind: kindOf(metadata),
    redirectUris: texts(metadata, 'redirect_uris') ?? [],
    launchUris: texts(metadata, 'launch_uris') ?? [],
    ...(metadata['jwks'] === undefined ? {} : { jwks: metadata['jwks'] }),
    ...(jwksUrl === undefined ? {} : { jwksUrl }),
    scope: text(metadata, 'scope') ?? DEFAULT_SCOPE,
    purpose: text(metadata, 'purpose') ?? DEFAULT_PURPOSE,
    ...(logoUrl === undefined ? {} : { logoUrl }),
  });
  return {
    client_id: client.id,
    client_id_issued_at: Math.floor(client.created / 1000),
    // 0: it does not expire.
    ...(secret === undefined ? {} : { client_secret: secret, client_secret_expires_at: 0 }),
    client_name: client.name,
    redirect_uris: client.redirectUris,
    ...(client.launchUris.length === 0 ? {} : { launch_uris: client.launchUris }),
    token_endpoint_auth_method: text(metadata, 'token_endpoint_auth_method') ?? 'client_secret_basic',
    grant_types: GRANT_TYPES,
    response_types: ['code'],
    scope: client.scope,
    purpose: client.purpose,
    ...(client.jwks === undefined ? {} : { jwks: client.jwks }),
    ...(client.jwksUrl === undefined ? {} : { jwks_uri: client.jwksUrl }),
    ...(client.logoUrl === undefined ? {} : { logo_uri: client.logoUrl }),
  };
};

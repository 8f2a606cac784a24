/**
 * The checks of an authorization request that need no person, in the order in which they may be answered: what is wrong
 * with the client or its redirect uri is shown to the person, all else is sent back to the app.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2.1
 * @see https://openid.net/specs/openid-connect-core-1_0.html#AuthRequestValidation
 */
import type { AuthServer } from '../auth-server.ts';
import type { Client } from '../clients/client.ts';
import { enabledClient } from '../clients/clients.ts';
import { OAuthError } from '../oauth-error.ts';
import { grantableScopes } from '../scope-grants.ts';
import { type AuthorizationRequest, PROMPTS, type Prompt, type ReturnAddress } from './request.ts';
import { takenLaunch } from './taken-launch.ts';

type Pairs = readonly (readonly [name: string, value: string])[];

/** The request can only be answered to the person: the app is unknown, or is not at the address that it names. */
export class UnknownApp extends Error {
  override readonly name = 'UnknownApp';
  readonly problem: 'unknown-client' | 'unknown-redirect' | 'malformed';

  constructor(problem: UnknownApp['problem']) {
    super(`Authorization request: ${problem}`);
    this.problem = problem;
  }
}

/** The request is refused, and the app at this address is to be told so. */
export class RefusedRequest extends Error {
  override readonly name = 'RefusedRequest';
  readonly error: OAuthError;
  readonly address: ReturnAddress;

  constructor(error: OAuthError, address: ReturnAddress) {
    super(error.message);
    this.error = error;
    this.address = address;
  }
}

/** Parameters that mean something to us; others are passed over, however often they are there. */
const PARAMETERS = [
  ...['client_id', 'redirect_uri', 'response_type', 'response_mode', 'scope', 'state', 'aud', 'launch', 'nonce'],
  ...['code_challenge', 'code_challenge_method', 'prompt', 'max_age', 'login_hint', 'id_token_hint', 'ui_locales'],
  ...['request', 'request_uri'],
];

/** All values of each parameter that is there with a value; without one it counts as omitted. */
type Values = ReadonlyMap<string, readonly string[]>;

const valuesOf = (pairs: Pairs): Values => {
  const values = new Map<string, string[]>();
  for (const [name, value] of pairs)
    if (value !== '' && PARAMETERS.includes(name)) values.set(name, [...(values.get(name) ?? []), value]);
  return values;
};

const refuse = (error: OAuthError['error'], description: string): OAuthError => new OAuthError(400, error, description);

const invalidRequest = (description: string): OAuthError => refuse('invalid_request', description);

interface KnownApp {
  readonly client: Client;
  readonly address: ReturnAddress;
}

/** Throws UnknownApp. */
const knownApp = async (server: AuthServer, values: Values): Promise<KnownApp> => {
  const [id, ...otherIds] = values.get('client_id') ?? [];
  const [redirectUri, ...otherUris] = values.get('redirect_uri') ?? [];
  if (id === undefined || redirectUri === undefined || otherIds.length + otherUris.length > 0)
    throw new UnknownApp('malformed');
  const client = await enabledClient(server, id);
  if (client === undefined || client.kind === 'backend') throw new UnknownApp('unknown-client');
  // Character by character: whatever is cleverer has been tricked.
  if (!client.redirectUris.includes(redirectUri)) throw new UnknownApp('unknown-redirect');
  const [state] = values.get('state') ?? [];
  return { client, address: { redirectUri, ...(state === undefined ? {} : { state }) } };
};

const checkForm = (one: (name: string) => string | undefined): void => {
  if (one('request') !== undefined) throw refuse('request_not_supported', 'request objects are not supported');
  if (one('request_uri') !== undefined) throw refuse('request_uri_not_supported', 'request_uri is not supported');
  const type = one('response_type');
  if (type === undefined) throw invalidRequest('response_type is missing; it must be code');
  if (type !== 'code') throw refuse('unsupported_response_type', 'response_type must be code');
  const mode = one('response_mode');
  if (mode !== undefined && mode !== 'query') throw invalidRequest('response_mode must be query');
};

/** S256 of a verifier, in base64url. @see https://www.rfc-editor.org/rfc/rfc7636#section-4.2 */
const CHALLENGE = /^[A-Za-z0-9_-]{43}$/;

const codeChallengeOf = (one: (name: string) => string | undefined): string => {
  const challenge = one('code_challenge');
  if (challenge === undefined) throw invalidRequest('code_challenge is missing: PKCE is required');
  if (one('code_challenge_method') !== 'S256') throw invalidRequest('code_challenge_method must be S256');
  if (!CHALLENGE.test(challenge)) throw invalidRequest('code_challenge must be 43 characters of base64url');
  return challenge;
};

/** Who only wants to know who somebody is, as any OpenID client, says nothing of FHIR. */
const OPENID_SCOPES = ['openid', 'profile', 'offline_access', 'online_access'];

const checkAudience = ({ fhirBase }: AuthServer, scopes: readonly string[], audience: string | undefined): void => {
  if (audience === undefined && scopes.every((scope) => OPENID_SCOPES.includes(scope))) return;
  if (audience === undefined) throw invalidRequest(`aud is missing; it must be ${fhirBase}`);
  if (audience.replace(/\/$/, '') !== fhirBase) throw invalidRequest(`aud must be ${fhirBase}`);
};

const promptsOf = (text = ''): readonly Prompt[] => {
  const prompts = text.split(' ').filter((prompt) => prompt !== '');
  const unknown = prompts.find((prompt) => !PROMPTS.some((known) => known === prompt));
  if (unknown !== undefined) throw invalidRequest(`prompt must be some of ${PROMPTS.join(', ')}`);
  if (prompts.includes('none') && prompts.length > 1) throw invalidRequest('prompt none stands alone');
  return prompts as readonly Prompt[];
};

const maximumAgeOf = (text: string | undefined): number | undefined => {
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw invalidRequest('max_age must be a number of seconds');
  return Number(text);
};

/** The user of an id token that we have issued, to whomever; it may have expired. */
const hintedUserOf = async ({ keys, issuer }: AuthServer, hint: string | undefined): Promise<string | undefined> => {
  if (hint === undefined) return undefined;
  const claims = await keys.verify(hint);
  const { iss, sub } = claims ?? {};
  if (iss !== issuer || typeof sub !== 'string') throw invalidRequest('id_token_hint is no id token of this server');
  return sub;
};

/** Scopes that need a patient in context get one, also if the app has forgotten to ask for it. */
const withPatientContext = (scopes: readonly string[]): readonly string[] => {
  const needsPatient = scopes.some((scope) => scope.startsWith('patient/'));
  const asks = scopes.includes('launch/patient') || scopes.includes('launch');
  return needsPatient && !asks ? [...scopes, 'launch/patient'] : scopes;
};

const requestOf = async (server: AuthServer, { client, address }: KnownApp, values: Values) => {
  const twice = [...values].find(([, given]) => given.length > 1)?.[0];
  if (twice !== undefined) throw invalidRequest(`The parameter ${twice} is there twice`);
  const one = (name: string): string | undefined => values.get(name)?.[0];
  checkForm(one);
  const codeChallenge = codeChallengeOf(one);
  const asked = one('scope');
  if (asked === undefined) throw refuse('invalid_scope', 'scope is missing');
  const scopes = withPatientContext(grantableScopes(server, client, asked));
  checkAudience(server, scopes, one('aud'));
  const prompts = promptsOf(one('prompt'));
  const maximumAgeSeconds = maximumAgeOf(one('max_age'));
  const hintedUser = await hintedUserOf(server, one('id_token_hint'));
  // Last, as a launch can be used only once.
  const { context, launchedBy } = await takenLaunch(server, client, scopes, one('launch'));
  const [nonce, loginHint] = [one('nonce'), one('login_hint')];
  return {
    ...{ clientId: client.id, ...address, codeChallenge, scopes, context, prompts },
    locales: (one('ui_locales') ?? '').split(' ').filter((locale) => locale !== ''),
    ...(launchedBy === undefined ? {} : { launchedBy }),
    ...(nonce === undefined ? {} : { nonce }),
    ...(maximumAgeSeconds === undefined ? {} : { maximumAgeSeconds }),
    ...(loginHint === undefined ? {} : { loginHint }),
    ...(hintedUser === undefined ? {} : { hintedUser }),
  } satisfies AuthorizationRequest;
};

/** Checks all of a request. Throws UnknownApp, or RefusedRequest. */
export const acceptedRequest = async (server: AuthServer, pairs: Pairs): Promise<AuthorizationRequest> => {
  const values = valuesOf(pairs);
  const app = await knownApp(server, values);
  try {
    return await requestOf(server, app, values);
  } catch (error) {
    if (error instanceof OAuthError) throw new RefusedRequest(error, app.address);
    throw error;
  }
};

/** Refuses a request that is too long to be looked at as a whole. Always throws, as `acceptedRequest` does. */
export const refuseTooLong = async (server: AuthServer, pairs: Pairs): Promise<never> => {
  const { address } = await knownApp(server, valuesOf(pairs));
  throw new RefusedRequest(invalidRequest('The authorization request is too long'), address);
};

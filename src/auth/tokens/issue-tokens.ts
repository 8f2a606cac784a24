/**
 * Makes the tokens of a grant, and the answer that carries them.
 *
 * @see https://hl7.org/fhir/smart-app-launch/app-launch.html#response-5
 */
import type { AuthServer } from '../auth-server.ts';
import type { Reach } from '../reach.ts';
import type { AccessToken, FhirContextItem, Grant, Granted, LaunchContext } from './grant.ts';
import { type Parties, saveGrant } from './grants.ts';
import { idToken } from './id-token.ts';
import { hashOf, newToken } from './opaque-token.ts';

/** Of Backend Services. @see https://hl7.org/fhir/smart-app-launch/backend-services.html#issue-access-token */
const SYSTEM_TOKEN_SECONDS = 300;

const REFRESH_MILLISECONDS = 100 * 86_400_000;

/** A client that refreshes all the time keeps its newest tokens only. */
const MAXIMUM_ACCESS_TOKENS = 20;

/** As JSON, members in this form. */
export interface TokenAnswer {
  readonly access_token: string;
  readonly token_type: 'Bearer';
  readonly expires_in: number;
  readonly scope: string;
  readonly refresh_token?: string;
  readonly id_token?: string;
  readonly patient?: string;
  readonly encounter?: string;
  readonly intent?: string;
  readonly fhirContext?: readonly FhirContextItem[];
  readonly need_patient_banner?: boolean;
  readonly smart_style_url?: string;
}

/** The launch context as it is answered, with a token and where that is asked about. */
export const contextMembers = ({
  needPatientBanner,
  smartStyleUrl,
  ...context
}: LaunchContext): Partial<TokenAnswer> => ({
  ...context,
  ...(needPatientBanner === undefined ? {} : { need_patient_banner: needPatientBanner }),
  ...(smartStyleUrl === undefined ? {} : { smart_style_url: smartStyleUrl }),
});

/** What a token reaches: a user's own reach, or of a client alone what its registration says. */
const reachFor = async ({ directory }: AuthServer, { client, user }: Parties): Promise<Reach> => {
  if (user !== undefined) return directory.reachOfUser(user);
  if (client.reach === 'all') return { kind: 'all' };
  return { kind: 'sources', organizations: client.organization === undefined ? [] : [client.organization] };
};

/** Whether the scopes come with a refresh token. Without a session, `online_access` has nothing that it could last for. */
const isRefreshable = ({ user, scopes, sessionKey }: Granted): boolean =>
  user !== undefined &&
  (scopes.includes('offline_access') || (scopes.includes('online_access') && sessionKey !== undefined));

interface NewTokens {
  readonly grant: Grant;
  readonly accessToken: string;
  readonly refreshToken?: string;
  readonly seconds: number;
}

/** The grant with another access token and, if it has one, its next refresh token. */
export const withNewTokens = async (
  server: AuthServer,
  grant: Grant,
  parties: Parties,
  scopes: readonly string[],
): Promise<NewTokens> => {
  const now = server.now();
  const seconds = grant.user === undefined ? SYSTEM_TOKEN_SECONDS : server.limits.tokenSeconds;
  const accessToken = newToken(grant.id);
  const refreshToken = isRefreshable(grant) ? newToken(grant.id) : undefined;
  const added: AccessToken = {
    hash: hashOf(accessToken),
    scopes,
    reach: await reachFor(server, parties),
    expires: now + seconds * 1000,
  };
  const kept = grant.access.filter(({ expires }) => expires > now).slice(1 - MAXIMUM_ACCESS_TOKENS);
  const refresh =
    refreshToken === undefined ? undefined : { hash: hashOf(refreshToken), expires: now + REFRESH_MILLISECONDS };
  return {
    grant: { ...grant, access: [...kept, added], ...(refresh === undefined ? {} : { refresh }) },
    accessToken,
    ...(refreshToken === undefined ? {} : { refreshToken }),
    seconds,
  };
};

/** The answer of the token endpoint. `nonce` goes into the first id_token only. */
export const tokenAnswer = async (
  server: AuthServer,
  { grant, accessToken, refreshToken, seconds }: NewTokens,
  scopes: readonly string[],
  nonce?: string,
): Promise<TokenAnswer> => {
  const id = await idToken(server, grant, scopes, nonce);
  return {
    access_token: accessToken,
    token_type: 'Bearer',
    expires_in: seconds,
    scope: scopes.join(' '),
    ...(refreshToken === undefined ? {} : { refresh_token: refreshToken }),
    ...(id === undefined ? {} : { id_token: id }),
    ...contextMembers(grant.context),
  };
};

/** Makes a grant and its first tokens; undefined if its id was taken, or kept from being used. */
export const issueTokens = async (
  server: AuthServer,
  granted: Granted,
  parties: Parties,
  { id, codeHash }: { readonly id: string; readonly codeHash?: string },
): Promise<TokenAnswer | undefined> => {
  const { nonce } = granted;
  const empty: Grant = {
    ...granted,
    id,
    created: server.now(),
    access: [],
    ...(codeHash === undefined ? {} : { codeHash }),
  };
  const made = await withNewTokens(server, empty, parties, granted.scopes);
  // The answer is made first: a grant without it would be of use to nobody.
  const answer = await tokenAnswer(server, made, granted.scopes, nonce);
  return (await saveGrant(server, made.grant, 0)) ? answer : undefined;
};

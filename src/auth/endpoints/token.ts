/**
 * `POST /auth/token`.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6749#section-3.2
 * @see https://hl7.org/fhir/smart-app-launch/backend-services.html#obtain-access-token
 */
import type { AuthServer } from '../auth-server.ts';
import { authenticatedClient, type ClientCredentials } from '../clients/authenticate-client.ts';
import type { Client } from '../clients/client.ts';
import { type Form, required } from '../form.ts';
import { OAuthError } from '../oauth-error.ts';
import { grantableScopes } from '../scope-grants.ts';
import { exchangedCode } from '../tokens/codes.ts';
import { issueTokens, type TokenAnswer } from '../tokens/issue-tokens.ts';
import { newId } from '../tokens/opaque-token.ts';
import { refreshedTokens } from '../tokens/refresh.ts';

/** The step for `grant_type=client_credentials`. */
const systemTokens = async (server: AuthServer, client: Client, form: Form): Promise<TokenAnswer> => {
  const scopes = grantableScopes(server, client, form.get('scope') ?? '');
  const { id: clientId, purpose, organization } = client;
  const source = organization === undefined ? {} : { organization };
  const granted = { clientId, context: {}, scopes, purpose, ...source };
  const answer = await issueTokens(server, granted, { client }, { id: newId() });
  // The id is random: it cannot be taken.
  if (answer === undefined) throw new OAuthError(503, 'temporarily_unavailable', 'Please try again');
  return answer;
};

type Step = (server: AuthServer, client: Client, form: Form) => Promise<TokenAnswer>;

const STEPS: Readonly<Record<string, Step>> = {
  authorization_code: exchangedCode,
  refresh_token: refreshedTokens,
  client_credentials: systemTokens,
};

export const GRANT_TYPES = Object.keys(STEPS);

/** A client on its own has no user, and one with users does nothing on its own. */
const checkKind = ({ kind }: Client, grantType: string): void => {
  if ((kind === 'backend') !== (grantType === 'client_credentials'))
    throw new OAuthError(400, 'unauthorized_client', `A client of the kind ${kind} cannot use ${grantType}`);
};

/** Throws an OAuthError. */
export const tokenEndpoint = async (server: AuthServer, credentials: ClientCredentials): Promise<TokenAnswer> => {
  const { form } = credentials;
  const grantType = required(form, 'grant_type');
  const step = Object.hasOwn(STEPS, grantType) ? STEPS[grantType] : undefined;
  if (step === undefined)
    throw new OAuthError(400, 'unsupported_grant_type', `grant_type must be one of ${GRANT_TYPES.join(', ')}`);
  const client = await authenticatedClient(server, credentials);
  checkKind(client, grantType);
  return step(server, client, form);
};

/**
 * The answers to an app: a code, or an error, at its redirect uri.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2
 * @see https://www.rfc-editor.org/rfc/rfc9207
 */
import type { AuthServer } from '../auth-server.ts';
import { enabledClient } from '../clients/clients.ts';
import { OAuthError } from '../oauth-error.ts';
import { covers, parseScope } from '../scopes.ts';
import { issueCode } from '../tokens/codes.ts';
import type { LaunchContext } from '../tokens/grant.ts';
import { type OpenSession, onlineKey } from '../users/sessions.ts';
import { rememberApproval, rememberedApproval } from './approvals.ts';
import { type Decision, nextStep } from './next-step.ts';
import { type PendingAuthorization, takePending } from './pending.ts';
import type { AuthorizationRequest, ReturnAddress } from './request.ts';

/** The redirect uri with parameters behind those that it has. `iss` says who answers, against mix-ups. */
const answerUri = (
  { issuer }: AuthServer,
  { redirectUri, state }: ReturnAddress,
  parameters: Readonly<Record<string, string>>,
): string => {
  const answer = new URLSearchParams({ ...parameters, ...(state === undefined ? {} : { state }), iss: issuer });
  return `${redirectUri}${redirectUri.includes('?') ? '&' : '?'}${answer}`;
};

export const errorUri = (server: AuthServer, address: ReturnAddress, { error, description }: OAuthError): string =>
  answerUri(server, address, { error, error_description: description });

/** Refuses in the person's name. */
export const denied = async (server: AuthServer, pending: PendingAuthorization): Promise<string> => {
  await takePending(server, pending);
  return errorUri(server, pending, new OAuthError(400, 'access_denied', 'The user has denied the request'));
};

const codeUri = async (
  server: AuthServer,
  request: AuthorizationRequest,
  session: OpenSession,
  { context, scopes }: { readonly context: LaunchContext; readonly scopes: readonly string[] },
): Promise<string> => {
  const client = await enabledClient(server, request.clientId);
  if (client === undefined) throw new OAuthError(400, 'unauthorized_client', 'The client is disabled');
  const { user, authenticated } = session;
  const { id: userId, fhirUser, role } = user;
  const { purpose, organization } = client;
  const granted = {
    ...{ clientId: client.id, context, scopes, purpose, sessionKey: onlineKey(session) },
    user: { userId, fhirUser, role, authTime: Math.floor(authenticated / 1000) },
    ...(organization === undefined ? {} : { organization }),
    ...(request.nonce === undefined ? {} : { nonce: request.nonce }),
  };
  const { redirectUri, codeChallenge } = request;
  const code = await issueCode(server, { granted, redirectUri, codeChallenge });
  return answerUri(server, request, { code });
};

/**
 * Approves in the person's name, with these scopes of the decision. Undefined if the request has been answered before.
 */
export const approved = async (
  server: AuthServer,
  pending: PendingAuthorization,
  session: OpenSession,
  { context }: Decision,
  scopes: readonly string[],
): Promise<string | undefined> => {
  if (!(await takePending(server, pending))) return undefined;
  await rememberApproval(server, session.userId, pending, { asked: pending.scopes, granted: scopes }, context);
  return codeUri(server, pending, session, { context, scopes });
};

/** Whether a scope of an earlier approval is among those asked, itself or as a part of a wider one. */
const isAsked = (server: AuthServer, text: string, asked: readonly string[]): boolean => {
  const granted = parseScope(text, server.isResourceType);
  return asked.some((other) => {
    if (other === text) return true;
    const wider = parseScope(other, server.isResourceType);
    return granted.kind === 'resource' && wider.kind === 'resource' && covers(wider.scope, granted.scope);
  });
};

const silently = (error: OAuthError['error'], description: string): OAuthError =>
  new OAuthError(400, error, description);

/** Answers a request with `prompt=none`, of which the person sees nothing. */
export const silentAnswer = async (
  server: AuthServer,
  request: AuthorizationRequest,
  session: OpenSession | undefined,
): Promise<string> => {
  const before = session && (await rememberedApproval(server, session.userId, request));
  const choices = before && {
    ...(before.patient === undefined ? {} : { patient: before.patient }),
    ...{ encounter: before.encounter ?? '', chosenBy: session.userId },
  };
  const step = await nextStep(server, { ...request, id: '', browser: '', created: server.now(), ...choices }, session);
  switch (step.kind) {
    case 'sign-in':
    case 'second-factor':
      return errorUri(server, request, silently('login_required', 'The user must sign in'));
    case 'refuse':
      return errorUri(server, request, step.error);
    case 'approve': {
      const scopes = before?.granted.filter((scope) => isAsked(server, scope, step.decision.scopes)) ?? [];
      if (session === undefined || before === undefined || scopes.length === 0)
        return errorUri(server, request, silently('consent_required', 'The user must approve'));
      return codeUri(server, request, session, { context: step.decision.context, scopes });
    }
    default:
      return errorUri(server, request, silently('interaction_required', 'The user must choose'));
  }
};

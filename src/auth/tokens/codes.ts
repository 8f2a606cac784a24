/**
 * Authorization codes: single use, a minute long. A code has the form of a token and names the grant that it will become,
 * so that a code that comes a second time, however late, ends what it was exchanged for.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2
 */
import { createHash } from 'node:crypto';
import type { StoredRecord } from '../../store/store.ts';
import type { AuthServer } from '../auth-server.ts';
import type { Client } from '../clients/client.ts';
import { type Form, required } from '../form.ts';
import { OAuthError } from '../oauth-error.ts';
import type { AuthorizationCode } from './authorization-code.ts';
import { deleteGrant, partiesOf, preventGrant, readGrant } from './grants.ts';
import { issueTokens, type TokenAnswer } from './issue-tokens.ts';
import { grantIdOf, hashOf, isSameHash, newId, newToken } from './opaque-token.ts';

const CODE_MILLISECONDS = 60_000;

/** 43 to 128 characters. @see https://www.rfc-editor.org/rfc/rfc7636#section-4.1 */
const VERIFIER = /^[A-Za-z0-9._~-]{43,128}$/;

const codeKey = (hash: string): string => `code/${hash}`;

interface StoredCode extends AuthorizationCode {
  /** Milliseconds since 1970 UTC. */
  readonly created: number;
  /** Whether somebody has exchanged it, just now. */
  readonly isUsed?: true;
}

/** The code that goes to the client through the browser. */
export const issueCode = async (
  { records, now }: Pick<AuthServer, 'records' | 'now'>,
  code: AuthorizationCode,
): Promise<string> => {
  const text = newToken(newId());
  const stored: StoredCode = { ...code, created: now() };
  await records.put(codeKey(hashOf(text)), JSON.stringify(stored), {
    revision: 0,
    expires: stored.created + CODE_MILLISECONDS,
  });
  return text;
};

const refusal = (description: string): OAuthError => new OAuthError(400, 'invalid_grant', description);

const USED = 'The code is unknown, expired, used, or of another client';

/** Ends the grant that a code was exchanged for, as somebody else has the code, too. */
const endReplayed = async (server: AuthServer, client: Client, code: string): Promise<void> => {
  const id = grantIdOf(code);
  const found = id === undefined ? undefined : await readGrant(server, id);
  if (found === undefined || found.grant.clientId !== client.id) return;
  if (isSameHash(found.grant.codeHash ?? '', hashOf(code))) await deleteGrant(server, found.grant);
};

/** @see https://www.rfc-editor.org/rfc/rfc7636#section-4.6 */
const checkVerifier = (form: Form, { codeChallenge }: AuthorizationCode): void => {
  const verifier = form.get('code_verifier') ?? '';
  const challenge = createHash('sha256').update(verifier).digest('base64url');
  if (!VERIFIER.test(verifier) || !isSameHash(challenge, codeChallenge))
    throw refusal('code_verifier is missing, or is not the one of the code_challenge');
};

const checkProofs = (form: Form, code: AuthorizationCode): void => {
  if (form.get('redirect_uri') !== code.redirectUri)
    throw refusal('redirect_uri is not the one of the authorization request');
  checkVerifier(form, code);
};

/** Ends what a code is exchanged for just now, also if that has not been written yet. */
const endUnderWay = async (server: AuthServer, id: string): Promise<void> => {
  const isPrevented = await preventGrant(server, id, server.now() + CODE_MILLISECONDS);
  const made = isPrevented ? undefined : await readGrant(server, id);
  if (made !== undefined) await deleteGrant(server, made.grant);
};

/** Marks the code as used, once. Of two that exchange it at the same time neither keeps what it gets. */
const useCode = async (
  server: AuthServer,
  id: string,
  code: StoredCode,
  { key, revision }: StoredRecord,
): Promise<void> => {
  const used: StoredCode = { ...code, isUsed: true };
  const expires = code.created + CODE_MILLISECONDS;
  const isFirst =
    !code.isUsed && (await server.records.put(key, JSON.stringify(used), { revision, expires })) !== undefined;
  if (isFirst) return;
  await endUnderWay(server, id);
  throw refusal(USED);
};

/** The step of the token endpoint for `grant_type=authorization_code`. Throws an OAuthError. */
export const exchangedCode = async (server: AuthServer, client: Client, form: Form): Promise<TokenAnswer> => {
  const text = required(form, 'code');
  const id = grantIdOf(text);
  const hash = hashOf(text);
  const record = id === undefined ? undefined : await server.records.get(codeKey(hash));
  if (id === undefined || record === undefined) {
    await endReplayed(server, client, text);
    throw refusal(USED);
  }
  const code = JSON.parse(record.value) as StoredCode;
  const { granted } = code;
  if (granted.clientId !== client.id) throw refusal(USED);
  if (!code.isUsed) checkProofs(form, code);
  const parties = await partiesOf(server, granted, code.created);
  if (parties === undefined) throw refusal('The user may not sign in any more');
  await useCode(server, id, code, record);
  const answer = await issueTokens(server, granted, parties, { id, codeHash: hash });
  if (answer === undefined) throw refusal(USED);
  return answer;
};

/**
 * Who sends a request, by its `Authorization: Bearer` header.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6750#section-2
 */
import type { Caller } from '../access/access-rule.ts';
import type { Actor } from '../access/actor.ts';
import { tokenInvalid, tokenMisplaced, tokenMissing } from '../access/refusals.ts';
import { bearerToken } from '../auth/tokens/authenticate.ts';

/** Undefined for a token that is unknown, has expired or was revoked. */
export type Authenticate = (token: string) => Promise<Actor | undefined>;

export interface CallingRequest {
  readonly method: string;
  readonly authorization: string | undefined;
  /** Without the question mark. */
  readonly query: string;
}

/** Names of parameters by which tokens were once sent. */
const TOKEN_PARAMETERS = ['access_token', 'bearer_token'];

/** Only these may be asked without a token; the dispatch says of which paths. */
const READS = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Throws a FhirError 400 for a token in the url, 401 for one that is worth nothing, or for none where one is needed. */
export const bearerCaller = async (
  { method, authorization, query }: CallingRequest,
  baseUrl: () => Promise<string>,
  authenticate: Authenticate,
): Promise<Caller> => {
  const parameters = query === '' ? undefined : new URLSearchParams(query);
  if (TOKEN_PARAMETERS.some((name) => parameters?.has(name))) throw tokenMisplaced(await baseUrl());
  if (authorization === undefined || !/^Bearer\b/i.test(authorization)) {
    // What an unknown caller sends is not even received.
    if (!READS.has(method)) throw tokenMissing(await baseUrl());
    return 'anonymous';
  }
  const token = bearerToken(authorization);
  const actor = token === undefined ? undefined : await authenticate(token);
  if (actor === undefined) throw tokenInvalid(await baseUrl());
  return actor;
};

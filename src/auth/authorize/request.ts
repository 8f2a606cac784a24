/**
 * What an app asks for by sending a person's browser to the authorization endpoint.
 *
 * @see https://hl7.org/fhir/smart-app-launch/app-launch.html#obtain-authorization-code
 * @see https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest
 */
import type { LaunchContext } from '../tokens/grant.ts';

export const PROMPTS = ['none', 'login', 'consent', 'select_account'] as const;
export type Prompt = (typeof PROMPTS)[number];

/** A request that has passed all checks which need no person. */
export interface AuthorizationRequest {
  readonly clientId: string;
  readonly redirectUri: string;
  readonly state?: string;
  readonly nonce?: string;
  /** S256. */
  readonly codeChallenge: string;
  /** What can be granted of what was asked, in the client's order and words. */
  readonly scopes: readonly string[];
  /** Of the launch by an EHR; empty for a standalone one. */
  readonly context: LaunchContext;
  /** The user who launched the app, if a person did. */
  readonly launchedBy?: string;
  readonly prompts: readonly Prompt[];
  readonly maximumAgeSeconds?: number;
  readonly loginHint?: string;
  /** The id of the user whom the `id_token_hint` names. */
  readonly hintedUser?: string;
  /** Languages in the client's order, such as `fr-CA`. */
  readonly locales: readonly string[];
}

/** Where an answer goes: the app's redirect uri. Checked before anything else, as nothing may be sent elsewhere. */
export interface ReturnAddress {
  readonly redirectUri: string;
  readonly state?: string;
}

/**
 * What was granted to a client, with the tokens by which it is used. One record holds all of it, so that a request with a
 * token costs one read, and revoking is one deletion. A token is `[grant id].[256 random bits]`, both base64url; the
 * record keeps only SHA-256 hashes.
 */
import type { Purpose } from '../clients/client.ts';
import type { Reach } from '../reach.ts';
import type { Role } from '../users/user.ts';

/** An item of `fhirContext`. @see https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html#fhircontext-exp */
export interface FhirContextItem {
  readonly reference?: string;
  readonly canonical?: string;
  readonly identifier?: object;
  readonly type?: string;
  readonly role?: string;
}

/** What the launch of an app is about. Ids without their types. */
export interface LaunchContext {
  readonly patient?: string;
  readonly encounter?: string;
  readonly intent?: string;
  readonly fhirContext?: readonly FhirContextItem[];
  readonly needPatientBanner?: boolean;
  readonly smartStyleUrl?: string;
}

/** Who approved, and when they had signed in. */
export interface GrantedBy {
  readonly userId: string;
  readonly fhirUser: string;
  readonly role: Role;
  /** Seconds since 1970 UTC. */
  readonly authTime: number;
}

/** What is granted, before there are tokens. */
export interface Granted {
  readonly clientId: string;
  /** Absent for a client on its own (Backend Services). */
  readonly user?: GrantedBy;
  readonly context: LaunchContext;
  /** As they are answered in `scope`. */
  readonly scopes: readonly string[];
  readonly purpose: Purpose;
  /** `Organization/[id]` that is recorded as the source of what is written. */
  readonly organization?: string;
  readonly nonce?: string;
  /** The key of the record of the session: a refresh token by `online_access` is worth something as long as that is there. */
  readonly sessionKey?: string;
}

export interface AccessToken {
  /** SHA-256, base64url. */
  readonly hash: string;
  readonly scopes: readonly string[];
  /** As found when the token was issued. */
  readonly reach: Reach;
  /** Milliseconds since 1970 UTC. */
  readonly expires: number;
}

export interface Grant extends Granted {
  readonly id: string;
  /** Milliseconds since 1970 UTC. */
  readonly created: number;
  readonly access: readonly AccessToken[];
  /** The one that is valid. Any other that names this grant was used before, and ends it. */
  readonly refresh?: { readonly hash: string; readonly expires: number };
  /** Of the code that it was exchanged for: if that comes again, the grant ends. */
  readonly codeHash?: string;
}

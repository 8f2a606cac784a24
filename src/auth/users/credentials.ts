/** By what a user proves to be the one: a password, and a second factor. A record apart from what others need to know. */
import type { PasswordHash } from './passwords.ts';

export interface Credentials {
  /** Absent for somebody who signs in through a provider only. */
  readonly password?: PasswordHash;
  /** Whether a second factor must be there. */
  readonly needsSecondFactor: boolean;
  readonly factor?: {
    /** The shared secret, sealed under the user's id. */
    readonly secret: string;
    /** The last time step whose code was used. */
    readonly usedStep?: number;
    /** Hashes of recovery codes that were not used. */
    readonly recovery: readonly string[];
  };
}

export const credentialsKey = (userId: string): string => `credentials/${userId}`;

/** What a code stands for until it is exchanged. */
import type { Granted } from './grant.ts';

export interface AuthorizationCode {
  readonly granted: Granted;
  readonly redirectUri: string;
  /** S256. */
  readonly codeChallenge: string;
}

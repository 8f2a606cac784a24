/** Who is calling, and what they may ask for. */

import type { Purpose } from '../auth/clients/client.ts';
import type { Reach } from '../auth/reach.ts';
import type { ResourceScope } from '../auth/scopes.ts';
import type { LaunchContext } from '../auth/tokens/grant.ts';
import type { Role } from '../auth/users/user.ts';

export interface Actor {
  readonly clientId: string;
  readonly user?: { readonly id: string; readonly fhirUser: string; readonly role: Role };
  readonly context: LaunchContext;
  readonly scopes: readonly ResourceScope[];
  readonly reach: Reach;
  readonly purpose: Purpose;
  /** `Organization/[id]`, recorded as the source of what is written. */
  readonly organization?: string;
}

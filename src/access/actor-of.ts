/** From what was granted to who is calling. */
import { parseScope, type ResourceScope } from '../auth/scopes.ts';
import type { AccessToken, Grant } from '../auth/tokens/grant.ts';
import type { Actor } from './actor.ts';

type Granted = Pick<Grant, 'clientId' | 'user' | 'context' | 'purpose' | 'organization' | 'scopes'>;

/** How many lists of scopes are remembered in their parsed form. */
const REMEMBERED = 1000;

const parsed = new Map<string, readonly ResourceScope[]>();

/** Scopes were checked when they were granted: their types are known. */
const resourceScopes = (scopes: readonly string[]): readonly ResourceScope[] => {
  const name = scopes.join(' ');
  const known = parsed.get(name);
  if (known !== undefined) return known;
  const found = scopes.flatMap((text) => {
    const scope = parseScope(text, () => true);
    return scope.kind === 'resource' ? [scope.scope] : [];
  });
  if (parsed.size >= REMEMBERED) parsed.clear();
  parsed.set(name, found);
  return found;
};

/**
 * With `openid fhirUser` a client may read who the user is.
 *
 * @see https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html#scopes-for-requesting-identity-data
 */
const identityScopes = ({ user }: Granted, scopes: readonly string[]): ResourceScope[] => {
  if (user === undefined || !scopes.includes('fhirUser')) return [];
  const [type = '', id = ''] = user.fhirUser.split('/');
  return [{ level: 'user', type, letters: new Set(['r']), parameters: [['_id', id]], text: 'fhirUser' }];
};

/** On whose behalf is written: of several organizations, one whose records the writer reaches. */
const sourceOf = ({ organization }: Granted, { reach }: Pick<AccessToken, 'reach'>): string | undefined => {
  if (reach.kind !== 'sources') return organization;
  return organization !== undefined && reach.organizations.includes(organization)
    ? organization
    : reach.organizations[0];
};

/** The actor of an access token, which may have fewer scopes than the grant. */
export const actorOf = (grant: Granted, token: Pick<AccessToken, 'reach' | 'scopes'>): Actor => {
  const { clientId, user, context, purpose } = grant;
  const organization = sourceOf(grant, token);
  return {
    clientId,
    ...(user === undefined ? {} : { user: { id: user.userId, fhirUser: user.fhirUser, role: user.role } }),
    context,
    scopes: [...resourceScopes(token.scopes), ...identityScopes(grant, token.scopes)],
    reach: token.reach,
    purpose,
    ...(organization === undefined ? {} : { organization }),
  };
};

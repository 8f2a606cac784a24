/** From who calls to the store that it gets. */
import type { Reach } from '../auth/reach.ts';
import { LETTERS, type ResourceScope } from '../auth/scopes.ts';
import { forbidden } from '../fhir/fhir-error.ts';
import type { PageTokens } from '../search/page-token.ts';
import type { Store } from '../store/store.ts';
import { type AccessRule, type Caller, searching } from './access-rule.ts';
import type { AccessServer, Visit } from './access-server.ts';
import type { Actor } from './actor.ts';
import { guardStore } from './guard-store.ts';
import { limitsOf } from './limits.ts';
import { scopeMissing, tokenMissing } from './refusals.ts';

const everything = (level: ResourceScope['level']): ResourceScope => ({
  level,
  type: '*',
  letters: new Set(LETTERS),
  parameters: [],
  text: `${level}/*.cruds`,
});

/** A client that may do everything with everything. */
const isUnlimited = ({ user, reach, scopes }: Actor): boolean => {
  if (user !== undefined) return false;
  const isWhole = ({ level, type, letters, parameters }: ResourceScope): boolean =>
    level === 'system' && type === '*' && letters.size === LETTERS.length && parameters.length === 0;
  return reach.kind === 'all' && reach.types === undefined && scopes.some(isWhole);
};

/** Who runs the server. */
const isAdministrator = (actor: Actor): boolean => actor.user?.role === 'operator' || isUnlimited(actor);

/**
 * Gives the store that a caller gets by a rule; `type` is that of the url. Throws a FhirError 401 without a token, 403
 * without a scope. What was found out for one call is remembered for the next: it is made anew for each request.
 */
export const createAccess = (
  server: AccessServer,
  caller: Caller,
): ((rule: AccessRule, type: string | undefined) => Store) => {
  const { store, baseUrl } = server;
  if (caller === 'open') return () => store;
  const visit: Visit | undefined = caller === 'anonymous' ? undefined : { server, actor: caller, known: new Map() };
  return (rule, type) => {
    if (rule.who === 'anyone') return store;
    if (visit === undefined) throw tokenMissing(baseUrl);
    if (rule.who !== 'token') {
      const isAsked = rule.who === 'administrator' ? isAdministrator : isUnlimited;
      if (isAsked(visit.actor)) return store;
      const others = rule.who === 'administrator' ? 'operators, and for ' : '';
      throw forbidden(`This is for ${others}clients that may do everything with all resources`);
    }
    const missing = rule.needs.filter((letter) => type !== undefined && limitsOf(visit, type, [letter]) === 'unscoped');
    if (missing.length > 0) throw scopeMissing(baseUrl, visit.actor, type ?? '*', missing);
    return guardStore(visit, rule);
  };
};

/** The store, narrowed to what somebody with this reach sees who has every scope. */
export const storeWithin = (server: AccessServer, reach: Reach): Store => {
  const actor: Actor = { clientId: '', context: {}, scopes: [everything('system')], reach, purpose: 'TREAT' };
  return guardStore({ server, actor, known: new Map() }, { ...searching(), isSilent: true });
};

/** Page links for one client and user; another's are refused. */
export const pageTokensOf = (tokens: PageTokens, caller: Caller): PageTokens => {
  if (typeof caller === 'string') return tokens;
  const scopeOf = (scope: string): string => `${scope}\n${caller.clientId}\n${caller.user?.id ?? ''}`;
  return {
    write: (trail, scope) => tokens.write(trail, scopeOf(scope)),
    read: (token, scope) => tokens.read(token, scopeOf(scope)),
  };
};

/** The scopes that can mean something for a user: a scope never widens what the user may reach, and shows no more than that. */
import type { Reach } from '../reach.ts';
import { parseScope } from '../scopes.ts';

/** Without scopes on resources for somebody who reaches none, and without those on types that the role does not reach. */
export const scopesOfUser = (
  scopes: readonly string[],
  reach: Reach,
  isResourceType: (name: string) => boolean,
): readonly string[] =>
  scopes.filter((text) => {
    const parsed = parseScope(text, isResourceType);
    if (parsed.kind !== 'resource') return true;
    const { type } = parsed.scope;
    return reach.kind !== 'none' && (type === '*' || reach.types === undefined || reach.types.includes(type));
  });

/** Whether there is anything that an app could do with scopes. */
export const isOfUse = (scopes: readonly string[]): boolean =>
  scopes.some((scope) => scope === 'openid' || scope.includes('.'));

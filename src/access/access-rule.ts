/** What a route or operation asks of its caller, and what the store shows to it. */
import type { Letter } from '../auth/scopes.ts';
import type { Actor } from './actor.ts';

/** `anonymous`: who sent no token. `open`: a server without sign-in, where everybody may do everything. */
export type Caller = Actor | 'anonymous' | 'open';

/** For who has a token. */
export interface ScopedRule {
  readonly who: 'token';
  /** What a scope must permit for the type that the url names; else the answer is 403. */
  readonly needs: readonly Letter[];
  /** The store shows a single resource to whom one of these is permitted for it. */
  readonly reads: readonly Letter[];
  /** Searches find what one of these permits. */
  readonly searches: readonly Letter[];
  /** Whether a search without any type that is permitted finds nothing, in place of a 403. */
  readonly isSilent: boolean;
}

/** `anyone`: also without a token. `administrator`: who runs the server, and sees its store as it is. */
export type AccessRule = { readonly who: 'anyone' | 'administrator' | 'unlimited' } | ScopedRule;

export const PUBLIC: AccessRule = { who: 'anyone' };
export const ADMINISTRATION: AccessRule = { who: 'administrator' };
/** For a client that may do everything with all resources: what it tells depends on all of them. */
export const WHOLE_STORE: AccessRule = { who: 'unlimited' };

/** The rule of what reads or searches, and needs these for the type of its url. */
export const reading = (...needs: readonly Letter[]): ScopedRule => ({
  who: 'token',
  needs,
  reads: ['r'],
  searches: ['s'],
  isSilent: false,
});

/** The rule of what searches, or tells of many resources at once. */
export const searching = (...needs: readonly Letter[]): ScopedRule => ({ ...reading(...needs), reads: ['r', 's'] });

/** The rule of what writes: it sees what it may change, and what the criteria of conditions may find. */
export const writing = (...needs: readonly Letter[]): ScopedRule => ({
  ...reading(...needs),
  reads: ['u', 's'],
});

/** The rule of an operation: what it finds of other types is left out where it is not permitted. */
export const operating = (...needs: readonly Letter[]): ScopedRule => ({ ...reading(...needs), isSilent: true });

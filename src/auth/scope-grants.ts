/**
 * Which of the scopes that a client asks for it is granted at most: what its registration covers. A person may untick more.
 *
 * @see https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html
 */
import { FhirError } from '../fhir/fhir-error.ts';
import type { ClientKind } from './clients/client.ts';
import { OAuthError } from './oauth-error.ts';
import {
  allowedPart,
  covers,
  type ParsedScope,
  parseScopes,
  type ResourceScope,
  type ScopeParameter,
} from './scopes.ts';

/** What scopes are checked by. */
export interface ScopeRules {
  /** The longest list of scopes. */
  readonly limits: { readonly scopeCharacters: number };
  isResourceType(name: string): boolean;
  /** Throws a FhirError if the parameters are none of the type's, or their values are malformed. */
  checkScopeParameters(type: string, parameters: readonly ScopeParameter[]): void;
}

const invalidScope = (description: string): OAuthError => new OAuthError(400, 'invalid_scope', description);

const checkParameters = (rules: ScopeRules, { type, parameters, text }: ResourceScope): void => {
  if (parameters.length === 0) return;
  try {
    rules.checkScopeParameters(type, parameters);
  } catch (error) {
    if (error instanceof FhirError) throw invalidScope(`The scope ${text} is refused: ${error.message}`);
    throw error;
  }
};

const isResourceLike = (text: string): boolean => /^(?:patient|user|system)\//.test(text);

/**
 * The scopes of a list. One that is about resources and wrong refuses the list; another that is unknown, such as `email`,
 * is kept as `none`. Throws an OAuthError `invalid_scope`.
 */
const parsed = (rules: ScopeRules, list: string): readonly ParsedScope[] => {
  const { scopeCharacters } = rules.limits;
  const scopes = parseScopes(list, (name) => rules.isResourceType(name), scopeCharacters);
  if (scopes === undefined)
    throw invalidScope(
      `scope must be scopes parted by spaces, at most ${scopeCharacters} characters (CONSILIUM_SCOPE_CHARACTERS)`,
    );
  for (const each of scopes) {
    if (each.kind === 'none' && isResourceLike(each.text))
      throw invalidScope(`The scope ${each.text.slice(0, 100)} is refused: ${each.reason}`);
    if (each.kind === 'resource') checkParameters(rules, each.scope);
  }
  return scopes;
};

const resourceScopes = (scopes: readonly ParsedScope[]): readonly ResourceScope[] =>
  scopes.flatMap((each) => (each.kind === 'resource' ? [each.scope] : []));

/** What clients of a kind can be granted at all: a client alone `system/`, one with a user all others. */
const isForKind = (kind: ClientKind, scope: ParsedScope): boolean => {
  if (kind === 'backend') return scope.kind === 'resource' && scope.scope.level === 'system';
  return scope.kind === 'other' || (scope.kind === 'resource' && scope.scope.level !== 'system');
};

/** The scopes of a registration. Throws an OAuthError that says which of them this kind of client cannot have. */
export const registrableScope = (rules: ScopeRules, kind: ClientKind, scope: string): string => {
  const scopes = parsed(rules, scope);
  const wrong = scopes.find((each) => !isForKind(kind, each));
  if (wrong !== undefined)
    throw invalidScope(`The scope ${wrong.text.slice(0, 100)} cannot be granted to a client of the kind ${kind}`);
  if (scopes.length === 0) throw invalidScope('The scope is empty');
  return scopes.map(({ text }) => text).join(' ');
};

/**
 * What of the asked scopes (space-separated) a client may be granted, as they are answered. What its registration does not
 * cover is left out, and of a wide scope the part that it covers is given. Throws an OAuthError `invalid_scope` if one is
 * malformed, or if nothing is left.
 */
export const grantableScopes = (
  rules: ScopeRules,
  { kind, scope }: { readonly kind: ClientKind; readonly scope: string },
  asked: string,
): readonly string[] => {
  // What is registered was checked then; a later version may know its parameters no more.
  const registered = parseScopes(scope, (name) => rules.isResourceType(name), Number.POSITIVE_INFINITY) ?? [];
  const allowed = resourceScopes(registered);
  const others = new Set(registered.flatMap((each) => (each.kind === 'other' ? [each.text] : [])));
  const granted = parsed(rules, asked)
    .filter((each) => isForKind(kind, each))
    .flatMap((each) => {
      if (each.kind === 'resource') return allowedPart(each.scope, allowed).map(({ text }) => text);
      return others.has(each.text) ? [each.text] : [];
    });
  if (granted.length === 0) throw invalidScope('None of these scopes is registered for the client');
  return [...new Set(granted)];
};

/**
 * The scopes that a refreshed token has: all that were granted, or those of them that are asked for. Throws an OAuthError
 * `invalid_scope` if one was not granted.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6749#section-6
 */
export const narrowedScopes = (
  rules: ScopeRules,
  granted: readonly string[],
  asked: string | undefined,
): readonly string[] => {
  if (asked === undefined) return granted;
  const allowed = resourceScopes(
    parseScopes(granted.join(' '), (name) => rules.isResourceType(name), Number.POSITIVE_INFINITY) ?? [],
  );
  const scopes = parsed(rules, asked);
  const wider = scopes.find(({ text, ...each }) => {
    if (granted.includes(text)) return false;
    return each.kind !== 'resource' || !allowed.some((other) => covers(other, each.scope));
  });
  if (wider !== undefined) throw invalidScope(`The scope ${wider.text.slice(0, 100)} was not granted`);
  if (scopes.length === 0) throw invalidScope('scope is empty');
  return scopes.map(({ text }) => text);
};

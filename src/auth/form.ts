/**
 * The parameters of an OAuth request. One without a value counts as omitted, unknown ones are passed over, and none may be
 * there twice.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6749#section-3.2
 */
import { OAuthError } from './oauth-error.ts';

export type Form = ReadonlyMap<string, string>;

/** Throws an OAuthError `invalid_request`. */
export const formOf = (pairs: Iterable<readonly [name: string, value: string]>): Form => {
  const form = new Map<string, string>();
  const names = new Set<string>();
  for (const [name, value] of pairs) {
    if (names.has(name)) throw new OAuthError(400, 'invalid_request', `The parameter ${name} is there twice`);
    names.add(name);
    if (value !== '') form.set(name, value);
  }
  return form;
};

/** Throws an OAuthError `invalid_request` if it is omitted. */
export const required = (form: Form, name: string): string => {
  const value = form.get(name);
  if (value === undefined) throw new OAuthError(400, 'invalid_request', `The parameter ${name} is missing`);
  return value;
};

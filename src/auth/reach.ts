/** What a client or a user may reach at all, whatever the scopes of a token: a scope never widens it. */

/**
 * `sources`: what one of these organizations (`Organization/[id]`) pushed. `patients`: the compartments of these Patients
 * (ids), and what these refer to. `types` narrows each to some resource types, as a role may.
 */
export type Reach = (
  | { readonly kind: 'all' }
  | { readonly kind: 'sources'; readonly organizations: readonly string[] }
  | { readonly kind: 'patients'; readonly patients: readonly string[] }
  | { readonly kind: 'none' }
) & { readonly types?: readonly string[] };

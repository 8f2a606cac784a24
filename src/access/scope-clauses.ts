/**
 * The parameters of a granular scope as clauses of a search.
 *
 * @see https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html#finer-grained-resource-constraints-using-search-parameters
 */
import type { ScopeParameter } from '../auth/scopes.ts';
import { FhirError, notSupported } from '../fhir/fhir-error.ts';
import { isAboutItself } from '../search/match-clause.ts';
import { parseClause } from '../search/parse-clause.ts';
import { type SearchFacts, searchContext } from '../search/search-limits.ts';
import type { Clause } from '../search/search-query.ts';

/**
 * What a resource of `type` must fulfil. Throws a FhirError 400 for a parameter that the type has not, a malformed value,
 * or one that depends on other resources or on words: each version must be judged by itself.
 */
const scopeClauses = (server: SearchFacts, type: string, parameters: readonly ScopeParameter[]): Clause[] => {
  const context = searchContext(server, false);
  return parameters.map(([name, value]) => {
    const clause = parseClause(type, name, value, context);
    if (isAboutItself(clause)) return clause;
    throw notSupported(
      `${name}: a scope takes no chains, _has, _list, hierarchies, words or places: it must say of each resource alone whether it may be seen`,
    );
  });
};

/** Throws a FhirError if the parameters cannot be those of a scope for `type`, or for all types if that is `*`. */
export const checkScopeParameters = (
  server: SearchFacts,
  type: string,
  parameters: readonly ScopeParameter[],
): void => {
  for (const each of type === '*' ? server.resourceTypes : [type]) scopeClauses(server, each, parameters);
};

/**
 * As `scopeClauses`, for a scope that was granted; undefined if it permits nothing of the type any more, as when its
 * search parameter is gone. Throws a FhirError 503 while the parameter is being indexed.
 */
export const grantedClauses = (
  server: SearchFacts,
  type: string,
  parameters: readonly ScopeParameter[],
): readonly Clause[] | undefined => {
  if (parameters.length === 0) return [];
  try {
    return scopeClauses(server, type, parameters);
  } catch (error) {
    if (error instanceof FhirError && error.status < 500) return undefined;
    throw error;
  }
};

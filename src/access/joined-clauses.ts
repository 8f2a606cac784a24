/** Alternatives of rights as clauses of a search. */
import type { Clause } from '../search/search-query.ts';

const asOne = (clauses: readonly Clause[]): Clause => {
  const [first, ...others] = clauses;
  return first !== undefined && others.length === 0 ? first : { kind: 'all', clauses };
};

/**
 * What a resource must fulfil that fulfils all clauses of one of the alternatives. What all alternatives have in common
 * stands by itself, so that a store can look for it.
 */
export const joinedClauses = (alternatives: readonly (readonly Clause[])[]): readonly Clause[] => {
  const [only, another] = alternatives;
  if (only !== undefined && another === undefined) return only;
  const named = alternatives.map(
    (clauses) => new Map(clauses.map((clause) => [JSON.stringify(clause), clause] as const)),
  );
  const [first, ...others] = named;
  if (first === undefined) return [{ kind: 'id', values: [] }];
  const common = [...first].filter(([name]) => others.every((other) => other.has(name)));
  const names = new Set(common.map(([name]) => name));
  const rests = named.map((clauses) => [...clauses].flatMap(([name, clause]) => (names.has(name) ? [] : [clause])));
  const shared = common.map(([, clause]) => clause);
  if (rests.some((rest) => rest.length === 0)) return shared;
  return [...shared, { kind: 'any', clauses: rests.map(asOne) }];
};

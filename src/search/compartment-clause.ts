/**
 * Being in the compartment of a resource, as a clause.
 *
 * @see https://hl7.org/fhir/R4/compartmentdefinition.html
 */
import type { Compartments } from '../definitions/compartments.ts';
import type { SearchParameters } from '../definitions/search-parameters.ts';
import type { Reference } from '../fhir/reference.ts';
import type { Clause } from './search-query.ts';

interface CompartmentContext {
  readonly compartments: Compartments;
  readonly parameters: SearchParameters;
}

/**
 * What a resource of `type` must fulfil to be in the compartment of one of `owners`, which are all of one type: it is an
 * owner itself, or refers to one by a parameter of the compartment. Undefined if no resource of the type can be there.
 */
export const compartmentClause = (
  { compartments, parameters }: CompartmentContext,
  owners: readonly Reference[],
  type: string,
): Clause | undefined => {
  const [owner] = owners;
  const members = owner === undefined ? undefined : compartments.of(owner.type);
  if (owner === undefined || members === undefined || (type !== owner.type && !members.has(type))) return undefined;
  const known = parameters.of(type);
  const references = (members.get(type) ?? [])
    .filter((param) => known.has(param))
    .map((param): Clause => ({ kind: 'reference', param, values: owners }));
  const own: Clause[] = type === owner.type ? [{ kind: 'id', values: owners.map(({ id }) => id) }] : [];
  return { kind: 'any', clauses: [...own, ...references] };
};

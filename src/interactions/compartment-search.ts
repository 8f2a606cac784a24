/**
 * Searches in a compartment: `Patient/[id]/Observation`, `Patient/[id]/*`.
 *
 * @see https://hl7.org/fhir/R4/http.html#vsearch
 * @see https://hl7.org/fhir/R4/compartmentdefinition.html
 */
import { notFound } from '../fhir/fhir-error.ts';
import { type Reference, referenceText } from '../fhir/reference.ts';
import { compartmentClause } from '../search/compartment-clause.ts';
import type { SearchScope } from '../search/parse-search.ts';
import type { Clause } from '../search/search-query.ts';
import type { FhirServer, Interaction } from './fhir-request.ts';
import { searchIn } from './search.ts';

const NOTHING: Clause = { kind: 'id', values: [] };

/** What is in the compartment of a resource; `type` narrows it to one type. Throws a FhirError 404 if there is no such compartment. */
export const compartmentScope = (server: FhirServer, owner: Reference, type?: string): SearchScope => {
  const members = server.compartments.of(owner.type);
  if (members === undefined) throw notFound(`R4 has no compartment of type '${owner.type}'`);
  const types = type === undefined ? [...new Set([owner.type, ...members.keys()])] : [type];
  if (type !== undefined && type !== owner.type && !members.has(type))
    throw notFound(`'${type}' is not in the ${owner.type} compartment`);
  return {
    types,
    clausesOf: (name) => [compartmentClause(server, [owner], name) ?? NOTHING],
  };
};

export const searchCompartment: Interaction<Reference & { member: string }> = (
  server,
  request,
  { member, ...owner },
) => {
  const scope = compartmentScope(server, owner, member === '*' ? undefined : member);
  return searchIn(server, request, scope, `${referenceText(owner)}/${member}`);
};

/** The search criteria in the url of a conditional write. */
import type { FhirRequest } from './fhir-request.ts';
import { pairsOf, queryOf } from './parse-request.ts';

/** Parameters that HTTP handles. */
const OF_HTTP = new Set(['_format', '_pretty']);

/** The query of a request without what is about its answer. Throws a FhirError 400 if it cannot be decoded. */
export const criteriaOf = ({ query }: Pick<FhirRequest, 'query'>): string =>
  queryOf(pairsOf(query).filter(([name]) => !OF_HTTP.has(name)));

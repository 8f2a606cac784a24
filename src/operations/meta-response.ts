/** The answer of the operations on meta: Parameters with the Meta as it is in the resource, digits and all. */
import { membersOf } from '../fhir/json-members.ts';
import type { FhirResponse } from '../interactions/fhir-request.ts';

/** The JSON of a resource's meta, from the resource's compact JSON. */
export const metaText = (text: string): string => {
  const member = membersOf(text).find(({ key }) => key === 'meta');
  return member === undefined ? '{}' : text.slice(member.value.start, member.value.end);
};

/** R4 has no empty objects, so an empty meta has no value. */
export const metaResponse = (text: string, headers: Readonly<Record<string, string>> = {}): FhirResponse => ({
  status: 200,
  headers,
  body: `{"resourceType":"Parameters"${text === '{}' ? '' : `,"parameter":[{"name":"return","valueMeta":${text}}]`}}`,
});

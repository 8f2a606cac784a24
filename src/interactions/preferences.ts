/**
 * The `Prefer` header.
 *
 * @see https://hl7.org/fhir/R4/http.html#ops
 */
import { invalid } from '../fhir/fhir-error.ts';
import type { FhirRequest } from './fhir-request.ts';

export interface Preferences {
  readonly return: 'representation' | 'minimal' | 'OperationOutcome';
  readonly handling: 'strict' | 'lenient';
}

/** In an `Accept` header. */
const FHIR_JSON = /application\/fhir\+json/i;

const RETURNS = ['representation', 'minimal', 'OperationOutcome'] as const;
const HANDLINGS = ['strict', 'lenient'] as const;

const chosen = <T extends string>(name: string, value: string | undefined, options: readonly T[], byDefault: T): T => {
  if (value === undefined) return byDefault;
  const option = options.find((candidate) => candidate.toLowerCase() === value.toLowerCase());
  if (option === undefined) throw invalid(`Prefer: ${name}=${value} is not one of ${options.join(', ')}`);
  return option;
};

/** Throws a FhirError 400 for a value of `return` or `handling` that R4 has not; other preferences are ignored. */
export const preferencesOf = ({ headers, content }: FhirRequest): Preferences => {
  const pairs = (headers['prefer'] ?? '').split(/[,;]/).map((part) => {
    const [name = '', value = ''] = part.split('=');
    return [name.trim().toLowerCase(), value.trim().replace(/^"|"$/g, '')] as const;
  });
  // Of a preference that stands twice, the first counts: RFC 7240, section 2.
  const given = new Map(pairs.reverse());
  return {
    // Who uploads bytes does not want them back as base64, unless that is what is asked for.
    return: chosen(
      'return',
      given.get('return'),
      RETURNS,
      content === undefined || FHIR_JSON.test(headers['accept'] ?? '') ? 'representation' : 'minimal',
    ),
    handling: chosen('handling', given.get('handling'), HANDLINGS, 'strict'),
  };
};

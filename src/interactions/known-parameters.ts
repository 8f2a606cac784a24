/**
 * Refuses query parameters that an interaction does not know, as a search does. A `Patient/1?_sumary=true` would else be
 * answered with more than was meant.
 */
import { notSupported } from '../fhir/fhir-error.ts';
import type { Interaction } from './fhir-request.ts';
import { pairsOf } from './parse-request.ts';
import { preferencesOf } from './preferences.ts';

/** Parameters that HTTP handles for every interaction. */
const OF_HTTP = ['_format', '_pretty'];

/** The interaction, for requests with no other query parameters than these, unless the client asks to be lenient. */
export const withParameters =
  <Target>(names: readonly string[], interaction: Interaction<Target>): Interaction<Target> =>
  async (server, request, target) => {
    const known = [...names, ...OF_HTTP];
    const unknown = pairsOf(request.query).find(([name]) => !known.includes(name));
    if (unknown !== undefined && preferencesOf(request).handling === 'strict')
      throw notSupported(`'${unknown[0]}' is no parameter here; possible: ${known.join(', ')}`);
    return interaction(server, request, target);
  };

/**
 * What the server can do, made from what is there: its types, interactions and search parameters.
 *
 * @see https://hl7.org/fhir/R4/http.html#capabilities
 */
import type { CapabilityStatement, CapabilityStatementRestResource } from '@medplum/fhirtypes';
import { instantText } from '../fhir/date-time.ts';
import { isSearchable } from '../search/parse-search.ts';
import type { FhirServer, Interaction } from './fhir-request.ts';
import { PATCH_FORMATS } from './patch.ts';

/** The codes of the interactions that every type has; `route.ts` leads to them. */
const TYPE_INTERACTIONS = [
  'read',
  'vread',
  'update',
  'patch',
  'delete',
  'history-instance',
  'create',
  'search-type',
] as const;

const resourceOf = (server: FhirServer, type: string): CapabilityStatementRestResource => ({
  type: type as NonNullable<CapabilityStatementRestResource['type']>,
  interaction: TYPE_INTERACTIONS.map((code) => ({ code })),
  versioning: 'versioned',
  readHistory: true,
  updateCreate: true,
  conditionalCreate: true,
  conditionalRead: 'not-supported',
  conditionalUpdate: false,
  conditionalDelete: 'not-supported',
  referencePolicy: ['literal', ...(server.refusesDanglingReferences ? (['enforced'] as const) : [])],
  searchParam: [...server.parameters.of(type).values()]
    .filter(isSearchable)
    .map(({ code, url, type: kind }) => ({ name: code, definition: url, type: kind })),
});

const statementOf = (server: FhirServer, version: string, since: number): CapabilityStatement => ({
  resourceType: 'CapabilityStatement',
  status: 'active',
  date: instantText(since),
  publisher: 'Consilium',
  kind: 'instance',
  software: { name: 'Consilium', version },
  implementation: { description: 'Medical second opinions', url: server.baseUrl },
  fhirVersion: '4.0.1',
  format: ['application/fhir+json', 'json'],
  patchFormat: [...PATCH_FORMATS],
  rest: [
    {
      mode: 'server',
      resource: server.resourceTypes.map((type) => resourceOf(server, type)),
      interaction: [{ code: 'transaction' }, { code: 'batch' }],
    },
  ],
});

/** Makes the interaction; the statement itself is made once, when it is first asked for. */
export const createCapabilities = (version: string, since: number): Interaction => {
  let text: string | undefined;
  return async (server) => {
    text ??= JSON.stringify(statementOf(server, version, since));
    return { status: 200, headers: {}, body: text };
  };
};

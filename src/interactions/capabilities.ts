/**
 * What the server can do, made from what is there: its types, interactions, search parameters and operations.
 *
 * @see https://hl7.org/fhir/R4/http.html#capabilities
 */
import type {
  CapabilityStatement,
  CapabilityStatementRestResource,
  CapabilityStatementRestResourceOperation,
  CapabilityStatementRestResourceSearchParam,
} from '@medplum/fhirtypes';
import type { SearchParameter } from '../definitions/search-parameters.ts';
import { instantText } from '../fhir/date-time.ts';
import { isSearchable } from '../search/search-context.ts';
import type { FhirServer, Interaction } from './fhir-request.ts';
import { PATCH_FORMATS } from './patch.ts';
import type { Operation } from './route.ts';

/** The codes of the interactions that every type has; `route.ts` leads to them. */
const TYPE_INTERACTIONS = [
  'read',
  'vread',
  'update',
  'patch',
  'delete',
  'history-instance',
  'history-type',
  'create',
  'search-type',
] as const;

const SYSTEM_INTERACTIONS = ['transaction', 'batch', 'search-system', 'history-system'] as const;

/** The parameter that only a search over several types takes. */
const OF_SYSTEM = '_type';

const parametersOf = (server: FhirServer, type: string): SearchParameter[] =>
  [...server.parameters.of(type).values()].filter(isSearchable);

const statedParameter = ({ code, url, type }: SearchParameter): CapabilityStatementRestResourceSearchParam => ({
  name: code,
  definition: url,
  type,
});

const operationOf = (baseUrl: string, { name }: Operation): CapabilityStatementRestResourceOperation => ({
  name,
  definition: `${baseUrl}/OperationDefinition/${name}`,
});

/** By target type, the `_revinclude` values that lead to it; under '' those that may lead to any type. */
const reverseIncludes = (server: FhirServer): ReadonlyMap<string, readonly string[]> => {
  const found = new Map<string, string[]>();
  for (const source of server.resourceTypes)
    for (const { code, type, targets } of parametersOf(server, source)) {
      if (type !== 'reference') continue;
      for (const target of targets.length === 0 ? [''] : targets)
        found.set(target, [...(found.get(target) ?? []), `${source}:${code}`]);
    }
  return found;
};

const resourceOf = (
  server: FhirServer,
  type: string,
  operations: readonly Operation[],
  reverse: ReadonlyMap<string, readonly string[]>,
): CapabilityStatementRestResource => {
  const parameters = parametersOf(server, type);
  const references = parameters.filter((parameter) => parameter.type === 'reference');
  const own = operations.filter(
    ({ levels, types }) => (levels.includes('type') || levels.includes('instance')) && (types?.includes(type) ?? true),
  );
  const searchRevInclude = [...(reverse.get(type) ?? []), ...(reverse.get('') ?? [])];
  return {
    type: type as NonNullable<CapabilityStatementRestResource['type']>,
    interaction: TYPE_INTERACTIONS.map((code) => ({ code })),
    versioning: 'versioned',
    readHistory: true,
    updateCreate: true,
    conditionalCreate: true,
    conditionalRead: 'full-support',
    conditionalUpdate: true,
    conditionalDelete: server.limits.conditionalDelete,
    referencePolicy: ['literal', ...(server.refusesDanglingReferences ? (['enforced'] as const) : [])],
    searchInclude: ['*', ...references.map(({ code }) => `${type}:${code}`)],
    ...(searchRevInclude.length === 0 ? {} : { searchRevInclude }),
    searchParam: parameters.filter(({ code }) => code !== OF_SYSTEM).map(statedParameter),
    ...(own.length === 0 ? {} : { operation: own.map((operation) => operationOf(server.baseUrl, operation)) }),
  };
};

const statementOf = (
  server: FhirServer,
  version: string,
  since: number,
  operations: readonly Operation[],
): CapabilityStatement => {
  const reverse = reverseIncludes(server);
  const ofSystem = operations.filter(({ levels }) => levels.includes('system'));
  return {
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
        resource: server.resourceTypes.map((type) => resourceOf(server, type, operations, reverse)),
        searchParam: parametersOf(server, 'Resource').map(statedParameter),
        interaction: SYSTEM_INTERACTIONS.map((code) => ({ code })),
        ...(ofSystem.length === 0 ? {} : { operation: ofSystem.map((item) => operationOf(server.baseUrl, item)) }),
      },
    ],
  };
};

/**
 * Makes the interaction. The statement is made when it is first asked for, and again only for another base url, as behind
 * a proxy.
 */
export const createCapabilities = (version: string, since: number, operations: readonly Operation[]): Interaction => {
  let last: { baseUrl: string; text: string } | undefined;
  return async (server) => {
    const { baseUrl } = server;
    if (last?.baseUrl !== baseUrl)
      last = { baseUrl, text: JSON.stringify(statementOf(server, version, since, operations)) };
    return { status: 200, headers: {}, body: last.text };
  };
};

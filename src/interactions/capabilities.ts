/**
 * What the server can do, made from what is there: its types, interactions, search parameters and operations.
 *
 * @see https://hl7.org/fhir/R4/http.html#capabilities
 */
import type {
  CapabilityStatement,
  CapabilityStatementRest,
  CapabilityStatementRestResource,
  CapabilityStatementRestResourceOperation,
  CapabilityStatementRestResourceSearchParam,
} from '@medplum/fhirtypes';
import { COMPARTMENT_TYPES } from '../definitions/compartments.ts';
import type { OperationDefinitions } from '../definitions/operation-definitions.ts';
import type { SearchParameter } from '../definitions/search-parameters.ts';
import { instantText } from '../fhir/date-time.ts';
import { invalid } from '../fhir/fhir-error.ts';
import { isSearchable } from '../search/search-context.ts';
import type { FhirServer, Interaction } from './fhir-request.ts';
import { keptText } from './kept-text.ts';
import { pairsOf } from './parse-request.ts';
import { PATCH_FORMATS } from './patch.ts';
import type { Operation } from './route.ts';
import { type AuthEndpoints, restSecurity } from './security.ts';

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

/** All media types of a resource that are sent and read, with the short name that `_format` takes. */
const FORMATS = ['application/fhir+json', 'json', 'application/json', 'text/json'];

/** Values of `mode`; R4 leaves it to a server to answer all of them with the whole statement. */
const MODES = ['full', 'normative', 'terminology'];

/** The parameter that only a search over several types takes. */
const OF_SYSTEM = '_type';

/**
 * Parameters of the answer and not of what is searched, for all types. R4 describes them in prose only.
 *
 * @see https://hl7.org/fhir/R4/search.html#control
 */
const CONTROLS = [
  { name: '_count', type: 'number' },
  ...['_sort', '_total', '_summary', '_elements', '_include', '_revinclude'].map(
    (name) => ({ name, type: 'string' }) as const,
  ),
] as const satisfies CapabilityStatementRestResourceSearchParam[];

/** What can be searched by: of a type, or, of `Resource`, by all searches over several types. */
export const searchableParameters = (server: FhirServer, type: string): SearchParameter[] =>
  [...server.parameters.of(type).values()].filter(isSearchable);

const NARRATIVE =
  '<div xmlns="http://www.w3.org/1999/xhtml">What this Consilium server can do: FHIR R4 in JSON, for all resource types.</div>';

const definitionOf = (operation: Operation, definitions: OperationDefinitions): string => {
  const { url, base } = definitions.get(operation.name) ?? {};
  return (operation.isAllOfBase ? base : undefined) ?? url ?? '';
};

/** How the statement lists what the server has. */
interface Stated {
  readonly endpoints: AuthEndpoints | undefined;
  readonly operations: readonly Operation[];
  statedOperation(operation: Operation): CapabilityStatementRestResourceOperation;
  statedParameter(parameter: SearchParameter): CapabilityStatementRestResourceSearchParam;
}

const statedBy = (
  { parameters }: FhirServer,
  operations: readonly Operation[],
  definitions: OperationDefinitions,
  endpoints: AuthEndpoints | undefined,
): Stated => ({
  endpoints,
  operations,
  statedOperation: (operation) => ({ name: operation.name, definition: definitionOf(operation, definitions) }),
  statedParameter: ({ code, url, type }) => ({
    name: code,
    // Of some parameters, such as `_has`, R4 has no SearchParameter.
    ...(parameters.byUrl(url) === undefined ? {} : { definition: url }),
    type,
  }),
});

/** By target type, the `_revinclude` values that lead to it; under '' those that may lead to any type. */
const reverseIncludes = (server: FhirServer): ReadonlyMap<string, readonly string[]> => {
  const found = new Map<string, string[]>();
  for (const source of server.resourceTypes)
    for (const { code, type, targets } of searchableParameters(server, source)) {
      if (type !== 'reference') continue;
      for (const target of targets.length === 0 ? [''] : targets)
        found.set(target, [...(found.get(target) ?? []), `${source}:${code}`]);
    }
  return found;
};

const resourceOf = (
  server: FhirServer,
  type: string,
  { operations, statedOperation, statedParameter }: Stated,
  reverse: ReadonlyMap<string, readonly string[]>,
): CapabilityStatementRestResource => {
  const parameters = searchableParameters(server, type);
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
    referencePolicy: ['literal', 'logical', ...(server.refusesDanglingReferences ? (['enforced'] as const) : [])],
    searchInclude: ['*', ...references.map(({ code }) => `${type}:${code}`)],
    ...(searchRevInclude.length === 0 ? {} : { searchRevInclude }),
    searchParam: parameters.filter(({ code }) => code !== OF_SYSTEM).map(statedParameter),
    ...(own.length === 0 ? {} : { operation: own.map(statedOperation) }),
  };
};

const restOf = (server: FhirServer, stated: Stated): CapabilityStatementRest => {
  const reverse = reverseIncludes(server);
  const ofSystem = stated.operations.filter(({ levels }) => levels.includes('system'));
  const ofAll = searchableParameters(server, 'Resource').map(stated.statedParameter);
  return {
    mode: 'server',
    documentation: `As OpenAPI: ${originOf(server)}/openapi.json. OperationDefinitions that are not HL7's: ${server.baseUrl}/OperationDefinition?url=[definition].`,
    security: restSecurity(stated.endpoints),
    resource: server.resourceTypes.map((type) => resourceOf(server, type, stated, reverse)),
    interaction: SYSTEM_INTERACTIONS.map((code) => ({ code })),
    searchParam: [...ofAll, ...CONTROLS],
    ...(ofSystem.length === 0 ? {} : { operation: ofSystem.map(stated.statedOperation) }),
    compartment: COMPARTMENT_TYPES.map((type) => `http://hl7.org/fhir/CompartmentDefinition/${type.toLowerCase()}`),
  };
};

/** Where `/openapi.json` is: the FHIR base is one step below. */
export const originOf = ({ baseUrl }: Pick<FhirServer, 'baseUrl'>): string => baseUrl.replace(/\/fhir$/, '');

const statementOf = (server: FhirServer, version: string, since: number, stated: Stated): CapabilityStatement => ({
  resourceType: 'CapabilityStatement',
  text: { status: 'generated', div: NARRATIVE },
  name: 'Consilium',
  title: 'Consilium, a FHIR server for medical second opinions',
  status: 'active',
  date: instantText(since),
  publisher: 'Consilium',
  kind: 'instance',
  software: { name: 'Consilium', version },
  implementation: { description: 'Medical second opinions', url: server.baseUrl },
  fhirVersion: '4.0.1',
  format: [...FORMATS],
  patchFormat: [...PATCH_FORMATS],
  rest: [restOf(server, stated)],
});

/** Throws a FhirError 400 for a mode that R4 does not have. */
const checkMode = (query: string): void => {
  const mode = pairsOf(query).find(([name]) => name === 'mode')?.[1];
  if (mode !== undefined && !MODES.includes(mode)) throw invalid(`mode: '${mode}' is none of ${MODES.join(', ')}`);
};

/**
 * Makes the interaction. `since` is when the server started, in milliseconds since 1970 UTC; `endpoints` are those of the
 * authorization server, undefined if there is none.
 */
export const createCapabilities = (
  version: string,
  since: number,
  operations: readonly Operation[],
  definitions: OperationDefinitions,
  endpoints?: AuthEndpoints,
): Interaction => {
  const textOf = keptText((server) =>
    JSON.stringify(statementOf(server, version, since, statedBy(server, operations, definitions, endpoints))),
  );
  return async (server, { query }) => {
    checkMode(query);
    return { status: 200, headers: {}, body: textOf(server) };
  };
};

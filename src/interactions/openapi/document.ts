/**
 * All that the server answers as an OpenAPI 3.1 document, made of what answers it: the routes of the dispatch, the
 * operations, and the search parameters. A type's own paths are listed for each type, with its search parameters; those
 * below a resource are listed once, as templates.
 *
 * @see https://spec.openapis.org/oas/v3.1.0
 */
import { COMPARTMENT_TYPES } from '../../definitions/compartments.ts';
import type { OperationDefinitions } from '../../definitions/operation-definitions.ts';
import type { SearchParameter } from '../../definitions/search-parameters.ts';
import { originOf, searchableParameters } from '../capabilities.ts';
import type { FhirServer } from '../fhir-request.ts';
import { keptText } from '../kept-text.ts';
import { type Operation, ROUTES, type Route } from '../route.ts';
import { callOfBinary, callsOfType, SHARED_CALLS } from './calls.ts';
import { SHARED_ANSWERS, SHARED_HEADERS, sharedParameters, sharedSchemas } from './components.ts';
import { operationCalls } from './operation-calls.ts';
import { answers, type Call, type Parameter, type PathItem, type Schema, schemaRef } from './terms.ts';

const DESCRIPTION = `FHIR R4 (4.0.1). HEAD is answered wherever GET is. A search parameter may have a modifier
(name:exact), lead on through a reference (subject:Patient.name), or back (_has:Observation:patient:code); a comma in its
value is or, and a parameter that stands twice is and. What the server does not know is refused with 400. Every error has an
OperationOutcome, which says what is wrong and where.`;

/** `_has` stands only with a type and a parameter behind it, and `_type` only where several types are searched. */
const NOT_OF_TYPE = new Set(['_has', '_type']);

const parametersOf = (server: FhirServer, type: string): SearchParameter[] =>
  searchableParameters(server, type).filter(({ code }) => !NOT_OF_TYPE.has(code));

const listed = ({ code, type, url }: SearchParameter): Parameter => ({
  name: code,
  in: 'query',
  description: url,
  schema: schemaRef(`search-${type}`),
});

/** The parameters as the members of a form; with a modifier or a chain their names cannot be listed. */
const formSchema = (parameters: readonly SearchParameter[]): Schema => ({
  type: 'object',
  properties: Object.fromEntries(parameters.map(({ code, type }) => [code, schemaRef(`search-${type}`)])),
  patternProperties: { '[:.]': schemaRef('search-special') },
});

interface PlacedCall {
  /** Below the FHIR base. */
  readonly path: string;
  readonly method: string;
  readonly call: Call;
}

/** What a route of the dispatch takes and answers. Throws an Error if nothing here describes it. */
const routeCalls = (server: FhirServer, { path, methods }: Route): PlacedCall[] =>
  methods.flatMap((method): PlacedCall[] => {
    const key = `${method} ${path}`;
    const shared = SHARED_CALLS[key];
    if (shared !== undefined) {
      const isOfContent = path === '{type}/{id}' || path === '{type}/{id}/_history/{version}';
      const binary = { path: path.replace('{type}', 'Binary'), method, call: callOfBinary(method, shared) };
      return [{ path, method, call: shared }, ...(isOfContent ? [binary] : [])];
    }
    return server.resourceTypes.map((type) => {
      const call = callsOfType(type, parametersOf(server, type).map(listed))[key];
      if (call === undefined) throw new Error(`No OpenAPI description of ${key}`);
      const isOfContent = type === 'Binary' && (key === 'POST {type}' || key === 'PUT {type}');
      return { path: path.replace('{type}', type), method, call: isOfContent ? callOfBinary(method, call) : call };
    });
  });

/** The paths beside the FHIR base. */
const OTHER_PATHS: Readonly<Record<string, PathItem>> = {
  '/healthz': {
    get: {
      operationId: 'isAlive',
      summary: 'Whether the process lives',
      tags: ['health'],
      responses: answers({ 200: 'Health' }),
    },
  },
  '/readyz': {
    get: {
      operationId: 'isReady',
      summary: 'Whether the server can serve just now',
      tags: ['health'],
      responses: answers({ 200: 'Health', 503: 'Unhealthy' }),
    },
  },
  '/openapi.json': {
    get: {
      operationId: 'openApi',
      summary: 'This document',
      tags: ['system'],
      responses: answers({ 200: 'OpenApi' }),
    },
  },
};

const pathsOf = (calls: readonly PlacedCall[]): Record<string, PathItem> => {
  const paths = new Map<string, Record<string, Call>>();
  for (const { path, method, call } of calls) {
    const name = path === '' ? '/fhir' : `/fhir/${path}`;
    paths.set(name, { ...paths.get(name), [method.toLowerCase()]: call });
  }
  return { ...Object.fromEntries(paths), ...OTHER_PATHS };
};

const documentOf = (
  server: FhirServer,
  version: string,
  operations: readonly Operation[],
  definitions: OperationDefinitions,
): object => {
  const { resourceTypes } = server;
  const parameters = sharedParameters(resourceTypes, COMPARTMENT_TYPES);
  const searches = ['Resource', ...resourceTypes].map(
    (type) => [`${type}-search`, formSchema(parametersOf(server, type))] as const,
  );
  const calls = [...ROUTES.flatMap((route) => routeCalls(server, route)), ...operationCalls(operations, definitions)];
  return {
    openapi: '3.1.0',
    info: {
      title: 'Consilium',
      version,
      description: DESCRIPTION,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: originOf(server) }],
    externalDocs: { url: 'https://hl7.org/fhir/R4/http.html' },
    paths: pathsOf(calls),
    components: {
      parameters,
      headers: SHARED_HEADERS,
      responses: SHARED_ANSWERS,
      schemas: { ...sharedSchemas(resourceTypes, parameters), ...Object.fromEntries(searches) },
    },
    // There is no sign-in yet.
    security: [],
  };
};

/** Makes the text of the document for a server. */
export const createOpenApi = (
  version: string,
  operations: readonly Operation[],
  definitions: OperationDefinitions,
): ((server: FhirServer) => string) =>
  keptText((server) => JSON.stringify(documentOf(server, version, operations, definitions)));

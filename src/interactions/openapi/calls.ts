/**
 * What each route of the dispatch takes and answers, in the terms of OpenAPI. Those of a type's own path are made per
 * type, as each type has its own search parameters; the others are the same for all types.
 */
import { answers, type Call, fhirContent, parameterRef, type Ref, schemaRef } from './terms.ts';

const refs = (...names: string[]): Ref[] => names.map(parameterRef);

const OF_HTTP = ['format', 'pretty'];
const OF_SEARCH = ['count', 'sort', 'total', 'summary', 'elements', 'include', 'revinclude', 'page', 'prefer'];
const PATCHES = {
  required: true,
  content: {
    'application/json-patch+json': { schema: schemaRef('JsonPatch') },
    ...fhirContent(schemaRef('Parameters')),
  },
};

/** Answers of reads, writes and searches beside the one for success. */
const READ = { 400: 'Invalid', 404: 'NotFound', 406: 'NotAcceptable', 410: 'Gone' };
const SEARCH = { 400: 'Invalid', 406: 'NotAcceptable', 422: 'Unprocessable' };
const WRITE = {
  400: 'Invalid',
  403: 'Forbidden',
  406: 'NotAcceptable',
  409: 'Conflict',
  412: 'PreconditionFailed',
  413: 'TooLarge',
  415: 'UnsupportedMediaType',
  422: 'Unprocessable',
};
const DELETE = { 400: 'Invalid', 403: 'Forbidden', 409: 'Conflict', 412: 'PreconditionFailed' };
const PATCH = { ...WRITE, 404: 'NotFound', 410: 'Gone' };

/** A form has what the url of a search has; parameters in the url count, too. */
const form = (schema: Readonly<Record<string, unknown>>) => ({
  content: { 'application/x-www-form-urlencoded': { schema } },
});

/** The form of a search over several types, or of a type that the path says: each has parameters of its own. */
const OPEN_FORM = form({ allOf: [schemaRef('Resource-search'), schemaRef('search-control')] });

const HISTORY_PARAMETERS = refs('since', 'at', 'count', 'page', ...OF_HTTP);

/** The calls that are the same for all types, by method and template of the path. */
export const SHARED_CALLS: Readonly<Record<string, Call>> = {
  'GET ': {
    operationId: 'searchSystem',
    summary: 'Searches several types',
    tags: ['system'],
    parameters: refs('types', ...OF_SEARCH, ...OF_HTTP),
    responses: answers({ 200: 'Bundle', ...SEARCH }),
  },
  'POST ': {
    operationId: 'postBundle',
    summary: 'Carries out a batch or a transaction',
    tags: ['system'],
    parameters: refs('prefer', 'provenance', ...OF_HTTP),
    requestBody: { required: true, content: fhirContent(schemaRef('Bundle')) },
    responses: answers({ 200: 'Bundle', ...WRITE, 404: 'NotFound', 410: 'Gone' }),
  },
  'GET metadata': {
    operationId: 'capabilities',
    summary: 'What the server can do',
    tags: ['system'],
    parameters: refs('mode', ...OF_HTTP),
    responses: answers({ 200: 'CapabilityStatement', 400: 'Invalid', 406: 'NotAcceptable' }),
  },
  'POST _search': {
    operationId: 'searchSystemByForm',
    summary: 'Searches several types',
    tags: ['system'],
    parameters: refs('types', 'prefer'),
    requestBody: OPEN_FORM,
    responses: answers({ 200: 'Bundle', ...SEARCH, 415: 'UnsupportedMediaType' }),
  },
  'GET _history': {
    operationId: 'historyOfSystem',
    summary: 'The versions of all resources',
    tags: ['history'],
    parameters: HISTORY_PARAMETERS,
    responses: answers({ 200: 'Bundle', 400: 'Invalid', 406: 'NotAcceptable' }),
  },
  'GET {type}/_history': {
    operationId: 'historyOfType',
    summary: 'The versions of all resources of a type',
    tags: ['history'],
    parameters: [...refs('type'), ...HISTORY_PARAMETERS],
    responses: answers({ 200: 'Bundle', 400: 'Invalid', 406: 'NotAcceptable' }),
  },
  'GET {type}/{id}/_history': {
    operationId: 'historyOfResource',
    summary: 'The versions of a resource',
    tags: ['history'],
    parameters: [...refs('type', 'id'), ...HISTORY_PARAMETERS],
    responses: answers({ 200: 'Bundle', 400: 'Invalid', 404: 'NotFound', 406: 'NotAcceptable' }),
  },
  'GET {type}/{id}/_history/{version}': {
    operationId: 'readVersion',
    summary: 'Reads a version of a resource',
    tags: ['instance'],
    parameters: refs('type', 'id', 'version', 'readSummary', 'elements', 'ifNoneMatch', 'ifModifiedSince', ...OF_HTTP),
    responses: answers({ 200: 'Resource', 304: 'NotModified', ...READ }),
  },
  'GET {type}/{id}': {
    operationId: 'read',
    summary: 'Reads a resource',
    tags: ['instance'],
    parameters: refs('type', 'id', 'readSummary', 'elements', 'ifNoneMatch', 'ifModifiedSince', ...OF_HTTP),
    responses: answers({ 200: 'Resource', 304: 'NotModified', ...READ }),
  },
  'PUT {type}/{id}': {
    operationId: 'update',
    summary: 'Replaces a resource, or creates it under this id',
    tags: ['instance'],
    parameters: refs('type', 'id', 'ifMatch', 'ifAbsent', 'prefer', 'provenance', ...OF_HTTP),
    requestBody: { required: true, content: fhirContent(schemaRef('Resource')) },
    responses: answers({ 200: 'Written', 201: 'Created', ...WRITE }),
  },
  'PATCH {type}/{id}': {
    operationId: 'patch',
    summary: 'Changes a part of a resource, by a JSON Patch or a FHIRPath Patch',
    tags: ['instance'],
    parameters: refs('type', 'id', 'ifMatch', 'prefer', 'provenance', ...OF_HTTP),
    requestBody: PATCHES,
    responses: answers({ 200: 'Written', ...PATCH }),
  },
  'DELETE {type}/{id}': {
    operationId: 'delete',
    summary: 'Deletes a resource; its history stays',
    tags: ['instance'],
    parameters: refs('type', 'id', 'ifMatch', 'prefer', ...OF_HTTP),
    responses: answers({ 204: 'Deleted', ...DELETE }),
  },
  'GET {compartment}/{id}/{member}': {
    operationId: 'searchCompartment',
    summary: 'Searches what belongs to a patient, encounter, practitioner, related person or device',
    description: 'Takes the search parameters of the type.',
    tags: ['compartment'],
    parameters: refs('compartment', 'id', 'member', ...OF_SEARCH, ...OF_HTTP),
    responses: answers({ 200: 'Bundle', ...SEARCH, 404: 'NotFound' }),
  },
  'POST {compartment}/{id}/{member}/_search': {
    operationId: 'searchCompartmentByForm',
    summary: 'Searches what belongs to a patient, encounter, practitioner, related person or device',
    description: 'Takes the search parameters of the type.',
    tags: ['compartment'],
    parameters: refs('compartment', 'id', 'member', 'prefer'),
    requestBody: OPEN_FORM,
    responses: answers({ 200: 'Bundle', ...SEARCH, 404: 'NotFound', 415: 'UnsupportedMediaType' }),
  },
};

/** What a type cannot be searched by is refused. */
const CLOSED = { unevaluatedProperties: false };

/** Search criteria as query parameters: one schema has them all. */
const criteriaOf = (type: string) =>
  ({
    name: 'criteria',
    in: 'query',
    required: true,
    description: 'Search parameters that select the resource',
    schema: { type: 'object', allOf: [schemaRef(`${type}-search`)], minProperties: 1, ...CLOSED },
  }) as const;

/** The calls of a type's own paths, by method and template. `selecting` are its search parameters. */
export const callsOfType = (type: string, selecting: Call['parameters'] = []): Readonly<Record<string, Call>> => {
  const body = { required: true, content: fhirContent(schemaRef(type)) };
  return {
    'GET {type}': {
      operationId: `search${type}`,
      summary: `Searches ${type}`,
      tags: [type],
      parameters: [...selecting, ...refs(...OF_SEARCH, ...OF_HTTP)],
      responses: answers({ 200: 'Bundle', ...SEARCH }),
    },
    'POST {type}': {
      operationId: `create${type}`,
      summary: `Creates a ${type}`,
      tags: [type],
      parameters: refs('ifNoneExist', 'prefer', 'provenance', ...OF_HTTP),
      requestBody: body,
      responses: answers({ 200: 'Written', 201: 'Created', ...WRITE }),
    },
    'PUT {type}': {
      operationId: `update${type}ByCriteria`,
      summary: `Replaces the ${type} that the criteria match, or creates it`,
      tags: [type],
      parameters: [criteriaOf(type), ...refs('ifMatch', 'ifAbsent', 'prefer', 'provenance')],
      requestBody: body,
      responses: answers({ 200: 'Written', 201: 'Created', ...WRITE }),
    },
    'PATCH {type}': {
      operationId: `patch${type}ByCriteria`,
      summary: `Changes a part of the ${type} that the criteria match`,
      tags: [type],
      parameters: [criteriaOf(type), ...refs('ifMatch', 'prefer', 'provenance')],
      requestBody: PATCHES,
      responses: answers({ 200: 'Written', ...PATCH }),
    },
    'DELETE {type}': {
      operationId: `delete${type}ByCriteria`,
      summary: `Deletes the ${type} that the criteria match`,
      tags: [type],
      parameters: [criteriaOf(type), ...refs('ifMatch', 'prefer')],
      responses: answers({ 204: 'Deleted', ...DELETE, 422: 'Unprocessable' }),
    },
    'POST {type}/_search': {
      operationId: `search${type}ByForm`,
      summary: `Searches ${type}`,
      tags: [type],
      parameters: refs('prefer'),
      requestBody: form({ allOf: [schemaRef(`${type}-search`), schemaRef('search-control')], ...CLOSED }),
      responses: answers({ 200: 'Bundle', ...SEARCH, 415: 'UnsupportedMediaType' }),
    },
  };
};

/** A call about Binary, whose content may be of any media type, made from the same call about any type. */
export const callOfBinary = (method: string, { operationId, parameters = [], ...call }: Call): Call => {
  const any = { '*/*': { schema: {} } };
  const own = { ...call, operationId: operationId.endsWith('Binary') ? operationId : `${operationId}Binary` };
  const kept = parameters.filter((parameter) => !('$ref' in parameter) || parameter.$ref !== parameterRef('type').$ref);
  if (method === 'GET')
    return {
      ...own,
      parameters: [...kept, ...refs('range')],
      responses: {
        ...call.responses,
        ...answers({ 200: 'Content', 206: 'PartialContent', 416: 'RangeNotSatisfiable' }),
      },
    };
  if (method !== 'POST' && method !== 'PUT') return { ...own, parameters: kept };
  const content = { ...fhirContent(schemaRef('Binary')), ...any };
  return { ...own, parameters: [...kept, ...refs('securityContext')], requestBody: { required: true, content } };
};

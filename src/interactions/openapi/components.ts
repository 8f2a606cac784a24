/** What the paths of the OpenAPI document have in common: parameters, answers and schemas. */
import { type Answer, fhirContent, type Parameter, type Schema, schemaRef } from './terms.ts';

const query = (name: string, schema: Schema, description: string): Parameter => ({
  name,
  in: 'query',
  description,
  schema,
});

const header = (name: string, description: string, schema: Schema = { type: 'string' }): Parameter => ({
  name,
  in: 'header',
  description,
  schema,
});

const path = (name: string, schema: Schema): Parameter => ({ name, in: 'path', required: true, schema });

const BOOLEAN: Schema = { type: 'boolean' };
const TEXT: Schema = { type: 'string', minLength: 1 };
const TEXTS: Schema = { type: 'array', items: TEXT };
const ID: Schema = { type: 'string', pattern: '^[A-Za-z0-9\\-.]{1,64}$' };
const WHOLE: Schema = { type: 'integer', minimum: 0 };
const VERSION_TAG: Schema = { type: 'string', pattern: '^(\\*|(W/)?"[1-9][0-9]{0,14}")$' };

/** @see https://hl7.org/fhir/R4/datatypes.html#dateTime */
const TIME =
  '([0-9]([0-9]([0-9][1-9]|[1-9]0)|[1-9]00)|[1-9]000)(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01])(T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\\.[0-9]+)?)?(Z|[+-](0[0-9]|1[0-3]):[0-5][0-9])?)?)?)?';

/** By the names under which the paths refer to them. */
export const sharedParameters = (
  resourceTypes: readonly string[],
  compartmentTypes: readonly string[],
): Readonly<Record<string, Parameter>> => ({
  type: path('type', schemaRef('ResourceType')),
  id: path('id', ID),
  version: path('version', { type: 'string', pattern: '^[1-9][0-9]{0,14}$' }),
  compartment: path('compartment', { enum: compartmentTypes }),
  member: { ...path('member', { enum: ['*', ...resourceTypes] }), description: 'A type of the compartment, or all' },
  format: query(
    '_format',
    { enum: ['json', 'application/fhir+json', 'application/json', 'text/json'] },
    'Wins over Accept',
  ),
  pretty: query('_pretty', BOOLEAN, 'Whether the answer is laid out for people'),
  mode: query('mode', { enum: ['full', 'normative', 'terminology'] }, 'The answer is the whole statement in each mode'),
  readSummary: query(
    '_summary',
    { enum: ['true', 'text', 'data', 'false'] },
    'A part of the resource; not with _elements',
  ),
  summary: query(
    '_summary',
    { enum: ['true', 'text', 'data', 'count', 'false'] },
    'A part of each resource, or only how many there are; not with _elements',
  ),
  elements: query(
    '_elements',
    { type: 'string', pattern: '^[a-z][A-Za-z]*(,[a-z][A-Za-z]*)*$' },
    'Elements to show, joined by commas',
  ),
  count: query('_count', WHOLE, 'Entries of a page; 0 only counts'),
  since: query('_since', { type: 'string', format: 'date-time' }, 'Versions made at this instant or later'),
  at: query(
    '_at',
    { type: 'string', pattern: `^${TIME}$` },
    'Versions that were current at this time: a date, or an instant',
  ),
  page: query('_page', TEXT, 'Only as links of an answer have it'),
  sort: query('_sort', TEXT, 'Search parameters, joined by commas; a minus before one reverses it'),
  total: query('_total', { enum: ['none', 'estimate', 'accurate'] }, 'Whether the number of all matches is told'),
  include: query(
    '_include',
    TEXTS,
    'Also what the matches refer to: [type]:[parameter]; _include:iterate goes on from there',
  ),
  revinclude: query(
    '_revinclude',
    TEXTS,
    'Also what refers to the matches: [type]:[parameter]; _revinclude:iterate goes on from there',
  ),
  types: query(
    '_type',
    { type: 'string', pattern: '^[A-Z][A-Za-z]+(,[A-Z][A-Za-z]+)*$' },
    'The types to search, joined by commas; all if it is missing',
  ),
  prefer: header(
    'Prefer',
    'return=representation, return=minimal or return=OperationOutcome; handling=strict or handling=lenient',
  ),
  ifMatch: header('If-Match', 'The version that must be current, such as W/"1"', VERSION_TAG),
  ifNoneMatch: header('If-None-Match', 'Versions that the client has, such as W/"1"'),
  ifModifiedSince: header('If-Modified-Since', 'When the client read it last'),
  ifAbsent: header('If-None-Match', '*: only if there is no such resource', { const: '*' }),
  ifNoneExist: header('If-None-Exist', 'Search criteria: creates only if nothing matches', TEXT),
  range: header('Range', 'Of the content of a Binary: bytes=0-99'),
  provenance: header('X-Provenance', 'A Provenance as JSON, stored with what it is about'),
  securityContext: header(
    'X-Security-Context',
    'Of the content of a Binary: the reference that becomes its securityContext',
  ),
});

const OUTCOME = fhirContent(schemaRef('OperationOutcome'));
const refused = (description: string): Answer => ({ description, content: OUTCOME });

const text = (description: string) => ({ description, schema: { type: 'string' } });

export const SHARED_HEADERS = {
  ETag: text('The version, such as W/"1"'),
  'Last-Modified': text('When it was written'),
  Location: text('Where this version is'),
} as const;

const headersOf = (...names: (keyof typeof SHARED_HEADERS)[]) =>
  Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));

const RESOURCE = fhirContent(schemaRef('Resource'));
const VERSION_HEADERS = headersOf('ETag', 'Last-Modified');

/** By the names under which the paths refer to them. */
export const SHARED_ANSWERS: Readonly<Record<string, Answer>> = {
  Resource: { description: 'The resource', headers: VERSION_HEADERS, content: RESOURCE },
  Content: {
    description: 'The content of the Binary, if the client does not ask for FHIR; else the resource',
    headers: VERSION_HEADERS,
    content: { ...RESOURCE, '*/*': { schema: {} } },
  },
  PartialContent: { description: 'The range of the content', content: { '*/*': { schema: {} } } },
  Bundle: { description: 'A Bundle', content: fhirContent(schemaRef('Bundle')) },
  CapabilityStatement: {
    description: 'What the server can do',
    content: fhirContent(schemaRef('CapabilityStatement')),
  },
  Outcome: { description: 'What was found', content: OUTCOME },
  Parameters: { description: 'What the operation answers', content: fhirContent(schemaRef('Parameters')) },
  Written: { description: 'The resource was there; as Prefer says', headers: VERSION_HEADERS, content: RESOURCE },
  Created: {
    description: 'The resource is created; as Prefer says',
    headers: headersOf('ETag', 'Last-Modified', 'Location'),
    content: RESOURCE,
  },
  Deleted: { description: 'It is not there any more, or never was', headers: headersOf('ETag') },
  NotModified: { description: 'The client has this version', headers: VERSION_HEADERS },
  Invalid: refused('The request, a parameter or the resource is not valid'),
  Forbidden: refused('The resource describes the server itself, and cannot be changed'),
  NotFound: refused('There is no such resource'),
  NotAcceptable: refused('The client takes no format that the server has'),
  Conflict: refused('Another write got in the way'),
  Gone: refused('The resource is deleted'),
  PreconditionFailed: refused('Another version is current, or several resources match'),
  TooLarge: refused('The body is larger than the limit of the server'),
  RangeNotSatisfiable: refused('The content has no such range'),
  UnsupportedMediaType: refused('The server does not read this Content-Type'),
  Unprocessable: refused('The request breaks a rule, or would cost too much'),
  Error: refused('Another error'),
  Health: { description: 'It can', content: { 'application/json': { schema: schemaRef('Health') } } },
  Unhealthy: { description: 'It cannot just now', content: { 'application/json': { schema: schemaRef('Health') } } },
  OpenApi: { description: 'This document', content: { 'application/json': { schema: { type: 'object' } } } },
};

const searched = (description: string, item: Schema = TEXT): Schema => ({ description, type: 'array', items: item });

const DATE = `(eq|ne|gt|lt|ge|le|sa|eb|ap)?${TIME}`;
const NUMBER = '(eq|ne|gt|lt|ge|le|sa|eb|ap)?[+-]?[0-9]+(\\.[0-9]+)?([eE][+-]?[0-9]+)?';
const listOf = (pattern: string): Schema => ({ type: 'string', pattern: `^${pattern}(,${pattern})*$` });

/** The values of search parameters by type: a comma in a value is or, a parameter that stands twice is and. */
const SEARCH_SCHEMAS: Readonly<Record<string, Schema>> = {
  token: searched('code, system|code, |code or system|'),
  string: searched('The beginning of the text; case and marks do not count'),
  date: searched('A date or time of any precision, with a prefix such as ge', listOf(DATE)),
  number: searched('A number, with a prefix such as ge', listOf(NUMBER)),
  quantity: searched('number, number|system|code or number||code, with a prefix such as ge'),
  reference: searched('An id, [type]/[id] or a url'),
  uri: searched('A uri'),
  composite: searched('The values of the components, joined by $'),
  special: searched('As the definition of the parameter says'),
};

/** What a form has beside search parameters. */
const CONTROLS = ['format', 'pretty', 'count', 'sort', 'total', 'summary', 'elements', 'include', 'revinclude', 'page'];

const controlSchema = (parameters: Readonly<Record<string, Parameter>>): Schema => ({
  type: 'object',
  properties: Object.fromEntries(
    CONTROLS.flatMap((key) => {
      const parameter = parameters[key];
      return parameter === undefined ? [] : [[parameter.name, parameter.schema]];
    }),
  ),
});

const resourceSchema = (type: string): Schema => ({
  type: 'object',
  required: ['resourceType'],
  properties: { resourceType: { const: type } },
  externalDocs: { url: `https://hl7.org/fhir/R4/${type.toLowerCase()}.html` },
});

const META: Schema = {
  type: 'object',
  properties: { versionId: { type: 'string' }, lastUpdated: { type: 'string', format: 'date-time' } },
};

const OPERATION_OUTCOME: Schema = {
  type: 'object',
  required: ['resourceType', 'issue'],
  properties: {
    resourceType: { const: 'OperationOutcome' },
    issue: {
      type: 'array',
      minItems: 1,
      items: {
        type: 'object',
        required: ['severity', 'code'],
        properties: {
          severity: { enum: ['fatal', 'error', 'warning', 'information'] },
          code: { type: 'string' },
          diagnostics: { type: 'string' },
          expression: { type: 'array', items: { type: 'string' } },
        },
      },
    },
  },
};

const JSON_PATCH: Schema = {
  type: 'array',
  items: {
    type: 'object',
    required: ['op', 'path'],
    properties: {
      op: { enum: ['add', 'remove', 'replace', 'move', 'copy', 'test'] },
      path: { type: 'string' },
      from: { type: 'string' },
      value: {},
    },
  },
};

/** Schemas that tell resources apart and name where R4 describes them; what is inside is R4's matter. */
export const sharedSchemas = (
  resourceTypes: readonly string[],
  parameters: Readonly<Record<string, Parameter>>,
): Record<string, Schema> => ({
  ...Object.fromEntries(resourceTypes.map((type) => [type, resourceSchema(type)])),
  OperationOutcome: OPERATION_OUTCOME,
  Resource: {
    type: 'object',
    required: ['resourceType'],
    properties: { resourceType: schemaRef('ResourceType'), id: ID, meta: META },
  },
  ResourceType: { enum: resourceTypes },
  'search-control': controlSchema(parameters),
  JsonPatch: JSON_PATCH,
  Health: { type: 'object', required: ['status'], properties: { status: { type: 'string' } } },
  ...Object.fromEntries(Object.entries(SEARCH_SCHEMAS).map(([name, schema]) => [`search-${name}`, schema])),
});

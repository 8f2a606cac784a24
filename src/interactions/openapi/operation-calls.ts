/** The operations of the server as calls, by what their OperationDefinitions say of their parameters. */
import type { OperationDefinition, OperationDefinitionParameter } from '@medplum/fhirtypes';
import type { OperationDefinitions } from '../../definitions/operation-definitions.ts';
import type { Operation } from '../route.ts';
import { answers, type Call, fhirContent, type Parameter, parameterRef, type Schema, schemaRef } from './terms.ts';

const TEXT: Schema = { type: 'string', minLength: 1 };

/** The types of parameters that can stand in a url, and how; others come in a Parameters resource. */
const IN_QUERY: Readonly<Record<string, Schema>> = {
  boolean: { type: 'boolean' },
  integer: { type: 'integer' },
  positiveInt: { type: 'integer', minimum: 1 },
  unsignedInt: { type: 'integer', minimum: 0 },
  date: TEXT,
  dateTime: TEXT,
  instant: TEXT,
  code: TEXT,
  id: TEXT,
  string: TEXT,
  uri: TEXT,
  canonical: TEXT,
  Coding: { type: 'string', description: 'code or system|code' },
};

const ANSWERS: Readonly<Record<string, string>> = { Bundle: 'Bundle', OperationOutcome: 'Outcome' };

const inQuery = ({ name, type, min, max, documentation }: OperationDefinitionParameter): Parameter[] => {
  const schema = IN_QUERY[type ?? ''];
  if (name === undefined || schema === undefined) return [];
  return [
    {
      name,
      in: 'query',
      ...(min === 0 ? {} : { required: true }),
      ...(documentation === undefined ? {} : { description: documentation }),
      schema: max === '1' ? schema : { type: 'array', items: schema },
    },
  ];
};

const callOf = (
  definition: OperationDefinition,
  method: 'GET' | 'POST',
  operationId: string,
  inPath: readonly string[],
): Call => {
  const given = (definition.parameter ?? []).filter(({ use }) => use === 'in');
  const answer = (definition.parameter ?? []).find(({ use }) => use === 'out')?.type ?? '';
  const isOfResource = given.some(({ type }) => type === 'Resource');
  const body = isOfResource ? { anyOf: [schemaRef('Parameters'), schemaRef('Resource')] } : schemaRef('Parameters');
  const refs = [...inPath, 'format', 'pretty'].map(parameterRef);
  const errors = { 400: 'Invalid', 404: 'NotFound', 406: 'NotAcceptable', 410: 'Gone', 422: 'Unprocessable' };
  return {
    operationId,
    summary: definition.title ?? `$${definition.code}`,
    ...(definition.description === undefined ? {} : { description: definition.description }),
    tags: ['operation'],
    parameters: method === 'GET' ? [...refs, ...given.flatMap(inQuery)] : refs,
    ...(method === 'GET' ? {} : { requestBody: { content: fhirContent(body) } }),
    responses: answers({
      200: ANSWERS[answer] ?? 'Parameters',
      ...errors,
      ...(method === 'GET' ? {} : { 415: 'UnsupportedMediaType' }),
    }),
  };
};

/** Where an operation can be called, below the FHIR base, without its name. */
const placesOf = ({ levels, types }: Operation): { path: string; inPath: string[]; id: string }[] =>
  levels.flatMap((level) => {
    if (level === 'system') return [{ path: '', inPath: [], id: 'system' }];
    const owners = types ?? ['{type}'];
    return owners.map((owner) => ({
      path: level === 'type' ? `${owner}/` : `${owner}/{id}/`,
      inPath: [...(types === undefined ? ['type'] : []), ...(level === 'type' ? [] : ['id'])],
      id: `${types === undefined ? '' : owner}${level}`,
    }));
  });

/** All calls of operations: their paths below the FHIR base, methods, and descriptions. */
export const operationCalls = (
  operations: readonly Operation[],
  definitions: OperationDefinitions,
): { path: string; method: string; call: Call }[] =>
  operations.flatMap((operation) => {
    const definition = definitions.get(operation.name);
    if (definition === undefined) return [];
    return placesOf(operation).flatMap(({ path, inPath, id }) =>
      operation.methods.map((method) => ({
        path: `${path}$${operation.name}`,
        method,
        call: callOf(definition, method, `${operation.name}-${id}-${method.toLowerCase()}`, inPath),
      })),
    );
  });

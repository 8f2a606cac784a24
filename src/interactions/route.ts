/**
 * From a method and a path below the FHIR base to an interaction. HTTP and the entries of a batch use the same table.
 *
 * @see https://hl7.org/fhir/R4/http.html#summary
 */
import { invalid, methodNotAllowed, notFound } from '../fhir/fhir-error.ts';
import { isId } from '../fhir/reference.ts';
import { bundle } from './bundle.ts';
import { searchCompartment } from './compartment-search.ts';
import { create } from './create.ts';
import { conditionalDelete, deleteResource } from './delete.ts';
import type { FhirRequest, FhirResponse, FhirServer, Interaction } from './fhir-request.ts';
import { history } from './history.ts';
import { withParameters } from './known-parameters.ts';
import { conditionalPatch, patch } from './patch.ts';
import { read } from './read.ts';
import { search, searchSystem } from './search.ts';
import { conditionalUpdate, update } from './update.ts';
import { vread } from './vread.ts';

type Methods<Target> = Readonly<Record<string, Interaction<Target>>>;

const SYSTEM: Methods<object> = { GET: searchSystem, POST: withParameters([], bundle) };
const SYSTEM_SEARCH: Methods<object> = { POST: searchSystem };
const SYSTEM_HISTORY: Methods<object> = { GET: history };
/** Parameters of reads. */
const SUBSET = ['_summary', '_elements'];

const TYPE: Methods<{ type: string }> = {
  GET: search,
  POST: withParameters([], create),
  PUT: conditionalUpdate,
  PATCH: conditionalPatch,
  DELETE: conditionalDelete,
};
const SEARCH: Methods<{ type: string }> = { POST: search };
const INSTANCE: Methods<{ type: string; id: string }> = {
  GET: withParameters(SUBSET, read),
  PUT: withParameters([], update),
  PATCH: withParameters([], patch),
  DELETE: withParameters([], deleteResource),
};
const HISTORY: Methods<{ type: string; id?: string }> = { GET: history };
const COMPARTMENT: Methods<{ type: string; id: string; member: string }> = { GET: searchCompartment };
const COMPARTMENT_SEARCH: typeof COMPARTMENT = { POST: searchCompartment };
const VERSION: Methods<{ type: string; id: string; version: string }> = { GET: withParameters(SUBSET, vread) };

/** A template of paths below the FHIR base, and its methods; HEAD is possible wherever GET is. */
export interface Route {
  readonly path: string;
  readonly methods: readonly string[];
}

const route = (path: string, methods: object): Route => ({ path, methods: Object.keys(methods) });

/** All that is dispatched beside operations. */
export const ROUTES: readonly Route[] = [
  route('', SYSTEM),
  { path: 'metadata', methods: ['GET'] },
  route('_search', SYSTEM_SEARCH),
  route('_history', SYSTEM_HISTORY),
  route('{type}', TYPE),
  route('{type}/_search', SEARCH),
  route('{type}/_history', HISTORY),
  route('{type}/{id}', INSTANCE),
  route('{type}/{id}/_history', HISTORY),
  route('{type}/{id}/_history/{version}', VERSION),
  route('{compartment}/{id}/{member}', COMPARTMENT),
  route('{compartment}/{id}/{member}/_search', COMPARTMENT_SEARCH),
];

const withMethod = <Target>(methods: Methods<Target>, request: FhirRequest): Interaction<Target> => {
  const { method } = request;
  const interaction = Object.hasOwn(methods, method === 'HEAD' ? 'GET' : method)
    ? methods[method === 'HEAD' ? 'GET' : method]
    : undefined;
  if (interaction !== undefined) return interaction;
  const allowed = Object.keys(methods).flatMap((name) => (name === 'GET' ? ['GET', 'HEAD'] : [name]));
  throw methodNotAllowed(method, allowed);
};

const noSuchOperation = (name: string) => notFound(`There is no operation $${name} here`);

/** The operation that a path such as `Patient/1/$everything` names, if it names one. */
const operationAt = (
  path: string,
  operations: readonly Operation[],
  server: FhirServer,
): { operation: Operation; target: OperationTarget } | undefined => {
  const at = path.lastIndexOf('$');
  if (at < 0 || (at > 0 && path[at - 1] !== '/')) return undefined;
  const name = path.slice(at + 1);
  const [type, id, ...more] = decoded(path.slice(0, Math.max(0, at - 1))).filter((part) => part !== '');
  const level = id !== undefined ? 'instance' : type !== undefined ? 'type' : 'system';
  if (type !== undefined && !server.isResourceType(type)) throw notFound(`R4 has no resource type '${type}'`);
  const operation = operations.find((candidate) => candidate.name === name);
  const isHere =
    operation?.levels.includes(level) &&
    (type === undefined || operation.types === undefined || operation.types.includes(type));
  if (operation === undefined || !isHere || more.length > 0) throw noSuchOperation(name);
  return { operation, target: { ...(type === undefined ? {} : { type }), ...(id === undefined ? {} : { id }) } };
};

const methodsOf = ({ operation }: { operation: Operation }): Methods<OperationTarget> =>
  Object.fromEntries(operation.methods.map((method) => [method, operation.run]));

const noSuchPath = (path: string) => notFound(`There is nothing at '${path}'`);

const decoded = (path: string): string[] => {
  try {
    return path.split('/').map(decodeURIComponent);
  } catch {
    throw invalid(`'${path}' is not percent-encoded UTF-8`);
  }
};

/** Where an operation is called: the base, a type, or an instance. */
export interface OperationTarget {
  readonly type?: string;
  readonly id?: string;
}

/** An operation: at which levels, by which methods, it can be called. */
export interface Operation {
  /** The name without the dollar sign. */
  readonly name: string;
  /** Types that have it; undefined for all types. */
  readonly types?: readonly string[];
  readonly levels: readonly ('system' | 'type' | 'instance')[];
  readonly methods: readonly ('GET' | 'POST')[];
  readonly run: Interaction<OperationTarget>;
  /**
   * Whether it supports all that the `base` of its OperationDefinition asks for, so that clients may be told the base;
   * else it is a subset of it.
   */
  readonly isAllOfBase?: boolean;
}

export type Dispatch = (server: FhirServer, request: FhirRequest) => Promise<FhirResponse>;

/** Answers requests. The answer fails with a FhirError 404 for an unknown path or type, 405 for a method the path has not. */
export const createDispatch =
  (capabilities: Interaction, operations: readonly Operation[]): Dispatch =>
  async (server, request) => {
    const { path } = request;
    const operation = operationAt(path, operations, server);
    if (operation !== undefined) return withMethod(methodsOf(operation), request)(server, request, operation.target);
    if (path === '') return withMethod(SYSTEM, request)(server, request, {});
    if (path === '_search') return withMethod(SYSTEM_SEARCH, request)(server, request, {});
    if (path === '_history') return withMethod(SYSTEM_HISTORY, request)(server, request, {});
    if (path === 'metadata')
      return withMethod({ GET: withParameters(['mode'], capabilities) }, request)(server, request, {});
    const [type = '', id, keyword, version, ...more] = decoded(path);
    if (!server.isResourceType(type)) throw notFound(`R4 has no resource type '${type}'`);
    if (id === undefined) return withMethod(TYPE, request)(server, request, { type });
    if (id === '_history' && keyword === undefined) return withMethod(HISTORY, request)(server, request, { type });
    if (id === '_search' && keyword === undefined) return withMethod(SEARCH, request)(server, request, { type });
    if (id.startsWith('_') || id.startsWith('$') || more.length > 0) throw noSuchPath(path);
    if (!isId(id)) throw invalid(`'${id}' is not an id: an id has 1 to 64 of the characters A-Z, a-z, 0-9, - and .`);
    if (keyword !== undefined && keyword !== '_history') {
      const isSearch = version === '_search';
      if (version !== undefined && !isSearch) throw noSuchPath(path);
      if (keyword !== '*' && !server.isResourceType(keyword)) throw noSuchPath(path);
      const methods = isSearch ? COMPARTMENT_SEARCH : COMPARTMENT;
      return withMethod(methods, request)(server, request, { type, id, member: keyword });
    }
    if (keyword === undefined) return withMethod(INSTANCE, request)(server, request, { type, id });
    if (version === undefined) return withMethod(HISTORY, request)(server, request, { type, id });
    return withMethod(VERSION, request)(server, request, { type, id, version });
  };

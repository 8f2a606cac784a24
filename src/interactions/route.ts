/**
 * From a method and a path below the FHIR base to an interaction. HTTP and the entries of a batch use the same table.
 *
 * @see https://hl7.org/fhir/R4/http.html#summary
 */
import { type AccessRule, operating, PUBLIC, reading, searching, writing } from '../access/access-rule.ts';
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

interface Guarded<Target> {
  readonly access: AccessRule;
  readonly run: Interaction<Target>;
}

type Methods<Target> = Readonly<Record<string, Guarded<Target>>>;

const guarded = <Target>(access: AccessRule, run: Interaction<Target>): Guarded<Target> => ({ access, run });

/** Parameters of reads. */
const SUBSET = ['_summary', '_elements'];

const SYSTEM: Methods<object> = {
  GET: guarded(searching(), searchSystem),
  // The entries of a batch are requests of their own; what a transaction writes is judged when it is committed.
  POST: guarded(writing(), withParameters([], bundle)),
};
const SYSTEM_SEARCH: Methods<object> = { POST: guarded(searching(), searchSystem) };
const SYSTEM_HISTORY: Methods<object> = { GET: guarded({ ...reading(), reads: ['s'] }, history) };

const TYPE: Methods<{ type: string }> = {
  GET: guarded(searching('s'), search),
  POST: guarded(writing('c'), withParameters([], create)),
  PUT: guarded(writing('u', 's'), conditionalUpdate),
  PATCH: guarded(writing('u', 's'), conditionalPatch),
  DELETE: guarded(writing('d', 's'), conditionalDelete),
};
const SEARCH: Methods<{ type: string }> = { POST: guarded(searching('s'), search) };
const INSTANCE: Methods<{ type: string; id: string }> = {
  GET: guarded(reading('r'), withParameters(SUBSET, read)),
  PUT: guarded(writing('u'), withParameters([], update)),
  PATCH: guarded(writing('u'), withParameters([], patch)),
  DELETE: guarded(writing('d'), withParameters([], deleteResource)),
};
const HISTORY: Methods<{ type: string; id?: string }> = { GET: guarded(reading('r'), history) };
const TYPE_HISTORY: typeof HISTORY = { GET: guarded({ ...reading('s'), reads: ['s'] }, history) };
const COMPARTMENT: Methods<{ type: string; id: string; member: string }> = {
  GET: guarded(searching('s'), searchCompartment),
};
const COMPARTMENT_SEARCH: typeof COMPARTMENT = { POST: guarded(searching('s'), searchCompartment) };
const VERSION: Methods<{ type: string; id: string; version: string }> = {
  GET: guarded(reading('r'), withParameters(SUBSET, vread)),
};

/** A template of paths below the FHIR base, and its methods; HEAD is possible wherever GET is. */
export interface Route {
  readonly path: string;
  readonly methods: readonly string[];
  /** Of each method. */
  readonly access: Readonly<Record<string, AccessRule>>;
}

const route = (path: string, methods: Readonly<Record<string, { readonly access: AccessRule }>>): Route => ({
  path,
  methods: Object.keys(methods),
  access: Object.fromEntries(Object.entries(methods).map(([method, { access }]) => [method, access])),
});

/** All that is dispatched beside operations. */
export const ROUTES: readonly Route[] = [
  route('', SYSTEM),
  { path: 'metadata', methods: ['GET'], access: { GET: PUBLIC } },
  route('_search', SYSTEM_SEARCH),
  route('_history', SYSTEM_HISTORY),
  route('{type}', TYPE),
  route('{type}/_search', SEARCH),
  route('{type}/_history', TYPE_HISTORY),
  route('{type}/{id}', INSTANCE),
  route('{type}/{id}/_history', HISTORY),
  route('{type}/{id}/_history/{version}', VERSION),
  route('{compartment}/{id}/{member}', COMPARTMENT),
  route('{compartment}/{id}/{member}/_search', COMPARTMENT_SEARCH),
];

const withMethod = <Target>(methods: Methods<Target>, request: FhirRequest): Guarded<Target> => {
  const { method } = request;
  const interaction = Object.hasOwn(methods, method === 'HEAD' ? 'GET' : method)
    ? methods[method === 'HEAD' ? 'GET' : method]
    : undefined;
  if (interaction !== undefined) return interaction;
  const allowed = Object.keys(methods).flatMap((name) => (name === 'GET' ? ['GET', 'HEAD'] : [name]));
  throw methodNotAllowed(method, allowed);
};

const levelOf = ({ type, id }: OperationTarget): Level =>
  id !== undefined ? 'instance' : type !== undefined ? 'type' : 'system';

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
  const level = levelOf({ ...(type === undefined ? {} : { type }), ...(id === undefined ? {} : { id }) });
  if (type !== undefined && !server.isResourceType(type)) throw notFound(`R4 has no resource type '${type}'`);
  const operation = operations.find((candidate) => candidate.name === name);
  const isHere =
    operation?.levels.includes(level) &&
    (type === undefined || operation.types === undefined || operation.types.includes(type));
  if (operation === undefined || !isHere || more.length > 0) throw noSuchOperation(name);
  return { operation, target: { ...(type === undefined ? {} : { type }), ...(id === undefined ? {} : { id }) } };
};

const methodsOf = ({
  operation,
  target,
}: {
  operation: Operation;
  target: OperationTarget;
}): Methods<OperationTarget> => {
  const access = operation.access[levelOf(target)] as AccessRule;
  return Object.fromEntries(operation.methods.map((method) => [method, guarded(access, operation.run)]));
};

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

type Level = 'system' | 'type' | 'instance';

/** An operation: at which levels, by which methods, it can be called. */
export interface Operation {
  /** The name without the dollar sign. */
  readonly name: string;
  /** Types that have it; undefined for all types. */
  readonly types?: readonly string[];
  readonly levels: readonly Level[];
  /** Of each level. */
  readonly access: Readonly<Partial<Record<Level, AccessRule>>>;
  readonly methods: readonly ('GET' | 'POST')[];
  readonly run: Interaction<OperationTarget>;
  /**
   * Whether it supports all that the `base` of its OperationDefinition asks for, so that clients may be told the base;
   * else it is a subset of it.
   */
  readonly isAllOfBase?: boolean;
}

export interface Dispatch {
  dispatch(server: FhirServer, request: FhirRequest): Promise<FhirResponse>;
  /** Throws a FhirError if the request would be refused before it is looked into. */
  checkPermitted(server: FhirServer, request: Pick<FhirRequest, 'method' | 'path'>): void;
}

/** An interaction that a request asks for, yet to be carried out. */
interface Call {
  readonly access: AccessRule;
  /** The type to which its rule applies, if there is one. */
  readonly type?: string;
  run(server: FhirServer): Promise<FhirResponse>;
}

const callOf = <Target extends object>(
  methods: Methods<Target>,
  request: FhirRequest,
  target: Target,
  type?: string,
): Call => {
  const { access, run } = withMethod(methods, request);
  return { access, ...(type === undefined ? {} : { type }), run: (server) => run(server, request, target) };
};

const instanceCall = (server: FhirServer, request: FhirRequest, parts: readonly string[]): Call => {
  const { path } = request;
  const [type = '', id = '', keyword, version, ...more] = parts;
  if (id.startsWith('_') || id.startsWith('$') || more.length > 0) throw noSuchPath(path);
  if (!isId(id)) throw invalid(`'${id}' is not an id: an id has 1 to 64 of the characters A-Z, a-z, 0-9, - and .`);
  if (keyword !== undefined && keyword !== '_history') {
    const isSearch = version === '_search';
    if (version !== undefined && !isSearch) throw noSuchPath(path);
    if (keyword !== '*' && !server.isResourceType(keyword)) throw noSuchPath(path);
    const methods = isSearch ? COMPARTMENT_SEARCH : COMPARTMENT;
    return callOf(methods, request, { type, id, member: keyword }, keyword === '*' ? undefined : keyword);
  }
  if (keyword === undefined) return callOf(INSTANCE, request, { type, id }, type);
  if (version === undefined) return callOf(HISTORY, request, { type, id }, type);
  return callOf(VERSION, request, { type, id, version }, type);
};

/** What a request asks for. Throws a FhirError 404 for an unknown path or type, 405 for a method the path has not. */
const calledBy = (
  server: FhirServer,
  request: FhirRequest,
  capabilities: Interaction,
  operations: readonly Operation[],
): Call => {
  const { path } = request;
  const operation = operationAt(path, operations, server);
  if (operation !== undefined) return callOf(methodsOf(operation), request, operation.target, operation.target.type);
  if (path === '') return callOf(SYSTEM, request, {});
  if (path === '_search') return callOf(SYSTEM_SEARCH, request, {});
  if (path === '_history') return callOf(SYSTEM_HISTORY, request, {});
  if (path === 'metadata') return callOf({ GET: guarded(PUBLIC, withParameters(['mode'], capabilities)) }, request, {});
  const parts = decoded(path);
  const [type = '', id, keyword] = parts;
  if (!server.isResourceType(type)) throw notFound(`R4 has no resource type '${type}'`);
  if (id === undefined) return callOf(TYPE, request, { type }, type);
  if (id === '_history' && keyword === undefined) return callOf(TYPE_HISTORY, request, { type }, type);
  if (id === '_search' && keyword === undefined) return callOf(SEARCH, request, { type }, type);
  return instanceCall(server, request, parts);
};

/** Throws an Error if something can be called without a rule that says by whom. */
const checkAccessRules = (routes: readonly Route[], operations: readonly Operation[]): void => {
  for (const { path, methods, access } of routes)
    for (const method of methods)
      if (access?.[method] === undefined) throw new Error(`${method} ${path} has no access rule`);
  for (const { name, levels, access } of operations)
    for (const level of levels)
      if (access?.[level] === undefined) throw new Error(`$${name} has no access rule at the level ${level}`);
};

/** A path that leads nowhere is told as such only to who may ask for something. */
const ANYTHING = operating();

/**
 * Answers requests, each with what its caller may see. The answer fails with a FhirError 404 for an unknown path or type,
 * 405 for a method the path has not, 401 or 403 for a caller who may not. Throws an Error if there is no rule for that.
 */
export const createDispatch = (
  capabilities: Interaction,
  operations: readonly Operation[],
  routes: readonly Route[] = ROUTES,
): Dispatch => {
  checkAccessRules(routes, operations);
  const called = (server: FhirServer, request: FhirRequest): { call: Call; narrowed: FhirServer } => {
    let call: Call;
    try {
      call = calledBy(server, request, capabilities, operations);
    } catch (error) {
      server.under(ANYTHING);
      throw error;
    }
    return { call, narrowed: server.under(call.access, call.type) };
  };
  return {
    dispatch: async (server, request) => {
      const { call, narrowed } = called(server, request);
      return call.run(narrowed);
    },
    checkPermitted: (server, request) => {
      called(server, { ...request, query: '', headers: {} });
    },
  };
};

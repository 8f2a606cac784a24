/**
 * From a method and a path below the FHIR base to an interaction. HTTP and the entries of a batch use the same table.
 *
 * @see https://hl7.org/fhir/R4/http.html#summary
 */
import { invalid, methodNotAllowed, notFound } from '../fhir/fhir-error.ts';
import { isId } from '../fhir/reference.ts';
import { bundle } from './bundle.ts';
import { create } from './create.ts';
import { deleteResource } from './delete.ts';
import type { FhirRequest, FhirResponse, FhirServer, Interaction } from './fhir-request.ts';
import { history } from './history.ts';
import { patch } from './patch.ts';
import { read } from './read.ts';
import { search } from './search.ts';
import { update } from './update.ts';
import { vread } from './vread.ts';

type Methods<Target> = Readonly<Record<string, Interaction<Target>>>;

const SYSTEM: Methods<object> = { POST: bundle };
const TYPE: Methods<{ type: string }> = { GET: search, POST: create };
const SEARCH: Methods<{ type: string }> = { POST: search };
const INSTANCE: Methods<{ type: string; id: string }> = {
  GET: read,
  PUT: update,
  PATCH: patch,
  DELETE: deleteResource,
};
const HISTORY: Methods<{ type: string; id: string }> = { GET: history };
const VERSION: Methods<{ type: string; id: string; version: string }> = { GET: vread };

const withMethod = <Target>(methods: Methods<Target>, request: FhirRequest): Interaction<Target> => {
  const { method } = request;
  const interaction = Object.hasOwn(methods, method === 'HEAD' ? 'GET' : method)
    ? methods[method === 'HEAD' ? 'GET' : method]
    : undefined;
  if (interaction !== undefined) return interaction;
  const allowed = Object.keys(methods).flatMap((name) => (name === 'GET' ? ['GET', 'HEAD'] : [name]));
  throw methodNotAllowed(method, allowed);
};

const noSuchPath = (path: string) => notFound(`There is nothing at '${path}'`);

const decoded = (path: string): string[] => {
  try {
    return path.split('/').map(decodeURIComponent);
  } catch {
    throw invalid(`'${path}' is not percent-encoded UTF-8`);
  }
};

export type Dispatch = (server: FhirServer, request: FhirRequest) => Promise<FhirResponse>;

/** Answers requests. The answer fails with a FhirError 404 for an unknown path or type, 405 for a method the path has not. */
export const createDispatch =
  (capabilities: Interaction): Dispatch =>
  async (server, request) => {
    const { path } = request;
    if (path === '') return withMethod(SYSTEM, request)(server, request, {});
    if (path === 'metadata') return withMethod({ GET: capabilities }, request)(server, request, {});
    const [type = '', id, keyword, version, ...more] = decoded(path);
    if (!server.isResourceType(type)) throw notFound(`R4 has no resource type '${type}'`);
    if (id === undefined) return withMethod(TYPE, request)(server, request, { type });
    if (id === '_search' && keyword === undefined) return withMethod(SEARCH, request)(server, request, { type });
    if (id.startsWith('_') || id.startsWith('$') || more.length > 0) throw noSuchPath(path);
    if (keyword !== undefined && keyword !== '_history') throw noSuchPath(path);
    if (!isId(id)) throw invalid(`'${id}' is not an id: an id has 1 to 64 of the characters A-Z, a-z, 0-9, - and .`);
    if (keyword === undefined) return withMethod(INSTANCE, request)(server, request, { type, id });
    if (version === undefined) return withMethod(HISTORY, request)(server, request, { type, id });
    return withMethod(VERSION, request)(server, request, { type, id, version });
  };

/** FHIR over HTTP: all below `/fhir` goes to one dispatch, which also answers the entries of batches. */
import { isUtf8 } from 'node:buffer';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type FhirError, invalid } from '../fhir/fhir-error.ts';
import { prettyJson } from '../fhir/pretty-json.ts';
import type { FhirRequest, FhirResponse } from '../interactions/fhir-request.ts';
import { answerType, checkBodyEncoding, checkBodyType, contentPreference, isJsonType } from './media-types.ts';

/** Where a request comes from, to tell the base url that its client uses. */
export interface RequestOrigin {
  readonly headers: FhirRequest['headers'];
  readonly remoteAddress: string | undefined;
}

export interface FhirRouteOptions {
  answer(request: FhirRequest, origin: RequestOrigin): Promise<FhirResponse>;
  /** Logs an error that was not foreseen, and gives the one that the client gets to see in its place. */
  visibleError(request: FastifyRequest, error: unknown): FhirError;
}

/** Methods whose body means something; of others it is passed over. */
const METHODS_WITH_BODY = new Set(['POST', 'PUT', 'PATCH']);

const BYTE_ORDER_MARK = '\uFEFF';

/** The body without a byte order mark, which JSON must not have and readers may ignore (RFC 8259, section 8.1). */
const bodyText = (body: unknown): string | undefined => {
  if (!Buffer.isBuffer(body) || body.length === 0) return undefined;
  if (!isUtf8(body)) throw invalid('The body is not UTF-8');
  const text = body.toString('utf8');
  return text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
};

/** The path and query of a request target, which RFC 9112 allows to be a whole url. */
const pathAndQuery = (target: string): [path: string, query: string] => {
  const [path = '', ...query] = target.replace(/^https?:\/\/[^/?]*/i, '').split('?');
  return [path, query.join('?')];
};

const parameterOf = (query: string, name: string): string | undefined =>
  new URLSearchParams(query).get(name) ?? undefined;

/** Whether an answer is to be laid out for people. Throws a FhirError 400 for another value than true or false. */
const isPretty = (query: string): boolean => {
  const value = parameterOf(query, '_pretty');
  if (value !== undefined && value !== 'true' && value !== 'false')
    throw invalid(`_pretty: '${value}' is neither true nor false`);
  return value === 'true';
};

/** Whether the error answer to a request is to be laid out for people. */
export const wantsPretty = (target: string): boolean => parameterOf(pathAndQuery(target)[1], '_pretty') === 'true';

const BINARY_READ = /^Binary\/[^/]+(?:\/_history\/[^/]+)?$/;
const BINARY_WRITE: Readonly<Record<string, RegExp>> = { POST: /^Binary$/, PUT: /^Binary(?:\/[^/]+)?$/ };

/** Headers are bytes; those of JSON in a header are UTF-8. */
const utf8Header = (header: string | undefined): string | undefined => {
  if (header === undefined) return undefined;
  const bytes = Buffer.from(header, 'latin1');
  return isUtf8(bytes) ? bytes.toString('utf8') : header;
};

type Body = Pick<FhirRequest, 'body' | 'content'>;

const bodyOf = (request: FastifyRequest, below: string, isSearch: boolean): Body => {
  const { method, headers, body: bytes } = request;
  if (!METHODS_WITH_BODY.has(method) || !Buffer.isBuffer(bytes) || bytes.length === 0) return {};
  checkBodyEncoding(headers['content-encoding']);
  const contentType = headers['content-type'];
  if (contentType !== undefined && BINARY_WRITE[method]?.test(below) && !isJsonType(contentType))
    return { content: { bytes, contentType } };
  checkBodyType(contentType, isSearch ? 'search' : method === 'PATCH' ? 'patch' : 'resource');
  const body = bodyText(bytes);
  return body === undefined ? {} : { body };
};

interface Asked {
  readonly fhir: FhirRequest;
  /** The content type of an answer in JSON. Throws a FhirError 406. */
  contentType(): string;
  readonly isPretty: boolean;
}

/** The request in FHIR's terms, and the form of its answer. Throws a FhirError 400, 406 or 415. */
const askedOf = (request: FastifyRequest): Asked => {
  const { method } = request;
  const [path, query] = pathAndQuery(request.url);
  const below = path.replace(/^\/fhir\/?/, '').replace(/\/$/, '');
  const given = request.headers as Record<string, string | undefined>;
  const headers: FhirRequest['headers'] = { ...given, 'x-provenance': utf8Header(given['x-provenance']) };
  const isSearch = method === 'POST' && /(?:^|\/)_search$/.test(below);
  const sent = bodyOf(request, below, isSearch);
  const ofForm = isSearch ? (sent.body ?? '') : '';
  const format = parameterOf(query, '_format') ?? parameterOf(ofForm, '_format');
  const contentType = (): string => answerType(headers['accept'], format);
  const isBinaryRead = (method === 'GET' || method === 'HEAD') && BINARY_READ.test(below);
  if (!isBinaryRead) contentType();
  const fhir = {
    ...{ method, path: below, query, headers, ...sent },
    isAbandoned: () => request.raw.socket.destroyed,
    ...(isBinaryRead ? { wantsContent: contentPreference(headers['accept'], format) } : {}),
  };
  return { fhir, contentType, isPretty: isPretty(query) || isPretty(ofForm) };
};

const send = (reply: FastifyReply, answer: FhirResponse, asked: Asked): FastifyReply => {
  const { status, headers, outcome, body = outcome, contentType } = answer;
  if (body === undefined) return reply.code(status).headers(headers).send();
  if (contentType !== undefined)
    return reply.code(status).headers(headers).header('content-type', contentType).send(body);
  const jsonType = asked.contentType();
  const shown = asked.isPretty ? prettyJson(body.toString()) : body;
  return reply.code(status).headers(headers).header('content-type', jsonType).send(shown);
};

export const fhirRoutes = async (app: FastifyInstance, options: FhirRouteOptions): Promise<void> => {
  // The body stays as it came: interactions keep its text, digits and all.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

  const handler = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const asked = askedOf(request);
    const fhir: FhirRequest = { ...asked.fhir, visibleError: (error) => options.visibleError(request, error) };
    const origin = { headers: fhir.headers, remoteAddress: request.socket.remoteAddress };
    return send(reply, await options.answer(fhir, origin), asked);
  };
  const method = [...app.supportedMethods];
  for (const url of ['/fhir', '/fhir/', '/fhir/*']) app.route({ method, url, handler, exposeHeadRoute: false });
};

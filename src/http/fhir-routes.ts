/** FHIR over HTTP: all below `/fhir` goes to one dispatch, which also answers the entries of batches. */
import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Caller } from '../access/access-rule.ts';
import { createBase64Encoder } from '../fhir/base64.ts';
import { type FhirError, invalid } from '../fhir/fhir-error.ts';
import { cutLargeString } from '../fhir/large-string.ts';
import { prettyJson } from '../fhir/pretty-json.ts';
import type { FhirRequest, FhirResponse } from '../interactions/fhir-request.ts';
import type { CallingRequest } from './bearer-caller.ts';
import { answerType, checkBodyEncoding, checkBodyType, contentPreference, isJsonType } from './media-types.ts';
import { announcedLength, bufferSink, receivedBody, type Sink } from './receive-body.ts';

/** Where a request comes from, to tell the base url that its client uses. */
export interface RequestOrigin {
  readonly headers: FhirRequest['headers'];
  readonly remoteAddress: string | undefined;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks, below the FHIR base; undefined for a server without sign-in. */
    caller: Caller | undefined;
  }
}

export interface FhirRouteOptions {
  answer(request: FhirRequest, origin: RequestOrigin, caller: Caller | undefined): Promise<FhirResponse>;
  /** Who sends a request; undefined for a server without sign-in. Fails with a FhirError 400 or 401. */
  readonly callerOf: ((request: CallingRequest, origin: RequestOrigin) => Promise<Caller>) | undefined;
  /** Logs an error that was not foreseen, and gives the one that the client gets to see in its place. */
  visibleError(request: FastifyRequest, error: unknown): FhirError;
}

/** Methods whose body means something; of others it is passed over. */
const METHODS_WITH_BODY = new Set(['POST', 'PUT', 'PATCH']);

const BYTE_ORDER_MARK = '\uFEFF';

const withoutMark = (text: string): string => (text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text);

/** The body without a byte order mark, which JSON must not have and readers may ignore (RFC 8259, section 8.1). */
const bodyText = (body: Buffer): string => {
  if (!isUtf8(body)) throw invalid('The body is not UTF-8');
  return withoutMark(body.toString('utf8'));
};

/** The path and query of a request target, which RFC 9112 allows to be a whole url. */
const pathAndQuery = (target: string): [path: string, query: string] => {
  const [path = '', ...query] = target.replace(/^https?:\/\/[^/?]*/i, '').split('?');
  return [path, query.join('?')];
};

const parameterOf = (query: string, name: string): string | undefined =>
  query === '' ? undefined : (new URLSearchParams(query).get(name) ?? undefined);

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

type Body = Pick<FhirRequest, 'body' | 'large' | 'content'>;

/** Below the FHIR base, without slashes at its ends. */
const pathBelowBase = (path: string): string => path.replace(/^\/fhir\/?/, '').replace(/\/$/, '');

/** Base64 if the content of a Binary is uploaded, else the bytes as they are. */
type ReceivedBody = Buffer | readonly Uint8Array[];

/** The content of a Binary becomes base64 while it arrives: it is never there twice, and nobody waits for its encoding. */
const sinkOf = (
  { method, headers }: FastifyRequest,
  below: string,
  announced: number | undefined,
): Sink<ReceivedBody> => {
  const contentType = headers['content-type'];
  const isUpload = contentType !== undefined && BINARY_WRITE[method]?.test(below) && !isJsonType(contentType);
  return isUpload ? createBase64Encoder(announced) : bufferSink(announced);
};

const bodyOf = (request: FastifyRequest, below: string, isSearch: boolean): Body => {
  const { method, headers } = request;
  const bytes = request.body as ReceivedBody | undefined;
  if (!METHODS_WITH_BODY.has(method) || bytes === undefined || bytes.length === 0) return {};
  checkBodyEncoding(headers['content-encoding']);
  const contentType = headers['content-type'];
  if (!Buffer.isBuffer(bytes)) return { content: { base64: bytes, contentType: contentType ?? '' } };
  checkBodyType(contentType, isSearch ? 'search' : method === 'PATCH' ? 'patch' : 'resource');
  if (!BINARY_WRITE[method]?.test(below)) return { body: bodyText(bytes) };
  const cut = isUtf8(bytes) ? cutLargeString(bytes) : undefined;
  if (cut === undefined) return { body: bodyText(bytes) };
  return { body: withoutMark(cut.text), large: bytes.subarray(cut.large.start, cut.large.end) };
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
  const below = pathBelowBase(path);
  const given = request.headers as Record<string, string | undefined>;
  const headers: FhirRequest['headers'] = { ...given, 'x-provenance': utf8Header(given['x-provenance']) };
  const isSearch = method === 'POST' && /(?:^|\/)_search$/.test(below);
  const sent = bodyOf(request, below, isSearch);
  const ofForm = isSearch ? (sent.body ?? '') : '';
  const format = parameterOf(query, '_format') ?? parameterOf(ofForm, '_format');
  let known: string | undefined;
  const contentType = (): string => {
    known ??= answerType(headers['accept'], format);
    return known;
  };
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
  const { status, headers, outcome, body = outcome, content } = answer;
  if (content !== undefined) {
    const { contentType, length } = content;
    reply.code(status).headers(headers).headers({ 'content-type': contentType, 'content-length': length });
    // Made as fast as the client reads, and for a HEAD not at all.
    return reply.send(asked.fhir.method === 'HEAD' ? '' : Readable.from(content.pieces()));
  }
  if (body === undefined) return reply.code(status).headers(headers).send();
  const jsonType = asked.contentType();
  const shown = asked.isPretty ? prettyJson(body.toString()) : body;
  return reply.code(status).headers(headers).header('content-type', jsonType).send(shown);
};

export const fhirRoutes = async (app: FastifyInstance, options: FhirRouteOptions): Promise<void> => {
  // The body stays as it came: interactions keep its text, digits and all.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', async (request: FastifyRequest, payload: IncomingMessage): Promise<ReceivedBody> => {
    const length = announcedLength(payload);
    const [path] = pathAndQuery(request.url);
    const sink = sinkOf(request, pathBelowBase(path), length);
    return receivedBody(payload, length, request.routeOptions.bodyLimit, sink);
  });

  app.decorateRequest('caller', undefined);
  const originOf = ({ headers, socket }: FastifyRequest): RequestOrigin => ({
    headers: headers as FhirRequest['headers'],
    remoteAddress: socket.remoteAddress,
  });
  const { callerOf } = options;
  if (callerOf !== undefined)
    app.addHook('onRequest', async (request, reply) => {
      // Set first, so that errors have it, too, and an interaction may say otherwise.
      reply.header('cache-control', 'no-store');
      const { method, headers, url } = request;
      const calling = { method, authorization: headers.authorization, query: pathAndQuery(url)[1] };
      request.caller = await callerOf(calling, originOf(request));
    });

  const handler = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const asked = askedOf(request);
    const fhir: FhirRequest = { ...asked.fhir, visibleError: (error) => options.visibleError(request, error) };
    return send(reply, await options.answer(fhir, originOf(request), request.caller), asked);
  };
  const method = [...app.supportedMethods];
  for (const url of ['/fhir', '/fhir/', '/fhir/*']) app.route({ method, url, handler, exposeHeadRoute: false });
};

/** FHIR over HTTP: all below `/fhir` goes to one dispatch, which also answers the entries of batches. */
import { isUtf8 } from 'node:buffer';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { invalid } from '../fhir/fhir-error.ts';
import type { FhirRequest, FhirResponse } from '../interactions/fhir-request.ts';
import { answerType, checkBodyEncoding, checkBodyType } from './media-types.ts';

export interface FhirRouteOptions {
  answer(request: FhirRequest): Promise<FhirResponse>;
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

const formatOf = (query: string): string | undefined => new URLSearchParams(query).get('_format') ?? undefined;

/** The request in FHIR's terms, and the content type of its answer. */
const fhirRequest = (request: FastifyRequest): { fhir: FhirRequest; contentType: string } => {
  const [path, query] = pathAndQuery(request.url);
  const below = path.replace(/^\/fhir\/?/, '').replace(/\/$/, '');
  const headers = request.headers as Record<string, string | undefined>;
  const isSearch = request.method === 'POST' && below.endsWith('/_search');
  const hasBody = METHODS_WITH_BODY.has(request.method) && Buffer.isBuffer(request.body) && request.body.length > 0;
  if (hasBody) {
    checkBodyEncoding(headers['content-encoding']);
    checkBodyType(headers['content-type'], isSearch ? 'search' : request.method === 'PATCH' ? 'patch' : 'resource');
  }
  const body = hasBody ? bodyText(request.body) : undefined;
  const contentType = answerType(headers['accept'], formatOf(query) ?? (isSearch ? formatOf(body ?? '') : undefined));
  const fhir = { method: request.method, path: below, query, headers };
  return { fhir: body === undefined ? fhir : { ...fhir, body }, contentType };
};

const send = (
  reply: FastifyReply,
  { status, headers, outcome, body = outcome }: FhirResponse,
  contentType: string,
): FastifyReply => {
  reply.code(status).headers(headers);
  return body === undefined ? reply.send() : reply.header('content-type', contentType).send(body);
};

export const fhirRoutes = async (app: FastifyInstance, options: FhirRouteOptions): Promise<void> => {
  // The body stays as it came: interactions keep its text, digits and all.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

  const handler = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const { fhir, contentType } = fhirRequest(request);
    return send(reply, await options.answer(fhir), contentType);
  };
  const method = [...app.supportedMethods];
  for (const url of ['/fhir', '/fhir/', '/fhir/*']) app.route({ method, url, handler, exposeHeadRoute: false });
};

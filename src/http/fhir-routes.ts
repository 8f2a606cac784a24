/** FHIR over HTTP: all below `/fhir` goes to one dispatch, which also answers the entries of batches. */
import { isUtf8 } from 'node:buffer';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { invalid } from '../fhir/fhir-error.ts';
import type { FhirRequest, FhirResponse } from '../interactions/fhir-request.ts';
import { answerType, checkBodyType } from './media-types.ts';

export interface FhirRouteOptions {
  answer(request: FhirRequest): Promise<FhirResponse>;
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];

const bodyText = (body: unknown): string | undefined => {
  if (!Buffer.isBuffer(body) || body.length === 0) return undefined;
  if (!isUtf8(body)) throw invalid('The body is not UTF-8');
  return body.toString('utf8');
};

/** The request in FHIR's terms, and the content type of its answer. */
const fhirRequest = (request: FastifyRequest): { fhir: FhirRequest; contentType: string } => {
  const [path = '', ...query] = request.url.split('?');
  const below = path.replace(/^\/fhir\/?/, '').replace(/\/$/, '');
  const queryText = query.join('?');
  const format = new URLSearchParams(queryText).get('_format') ?? undefined;
  const contentType = answerType(request.headers.accept, format);
  const body = bodyText(request.body);
  const isSearch = request.method === 'POST' && below.endsWith('/_search');
  if (body !== undefined) checkBodyType(request.headers['content-type'], isSearch);
  const headers = request.headers as Record<string, string | undefined>;
  const fhir = { method: request.method, path: below, query: queryText, headers };
  return { fhir: body === undefined ? fhir : { ...fhir, body }, contentType };
};

const send = (reply: FastifyReply, { status, headers, body }: FhirResponse, contentType: string): FastifyReply => {
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
  for (const url of ['/fhir', '/fhir/', '/fhir/*'])
    app.route({ method: METHODS, url, handler, exposeHeadRoute: false });
};

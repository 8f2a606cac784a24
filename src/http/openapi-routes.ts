/** `/openapi.json`: all paths of the server in the terms of OpenAPI, for code generators and consoles. */
import type { FastifyInstance } from 'fastify';
import type { RequestOrigin } from './fhir-routes.ts';

export interface OpenApiOptions {
  /** The document as JSON. */
  openApi(origin: RequestOrigin): Promise<string>;
}

export const openApiRoutes = async (app: FastifyInstance, { openApi }: OpenApiOptions): Promise<void> => {
  app.get('/openapi.json', async (request, reply) => {
    const headers = request.headers as Record<string, string | undefined>;
    const text = await openApi({ headers, remoteAddress: request.socket.remoteAddress });
    return reply.header('content-type', 'application/json; charset=utf-8').send(text);
  });
};

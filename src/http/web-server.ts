/** The web server: FHIR below `/fhir`, health beside it, one rendering of errors. */
import Fastify, { type FastifyInstance, LogController } from 'fastify';
import { notFound } from '../fhir/fhir-error.ts';
import { operationOutcome } from '../fhir/operation-outcome.ts';
import { visibleError } from './errors.ts';
import { type FhirRouteOptions, fhirRoutes } from './fhir-routes.ts';
import { healthRoutes } from './health-routes.ts';

export interface WebServerOptions extends FhirRouteOptions {
  /** The largest body, in bytes. */
  readonly bodyBytes: number;
  readonly logLevel: string;
  newId(): string;
  /** Whether the server can serve just now. */
  isReady(): Promise<boolean>;
}

export type WebServer = FastifyInstance;

/** Builds the server, not yet listening. */
export const buildWebServer = (options: WebServerOptions): WebServer => {
  const app = Fastify({
    bodyLimit: options.bodyBytes,
    // Urls hold names and identifiers of patients: requests are not logged; failures are, without their url.
    logController: new LogController({ disableRequestLogging: true }),
    logger: { level: options.logLevel, stream: process.stderr },
    forceCloseConnections: 'idle',
    // A request that comes while the server drains is answered like any other.
    return503OnClosing: false,
  });
  app.setNotFoundHandler(() => {
    throw notFound('There is nothing here; the FHIR base is /fhir');
  });
  app.setErrorHandler((error, request, reply) => {
    const { status, issues, headers } = visibleError(error, request.log, options.newId, options.bodyBytes);
    reply.code(status).headers(headers).header('content-type', 'application/fhir+json; charset=utf-8');
    return reply.send(JSON.stringify(operationOutcome(issues)));
  });
  app.register(healthRoutes, { isReady: options.isReady });
  app.register(fhirRoutes, { answer: options.answer });
  return app;
};

/** The web server: FHIR below `/fhir`, health beside it, one rendering of errors. */
import Fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify';
import { type FhirError, methodNotAllowed, notFound } from '../fhir/fhir-error.ts';
import { prettyJson } from '../fhir/pretty-json.ts';
import { type AuthRouteOptions, authRoutes } from './auth-routes.ts';
import { registerCors } from './cors.ts';
import { BODY_TOO_LARGE, ERROR_CONTENT_TYPE, errorText, refuseConnection, visibleError } from './errors.ts';
import { type FhirRouteOptions, fhirRoutes, wantsPretty } from './fhir-routes.ts';
import { healthRoutes } from './health-routes.ts';
import { answerAndLinger } from './lingering-answer.ts';
import { type OpenApiOptions, openApiRoutes } from './openapi-routes.ts';
import { type PagesOptions, pagesRoutes } from './pages-routes.ts';

export interface WebServerOptions extends Pick<FhirRouteOptions, 'answer' | 'callerOf'>, OpenApiOptions {
  /** The largest body, in bytes. */
  readonly bodyBytes: number;
  /** The longest that a request may take to arrive. */
  readonly requestMilliseconds: number;
  readonly logLevel: string;
  /** Undefined for a server without sign-in. */
  readonly auth: Omit<AuthRouteOptions, 'visibleError'> | undefined;
  /** Undefined for a server without sign-in. */
  readonly pages?: Omit<PagesOptions, 'visibleError'> | undefined;
  newId(): string;
  /** Whether the server can serve just now. */
  isReady(): Promise<boolean>;
  /** Whether it was asked to end: connections are then not kept for another request. */
  isLeaving(): boolean;
}

export type WebServer = FastifyInstance;

const FHIR_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** How often connections are looked through for requests that are too slow. */
const LONGEST_CHECK_INTERVAL_MS = 30_000;

/** A connection that stays open after the answer to a request under way would keep a server that stops from ending. */
const closeConnectionsWhenClosing = (app: FastifyInstance, isLeaving: () => boolean): void => {
  let isClosing = false;
  app.addHook('preClose', (done) => {
    isClosing = true;
    done();
  });
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (isClosing || isLeaving()) reply.header('connection', 'close');
    done();
  });
};

/** What clients of other origins ask for. */
const guardedRoutes = (app: FastifyInstance, fhir: FhirRouteOptions, auth: WebServerOptions['auth']): void => {
  // Without sign-in, any page in a browser on this machine could read what is answered to another origin.
  if (auth === undefined) {
    app.register(fhirRoutes, fhir);
    return;
  }
  app.register(async (shared) => {
    registerCors(shared);
    shared.register(authRoutes, { ...auth, visibleError: fhir.visibleError });
    shared.register(fhirRoutes, fhir);
  });
};

/** Builds the server, not yet listening. */
export const buildWebServer = (options: WebServerOptions): WebServer => {
  const { bodyBytes, requestMilliseconds, newId } = options;

  const visibleTo = (request: FastifyRequest, error: unknown): FhirError =>
    visibleError(error, request, newId, bodyBytes);

  const sendError = (error: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    const visible = visibleTo(request, error);
    const compact = errorText(visible);
    const text = wantsPretty(request.url) ? prettyJson(compact) : compact;
    if ((error as FastifyError).code === BODY_TOO_LARGE) {
      answerAndLinger(request, reply, visible.status, ERROR_CONTENT_TYPE, text);
      return;
    }
    reply
      .code(visible.status)
      .headers({ 'cache-control': 'no-store', ...visible.headers, 'content-type': ERROR_CONTENT_TYPE })
      .send(text);
  };

  const app = Fastify({
    bodyLimit: bodyBytes,
    requestTimeout: requestMilliseconds,
    http: {
      headersTimeout: requestMilliseconds,
      connectionsCheckingInterval: Math.min(requestMilliseconds / 2, LONGEST_CHECK_INTERVAL_MS),
    },
    // Urls hold names and identifiers of patients: requests are not logged; failures are, without their url.
    logController: new LogController({ disableRequestLogging: true }),
    logger: { level: options.logLevel, stream: process.stderr },
    forceCloseConnections: 'idle',
    // A request that comes while the server drains is answered like any other.
    return503OnClosing: false,
    frameworkErrors: sendError,
    clientErrorHandler: refuseConnection,
  });
  closeConnectionsWhenClosing(app, options.isLeaving);
  app.setNotFoundHandler(({ method, url }) => {
    // The routes of FHIR take every path and the usual methods; what is left are methods such as PROPFIND.
    if (/^\/fhir(?:[/?]|$)/.test(url)) throw methodNotAllowed(method, FHIR_METHODS);
    throw notFound('There is nothing here; the FHIR base is /fhir');
  });
  app.setErrorHandler(sendError);
  app.register(healthRoutes, { isReady: options.isReady });
  app.register(openApiRoutes, { openApi: options.openApi });
  guardedRoutes(app, { answer: options.answer, callerOf: options.callerOf, visibleError: visibleTo }, options.auth);
  if (options.pages !== undefined) app.register(pagesRoutes, { ...options.pages, visibleError: visibleTo });
  return app;
};

/**
 * The endpoints of the authorization server that speak JSON. What they do is in `auth/`; here it becomes HTTP.
 *
 * @see https://hl7.org/fhir/smart-app-launch/conformance.html
 */
import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import type { AuthServer } from '../auth/auth-server.ts';
import type { ClientCredentials } from '../auth/clients/authenticate-client.ts';
import { openIdConfiguration, SMART_STYLE, smartConfiguration } from '../auth/endpoints/discovery.ts';
import { introspectEndpoint } from '../auth/endpoints/introspect.ts';
import { launchEndpoint } from '../auth/endpoints/launch.ts';
import { registerEndpoint } from '../auth/endpoints/register.ts';
import { revokeEndpoint } from '../auth/endpoints/revoke.ts';
import { tokenEndpoint } from '../auth/endpoints/token.ts';
import { userInfoEndpoint } from '../auth/endpoints/userinfo.ts';
import { type Form, formOf } from '../auth/form.ts';
import { OAuthError } from '../auth/oauth-error.ts';
import { bearerToken } from '../auth/tokens/authenticate.ts';
import type { FhirError } from '../fhir/fhir-error.ts';
import { registerForms, sentPairs } from './form-body.ts';
import { RATE_LIMITED, type RateLimitOptions, registerRateLimit } from './rate-limit.ts';

export interface AuthRouteOptions extends RateLimitOptions {
  /** There once the server knows its own url. */
  readonly auth: Promise<AuthServer>;
  readonly isRegistrationOpen: boolean;
  /** Logs an error that was not foreseen, and gives the one that the client gets to see in its place. */
  visibleError(request: FastifyRequest, error: unknown): FhirError;
}

/** Forms and client metadata are small. */
const BODY_BYTES = 200_000;

const JSON_TYPE = 'application/json; charset=utf-8';
const FORM_TYPE = 'application/x-www-form-urlencoded';

/** @see https://www.rfc-editor.org/rfc/rfc6749#section-5.1 */
const NOT_STORED = { 'cache-control': 'no-store', pragma: 'no-cache' };

/** An error of the web server or the store in OAuth's terms. */
const oauthError = (error: unknown, visible: () => FhirError): OAuthError => {
  if (error instanceof OAuthError) return error;
  const { status, message, headers } = visible();
  if (status === 503) return new OAuthError(status, 'temporarily_unavailable', message, headers);
  return new OAuthError(status, status >= 500 ? 'server_error' : 'invalid_request', message, headers);
};

const sendError = (reply: FastifyReply, { status, headers, error, description }: OAuthError): FastifyReply =>
  reply
    .code(status)
    .headers({ ...headers, ...NOT_STORED, 'content-type': JSON_TYPE })
    .send(JSON.stringify({ error, error_description: description }));

/** The form of a request. Throws an OAuthError for a body of another type. */
const formIn = (request: FastifyRequest): Form => {
  const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (type !== undefined && type !== FORM_TYPE)
    throw new OAuthError(400, 'invalid_request', `The body must be ${FORM_TYPE}`);
  return formOf(sentPairs(request));
};

const credentialsIn = (request: FastifyRequest): ClientCredentials => ({
  form: formIn(request),
  authorization: request.headers.authorization,
});

const jsonIn = ({ body, headers }: FastifyRequest): unknown => {
  if (!/^application\/json\b/i.test(headers['content-type'] ?? ''))
    throw new OAuthError(400, 'invalid_request', 'The body must be application/json');
  return body;
};

const userInfo = (server: AuthServer, request: FastifyRequest): Promise<object> => {
  const { authorization } = request.headers;
  if (Object.hasOwn(request.query as object, 'access_token'))
    throw new OAuthError(400, 'invalid_request', 'A token is never sent in a url');
  const sent = request.method === 'POST' ? formOf(sentPairs(request)).get('access_token') : undefined;
  if (authorization !== undefined && sent !== undefined)
    throw new OAuthError(400, 'invalid_request', 'The token is sent in one way at a time');
  return userInfoEndpoint(server, sent ?? bearerToken(authorization));
};

interface Endpoint {
  readonly path: string;
  readonly methods: readonly HTTPMethods[];
  /** 200 if absent. */
  readonly status?: number;
  /** Whether it is the same for everybody, and may be kept for a while. */
  readonly isPublic?: true;
  readonly isLimited?: true;
  /** The answer as JSON; undefined for an empty one. */
  answer(server: AuthServer, request: FastifyRequest): unknown;
}

const ENDPOINTS: readonly Endpoint[] = [
  {
    path: '/fhir/.well-known/smart-configuration',
    methods: ['GET'],
    isPublic: true,
    answer: (server) => smartConfiguration(server),
  },
  {
    path: '/.well-known/openid-configuration',
    methods: ['GET'],
    isPublic: true,
    answer: (server) => openIdConfiguration(server),
  },
  { path: '/auth/jwks', methods: ['GET'], isPublic: true, answer: ({ keys }) => keys.jwks() },
  { path: '/auth/smart-style.json', methods: ['GET'], isPublic: true, answer: () => SMART_STYLE },
  {
    path: '/auth/token',
    methods: ['POST'],
    isLimited: true,
    answer: (server, request) => tokenEndpoint(server, credentialsIn(request)),
  },
  {
    path: '/auth/introspect',
    methods: ['POST'],
    isLimited: true,
    answer: (server, request) => introspectEndpoint(server, credentialsIn(request)),
  },
  {
    path: '/auth/revoke',
    methods: ['POST'],
    isLimited: true,
    answer: (server, request) => revokeEndpoint(server, credentialsIn(request)),
  },
  { path: '/auth/userinfo', methods: ['GET', 'POST'], answer: userInfo },
  {
    path: '/auth/launch',
    methods: ['POST'],
    status: 201,
    answer: (server, request) => launchEndpoint(server, bearerToken(request.headers.authorization), jsonIn(request)),
  },
];

const REGISTER: Endpoint = {
  path: '/auth/register',
  methods: ['POST'],
  status: 201,
  isLimited: true,
  answer: (server, request) => registerEndpoint(server, bearerToken(request.headers.authorization), jsonIn(request)),
};

/** Keys and urls change rarely; who finds a key missing asks again. */
const PUBLIC_SECONDS = 300;

const addEndpoint = (app: FastifyInstance, endpoint: Endpoint, auth: Promise<AuthServer>): void => {
  const { path: url, methods, status = 200, isPublic, isLimited, answer } = endpoint;
  const stored = isPublic ? { 'cache-control': `public, max-age=${PUBLIC_SECONDS}` } : NOT_STORED;
  const config = isLimited ? RATE_LIMITED : {};
  const handler = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const value = await answer(await auth, request);
    reply.code(status).headers(stored);
    return value === undefined ? reply.send() : reply.header('content-type', JSON_TYPE).send(JSON.stringify(value));
  };
  app.route({ method: [...methods], url, config, handler });
  const isPossible = (method: string): boolean =>
    method === 'OPTIONS' || (methods as string[]).includes(method) || (method === 'HEAD' && methods.includes('GET'));
  const refuse = async (request: FastifyRequest): Promise<never> => {
    const allow = methods.join(', ');
    throw new OAuthError(405, 'invalid_request', `${request.method} is not possible here; possible: ${allow}`, {
      allow,
    });
  };
  app.route({ method: app.supportedMethods.filter((method) => !isPossible(method)), url, handler: refuse });
};

export const authRoutes = async (app: FastifyInstance, options: AuthRouteOptions): Promise<void> => {
  const { auth, isRegistrationOpen, visibleError } = options;
  app.setErrorHandler((error, request, reply) =>
    sendError(
      reply,
      oauthError(error, () => visibleError(request, error)),
    ),
  );
  // Of every body, also one that is no form.
  app.addHook('onRoute', (route) => {
    route.bodyLimit = BODY_BYTES;
  });
  registerForms(app);
  registerRateLimit(app, options);
  app.after(() => {
    for (const endpoint of isRegistrationOpen ? [...ENDPOINTS, REGISTER] : ENDPOINTS) addEndpoint(app, endpoint, auth);
  });
};

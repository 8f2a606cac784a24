/** The pages for people: sign-in, approval, and their own. Without script, and with a strict policy of what they may load. */
import cookie from '@fastify/cookie';
import helmet from '@fastify/helmet';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { errorUri } from '../auth/authorize/answer.ts';
import { RefusedRequest, UnknownApp } from '../auth/authorize/check-request.ts';
import { OAuthError } from '../auth/oauth-error.ts';
import { FederationRefused } from '../auth/users/federation.ts';
import type { FhirError } from '../fhir/fhir-error.ts';
import { registerForms, sentPairs } from './form-body.ts';
import { errorPage } from './pages/message-pages.ts';
import { authorizeRoutes } from './pages/routes/authorize-routes.ts';
import { manageRoutes } from './pages/routes/manage-routes.ts';
import { signInRoutes } from './pages/routes/sign-in-routes.ts';
import { PageProblem, type PageServer, queryText, rootOf, sendPage, sendTo } from './pages/routes/visit.ts';
import { createVisitors } from './pages/routes/visitors.ts';
import { STYLE } from './pages/style.ts';
import { wordsFor } from './pages/words/choose-words.ts';
import type { Words } from './pages/words/en.ts';
import { type RateLimitOptions, registerRateLimit } from './rate-limit.ts';

export interface PagesOptions extends RateLimitOptions {
  /** There once the server knows its own url. */
  readonly pages: Promise<PageServer>;
  /** Whether the server's own url is https. */
  readonly isHttps: boolean;
  /** Logs an error that was not foreseen, and gives the one that the client gets to see in its place. */
  visibleError(request: FastifyRequest, error: unknown): FhirError;
}

/** Forms of pages are small; an authorization request may have thousands of characters. */
const BODY_BYTES = 100_000;

const STYLE_SECONDS = 365 * 86_400;

/** What is to be said of an error, and with which status; `detail` is for developers. */
interface Told {
  readonly status: number;
  readonly text: string;
  readonly detail?: string;
}

const UNKNOWN_APP = {
  'unknown-client': (words: Words) => words.unknownClient,
  'unknown-redirect': (words: Words) => words.unknownRedirect,
  malformed: (words: Words) => words.malformedRequest,
};

const toldOf = (error: unknown, words: Words, visible: () => FhirError): Told => {
  if (error instanceof PageProblem) return { status: error.status, text: error.text(words) };
  if (error instanceof UnknownApp) return { status: 400, text: UNKNOWN_APP[error.problem](words) };
  if (error instanceof FederationRefused) {
    const status = error.problem === 'unreachable' ? 502 : 403;
    return { status, text: words.refusedSignIn[error.problem] };
  }
  if (error instanceof OAuthError) {
    const { status, description } = error;
    if (status === 429) return { status, text: words.tooMany };
    return status === 503
      ? { status, text: words.busy }
      : { status, text: words.malformedRequest, detail: description };
  }
  const { status, message } = visible();
  if (status < 500) return { status, text: words.malformedRequest, detail: message };
  return { status, text: status === 503 ? words.busy : words.failed(message.split(' ').at(-1) ?? '') };
};

/** The languages that an authorization request asks for, as far as they can be read. */
const askedLocales = (request: FastifyRequest): readonly string[] => {
  const given = [
    ...new URLSearchParams(queryText(request)).getAll('ui_locales'),
    ...sentPairs(request).getAll('ui_locales'),
  ];
  return given.flatMap((text) => text.split(' '));
};

/** Whether a person's browser asks, which takes pages; programs take anything, or name what they take. */
const wantsPage = ({ headers }: FastifyRequest): boolean => /\btext\/html\b/i.test(headers.accept ?? '');

export const pagesRoutes = async (app: FastifyInstance, options: PagesOptions): Promise<void> => {
  const { pages, isHttps, visibleError } = options;
  // Of every body, also one that is no form.
  app.addHook('onRoute', (route) => {
    route.bodyLimit = BODY_BYTES;
  });
  app.register(cookie);
  // What pages send are forms; any other body is refused with 415.
  app.removeAllContentTypeParsers();
  registerForms(app);
  app.register(helmet, {
    // Each page has its own.
    contentSecurityPolicy: false,
    frameguard: { action: 'deny' },
    referrerPolicy: { policy: 'no-referrer' },
    hsts: isHttps,
    // An app may open us in a window of its own, and wait for that to come back to it.
    crossOriginOpenerPolicy: false,
  });
  registerRateLimit(app, options);
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('cache-control', 'no-store');
  });
  app.setErrorHandler(async (error: unknown, request: FastifyRequest, reply: FastifyReply) => {
    const { auth } = await pages;
    if (error instanceof RefusedRequest) return sendTo({ reply }, errorUri(auth, error.address, error.error));
    if (error instanceof OAuthError) reply.headers(error.headers);
    const words = wordsFor(askedLocales(request), request.headers['accept-language']);
    const { status, ...told } = toldOf(error, words, () => visibleError(request, error));
    const root = rootOf(auth);
    const page = errorPage(words, { ...told, manageHref: `${root}/auth/manage` });
    return sendPage({ reply, words, root }, page, {}, status);
  });
  app.after(() => {
    app.get('/auth/style.css', (_request, reply) =>
      reply
        .header('cache-control', `public, max-age=${STYLE_SECONDS}, immutable`)
        .type('text/css; charset=utf-8')
        .send(STYLE),
    );
    const visitors = createVisitors(() => pages);
    authorizeRoutes(app, visitors);
    signInRoutes(app, visitors);
    manageRoutes(app, visitors);
    app.get('/', (request, reply) =>
      wantsPage(request) ? visitors.sentTo('/auth/manage').call(app, request, reply) : reply.callNotFound(),
    );
    // All that is not there: for people a page says so, for others the answer is that of any other path.
    app.get('/auth/*', (request, reply) => {
      if (wantsPage(request)) throw new PageProblem(404, (words) => words.notFound);
      reply.callNotFound();
    });
  });
};

/** One request of a person's browser to a page: who it is, in which language, and how it is answered. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AuthServer } from '../../../auth/auth-server.ts';
import { newSecret } from '../../../auth/tokens/opaque-token.ts';
import type { Federation } from '../../../auth/users/federation.ts';
import { isBrowserCookie } from '../../../auth/users/forms.ts';
import type { People } from '../../../auth/users/people.ts';
import type { PersonRecords } from '../../../auth/users/person-records.ts';
import type { OpenSession } from '../../../auth/users/sessions.ts';
import { sentPairs } from '../../form-body.ts';
import { documentText, type FormTarget, type Page } from '../layout.ts';
import { wordsFor } from '../words/choose-words.ts';
import type { Words } from '../words/en.ts';

/** All that the pages use. */
export interface PageServer {
  readonly auth: AuthServer;
  readonly people: People;
  readonly federation: Federation;
  readonly records: PersonRecords;
}

export interface Visit extends PageServer {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly words: Words;
  /** The path below which the server is, without a final slash: '' usually. */
  readonly root: string;
  /** The cookie of this browser; made for this answer if it has sent none. */
  readonly browser: string;
  /** Whether the browser has sent a cookie of its own accord. */
  readonly isKnownBrowser: boolean;
  readonly session: OpenSession | undefined;
}

/** What a page says instead, with a status. */
export class PageProblem extends Error {
  override readonly name = 'PageProblem';
  readonly status: number;
  readonly text: (words: Words) => string;

  constructor(status: number, text: (words: Words) => string) {
    super(`A page is answered with ${status}`);
    this.status = status;
    this.text = text;
  }
}

// `__Host-`: the browser takes them from this host alone, and only as Secure, so that no other one can plant them.
const BROWSER_COOKIE = '__Host-consilium-browser';
const SESSION_COOKIE = '__Host-consilium-session';
const COOKIE = { path: '/', secure: true, httpOnly: true, sameSite: 'lax' } as const;

export const rootOf = ({ issuer }: AuthServer): string => new URL(issuer).pathname.replace(/\/$/, '');

export const openVisit = async (
  server: PageServer,
  request: FastifyRequest,
  reply: FastifyReply,
  locales: readonly string[] = [],
): Promise<Visit> => {
  const sent = request.cookies[BROWSER_COOKIE];
  const isKnownBrowser = isBrowserCookie(sent);
  const browser = isKnownBrowser ? sent : newSecret();
  // A cross-site POST comes without the cookie that the browser has: that must not be replaced.
  if (!isKnownBrowser && request.method === 'GET') reply.setCookie(BROWSER_COOKIE, browser, COOKIE);
  return {
    ...server,
    ...{ request, reply, browser, isKnownBrowser, root: rootOf(server.auth) },
    words: wordsFor(locales, request.headers['accept-language']),
    session: await server.people.sessions.open(request.cookies[SESSION_COOKIE]),
  };
};

/** The same visit in the language of an app. */
export const inLanguage = (visit: Visit, locales: readonly string[]): Visit => ({
  ...visit,
  words: wordsFor(locales, visit.request.headers['accept-language']),
});

export const setSession = ({ reply }: Visit, cookie: string): void => {
  reply.setCookie(SESSION_COOKIE, cookie, COOKIE);
};

export const clearSession = ({ reply }: Visit): void => {
  reply.clearCookie(SESSION_COOKIE, COOKIE);
};

/** What a page may load, and where its forms may lead, beside this server itself. */
export interface Allowed {
  /** Addresses at whose origins forms may end. */
  readonly forms?: readonly string[];
  readonly images?: readonly string[];
}

/**
 * The origin of a web address, or the scheme of another one, as a source of a content security policy. What would begin
 * another directive or policy there is encoded.
 */
const sourceOf = (url: string): string => {
  const { origin, protocol } = new URL(url);
  return (origin === 'null' ? protocol : origin).replaceAll(';', '%3b').replaceAll(',', '%2c');
};

/** @see https://www.w3.org/TR/CSP3/#framework-directives */
const contentSecurityPolicy = ({ forms = [], images = [] }: Allowed): string =>
  [
    "default-src 'none'",
    "style-src 'self'",
    ["img-src 'self' data:", ...images.map(sourceOf)].join(' '),
    // Browsers look at where a form is redirected to, too.
    ["form-action 'self'", ...new Set(forms.map(sourceOf))].join(' '),
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ].join('; ');

export const sendPage = (
  { reply, words, root }: Pick<Visit, 'reply' | 'words' | 'root'>,
  page: Page,
  allowed: Allowed = {},
  status = 200,
): FastifyReply =>
  reply
    .code(status)
    .header('content-security-policy', contentSecurityPolicy(allowed))
    .header('content-language', words.language)
    .type('text/html; charset=utf-8')
    .send(documentText(page, words, root));

/** 303: whatever the method was, the next one is GET. */
export const sendTo = ({ reply }: Pick<Visit, 'reply'>, url: string): FastifyReply => reply.redirect(url, 303);

/** Before there is a session, forms are bound to the browser. */
const bindingOf = ({ session, browser }: Visit, isSigningIn: boolean): string =>
  session === undefined || isSigningIn ? `browser ${browser}` : `session ${session.family}`;

/** A form of a page; `isSigningIn`: whether it stays good when another tab signs in or out meanwhile. */
export const formTarget = (visit: Visit, path: string, isSigningIn = false): FormTarget => ({
  action: `${visit.root}${path}`,
  token: visit.people.forms.token(bindingOf(visit, isSigningIn)),
});

/** The query of a request, as it came. */
export const queryText = ({ url }: FastifyRequest): string => {
  const start = url.indexOf('?');
  return start < 0 ? '' : url.slice(start + 1);
};

/** The fields of a form that was sent from a page of ours in this browser. Throws a PageProblem 403 of any other. */
export const sentForm = (visit: Visit, isSigningIn = false): URLSearchParams => {
  const { request, people, isKnownBrowser } = visit;
  const form = sentPairs(request);
  const site = request.headers['sec-fetch-site'] ?? 'same-origin';
  const isOwnSite = site === 'same-origin' || site === 'none';
  const token = form.get('form') ?? undefined;
  if (!isKnownBrowser || !isOwnSite || !people.forms.isToken(token, bindingOf(visit, isSigningIn)))
    throw new PageProblem(403, (words) => words.notYourForm);
  return form;
};

/** Where somebody is, or goes after signing in: an authorization request, or one of our own pages. */
export const pathOf = (destination: string): string => {
  if (/^[A-Za-z0-9_-]{22}$/.test(destination)) return `/auth/authorize/${destination}`;
  if (destination === 'apps') return '/auth/apps';
  if (destination === 'enrol') return '/auth/enrol';
  return '/auth/manage';
};

export const signInPath = (destination: string): string => `/auth/sign-in?for=${encodeURIComponent(destination)}`;

export const secondFactorPath = (destination: string): string =>
  `/auth/second-factor?for=${encodeURIComponent(destination)}`;

/** The session of somebody who has signed in with all that is needed; undefined after the browser was sent to do so. */
export const signedIn = (visit: Visit, destination: string): OpenSession | undefined => {
  const { session, root } = visit;
  if (session === undefined) sendTo(visit, `${root}${signInPath(destination)}`);
  else if (session.stage !== 'full') sendTo(visit, `${root}${secondFactorPath(destination)}`);
  else return session;
  return undefined;
};

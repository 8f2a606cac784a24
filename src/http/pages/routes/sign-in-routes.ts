/** Signing in and out. */
import type { FastifyInstance, FastifyReply } from 'fastify';
import { findPending, type PendingAuthorization } from '../../../auth/authorize/pending.ts';
import { clientOf } from '../../../auth/clients/clients.ts';
import { factorImage } from '../../../auth/users/second-factor.ts';
import type { OpenSession } from '../../../auth/users/sessions.ts';
import {
  enrolFactor,
  factorToEnrol,
  missingFactor,
  signIn,
  signInByProvider,
  signInWithCode,
} from '../../../auth/users/sign-in.ts';
import { isStaff } from '../../../auth/users/users.ts';
import { ADDRESS_LIMITED } from '../../rate-limit.ts';
import type { Problem } from '../layout.ts';
import { signedOutPage } from '../message-pages.ts';
import { codePage, enrolPage, recoveryPage, signInPage } from '../sign-in-pages.ts';
import type { Words } from '../words/en.ts';
import {
  type Allowed,
  clearSession,
  formTarget,
  inLanguage,
  pathOf,
  queryText,
  sendPage,
  sendTo,
  sentForm,
  setSession,
  signInPath,
  type Visit,
} from './visit.ts';
import type { Visitors } from './visitors.ts';

/** A visit that knows what it is for. */
interface Purposeful {
  readonly visit: Visit;
  /** The name of what the person wanted to have; see `pathOf`. */
  readonly destination: string;
  readonly pending: PendingAuthorization | undefined;
  readonly allowed: Allowed;
}

const purposeful = async (visit: Visit, given: string | null): Promise<Purposeful> => {
  const destination = given ?? 'manage';
  const pending = await findPending(visit.auth, destination, visit.browser);
  return {
    visit: pending === undefined ? visit : inLanguage(visit, pending.locales),
    destination,
    pending,
    allowed: pending === undefined ? {} : { forms: [pending.redirectUri] },
  };
};

const queryOf = ({ request }: Visit): URLSearchParams => new URLSearchParams(queryText(request));

const minutesText = (milliseconds: number, words: Words): string => words.minutes(Math.ceil(milliseconds / 60_000));

const FORBIDDEN = 403;
const TOO_MANY = 429;

const showSignIn = async (
  { visit, destination, pending, allowed }: Purposeful,
  login: string,
  problem?: Problem,
  status = 200,
): Promise<FastifyReply> => {
  const { words, root, auth, federation } = visit;
  const client = pending && (await clientOf(auth, pending.clientId));
  const view = {
    target: formTarget(visit, '/auth/sign-in', true),
    ...{ destination, login },
    ...(client === undefined ? {} : { app: client.name }),
    ...(problem === undefined ? {} : { problem }),
    providers: federation.providers.map(({ name, title }) => ({
      href: `${root}/auth/federation/${name}?for=${encodeURIComponent(destination)}`,
      title,
    })),
  };
  return sendPage(visit, signInPage(words, view), allowed, status);
};

const getSignIn = async (visit: Visit): Promise<FastifyReply> => {
  const asked = await purposeful(visit, queryOf(visit).get('for'));
  return showSignIn(asked, asked.pending?.loginHint?.slice(0, 100) ?? visit.session?.user.login ?? '');
};

const postSignIn = async (visit: Visit): Promise<FastifyReply> => {
  const form = sentForm(visit, true);
  const asked = await purposeful(visit, form.get('for'));
  const [login, password] = [form.get('login') ?? '', form.get('password') ?? ''];
  const { words } = asked.visit;
  const result = await signIn(visit.people, { login, password }, visit.session);
  switch (result.kind) {
    case 'done':
      setSession(visit, result.cookie);
      return sendTo(visit, `${visit.root}${pathOf(asked.destination)}`);
    case 'locked': {
      visit.reply.header('retry-after', Math.ceil(result.milliseconds / 1000));
      const text = words.locked(minutesText(result.milliseconds, words));
      return showSignIn(asked, login, { text }, TOO_MANY);
    }
    default:
      return showSignIn(asked, login, { text: words.wrongCredentials, field: 'login' }, FORBIDDEN);
  }
};

/** A session of which something is missing; undefined after the browser was sent to where it belongs. */
const halfWay = async (asked: Purposeful, missing: 'code' | 'enrolment'): Promise<OpenSession | undefined> => {
  const { visit, destination } = asked;
  const { session, root, people } = visit;
  if (session === undefined) {
    sendTo(visit, `${root}${signInPath(destination)}`);
    return undefined;
  }
  const found = await missingFactor(people, session);
  if (found === missing || (found === 'none' && missing === 'enrolment')) return session;
  const page = found === 'code' ? 'second-factor' : 'enrol';
  const path = found === 'none' ? pathOf(destination) : `/auth/${page}?for=${encodeURIComponent(destination)}`;
  sendTo(visit, `${root}${path}`);
  return undefined;
};

const showCode = ({ visit, destination, allowed }: Purposeful, problem?: Problem, status = 200): FastifyReply => {
  const view = {
    target: formTarget(visit, '/auth/second-factor'),
    signOut: formTarget(visit, '/auth/sign-out'),
    destination,
    ...(problem === undefined ? {} : { problem }),
  };
  return sendPage(visit, codePage(visit.words, view), allowed, status);
};

const getCode = async (visit: Visit): Promise<FastifyReply> => {
  const asked = await purposeful(visit, queryOf(visit).get('for'));
  return (await halfWay(asked, 'code')) === undefined ? visit.reply : showCode(asked);
};

const postCode = async (visit: Visit): Promise<FastifyReply> => {
  const form = sentForm(visit);
  const asked = await purposeful(visit, form.get('for'));
  const session = await halfWay(asked, 'code');
  if (session === undefined) return visit.reply;
  const { words } = asked.visit;
  const result = await signInWithCode(visit.people, session, form.get('code') ?? '');
  if (result.kind === 'wrong') return showCode(asked, { text: words.wrongCode, field: 'code' }, FORBIDDEN);
  if (result.kind === 'locked')
    return showCode(asked, { text: words.locked(minutesText(result.milliseconds, words)) }, TOO_MANY);
  setSession(visit, result.cookie);
  return sendTo(visit, `${visit.root}${pathOf(asked.destination)}`);
};

/** Who has signed in longer ago than that does so again before the second factor is changed. */
const RECENT_MILLISECONDS = 600_000;

/** A session that may enrol a second factor; undefined after the browser was sent elsewhere. */
const enrolling = async (asked: Purposeful): Promise<OpenSession | undefined> => {
  const session = await halfWay(asked, 'enrolment');
  if (session === undefined) return undefined;
  const { people, root } = asked.visit;
  if (people.now() - session.authenticated <= RECENT_MILLISECONDS) return session;
  sendTo(asked.visit, `${root}${signInPath('enrol')}`);
  return undefined;
};

const showEnrolment = async (
  { visit, destination, allowed }: Purposeful,
  session: OpenSession,
  problem?: Problem,
): Promise<FastifyReply> => {
  const secret = await factorToEnrol(visit.people, session);
  const { login, role } = session.user;
  const view = {
    target: formTarget(visit, '/auth/enrol'),
    signOut: formTarget(visit, '/auth/sign-out'),
    ...(session.stage === 'full' ? { manageHref: `${visit.root}/auth/manage` } : {}),
    ...{ destination, secret, isRequired: isStaff(role), image: await factorImage(secret, login) },
    ...(problem === undefined ? {} : { problem }),
  };
  return sendPage(visit, enrolPage(visit.words, view), allowed, problem === undefined ? 200 : FORBIDDEN);
};

const getEnrolment = async (visit: Visit): Promise<FastifyReply> => {
  const asked = await purposeful(visit, queryOf(visit).get('for'));
  const session = await enrolling(asked);
  return session === undefined ? visit.reply : showEnrolment(asked, session);
};

const postEnrolment = async (visit: Visit): Promise<FastifyReply> => {
  const form = sentForm(visit);
  const asked = await purposeful(visit, form.get('for'));
  const session = await enrolling(asked);
  if (session === undefined) return visit.reply;
  const { words, root } = asked.visit;
  const result = await enrolFactor(visit.people, session, form.get('code') ?? '');
  if (result.kind === 'wrong') return showEnrolment(asked, session, { text: words.wrongCode, field: 'code' });
  setSession(visit, result.cookie);
  const next = `${root}${pathOf(asked.destination)}`;
  return sendPage(asked.visit, recoveryPage(words, result.recoveryCodes, next), asked.allowed);
};

const postSignOut = async (visit: Visit): Promise<FastifyReply> => {
  const form = sentForm(visit);
  const { people, session, root, words } = visit;
  if (session !== undefined) await people.sessions.end(session);
  clearSession(visit);
  const destination = form.get('for');
  if (destination !== null) return sendTo(visit, `${root}${signInPath(destination)}`);
  return sendPage(visit, signedOutPage(words, `${root}${signInPath('manage')}`));
};

/** To a hospital's own provider; the way back is bound to this browser. */
const getFederation = async (visit: Visit): Promise<FastifyReply> => {
  const { name } = visit.request.params as { name: string };
  const { destination, pending } = await purposeful(visit, queryOf(visit).get('for'));
  const { prompts = [], maximumAgeSeconds } = pending ?? {};
  const isAnew = prompts.includes('login') || maximumAgeSeconds !== undefined || destination === 'enrol';
  return sendTo(visit, (await visit.federation.begin(name, visit.browser, destination, isAnew)).href);
};

const getFederationReturn = async (visit: Visit): Promise<FastifyReply> => {
  const { federation, people, browser, session, root } = visit;
  const { user, provider, destination } = await federation.finish(queryText(visit.request), browser);
  setSession(visit, await signInByProvider(people, user, provider, session));
  return sendTo(visit, `${root}${pathOf(destination)}`);
};

export const signInRoutes = (app: FastifyInstance, { visited, sentTo }: Visitors): void => {
  app.get('/auth/sign-in', visited(getSignIn));
  app.post('/auth/sign-in', { config: ADDRESS_LIMITED }, visited(postSignIn));
  app.get('/auth/second-factor', visited(getCode));
  app.post('/auth/second-factor', { config: ADDRESS_LIMITED }, visited(postCode));
  app.get('/auth/enrol', visited(getEnrolment));
  app.post('/auth/enrol', { config: ADDRESS_LIMITED }, visited(postEnrolment));
  app.get('/auth/sign-out', sentTo('/auth/manage'));
  app.post('/auth/sign-out', visited(postSignOut));
  // Not for HEAD: the way back is good for once.
  app.get('/auth/federation/callback', { exposeHeadRoute: false }, visited(getFederationReturn));
  app.get('/auth/federation/:name', { config: ADDRESS_LIMITED }, visited(getFederation));
};

/** A person's own pages: which apps may act for them, how they sign in, and opening an app. */
import type { FastifyInstance, FastifyReply } from 'fastify';
import { forgetApproval } from '../../../auth/authorize/approvals.ts';
import { choicesOf } from '../../../auth/authorize/consent-choices.ts';
import type { Client } from '../../../auth/clients/client.ts';
import { clientOf, listClients } from '../../../auth/clients/clients.ts';
import { createLaunch } from '../../../auth/endpoints/launch.ts';
import type { Grant } from '../../../auth/tokens/grant.ts';
import { grantsOfUser, revokeGrantOfUser } from '../../../auth/tokens/grants.ts';
import type { OpenSession } from '../../../auth/users/sessions.ts';
import { changePassword, signOutEverywhere } from '../../../auth/users/sign-in.ts';
import { scopeText } from '../approve-page.ts';
import { patientsPage } from '../choose-pages.ts';
import type { Problem } from '../layout.ts';
import { type GrantedApp, launchPage, managePage } from '../manage-pages.ts';
import { signedOutPage } from '../message-pages.ts';
import type { Words } from '../words/en.ts';
import { patientsView } from './patients-view.ts';
import {
  clearSession,
  formTarget,
  PageProblem,
  queryText,
  sendPage,
  sendTo,
  sentForm,
  setSession,
  signedIn,
  signInPath,
  type Visit,
} from './visit.ts';
import type { Visitors } from './visitors.ts';

const wordsOfScopes = ({ auth, words }: Visit, scopes: readonly string[]): readonly string[] =>
  choicesOf(scopes, auth.isResourceType).map((choice) => {
    if (choice.kind !== 'resource') return words[choice.kind];
    const { what, how } = scopeText(choice.scope, words);
    return `${what} – ${how}`;
  });

const grantedApp = async (visit: Visit, grant: Grant): Promise<GrantedApp> => {
  const { auth, records } = visit;
  const { id: grantId, clientId, created, scopes, context } = grant;
  const patient = context.patient === undefined ? undefined : await records.nameOf(`Patient/${context.patient}`);
  return {
    grantId,
    name: (await clientOf(auth, clientId))?.name ?? clientId,
    since: new Date(created).toISOString().slice(0, 10),
    isOffline: scopes.includes('offline_access'),
    ...(patient === undefined ? {} : { patient }),
    scopes: wordsOfScopes(visit, scopes),
  };
};

/** Grants that have not ended otherwise, newest first. */
const currentGrants = async ({ auth }: Visit, { userId, user }: OpenSession): Promise<readonly Grant[]> =>
  (await grantsOfUser(auth, userId))
    .filter(({ created }) => created >= user.validFrom)
    .sort((one, other) => other.created - one.created);

const canBeLaunched = ({ isDisabled, kind, launchUris }: Client): boolean =>
  !isDisabled && kind !== 'backend' && launchUris.length > 0;

interface Told {
  readonly problem?: Problem;
  readonly done?: string;
}

const showManage = async (visit: Visit, session: OpenSession, told: Told): Promise<FastifyReply> => {
  const { auth, people, records, root, words } = visit;
  const { login, fhirUser } = session.user;
  const grants = await currentGrants(visit, session);
  const credentials = await people.users.credentials(session.userId);
  const isLaunching = (await listClients(auth)).some(canBeLaunched);
  const view = {
    person: (await records.nameOf(fhirUser)) ?? login,
    apps: await Promise.all(grants.map((grant) => grantedApp(visit, grant))),
    target: (action: string) => formTarget(visit, action === 'sign-out' ? '/auth/sign-out' : `/auth/manage/${action}`),
    enrolHref: `${root}/auth/enrol?for=manage`,
    ...(isLaunching ? { launchHref: `${root}/auth/apps` } : {}),
    login: credentials?.password === undefined ? undefined : login,
    ...(credentials?.factor === undefined ? {} : { recoveryCodes: credentials.factor.recovery.length }),
    ...told,
  };
  return sendPage(visit, managePage(words, view));
};

const LONGEST_LOCK_MINUTES = 60;

/** What became of a password that was to be changed, as the query of the page to which the browser then goes. */
const queryOf = (result: Awaited<ReturnType<typeof changePassword>>): Readonly<Record<string, string>> => {
  if (result.kind === 'done') return { changed: '' };
  if (result.kind === 'refused') return { password: result.problem };
  if (result.kind === 'wrong') return { password: 'wrong' };
  return { password: 'locked', minutes: String(Math.ceil(result.milliseconds / 60_000)) };
};

/** Undefined for a word that is none of `queryOf`, as somebody else may have written the link. */
const passwordProblem = (query: URLSearchParams, words: Words): Problem | undefined => {
  const word = query.get('password') ?? '';
  if (word === 'wrong') return { text: words.passwordWrong, field: 'old' };
  const minutes = Number(query.get('minutes'));
  if (word === 'locked' && Number.isInteger(minutes) && minutes > 0 && minutes <= LONGEST_LOCK_MINUTES)
    return { text: words.locked(words.minutes(minutes)) };
  const texts: Readonly<Record<string, string>> = words.passwordProblems;
  const text = Object.hasOwn(texts, word) ? texts[word] : undefined;
  return text === undefined ? undefined : { text, field: 'new' };
};

const toldBy = (query: URLSearchParams, words: Words): Told => {
  if (query.has('removed')) return { done: words.removed };
  if (query.has('changed')) return { done: words.passwordChanged };
  const problem = passwordProblem(query, words);
  return problem === undefined ? {} : { problem };
};

const getManage = async (visit: Visit): Promise<FastifyReply> => {
  const session = signedIn(visit, 'manage');
  if (session === undefined) return visit.reply;
  return showManage(visit, session, toldBy(new URLSearchParams(queryText(visit.request)), visit.words));
};

const postRevoke = async (visit: Visit): Promise<FastifyReply> => {
  const form = sentForm(visit);
  const session = signedIn(visit, 'manage');
  if (session === undefined) return visit.reply;
  const { auth, root } = visit;
  const grant = (await grantsOfUser(auth, session.userId)).find(({ id }) => id === form.get('grant'));
  if (grant === undefined) return sendTo(visit, `${root}/auth/manage`);
  await revokeGrantOfUser(auth, session.userId, grant.id);
  await forgetApproval(auth, session.userId, grant.clientId);
  return sendTo(visit, `${root}/auth/manage?removed`);
};

const postPassword = async (visit: Visit): Promise<FastifyReply> => {
  const form = sentForm(visit);
  const session = signedIn(visit, 'manage');
  if (session === undefined) return visit.reply;
  const given = { old: form.get('old') ?? '', new: form.get('new') ?? '' };
  const result = await changePassword(visit.people, session, given);
  if (result.kind === 'done') setSession(visit, result.cookie);
  // To a page of its own address, so that to load it again does not send the passwords again.
  return sendTo(visit, `${visit.root}/auth/manage?${new URLSearchParams(queryOf(result))}`);
};

const postSignOutEverywhere = async (visit: Visit): Promise<FastifyReply> => {
  sentForm(visit);
  // Whoever has only a password must not end what its owner has open.
  const session = signedIn(visit, 'manage');
  if (session === undefined) return visit.reply;
  const { people, words, root } = visit;
  await signOutEverywhere(people, session);
  clearSession(visit);
  return sendPage(visit, signedOutPage(words, `${root}${signInPath('manage')}`));
};

/** The patient first, then the app that is to be opened with it. */
const getApps = async (visit: Visit): Promise<FastifyReply> => {
  const session = signedIn(visit, 'apps');
  if (session === undefined) return visit.reply;
  const { auth, records, root, words } = visit;
  const manageHref = `${root}/auth/manage`;
  const reach = await auth.directory.reachOfUser(session.user);
  const asked = new URLSearchParams(queryText(visit.request)).get('patient') ?? undefined;
  const possible = asked === undefined ? await auth.directory.patientsWithin(reach, '', 2) : [];
  const id = asked ?? (possible.length === 1 ? possible[0]?.id : undefined);
  if (id === undefined) {
    const view = await patientsView(visit, reach, '/auth/apps', '/auth/apps/patient');
    return sendPage(visit, patientsPage(words, { ...view, manageHref }));
  }
  if (!(await auth.directory.isWithin(reach, `Patient/${id}`))) throw new PageProblem(404, () => words.notFound);
  const clients = (await listClients(auth)).filter(canBeLaunched);
  const view = {
    target: formTarget(visit, '/auth/apps'),
    apps: clients.map(({ id: clientId, name }) => ({ id: clientId, name })),
    patient: { id, name: (await records.nameOf(`Patient/${id}`)) ?? id },
    manageHref,
  };
  return sendPage(visit, launchPage(words, view), {
    forms: clients.flatMap(({ launchUris }) => launchUris.slice(0, 1)),
  });
};

const postAppsPatient = async (visit: Visit): Promise<FastifyReply> => {
  const form = sentForm(visit);
  return sendTo(visit, `${visit.root}/auth/apps?${new URLSearchParams({ patient: form.get('patient') ?? '' })}`);
};

/** Opens an app by a launch in the person's name. */
const postApps = async (visit: Visit): Promise<FastifyReply> => {
  const form = sentForm(visit);
  const session = signedIn(visit, 'apps');
  if (session === undefined) return visit.reply;
  const { auth, userId, reach } = {
    auth: visit.auth,
    userId: session.userId,
    reach: await visit.auth.directory.reachOfUser(session.user),
  };
  const asked = { client_id: form.get('client') ?? '', patient: form.get('patient') ?? '' };
  const { launch_url: url } = await createLaunch(auth, { reach, userId }, asked);
  if (url === undefined) throw new PageProblem(404, (words) => words.launchNone);
  return sendTo(visit, url);
};

export const manageRoutes = (app: FastifyInstance, { visited, sentTo }: Visitors): void => {
  app.get('/auth/manage', visited(getManage));
  for (const form of ['revoke', 'password', 'sign-out-everywhere'])
    app.get(`/auth/manage/${form}`, sentTo('/auth/manage'));
  app.post('/auth/manage/revoke', visited(postRevoke));
  app.post('/auth/manage/password', visited(postPassword));
  app.post('/auth/manage/sign-out-everywhere', visited(postSignOutEverywhere));
  app.get('/auth/apps', visited(getApps));
  app.get('/auth/apps/patient', sentTo('/auth/apps'));
  app.post('/auth/apps/patient', visited(postAppsPatient));
  app.post('/auth/apps', visited(postApps));
};

/**
 * The authorization endpoint, and the pages of a request that waits for a person.
 *
 * @see https://hl7.org/fhir/smart-app-launch/app-launch.html#obtain-authorization-code
 */
import type { FastifyInstance, FastifyReply } from 'fastify';
import { approved, denied, errorUri, silentAnswer } from '../../../auth/authorize/answer.ts';
import { acceptedRequest, refuseTooLong } from '../../../auth/authorize/check-request.ts';
import { choicesOf, chosenScopes } from '../../../auth/authorize/consent-choices.ts';
import { type Decision, nextStep, type Step } from '../../../auth/authorize/next-step.ts';
import {
  changePending,
  findPending,
  keepPending,
  type PendingAuthorization,
  takePending,
} from '../../../auth/authorize/pending.ts';
import type { Client } from '../../../auth/clients/client.ts';
import { enabledClient } from '../../../auth/clients/clients.ts';
import type { OpenSession } from '../../../auth/users/sessions.ts';
import { sentPairs } from '../../form-body.ts';
import { RATE_LIMITED } from '../../rate-limit.ts';
import { type ApproveView, approvePage, type ShownApp } from '../approve-page.ts';
import { encountersPage, patientsPage } from '../choose-pages.ts';
import type { Problem } from '../layout.ts';
import { accountPage } from '../sign-in-pages.ts';
import { patientsView } from './patients-view.ts';
import {
  formTarget,
  inLanguage,
  PageProblem,
  queryText,
  secondFactorPath,
  sendPage,
  sendTo,
  sentForm,
  signInPath,
  type Visit,
} from './visit.ts';
import type { Visitors } from './visitors.ts';

/** Longer requests do not fit into a request target that every server takes. */
const LONGEST_QUERY = 12_000;

/** The request itself. What can be answered without a person is answered; else the browser goes to its page. */
const getAuthorize = async (visit: Visit): Promise<FastifyReply> => {
  const { auth, request, root, browser, session } = visit;
  const accepted = await acceptedRequest(auth, [...new URLSearchParams(queryText(request))]);
  if (accepted.prompts.includes('none')) return sendTo(visit, await silentAnswer(auth, accepted, session));
  const { id } = await keepPending(auth, accepted, browser);
  return sendTo(visit, `${root}/auth/authorize/${id}`);
};

/** A cross-site POST comes without our cookies: it becomes the same request by GET, which has them. */
const postAuthorize = async (visit: Visit): Promise<FastifyReply> => {
  const pairs = sentPairs(visit.request);
  const query = pairs.toString();
  if (query.length > LONGEST_QUERY) return refuseTooLong(visit.auth, [...pairs]);
  return sendTo(visit, `${visit.root}/auth/authorize?${query}`);
};

/** A visit to a request that waits. */
interface Waiting {
  readonly visit: Visit;
  readonly pending: PendingAuthorization;
  readonly client: Client;
  readonly step: Step;
  /** The path of its pages. */
  readonly path: string;
}

/** Throws a PageProblem if nothing waits under this id in this browser. */
const waiting = async (visit: Visit): Promise<Waiting> => {
  const { auth, request, browser, isKnownBrowser, session } = visit;
  if (!isKnownBrowser) throw new PageProblem(400, (words) => words.cookiesNeeded);
  const { id } = request.params as { id: string };
  const pending = await findPending(auth, id, browser);
  const client = pending && (await enabledClient(auth, pending.clientId));
  if (pending === undefined || client === undefined) throw new PageProblem(404, (words) => words.answeredBefore);
  return {
    visit: inLanguage(visit, pending.locales),
    ...{ pending, client, path: `/auth/authorize/${id}` },
    step: await nextStep(auth, pending, session),
  };
};

const shownApp = async ({ visit, client }: Waiting): Promise<ShownApp> => {
  const { name, organization, logoUrl, purpose } = client;
  const owner = organization === undefined ? undefined : await visit.records.organizationName(organization);
  return {
    ...{ name, purpose },
    ...(owner === undefined ? {} : { organization: owner }),
    ...(logoUrl === undefined ? {} : { logoUrl }),
  };
};

const personName = async ({ records }: Visit, { user }: OpenSession): Promise<string> =>
  (await records.nameOf(user.fhirUser)) ?? user.login;

/** Where a person goes after the decision, in a word that they may know. */
const hostOf = (redirectUri: string): string => new URL(redirectUri).host || new URL(redirectUri).protocol;

const showApproval = async (
  asked: Waiting,
  session: OpenSession,
  { scopes, context }: Decision,
  given: { readonly ticked: ReadonlySet<string>; readonly problem: Problem } | undefined = undefined,
): Promise<FastifyReply> => {
  const { visit, pending, client, path } = asked;
  const patient = context.patient === undefined ? undefined : await visit.records.nameOf(`Patient/${context.patient}`);
  const view: ApproveView = {
    target: formTarget(visit, `${path}/approve`),
    signOut: formTarget(visit, '/auth/sign-out'),
    destination: pending.id,
    app: await shownApp(asked),
    person: await personName(visit, session),
    ...(patient === undefined ? {} : { patient }),
    choices: choicesOf(scopes, visit.auth.isResourceType),
    host: hostOf(pending.redirectUri),
    ...given,
  };
  const allowed = {
    forms: [pending.redirectUri],
    ...(client.logoUrl === undefined ? {} : { images: [client.logoUrl] }),
  };
  return sendPage(visit, approvePage(visit.words, view), allowed, given === undefined ? 200 : 400);
};

const showChoices = async (asked: Waiting, session: OpenSession, step: Step): Promise<FastifyReply> => {
  const { visit, pending, client, path } = asked;
  const { words } = visit;
  const app = client.name;
  const allowed = { forms: [pending.redirectUri] };
  if (step.kind === 'patient') {
    const view = await patientsView(visit, step.reach, path, `${path}/patient`);
    return sendPage(visit, patientsPage(words, { ...view, app }), allowed);
  }
  if (step.kind === 'encounter') {
    const { encounters } = step;
    const target = formTarget(visit, `${path}/encounter`);
    return sendPage(visit, encountersPage(words, { target, app, encounters }), allowed);
  }
  const view = {
    target: formTarget(visit, `${path}/account`),
    signOut: formTarget(visit, '/auth/sign-out'),
    ...{ destination: pending.id, app, name: await personName(visit, session) },
  };
  return sendPage(visit, accountPage(words, view), allowed);
};

/** The page of the step at which a request is. */
const getWaiting = async (visit: Visit): Promise<FastifyReply> => {
  const asked = await waiting(visit);
  const { step, pending } = asked;
  const { auth, session, root } = visit;
  if (step.kind === 'refuse') {
    await takePending(auth, pending);
    return sendTo(visit, errorUri(auth, pending, step.error));
  }
  if (session === undefined || step.kind === 'sign-in') return sendTo(visit, `${root}${signInPath(pending.id)}`);
  if (step.kind === 'second-factor') return sendTo(visit, `${root}${secondFactorPath(pending.id)}`);
  return step.kind === 'approve' ? showApproval(asked, session, step.decision) : showChoices(asked, session, step);
};

/** Keeps a choice, if the request is at its step, and goes on. */
const postChoice =
  (kind: Step['kind'], changes: (form: URLSearchParams, session: OpenSession) => Partial<PendingAuthorization>) =>
  async (visit: Visit): Promise<FastifyReply> => {
    const form = sentForm(visit);
    const { pending, step, path } = await waiting(visit);
    const { auth, session, root } = visit;
    if (step.kind === kind && session !== undefined) await changePending(auth, pending, changes(form, session));
    return sendTo(visit, `${root}${path}`);
  };

const ID = /^[A-Za-z0-9\-.]{1,64}$/;

const idIn = (form: URLSearchParams, name: string): string => {
  const id = form.get(name) ?? '';
  return ID.test(id) ? id : '';
};

const chosenAccount = postChoice('account', (_form, { userId }) => ({ account: userId }));

/** Whether the patient is within the person's reach is looked at by the step that comes next. */
const chosenPatient = postChoice('patient', (form, { userId }) => {
  const patient = idIn(form, 'patient');
  return patient === '' ? {} : { patient, chosenBy: userId };
});

const chosenEncounter = postChoice('encounter', (form, { userId }) => ({
  encounter: idIn(form, 'encounter'),
  chosenBy: userId,
}));

const postApproval = async (visit: Visit): Promise<FastifyReply> => {
  const form = sentForm(visit);
  const asked = await waiting(visit);
  const { pending, step, path } = asked;
  const { auth, session, root } = visit;
  if (form.get('decision') === 'deny') return sendTo(visit, await denied(auth, pending));
  if (step.kind !== 'approve' || session === undefined || form.get('decision') !== 'allow')
    return sendTo(visit, `${root}${path}`);
  const { decision } = step;
  const ticked = new Set(form.getAll('tick'));
  const choices = choicesOf(decision.scopes, auth.isResourceType);
  const scopes = chosenScopes(decision.scopes, choices, ticked);
  if (scopes.length === 0) {
    const problem = { text: asked.visit.words.nothingTicked, field: 'choices' };
    return showApproval(asked, session, decision, { ticked, problem });
  }
  const url = await approved(auth, pending, session, decision, scopes);
  if (url === undefined) throw new PageProblem(404, (words) => words.answeredBefore);
  return sendTo(visit, url);
};

export const authorizeRoutes = (app: FastifyInstance, { visited, sentTo }: Visitors): void => {
  // Not for HEAD: what looks whether a link works must not use up the launch that is in it.
  app.get('/auth/authorize', { config: RATE_LIMITED, exposeHeadRoute: false }, visited(getAuthorize));
  app.post('/auth/authorize', { config: RATE_LIMITED }, visited(postAuthorize));
  app.get('/auth/authorize/:id', visited(getWaiting));
  for (const form of ['account', 'patient', 'encounter', 'approve'])
    app.get(`/auth/authorize/:id/${form}`, sentTo('/auth/authorize/:id'));
  app.post('/auth/authorize/:id/account', visited(chosenAccount));
  app.post('/auth/authorize/:id/patient', visited(chosenPatient));
  app.post('/auth/authorize/:id/encounter', visited(chosenEncounter));
  app.post('/auth/authorize/:id/approve', visited(postApproval));
};

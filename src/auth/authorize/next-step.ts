/**
 * What is to be done next with an authorization request: sign in, second factor, the account, the patient, the encounter,
 * and at last the approval. It is worked out anew at every visit, so that no step can be passed over.
 */
import type { AuthServer } from '../auth-server.ts';
import type { ListedEncounter } from '../clinical-directory.ts';
import { OAuthError } from '../oauth-error.ts';
import type { Reach } from '../reach.ts';
import type { LaunchContext } from '../tokens/grant.ts';
import type { OpenSession } from '../users/sessions.ts';
import type { PendingAuthorization } from './pending.ts';
import { isOfUse, scopesOfUser } from './scopes-of-user.ts';

/** All that is known when the person can decide. */
export interface Decision {
  readonly scopes: readonly string[];
  readonly context: LaunchContext;
  readonly reach: Reach;
}

export type Step =
  | { readonly kind: 'sign-in' }
  | { readonly kind: 'second-factor' }
  | { readonly kind: 'account' }
  | { readonly kind: 'patient'; readonly reach: Reach }
  | { readonly kind: 'encounter'; readonly patient: string; readonly encounters: readonly ListedEncounter[] }
  | { readonly kind: 'approve'; readonly decision: Decision }
  | { readonly kind: 'refuse'; readonly error: OAuthError };

/** The newest encounters of a patient that can be chosen from. */
const MAXIMUM_ENCOUNTERS = 50;

const refusal = (error: OAuthError['error'], description: string): Step => ({
  kind: 'refuse',
  error: new OAuthError(400, error, description),
});

/** Who is to act, and whether they have shown it recently enough. Undefined if all is well. */
const accountStep = (pending: PendingAuthorization, session: OpenSession): Step | undefined => {
  const { prompts, created, maximumAgeSeconds, hintedUser, launchedBy, account } = pending;
  const isNew = session.authenticated >= created;
  const oldest = maximumAgeSeconds === undefined ? undefined : created - maximumAgeSeconds * 1000;
  if (prompts.includes('login') && !isNew) return { kind: 'sign-in' };
  if (oldest !== undefined && session.authenticated < oldest) return { kind: 'sign-in' };
  if (hintedUser !== undefined && hintedUser !== session.userId)
    return isNew
      ? refusal('login_required', 'Another user has signed in than id_token_hint names')
      : { kind: 'sign-in' };
  if (launchedBy !== undefined && launchedBy !== session.userId)
    return refusal('access_denied', 'The app was launched by another user');
  if (prompts.includes('select_account') && account !== session.userId && !isNew) return { kind: 'account' };
  return undefined;
};

interface Situation {
  readonly server: AuthServer;
  readonly pending: PendingAuthorization;
  readonly session: OpenSession;
  readonly reach: Reach;
  readonly scopes: readonly string[];
}

const needsPatient = (scopes: readonly string[]): boolean =>
  scopes.some((scope) => scope === 'launch/patient' || scope.startsWith('patient/'));

/** The id of the patient; undefined if none is needed. An encounter is chosen among those of a patient. */
const patientOf = async ({
  server,
  pending,
  session,
  reach,
  scopes,
}: Situation): Promise<string | undefined | Step> => {
  const { directory } = server;
  const given = pending.context.patient;
  const chosen = pending.chosenBy === session.userId ? pending.patient : undefined;
  const patient = given ?? chosen;
  if (patient !== undefined) {
    if (await directory.isWithin(reach, `Patient/${patient}`)) return patient;
    return given === undefined
      ? { kind: 'patient', reach }
      : refusal('access_denied', 'The user does not see this patient');
  }
  if (!needsPatient(scopes) && !scopes.includes('launch/encounter')) return undefined;
  const possible = await directory.patientsWithin(reach, '', 2);
  const [only] = possible;
  if (only === undefined)
    return needsPatient(scopes) ? refusal('access_denied', 'The user sees no patient') : undefined;
  return possible.length === 1 ? only.id : { kind: 'patient', reach };
};

/** The id of the encounter; undefined for none. */
const encounterOf = async (situation: Situation, patient: string | undefined): Promise<string | undefined | Step> => {
  const { server, pending, session, reach, scopes } = situation;
  const { directory } = server;
  const given = pending.context.encounter;
  if (given !== undefined) {
    const isSeen = await directory.isWithin(reach, `Encounter/${given}`);
    return isSeen ? given : refusal('access_denied', 'The user does not see this encounter');
  }
  if (patient === undefined || !scopes.includes('launch/encounter')) return undefined;
  const encounters = await directory.encountersWithin(reach, patient, MAXIMUM_ENCOUNTERS);
  const isChosen = pending.chosenBy === session.userId && pending.encounter !== undefined;
  if (isChosen) return encounters.find(({ id }) => id === pending.encounter)?.id;
  return encounters.length > 1 ? { kind: 'encounter', patient, encounters } : encounters[0]?.id;
};

const isStep = (value: string | undefined | Step): value is Step => typeof value === 'object';

/** Without a session the person has to sign in. */
export const nextStep = async (
  server: AuthServer,
  pending: PendingAuthorization,
  session: OpenSession | undefined,
): Promise<Step> => {
  if (session === undefined) return { kind: 'sign-in' };
  if (session.stage !== 'full') return { kind: 'second-factor' };
  const account = accountStep(pending, session);
  if (account !== undefined) return account;
  const reach = await server.directory.reachOfUser(session.user);
  const scopes = scopesOfUser(pending.scopes, reach, server.isResourceType);
  if (!isOfUse(scopes)) return refusal('access_denied', 'The user may do nothing of what is asked for');
  const situation = { server, pending, session, reach, scopes };
  const patient = await patientOf(situation);
  if (isStep(patient)) return patient;
  const encounter = await encounterOf(situation, patient);
  if (isStep(encounter)) return encounter;
  // The app is told of a patient that it has asked for, or whose encounter it is told of.
  const isTold = needsPatient(scopes) || encounter !== undefined;
  const context = {
    ...pending.context,
    ...(patient === undefined || !isTold ? {} : { patient }),
    ...(encounter === undefined ? {} : { encounter }),
  };
  const met = scopes.filter((scope) => scope !== 'launch/encounter' || encounter !== undefined);
  return { kind: 'approve', decision: { scopes: met, context, reach } };
};

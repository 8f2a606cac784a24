/**
 * Signing in: a password, then the second factor. For unknown names and for wrong passwords it takes equally long, and
 * says the same.
 */
import type { Credentials } from './credentials.ts';
import { type PasswordProblem, passwordProblem } from './passwords.ts';
import type { People } from './people.ts';
import { codeStep, newFactorSecret, newRecoveryCodes, recoveryHash } from './second-factor.ts';
import type { OpenSession } from './sessions.ts';
import type { User } from './user.ts';
import { normalizedLogin } from './users.ts';

/** `cookie`: the session's new one. */
export type SignInResult =
  | { readonly kind: 'done'; readonly cookie: string }
  | { readonly kind: 'wrong' }
  | { readonly kind: 'locked'; readonly milliseconds: number };

const WRONG: SignInResult = { kind: 'wrong' };

/** Credentials of a user who is not there, so that the same is read for everybody. */
const NOBODY = 'nobody';

const stageOf = (credentials: Credentials | undefined) =>
  credentials?.factor !== undefined || credentials?.needsSecondFactor ? 'password' : 'full';

/** Checks login and password. The session that it begins replaces `before`. */
export const signIn = async (
  people: People,
  given: { readonly login: string; readonly password: string },
  before?: OpenSession,
): Promise<SignInResult> => {
  const { users, passwords, passwordLock, sessions } = people;
  const login = normalizedLogin(given.login);
  const milliseconds = await passwordLock.attempt(login);
  if (milliseconds > 0) return { kind: 'locked', milliseconds };
  const started = people.now();
  const user = await users.findByLogin(login);
  const credentials = await users.credentials(user?.id ?? NOBODY);
  const isRight = await passwords.isRight(given.password, credentials?.password);
  if (user === undefined || !isRight || user.isDisabled) return WRONG;
  await passwordLock.succeed(login);
  return {
    kind: 'done',
    cookie: await sessions.begin({ userId: user.id, stage: stageOf(credentials), started }, before),
  };
};

/** Begins the session of a user whom a provider has identified. */
export const signInByProvider = async (
  { users, sessions }: People,
  user: User,
  provider: { readonly name: string; readonly checksSecondFactor: boolean },
  before?: OpenSession,
): Promise<string> => {
  const stage = provider.checksSecondFactor ? 'full' : stageOf(await users.credentials(user.id));
  return sessions.begin({ userId: user.id, stage, provider: provider.name }, before);
};

const afterCode = (
  { seal }: People,
  userId: string,
  { factor, ...credentials }: Credentials,
  code: string,
  now: number,
): Credentials | undefined => {
  if (factor === undefined) return undefined;
  const step = codeStep(seal.opened(factor.secret, userId), code, now, factor.usedStep);
  if (step !== undefined) return { ...credentials, factor: { ...factor, usedStep: step } };
  const used = recoveryHash(code);
  if (!factor.recovery.includes(used)) return undefined;
  return { ...credentials, factor: { ...factor, recovery: factor.recovery.filter((each) => each !== used) } };
};

/** Checks a code of the authenticator app, or a recovery code; each is good for once. */
const isRightCode = async (
  people: People,
  { user }: OpenSession,
  code: string,
): Promise<SignInResult['kind'] | number> => {
  const milliseconds = await people.factorLock.attempt(user.id);
  if (milliseconds > 0) return milliseconds;
  const change = (credentials: Credentials) => afterCode(people, user.id, credentials, code, people.now());
  if (!(await people.users.changeCredentials(user.id, change))) return 'wrong';
  await people.factorLock.succeed(user.id);
  return 'done';
};

/** Checks the second factor of a session that has the first. */
export const signInWithCode = async (people: People, session: OpenSession, code: string): Promise<SignInResult> => {
  const result = await isRightCode(people, session, code);
  if (typeof result === 'number') return { kind: 'locked', milliseconds: result };
  if (result !== 'done') return WRONG;
  return { kind: 'done', cookie: await people.sessions.renew(session, { stage: 'full', authenticated: people.now() }) };
};

/** What a session still has to show. */
export type MissingFactor = 'none' | 'code' | 'enrolment';

export const missingFactor = async (people: People, session: OpenSession): Promise<MissingFactor> => {
  if (session.stage === 'full') return 'none';
  return (await people.users.credentials(session.userId))?.factor === undefined ? 'enrolment' : 'code';
};

/** The secret that a session is enrolling, made once for each session. Base32. */
export const factorToEnrol = async (people: People, session: OpenSession): Promise<string> => {
  const { sessions, seal } = people;
  if (session.newFactor !== undefined) return seal.opened(session.newFactor, session.userId);
  const secret = newFactorSecret();
  await sessions.change(session, { newFactor: seal.sealed(secret, session.userId) });
  return secret;
};

export type EnrolmentResult =
  | { readonly kind: 'done'; readonly cookie: string; readonly recoveryCodes: readonly string[] }
  | { readonly kind: 'wrong' };

/**
 * Takes the secret as the second factor if the code shows that the person's app has it. One that is there already is
 * replaced only in a session that had shown it.
 */
export const enrolFactor = async (people: People, session: OpenSession, code: string): Promise<EnrolmentResult> => {
  const { seal, users, sessions, now } = people;
  const { newFactor, userId } = session;
  if (newFactor === undefined) return { kind: 'wrong' };
  const usedStep = codeStep(seal.opened(newFactor, userId), code, now(), undefined);
  if (usedStep === undefined) return { kind: 'wrong' };
  const recoveryCodes = newRecoveryCodes();
  const factor = { secret: newFactor, usedStep, recovery: recoveryCodes.map(recoveryHash) };
  const isTaken = await users.changeCredentials(userId, (credentials) =>
    credentials.factor !== undefined && session.stage !== 'full' ? undefined : { ...credentials, factor },
  );
  if (!isTaken) return { kind: 'wrong' };
  const authenticated = session.stage === 'full' ? session.authenticated : now();
  const cookie = await sessions.renew(session, { stage: 'full', authenticated, newFactor: undefined });
  return { kind: 'done', cookie, recoveryCodes };
};

/** `cookie`: of the session that goes on. */
export type PasswordResult = SignInResult | { readonly kind: 'refused'; readonly problem: PasswordProblem };

/** Changes the password of a session's user. All other sessions end, and all that was granted to apps. */
export const changePassword = async (
  people: People,
  session: OpenSession,
  given: { readonly old: string; readonly new: string },
): Promise<PasswordResult> => {
  const { users, passwords, passwordLock, now } = people;
  const { id, login } = session.user;
  const problem = passwordProblem(given.new, login);
  if (problem !== undefined) return { kind: 'refused', problem };
  const milliseconds = await passwordLock.attempt(login);
  if (milliseconds > 0) return { kind: 'locked', milliseconds };
  if (!(await passwords.isRight(given.old, (await users.credentials(id))?.password))) return WRONG;
  await passwordLock.succeed(login);
  const password = await passwords.hashed(given.new);
  await users.changeCredentials(id, (credentials) => ({ ...credentials, password }));
  return { kind: 'done', cookie: await signOutElsewhere(people, session, now()) };
};

/** Signs the person out everywhere else, and ends what was granted to apps; here a new cookie takes over. */
const signOutElsewhere = async ({ users, sessions }: People, session: OpenSession, at: number): Promise<string> => {
  await users.change(session.userId, { validFrom: at });
  return sessions.renew(session, { started: at });
};

/** Ends all sessions of a user, and all that was granted to apps. */
export const signOutEverywhere = async ({ users, sessions, now }: People, session: OpenSession): Promise<void> => {
  await users.change(session.userId, { validFrom: now() + 1 });
  await sessions.end(session);
};

import { Secret, TOTP } from 'otpauth';
import type { Test } from 'tap';
import { test } from 'tap';
import { factorUri } from '../../../src/auth/users/second-factor.ts';
import {
  changePassword,
  enrolFactor,
  factorToEnrol,
  missingFactor,
  signIn,
  signInWithCode,
  signOutEverywhere,
} from '../../../src/auth/users/sign-in.ts';
import { PASSWORD, sessionOf, startPeople, type TestPeople } from './test-users.ts';

const started = async (t: Test): Promise<TestPeople> => {
  const given = await startPeople(t);
  const { users } = given.people;
  await users.add({ login: 'anna', fhirUser: 'Patient/1', role: 'patient', password: PASSWORD });
  await users.add({ login: 'marie', fhirUser: 'Practitioner/1', role: 'expert', password: PASSWORD });
  return given;
};

const cookieOf = async ({ people }: Pick<TestPeople, 'people'>, login = 'anna', password = PASSWORD) => {
  const result = await signIn(people, { login, password });
  if (result.kind !== 'done') throw new Error(result.kind);
  return result.cookie;
};

const codeOf = (secret: string, at: number): string =>
  new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: at });

/** Signs in and enrols; answers the secret, the cookie and the recovery codes. */
const enrolled = async ({ people }: TestPeople, login = 'marie') => {
  const half = await sessionOf(people, await cookieOf({ people }, login));
  const secret = await factorToEnrol(people, half);
  const session = await sessionOf(people, half.cookie);
  const result = await enrolFactor(people, session, codeOf(secret, people.now()));
  if (result.kind !== 'done') throw new Error('not enrolled');
  return { secret, half, ...result };
};

test('The right password opens a session; a wrong one and an unknown login are answered alike', async (t) => {
  const { people } = await started(t);
  const session = await sessionOf(people, await cookieOf({ people }));
  t.match(session, { stage: 'full', user: { login: 'anna' } });
  t.same(await signIn(people, { login: 'anna', password: 'wrong' }), { kind: 'wrong' });
  t.same(await signIn(people, { login: 'nobody', password: 'wrong' }), { kind: 'wrong' });
  await people.users.disable('anna');
  t.same(await signIn(people, { login: 'anna', password: PASSWORD }), { kind: 'wrong' }, 'disabled');
});

test('An unknown login takes as long as a wrong password', async (t) => {
  const { people } = await started(t);
  const times: Record<string, number[]> = { anna: [], nobody: [] };
  // Each name has its attempts before it is locked.
  for (let round = 0; round < 4; round++)
    for (const [login, list] of Object.entries(times)) {
      const start = process.cpuUsage();
      await signIn(people, { login, password: 'wrong' });
      const { user, system } = process.cpuUsage(start);
      list.push((user + system) / 1000);
    }
  // Processor time, and the least of it: a busy machine makes some attempts longer.
  const [known, unknown] = [Math.min(...(times['anna'] ?? [])), Math.min(...(times['nobody'] ?? []))];
  t.ok(Math.abs(known - unknown) < Math.max(known, unknown) / 2, `${known.toFixed(1)} ms, ${unknown.toFixed(1)} ms`);
});

test('After five wrong passwords a name is locked, whether somebody has it or not, on every instance, with back-off', async (t) => {
  const { people, pass, another } = await started(t);
  for (const login of ['anna', 'nobody']) {
    for (let count = 0; count < 5; count++)
      t.same(await signIn(people, { login, password: 'wrong' }), { kind: 'wrong' }, `${login} ${count}`);
    t.match(await signIn(another(), { login: login.toUpperCase(), password: PASSWORD }), {
      kind: 'locked',
      milliseconds: 60_000,
    });
  }
  pass(60_000);
  t.same(await signIn(people, { login: 'anna', password: 'wrong' }), { kind: 'wrong' });
  t.match(await signIn(people, { login: 'anna', password: PASSWORD }), { kind: 'locked', milliseconds: 120_000 });
  pass(120_000);
  t.match(await signIn(people, { login: 'anna', password: PASSWORD }), { kind: 'done' });
  t.same(await signIn(people, { login: 'anna', password: 'wrong' }), { kind: 'wrong' }, 'the count begins anew');
});

test('Of fifty guesses at once, only five are tried', async (t) => {
  const { people } = await started(t);
  const results = await Promise.all(
    Array.from({ length: 50 }, () => signIn(people, { login: 'anna', password: 'guess guess guess' })),
  );
  t.equal(results.filter(({ kind }) => kind === 'wrong').length, 5);
  t.equal(results.filter(({ kind }) => kind === 'locked').length, 45);
});

test('Of staff a second factor is required: without it the session is half open', async (t) => {
  const { people } = await started(t);
  const session = await sessionOf(people, await cookieOf({ people }, 'marie'));
  t.equal(session.stage, 'password');
  t.equal(await missingFactor(people, session), 'enrolment');
});

test('Enrolment takes a code of the new secret, gives recovery codes once, and opens the session under a new cookie', async (t) => {
  const given = await started(t);
  const { people, records } = given;
  const { secret, half, cookie, recoveryCodes } = await enrolled(given);
  t.equal((await sessionOf(people, cookie)).stage, 'full');
  t.equal(await people.sessions.open(half.cookie), undefined, 'the cookie before it is worth nothing');
  t.equal(new Set(recoveryCodes).size, 10);
  for (const code of recoveryCodes) t.match(code, /^[A-Z2-7]{4}(-[A-Z2-7]{4}){3}$/);
  const stored = (await records.get(`credentials/${half.userId}`))?.value ?? '';
  t.notMatch(stored, secret, 'the secret is sealed');
  for (const code of recoveryCodes) t.notMatch(stored, code, 'recovery codes are hashed');
  t.match(factorUri(secret, 'marie'), /^otpauth:\/\/totp\/Consilium:marie\?.*secret=/);
});

test('A wrong code enrols nothing', async (t) => {
  const { people } = await started(t);
  const half = await sessionOf(people, await cookieOf({ people }, 'marie'));
  t.same(await enrolFactor(people, half, '000000'), { kind: 'wrong' }, 'nothing was begun');
  await factorToEnrol(people, half);
  const session = await sessionOf(people, half.cookie);
  t.same(await enrolFactor(people, session, 'abcdef'), { kind: 'wrong' });
  t.equal(await missingFactor(people, session), 'enrolment');
});

test('A code is good for its step and one beside it, and once', async (t) => {
  const given = await started(t);
  const { people, pass } = given;
  const { secret } = await enrolled(given);
  const attempt = async (code: string) => {
    const session = await sessionOf(people, await cookieOf({ people }, 'marie'));
    t.equal(await missingFactor(people, session), 'code');
    return (await signInWithCode(people, session, code)).kind;
  };
  const at = people.now();
  t.equal(await attempt(codeOf(secret, at)), 'wrong', 'the code of the enrolment has been used');
  pass(90_000);
  t.equal(await attempt(codeOf(secret, people.now() - 60_000)), 'wrong', 'two steps ago');
  t.equal(await attempt(codeOf(secret, people.now() - 30_000)), 'done', 'one step ago');
  t.equal(await attempt(codeOf(secret, people.now() - 30_000)), 'wrong', 'again');
  t.equal(await attempt(codeOf(secret, people.now() + 30_000)), 'done', 'one step ahead');
  t.equal(await attempt(codeOf(secret, people.now())), 'wrong', 'before one that was used');
});

test('A recovery code is good once, however it is typed', async (t) => {
  const given = await started(t);
  const { people } = given;
  const { recoveryCodes } = await enrolled(given);
  const attempt = async (code = '') => {
    const session = await sessionOf(people, await cookieOf({ people }, 'marie'));
    return (await signInWithCode(people, session, code)).kind;
  };
  t.equal(await attempt(recoveryCodes[0]), 'done');
  t.equal(await attempt(recoveryCodes[0]), 'wrong');
  t.equal(await attempt(recoveryCodes[1]?.toLowerCase().replaceAll('-', ' ')), 'done');
});

test('Five wrong codes lock the second factor', async (t) => {
  const given = await started(t);
  const { people } = given;
  const { secret } = await enrolled(given);
  given.pass(60_000);
  const session = await sessionOf(people, await cookieOf({ people }, 'marie'));
  for (let count = 0; count < 5; count++) t.match(await signInWithCode(people, session, '000000'), { kind: 'wrong' });
  t.match(await signInWithCode(people, session, codeOf(secret, people.now())), { kind: 'locked' });
});

test('A stolen password cannot replace the second factor', async (t) => {
  const given = await started(t);
  const { people } = given;
  await enrolled(given);
  const half = await sessionOf(people, await cookieOf({ people }, 'marie'));
  const secret = await factorToEnrol(people, half);
  const session = await sessionOf(people, half.cookie);
  t.same(await enrolFactor(people, session, codeOf(secret, people.now())), { kind: 'wrong' });
});

test('The cookie is new after each step, so that one planted before is worth nothing (session fixation)', async (t) => {
  const given = await started(t);
  const { people } = given;
  const first = await sessionOf(people, await cookieOf({ people }));
  const again = await signIn(people, { login: 'anna', password: PASSWORD }, first);
  t.equal(again.kind, 'done');
  t.equal(await people.sessions.open(first.cookie), undefined);
  t.equal(await people.sessions.open('A'.repeat(43)), undefined, 'a cookie that somebody has made up');
  t.equal(await people.sessions.open('../user/1'), undefined);
});

test('Only the hash of the cookie is stored', async (t) => {
  const { people, records } = await started(t);
  const cookie = await cookieOf({ people });
  const stored = await records.list('', 100);
  t.notMatch(JSON.stringify(stored), cookie);
});

test('A session ends when it is not used, and after its longest time', async (t) => {
  const { people, pass } = await started(t);
  const unused = await cookieOf({ people });
  pass(31 * 60_000);
  t.equal(await people.sessions.open(unused), undefined, 'half an hour without use');
  const used = await cookieOf({ people });
  for (let minutes = 20; minutes < 12 * 60; minutes += 20) {
    pass(20 * 60_000);
    t.ok(await people.sessions.open(used), `${minutes} minutes`);
  }
  pass(20 * 60_000);
  t.equal(await people.sessions.open(used), undefined, 'twelve hours');
});

test('Signing out ends the session; signing out everywhere ends all of them', async (t) => {
  const { people, pass } = await started(t);
  const [one, other] = [await cookieOf({ people }), await cookieOf({ people })];
  await people.sessions.end(await sessionOf(people, one));
  t.equal(await people.sessions.open(one), undefined);
  t.ok(await people.sessions.open(other));
  const third = await sessionOf(people, await cookieOf({ people }));
  pass(5);
  await signOutEverywhere(people, third);
  t.equal(await people.sessions.open(other), undefined);
  t.equal(await people.sessions.open(third.cookie), undefined);
  pass(5);
  t.ok(await people.sessions.open(await cookieOf({ people })), 'and one can sign in again');
});

test('A reset gives a new password, takes the second factor away, and ends sessions', async (t) => {
  const given = await started(t);
  const { people } = given;
  const { cookie } = await enrolled(given);
  given.pass(5);
  await people.users.reset('marie', 'another long password');
  t.equal(await people.sessions.open(cookie), undefined);
  t.same(await signIn(people, { login: 'marie', password: PASSWORD }), { kind: 'wrong' });
  given.pass(5);
  const session = await sessionOf(people, await cookieOf({ people }, 'marie', 'another long password'));
  t.equal(await missingFactor(people, session), 'enrolment');
});

test('An old password that is still being checked while it is reset opens nothing', async (t) => {
  const { people, pass } = await started(t);
  const isRight: typeof people.passwords.isRight = async (password, stored) => {
    const answer = await people.passwords.isRight(password, stored);
    pass(5);
    await people.users.reset('anna', 'another long password');
    pass(5);
    return answer;
  };
  const slow = { ...people, passwords: { ...people.passwords, isRight } };
  const result = await signIn(slow, { login: 'anna', password: PASSWORD });
  t.equal(result.kind === 'done' ? await people.sessions.open(result.cookie) : undefined, undefined);
});

test('A changed password ends all other sessions, and this one goes on under a new cookie', async (t) => {
  const { people, pass } = await started(t);
  const other = await cookieOf({ people });
  const session = await sessionOf(people, await cookieOf({ people }));
  pass(5);
  const change = (old: string, next: string) => changePassword(people, session, { old, new: next });
  t.match(await change(PASSWORD, 'short'), { kind: 'refused', problem: 'too-short' });
  t.match(await change('wrong password', 'a new long password'), { kind: 'wrong' });
  const result = await change(PASSWORD, 'a new long password');
  t.equal(result.kind, 'done');
  t.equal(await people.sessions.open(other), undefined);
  t.equal(await people.sessions.open(session.cookie), undefined);
  t.ok(result.kind === 'done' && (await people.sessions.open(result.cookie)));
  t.match(await signIn(people, { login: 'anna', password: 'a new long password' }), { kind: 'done' });
});

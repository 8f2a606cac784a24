import { test } from 'tap';
import { createPasswords, passwordProblem } from '../../../src/auth/users/passwords.ts';

test('A password is kept as argon2id with the parameters that OWASP recommends, each with a salt of its own', async (t) => {
  const passwords = createPasswords(2);
  const [one, other] = await Promise.all([passwords.hashed('correct horse'), passwords.hashed('correct horse')]);
  t.match(one, { algorithm: 'argon2id', memoryKibibytes: 19_456, passes: 2, parallelism: 1 });
  t.equal(Buffer.from(one.hash, 'base64url').length, 32);
  t.equal(Buffer.from(one.salt, 'base64url').length, 16);
  t.not(one.salt, other.salt);
  t.not(one.hash, other.hash);
  t.notMatch(JSON.stringify(one), /correct|horse/);
});

test('The right password is right, however it is composed in Unicode, and any other is wrong', async (t) => {
  const passwords = createPasswords(2);
  const stored = await passwords.hashed('Mus\u00e9e du Louvre');
  t.ok(await passwords.isRight('Mus\u00e9e du Louvre', stored));
  t.ok(await passwords.isRight('Muse\u0301e du Louvre', stored));
  t.notOk(await passwords.isRight('Musee du Louvre', stored));
  t.notOk(await passwords.isRight('', stored));
  t.notOk(await passwords.isRight('x'.repeat(100_000), stored));
  t.notOk(await passwords.isRight('Mus\u00e9e du Louvre', undefined), 'nobody has it');
});

test('Sign-ins do not block other work: the main thread goes on while passwords are hashed', async (t) => {
  const passwords = createPasswords(2);
  let [longest, last] = [0, performance.now()];
  const timer = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 5);
  const started = performance.now();
  await Promise.all(Array.from({ length: 8 }, () => passwords.hashed('correct horse battery')));
  const together = performance.now() - started;
  clearInterval(timer);
  t.ok(longest < together / 2, `at most ${Math.round(longest)} ms of ${Math.round(together)} ms`);
});

test('Only so many passwords are hashed at once, and more than 200 do not wait', async (t) => {
  const passwords = createPasswords(1);
  const attempts = Array.from({ length: 202 }, () => passwords.isRight('x', undefined));
  const outcomes = await Promise.allSettled(attempts.slice(201));
  t.match(outcomes, [{ status: 'rejected', reason: { status: 503, error: 'temporarily_unavailable' } }]);
  await Promise.all(attempts.slice(0, 201));
});

test('A password has 8 to 200 characters, is not the login, and has five different characters at least', (t) => {
  const problem = (password: string) => passwordProblem(password, 'marie.curie');
  t.equal(problem('seven77'), 'too-short');
  t.equal(problem('eight888'), undefined);
  t.equal(problem('\u{1F40E}'.repeat(7)), 'too-short', 'characters are counted, not code units');
  t.equal(problem('é'.repeat(201)), 'too-long');
  t.equal(problem('aaaaaaaaaaaaaaaa'), 'too-simple');
  t.equal(problem('aAbBcCdD'), 'too-simple', 'a letter is the same in both cases');
  t.equal(problem('Marie.Curie'), 'too-simple');
  t.equal(problem('ｍａｒｉｅ.ｃｕｒｉｅ'), 'too-simple', 'however it is written');
  t.equal(problem('my-Marie.Curie-2'), undefined, 'it may contain the login');
  t.equal(problem('correct horse battery'), undefined);
  t.equal(problem('\u{1F40E}'.repeat(12)), 'too-simple');
  t.end();
});

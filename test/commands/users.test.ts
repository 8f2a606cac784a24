/** Users by command, on the store of a running and of a stopped server. */
import { test } from 'tap';
import { openBrowser } from '../auth/test-browser.ts';
import { EMBEDDED_ONLY } from '../http/test-store.ts';
import { place } from './place.ts';

const PASSWORD = 'correct horse battery';

test('A user is added, signs in, is reset and disabled, while a server runs and while none does', async (t) => {
  const { start, consilium, json, refusal } = place(t);
  const add = ['users', 'add', '--login', 'Ada', '--fhir-user', 'Patient/ada', '--role', 'patient', '--password-stdin'];
  t.match(await json(add, `${PASSWORD}\n`), {
    login: 'ada',
    fhir_user: 'Patient/ada',
    role: 'patient',
    disabled: false,
  });
  t.match(await refusal(add, `${PASSWORD}\n`), /^The login 'ada' is taken\n$/);

  const server = await start();
  const browser = openBrowser(server.origin);
  const signIn = async (password: string) =>
    (await (await browser.get('/auth/sign-in')).submit('/auth/sign-in', { login: 'ada', password })).title;
  t.equal(await signIn(PASSWORD), 'My apps');
  const reset = ['users', 'reset', '--login', 'ada', '--password-stdin'];
  t.match(await consilium(reset, 'a new password\r\nand another line\n'), /^ada has a new password/);
  t.equal((await browser.get('/auth/manage')).title, 'Sign in', 'the session is over');
  t.equal(await signIn('a new password'), 'My apps');
  t.match(await json(['users', 'disable', '--login', 'ada']), { login: 'ada', disabled: true });
  t.equal((await browser.get('/auth/manage')).title, 'Sign in');
  t.equal(await signIn('a new password'), 'Sign in');
  t.match(await consilium(['users', 'disable', '--login', 'ada', '--undo']), /^ada can sign in again\n$/);
  t.equal(await signIn('a new password'), 'My apps');
  await server.close();

  t.match(await consilium(['users', 'list']), /LOGIN .*\nada +patient +Patient\/ada +source\n$/);
});

test('What is wrong with a user is said in one line', { skip: EMBEDDED_ONLY }, async (t) => {
  const { refusal, consilium } = place(t);
  const add = ['users', 'add', '--login', 'ada', '--fhir-user', 'Patient/1', '--role', 'patient'];
  await consilium(['users', 'add', '--login', 'grace', '--fhir-user', 'Patient/2', '--role', 'patient']);
  const wrong: readonly (readonly [options: string[], input: string, reason: RegExp])[] = [
    [[...add, '--password-stdin'], 'seven77\n', /^The password has fewer than 8 characters/],
    [[...add, '--password-stdin'], '', /^--password-stdin: the standard input has no password/],
    [[...add, '--reach', 'all'], '', /only staff can reach all/],
    [['users', 'disable', '--login', 'nobody'], '', /^There is no user with the login 'nobody'/],
  ];
  for (const [options, input, reason] of wrong) t.match(await refusal(options, input), reason);
});

/** Who answers an authorization request: prompt, max_age and id_token_hint. */
import { setTimeout as pause } from 'node:timers/promises';
import { test } from 'tap';
import { openBrowser } from '../test-browser.ts';
import { authorizePath, codeOf } from '../test-people.ts';
import { allow, allowOnly, claimsOf, signIn, start } from './authorization-flow.ts';

test('OIDCCPromptLogin: prompt=login forces re-authentication, and auth_time is new', async (t) => {
  const { ask, tokens } = await start();
  const before = claimsOf(await tokens(await allow(await signIn(await ask()))));
  await pause(1100);
  const page = await ask({ prompt: 'login' });
  t.equal(page.title, 'Sign in');
  const after = claimsOf(await tokens(await allow(await signIn(page))));
  t.ok(Number(after['auth_time']) > Number(before['auth_time']));
  t.equal(after['sub'], before['sub']);
});

test('OIDCCMaxAge1, OIDCCMaxAge10000: max_age=1 after waiting asks to sign in again; max_age=10000 keeps the session and its auth_time', async (t) => {
  const { ask, tokens } = await start();
  const before = claimsOf(await tokens(await allow(await signIn(await ask()))));
  await pause(1200);
  const kept = await ask({ max_age: '10000' });
  t.match(kept.title, /^Allow/);
  t.equal(claimsOf(await tokens(await allow(kept)))['auth_time'], before['auth_time']);
  const page = await ask({ max_age: '1' });
  t.equal(page.title, 'Sign in');
  t.ok(Number(claimsOf(await tokens(await allow(await signIn(page))))['auth_time']) > Number(before['auth_time']));
});

test('OIDCCPromptNoneLoggedIn: prompt=none with a session: same sub and no page, if all that is asked was approved before', async (t) => {
  const { ask, tokens } = await start();
  await signIn(await ask());
  t.match((await ask({ prompt: 'none' })).answer, { error: 'consent_required', state: 'a state' });
  const before = await tokens(await allow(await ask()));
  const silent = await tokens(await ask({ prompt: 'none' }));
  t.equal(claimsOf(silent)['sub'], claimsOf(before)['sub']);
  t.equal(silent.scope, before.scope);
  const more = 'openid fhirUser launch/patient patient/Patient.rs patient/Observation.rs patient/Condition.rs';
  t.match((await ask({ prompt: 'none', scope: more })).answer, { error: 'consent_required' });
  t.match((await ask()).title, /^Allow/, 'without prompt=none the page is always shown');
});

test('prompt=none gives no more than what was left ticked, and nothing after the app was removed', async (t) => {
  const { server, browser, ask, tokens } = await start();
  await server.addUser('ida', 'Patient/ada', 'patient');
  const scope = 'launch/patient patient/Patient.rs patient/Observation.rs';
  await tokens(await allowOnly(browser, await signIn(await ask({ scope }), 'ida'), 'Vital signs'));
  t.match(
    (await tokens(await ask({ scope, prompt: 'none' }))).scope,
    /^launch\/patient patient\/Observation\.rs\?category=\S+vital-signs$/,
  );
  const manage = await browser.get('/auth/manage');
  await manage.submit('/auth/manage/revoke');
  t.match((await ask({ scope, prompt: 'none' })).answer, { error: 'consent_required' });
});

test('prompt=none where a patient would have to be chosen is answered interaction_required', async (t) => {
  const { ask } = await start();
  await signIn(await ask(), 'marie');
  t.match((await ask({ prompt: 'none' })).answer, { error: 'interaction_required' });
});

test('prompt=select_account asks which account; another one can sign in', async (t) => {
  const { ask } = await start();
  await signIn(await ask());
  const page = await ask({ prompt: 'select_account' });
  t.equal(page.title, 'Which account?');
  t.match(page.text, 'Continue as Ada Lovelace');
  t.match((await page.submit('/account')).title, /^Allow/);
  const other = await (await ask({ prompt: 'select_account' })).submit('/auth/sign-out');
  t.equal(other.title, 'Sign in');
  t.equal((await signIn(other, 'marie')).title, 'Choose a patient');
});

test('OIDCCIdTokenHint: id_token_hint with prompt=none: the same sub, or login_required for another person', async (t) => {
  const { browser, ask, tokens } = await start();
  const { id_token: hint } = await tokens(await allow(await signIn(await ask())));
  const silent = claimsOf(await tokens(await ask({ prompt: 'none', id_token_hint: hint })));
  t.equal(silent['sub'], claimsOf({ id_token: hint ?? '' })['sub']);
  const manage = await browser.get('/auth/manage');
  await manage.submit('/auth/sign-out');
  await signIn(await ask(), 'lise');
  t.match((await ask({ prompt: 'none', id_token_hint: hint })).answer, { error: 'login_required' });
  const page = await ask({ id_token_hint: hint });
  t.equal(page.title, 'Sign in');
  t.match((await signIn(page, 'lise')).answer, { error: 'login_required' });
});

test('Staff pass the second factor before anything else', async (t) => {
  const { server, app } = await start();
  await server.addUser('strict', 'Practitioner/marie', 'expert');
  const secret = await server.enrol('strict');
  const browser = openBrowser(server.origin);
  const shown = await signIn(await browser.get(authorizePath(server, { client_id: app })), 'strict');
  t.equal(shown.title, 'Confirm that it is you');
  for (const path of ['/auth/manage', '/auth/apps', '/auth/enrol'])
    t.equal((await browser.get(path)).title, 'Confirm that it is you', path);
  t.match((await browser.get(authorizePath(server, { client_id: app, prompt: 'none' }))).answer, {
    error: 'login_required',
  });
  t.match(await shown.submit('/auth/second-factor', { code: '000000' }), { status: 403 });
  const done = await shown.submit('/auth/second-factor', { code: codeOf(secret) });
  t.equal(done.title, 'Choose a patient');
});

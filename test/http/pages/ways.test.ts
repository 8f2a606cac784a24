/** That a person is never at a dead end: every address that a browser may show leads to a page, and every page onward. */
import tap, { test } from 'tap';
import { openBrowser } from '../../auth/test-browser.ts';
import { authorizePath, PASSWORD } from '../../auth/test-people.ts';
import { startTestServer } from '../test-server.ts';
import { signIn, start } from './people.ts';

const BROWSER = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' };

/** For the tests that leave its people as they are. */
const shared = start(tap);

test('GET of where a form goes leads to the page that has the form', async (t) => {
  const { origin } = await shared;
  const request = 'A'.repeat(22);
  for (const [path, page] of [
    ['/auth/manage/revoke', '/auth/manage'],
    ['/auth/manage/password', '/auth/manage'],
    ['/auth/manage/sign-out-everywhere', '/auth/manage'],
    ['/auth/sign-out', '/auth/manage'],
    ['/auth/apps/patient', '/auth/apps'],
    ...['account', 'patient', 'encounter', 'approve'].map((step) => [
      `/auth/authorize/${request}/${step}`,
      `/auth/authorize/${request}`,
    ]),
    ['/auth/authorize/%2F%2Fevil.example/approve', '/auth/authorize/%2F%2Fevil.example'],
  ] as const) {
    const { status, headers } = await fetch(`${origin}${path}`, { headers: BROWSER, redirect: 'manual' });
    t.match({ status, location: headers.get('location') }, { status: 303, location: page }, path);
  }
});

test('To load the address of an approval that ticked nothing gives the approval again', async (t) => {
  const server = await shared;
  const browser = openBrowser(server.origin);
  const page = await signIn(await browser.get(authorizePath(server)));
  const form = page.fields('/approve').filter(([name]) => name === 'form');
  const refused = await browser.post(`${page.url}/approve`, [...form, ['decision', 'allow']]);
  t.match(refused.text, /Tick at least one/);
  t.match(await browser.get(refused.url, BROWSER), { status: 200, title: page.title });
});

test('An unknown path below /auth/ is a page for a browser, and an OperationOutcome for a program', async (t) => {
  const { origin } = await shared;
  for (const path of ['/auth/nothing', '/auth/manage/nothing', '/auth/', '/auth/authorize/x/y/z']) {
    const page = await openBrowser(origin).get(path, BROWSER);
    t.match(page, { status: 404, title: 'This did not work', text: /There is no such page/ }, path);
    t.equal(page.headers.get('x-frame-options'), 'DENY');
    for (const accept of ['*/*', 'application/fhir+json', 'application/json']) {
      const response = await fetch(`${origin}${path}`, { headers: { accept } });
      t.equal(response.status, 404, `${path} ${accept}`);
      t.match(await response.json(), { resourceType: 'OperationOutcome', issue: [{ diagnostics: /FHIR base/ }] });
    }
  }
  t.equal(
    (await fetch(`${origin}/auth/token`, { headers: BROWSER })).status,
    405,
    'endpoints of apps are as they were',
  );
});

test('The root leads a browser to the own page, and says to a program where FHIR is', async (t) => {
  const { origin } = await shared;
  t.match(await openBrowser(origin).get('/', BROWSER), { title: 'Sign in', url: '/auth/sign-in?for=manage' });
  const response = await fetch(`${origin}/`);
  t.equal(response.status, 404);
  t.match(await response.json(), { resourceType: 'OperationOutcome', issue: [{ diagnostics: /FHIR base is \/fhir/ }] });
  const open = await startTestServer(t, { CONSILIUM_ACCESS: 'open' });
  for (const path of ['/', '/auth/nothing'])
    t.equal((await fetch(`${open.origin}${path}`, { headers: BROWSER })).status, 404, 'without sign-in: no pages');
});

/** Everything that can be wrong with a new password, and how it is said. */
const PASSWORDS: readonly (readonly [old: string, next: string, said: RegExp, field: string])[] = [
  ['not the password', 'another long password', /The current password is wrong/, 'old'],
  [PASSWORD, 'x', /too short/, 'new'],
  [PASSWORD, 'aaaaaaaaaaaa', /fewer than five different characters/, 'new'],
];

test('After changing the password, done or refused, the page can be loaded again', async (t) => {
  const server = await start(t);
  const browser = openBrowser(server.origin);
  let page = await signIn(await browser.get('/auth/sign-in?for=manage'));
  for (const [old, next, said, field] of PASSWORDS) {
    page = await page.submit('/auth/manage/password', { old, new: next });
    for (const shown of [page, await browser.get(page.url, BROWSER)]) {
      t.match(shown, { status: 200, title: 'My apps' }, `${shown.url}`);
      t.match(/<div class="problem" role="alert"[\s\S]*?<\/div>/.exec(shown.text)?.[0], said);
      t.match(shown.text, new RegExp(`id="${field}"[^>]* aria-invalid="true"`));
    }
    t.notMatch(page.url, /password\b.*(?:not|aaa)/, 'no password is in the address');
  }
  page = await page.submit('/auth/manage/password', { old: PASSWORD, new: 'another long password' });
  t.match(page.text, /The password has been changed/);
  t.match(await browser.get(page.url), { status: 200, text: /The password has been changed/ });
  for (let count = 0; count < 6; count++)
    page = await page.submit('/auth/manage/password', { old: 'x', new: 'a third long password' });
  t.match(page.text, /Too many attempts. Try again in \d+ minute/);
  t.match(await browser.get(page.url), { status: 200, text: /Too many attempts/ });
});

test('A link to My apps with words of another makes it say nothing of its own', async (t) => {
  const server = await shared;
  const browser = openBrowser(server.origin);
  await signIn(await browser.get('/auth/sign-in?for=manage'));
  for (const query of [
    ...['password=constructor', 'password=', 'password=%3Cb%3E', 'password=locked', 'password=locked&minutes=0'],
    ...['password=locked&minutes=1e9', 'password=locked&minutes=61', 'password=locked&minutes=-1&x'],
  ]) {
    const { status, text } = await browser.get(`/auth/manage?${query}`);
    t.equal(status, 200, query);
    t.notMatch(text, /class="(?:problem|done)"/, query);
  }
});

test('Pages of a person’s own, the second factor, and errors lead onward, in both languages', async (t) => {
  const server = await shared;
  await server.addUser('lise', 'Practitioner/lise', 'expert');
  for (const [language, myApps, signOut] of [
    ['en', 'My apps', 'Sign out'],
    ['fr', 'Mes applications', 'Se déconnecter'],
  ] as const) {
    const headers = { 'accept-language': language };
    const link = new RegExp(`<a href="/auth/manage">${myApps}</a>`);
    const browser = openBrowser(server.origin);
    await signIn(await browser.get('/auth/sign-in?for=manage'), 'marie');
    for (const path of ['/auth/apps', '/auth/apps?patient=ada', '/auth/apps?patient=nobody', '/auth/authorize/nothing'])
      t.match((await browser.get(path, headers)).text, link, path);
    const own = await browser.get('/auth/enrol?for=manage', headers);
    t.match(own.text, link, 'who need not enrol');
    const half = openBrowser(server.origin);
    await signIn(await half.get('/auth/sign-in?for=manage'), 'lise');
    const page = await half.get('/auth/enrol?for=manage', headers);
    t.notMatch(page.text, link, 'who must enrol cannot leave it out');
    for (const enrol of [own, page]) t.match(enrol.text, new RegExp(`<button[^>]*>${signOut}</button>`));
    const out = await page.submit('/auth/sign-out');
    t.equal(out.title, 'You are signed out');
  }
});

test('The picker of an authorization request does not lead away from it', async (t) => {
  const server = await shared;
  const page = await signIn(await openBrowser(server.origin).get(authorizePath(server)), 'marie');
  t.equal(page.title, 'Choose a patient');
  t.notMatch(page.text, 'href="/auth/manage"');
});

test('The error page of an authorization request is in the language that the app asks for', async (t) => {
  const server = await shared;
  const titleOf = async (changes: Record<string, string>, language = 'en'): Promise<string> => {
    const path = authorizePath(server, { client_id: 'nobody', ...changes });
    return (await openBrowser(server.origin).get(path, { 'accept-language': language })).title;
  };
  const [english, french] = ['This did not work', 'Cela n’a pas fonctionné'];
  t.equal(await titleOf({ ui_locales: 'fr' }), french);
  t.equal(await titleOf({ ui_locales: 'de fr-CA en' }), french);
  t.equal(await titleOf({ ui_locales: 'en' }, 'fr'), english);
  t.equal(await titleOf({ client_id: 'app', redirect_uri: 'https://evil.example/', ui_locales: 'fr' }), french);
  for (const unreadable of ['', ' ', 'xx', '"><script>', '\u0000'])
    t.equal(await titleOf({ ui_locales: unreadable }), english);
  t.equal(await titleOf({}, 'fr'), french, 'else the browser says');
  const form = { client_id: 'nobody', ui_locales: 'fr', state: 'x'.repeat(20_000) };
  t.equal((await openBrowser(server.origin).post('/auth/authorize', form)).title, french, 'also by POST');
});

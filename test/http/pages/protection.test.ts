/** What protects the pages: against forged forms, planted cookies, frames, scripts, and guessing who is here. */
import tap, { type Test, test } from 'tap';
import { openBrowser, type ShownPage } from '../../auth/test-browser.ts';
import { authorizePath, PASSWORD, type PeopleServer, REDIRECT, startPeopleServer } from '../../auth/test-people.ts';

const start = async (t: Test, environment = {}): Promise<PeopleServer> => {
  const server = await startPeopleServer(t, environment);
  await server.addApp({ logoUrl: 'https://logo.example/heart.png' });
  await server.addUser('ada', 'Patient/ada', 'patient');
  await server.addUser('marie', 'Practitioner/marie', 'referring-doctor', false);
  return server;
};

/** For the tests that leave its people as they are. */
const shared = start(tap);

const approval = async (server: PeopleServer, browser = openBrowser(server.origin)): Promise<ShownPage> =>
  (await browser.get(authorizePath(server))).submit('/auth/sign-in', { login: 'ada', password: PASSWORD });

test('Every page refuses frames, scripts, sniffing, referrers and caches (clickjacking)', async (t) => {
  const server = await shared;
  const browser = openBrowser(server.origin);
  const pages = [
    await browser.get('/auth/sign-in'),
    await browser.get('/auth/authorize'),
    await approval(server, browser),
    await browser.get('/auth/manage'),
    await browser.get('/auth/apps'),
    await browser.get('/auth/enrol'),
    await browser.get('/auth/authorize/nothing'),
  ];
  for (const { headers, url, text } of pages) {
    t.equal(headers.get('x-frame-options'), 'DENY', url);
    t.equal(headers.get('x-content-type-options'), 'nosniff');
    t.equal(headers.get('referrer-policy'), 'no-referrer');
    t.equal(headers.get('cache-control'), 'no-store');
    const policy = headers.get('content-security-policy') ?? '';
    for (const part of [
      "default-src 'none'",
      "style-src 'self'",
      "frame-ancestors 'none'",
      "base-uri 'none'",
      "form-action 'self'",
    ])
      t.ok(policy.includes(part), `${url}: ${part}`);
    t.notMatch(policy, /unsafe|script-src|\*/);
    t.notMatch(text, /<script|style="|\son\w+=/, 'no script, no style inside');
    t.match(text, /^<!doctype html>\n<html lang="en">/);
  }
});

test('Forms may end at the app’s origin where they can, and the logo comes from its own', async (t) => {
  const server = await shared;
  const page = await approval(server);
  const policy = page.headers.get('content-security-policy') ?? '';
  t.match(policy, `form-action 'self' ${new URL(REDIRECT).origin};`);
  t.match(policy, "img-src 'self' data: https://logo.example;");
  t.match(page.text, '<img src="https://logo.example/heart.png" alt=""');
  await server.addApp({ id: 'phone', redirectUris: ['com.example.app:/callback'] });
  const phone = await openBrowser(server.origin).get(
    authorizePath(server, { client_id: 'phone', redirect_uri: 'com.example.app:/callback' }),
  );
  t.match(phone.headers.get('content-security-policy'), "form-action 'self' com.example.app:;");
});

test('The style sheet is one static file that browsers keep for good', async (t) => {
  const server = await shared;
  const { text } = await openBrowser(server.origin).get('/auth/sign-in');
  const href = /<link rel="stylesheet" href="([^"]+)">/.exec(text)?.[1] ?? '';
  const { status, headers } = await openBrowser(server.origin).get(href);
  t.equal(status, 200);
  t.match(headers.get('content-type'), /^text\/css/);
  t.match(headers.get('cache-control'), 'immutable');
});

test('Cookies are __Host- ones: Secure, HttpOnly, SameSite=Lax, for the whole host', async (t) => {
  const server = await shared;
  const response = await fetch(`${server.origin}/auth/sign-in`);
  const [line = ''] = response.headers.getSetCookie();
  t.match(line, /^__Host-[\w-]+=[\w-]{43}; /);
  for (const part of ['Path=/', 'Secure', 'HttpOnly', 'SameSite=Lax']) t.ok(line.split('; ').includes(part), part);
  t.notMatch(line, 'Domain');
});

test('CSRF: approve without its token, with another browser’s token, or from another site, does nothing', async (t) => {
  const server = await shared;
  const browser = openBrowser(server.origin);
  const page = await approval(server, browser);
  const path = `${page.url}/approve`;
  const fields = page.fields('/approve');
  const ticks = fields.filter(([name]) => name !== 'form');
  const other = await approval(server);
  const forged: [string, string][][] = [
    [...ticks, ['decision', 'allow']],
    [['form', ''], ...ticks, ['decision', 'allow']],
    [['form', 'x'.repeat(43)], ...ticks, ['decision', 'allow']],
    [...other.fields('/approve').filter(([name]) => name === 'form'), ...ticks, ['decision', 'allow']],
    [...ticks, ['decision', 'deny']],
  ];
  for (const form of forged) {
    const answer = await browser.post(path, form);
    t.match(answer, { status: 403, title: 'This did not work' });
  }
  for (const site of ['cross-site', 'same-site'])
    t.match(
      await browser.post(path, [...fields, ['decision', 'allow']], { 'sec-fetch-site': site }),
      { status: 403 },
      site,
    );
  const { answer } = await page.submit('/approve', { decision: 'allow' });
  t.match(answer, { code: /./ }, 'and the request still waits for its person');
});

test('Every other form needs its token as well', async (t) => {
  const server = await shared;
  const browser = openBrowser(server.origin);
  const page = await approval(server, browser);
  const paths = [
    ...['/auth/sign-in', '/auth/second-factor', '/auth/enrol', '/auth/sign-out', '/auth/apps', '/auth/apps/patient'],
    ...['/auth/manage/revoke', '/auth/manage/password', '/auth/manage/sign-out-everywhere'],
    ...['account', 'patient', 'encounter', 'approve'].map((step) => `${page.url}/${step}`),
  ];
  for (const path of paths)
    t.match(await browser.post(path, { login: 'ada', password: PASSWORD, patient: 'ada' }), { status: 403 }, path);
  t.equal((await browser.get('/auth/manage')).title, 'My apps', 'the session is still there');
});

test('Session fixation: a cookie that was there before signing in is worth nothing afterwards', async (t) => {
  const server = await shared;
  const browser = openBrowser(server.origin);
  const name = '__Host-consilium-session';
  browser.cookies.set(name, 'planted-planted-planted-planted-planted-pla');
  await approval(server, browser);
  const first = browser.cookies.get(name) ?? '';
  t.match(first, /^[\w-]{43}$/);
  t.notMatch(first, 'planted');
  const again = await (await browser.get(authorizePath(server, { prompt: 'login' }))).submit('/auth/sign-in', {
    ...{ login: 'ada', password: PASSWORD },
  });
  t.match(again.title, /^Allow/);
  t.not(browser.cookies.get(name), first, 'a new one after each sign-in');
  const thief = openBrowser(server.origin);
  thief.cookies.set(name, first);
  t.equal((await thief.get('/auth/manage')).title, 'Sign in', 'and the one before it is worth nothing');
});

test('A form of one person does nothing once somebody else has signed in', async (t) => {
  const server = await shared;
  const browser = openBrowser(server.origin);
  const page = await approval(server, browser);
  const signIn = await browser.get('/auth/sign-in?for=manage');
  await signIn.submit('/auth/sign-in', { login: 'marie', password: PASSWORD });
  t.match(await page.submit('/approve', { decision: 'allow' }), { status: 403 });
});

test('Two tabs: signing in again as the same person in one leaves the other’s form good', async (t) => {
  const server = await shared;
  const browser = openBrowser(server.origin);
  const page = await approval(server, browser);
  const other = await browser.get(authorizePath(server, { prompt: 'login', state: 'other' }));
  await other.submit('/auth/sign-in', { login: 'ada', password: PASSWORD });
  t.match((await page.submit('/approve', { decision: 'allow' })).answer, { code: /./, state: 'a state' });
});

test('Sign-in says the same of an unknown name and of a wrong password, and locks both after five', async (t) => {
  const server = await start(t);
  const said: Record<string, string[]> = { ada: [], nobody: [] };
  for (const [login, list] of Object.entries(said)) {
    let page = await openBrowser(server.origin).get('/auth/sign-in');
    for (let count = 0; count < 6; count++) {
      page = await page.submit('/auth/sign-in', { login, password: 'wrong' });
      list.push(`${page.status} ${/role="alert"[\s\S]*?<\/div>/.exec(page.text)?.[0]}`);
    }
    t.match(page, { status: 429 });
    t.match(page.headers.get('retry-after'), /^\d+$/);
  }
  t.same(said['ada'], said['nobody']);
});

test('The rate limit answers pages with 429, and authorization requests too', async (t) => {
  const server = await start(t, { CONSILIUM_RATE_LIMIT: '3' });
  const browser = openBrowser(server.origin);
  const page = await browser.get('/auth/sign-in');
  for (let count = 0; count < 3; count++) await page.submit('/auth/sign-in', { login: 'x', password: 'y' });
  const last = await page.submit('/auth/sign-in', { login: 'x', password: 'y' });
  t.match(last, { status: 429, title: 'This did not work', text: /Too many requests/ });
  for (let count = 0; count < 3; count++) await browser.get('/auth/authorize?client_id=app');
  t.match(await browser.get('/auth/authorize?client_id=app'), { status: 429 });
});

test('The rate limit of sign-in is of the address alone: names of clients do not begin it anew', async (t) => {
  const server = await start(t, { CONSILIUM_RATE_LIMIT: '3' });
  const browser = openBrowser(server.origin);
  const form = (await browser.get('/auth/sign-in')).fields('/auth/sign-in');
  const attempt = async (path: string, fields: [string, string][] = []) =>
    (await browser.post(path, [...form, ['login', 'x'], ['password', 'y'], ...fields])).status;
  for (let count = 0; count < 3; count++) t.equal(await attempt(`/auth/sign-in?client_id=${count}`), 403);
  t.equal(await attempt('/auth/sign-in?client_id=4'), 429);
  t.equal(await attempt('/auth/sign-in', [['client_id', '5']]), 429);
});

test('A host with characters that separate sources cannot add to the policy', async (t) => {
  const server = await shared;
  const redirect = 'https://a;sandbox,b.example/callback';
  await server.addApp({ id: 'odd', redirectUris: [redirect] });
  const page = await openBrowser(server.origin).get(
    authorizePath(server, { client_id: 'odd', redirect_uri: redirect }),
  );
  t.match(page.headers.get('content-security-policy'), "form-action 'self' https://a%3bsandbox%2cb.example;");
});

test('My apps lists what was granted, removes one, and shows nothing of others', async (t) => {
  const server = await start(t);
  const browser = openBrowser(server.origin);
  const { answer } = await (await approval(server, browser)).submit('/approve', { decision: 'allow' });
  const form = {
    grant_type: 'authorization_code',
    code: answer['code'] ?? '',
    redirect_uri: REDIRECT,
    client_id: 'app',
    code_verifier: 'v'.repeat(43),
  };
  const tokens = await fetch(`${server.origin}/auth/token`, { method: 'POST', body: new URLSearchParams(form) });
  const { access_token: token } = (await tokens.json()) as { access_token: string };
  const read = () => fetch(`${server.fhirBase}/Patient/ada`, { headers: { authorization: `Bearer ${token}` } });
  t.equal((await read()).status, 200);
  const manage = await browser.get('/auth/manage');
  t.match(manage.text, '<h3>Heart Diary</h3>');
  t.match(manage.text, 'Record of Ada Lovelace');
  const grant = manage.fields('/auth/manage/revoke').find(([name]) => name === 'grant')?.[1] ?? '';
  const other = openBrowser(server.origin);
  const signedIn = await (await other.get('/auth/manage')).submit('/auth/sign-in', {
    login: 'marie',
    password: PASSWORD,
  });
  t.notMatch(signedIn.text, 'Heart Diary</h3>');
  const token403 = signedIn.fields('/auth/sign-out');
  await other.post('/auth/manage/revoke', [...token403, ['grant', grant]]);
  t.equal((await read()).status, 200, 'nobody removes an app of another person');
  t.match(await manage.submit('/auth/manage/revoke'), { text: /has been removed/ });
  t.equal((await read()).status, 401);
});

test('Signing out everywhere ends sessions in all browsers, and the access of apps', async (t) => {
  const server = await shared;
  const [one, other] = [openBrowser(server.origin), openBrowser(server.origin)];
  const { answer } = await (await approval(server, one)).submit('/approve', { decision: 'allow' });
  await approval(server, other);
  await (await one.get('/auth/manage')).submit('/auth/manage/sign-out-everywhere');
  t.equal((await other.get('/auth/manage')).title, 'Sign in');
  const form = {
    grant_type: 'authorization_code',
    code: answer['code'] ?? '',
    redirect_uri: REDIRECT,
    client_id: 'app',
    code_verifier: 'v'.repeat(43),
  };
  t.equal(
    (await fetch(`${server.origin}/auth/token`, { method: 'POST', body: new URLSearchParams(form) })).status,
    400,
  );
});

test('A sign-in does not lead to another site, whatever it was for', async (t) => {
  const server = await shared;
  for (const destination of ['https://evil.example', '//evil.example', '/\\evil.example', 'javascript:x']) {
    const page = await openBrowser(server.origin).get(`/auth/sign-in?for=${encodeURIComponent(destination)}`);
    const after = await page.submit('/auth/sign-in', { login: 'ada', password: PASSWORD });
    t.equal(after.url, '/auth/manage', destination);
  }
});

/** Attacks on the pages, and what people and proxies do to them. */
import tap, { test } from 'tap';
import { keepLaunch } from '../../../src/auth/launches.ts';
import { openBrowser } from '../../auth/test-browser.ts';
import { authorizePath, codeOf, PASSWORD, REDIRECT } from '../../auth/test-people.ts';
import { signIn, start } from './people.ts';

const EVIL = `"><script>alert(1)</script><img src=x onerror='alert(2)'>&amp;\u202eevil`;

/** For the tests that leave its people and patients as they are. */
const shared = start(tap);

const SESSION = '__Host-consilium-session';

test('Approve that is sent five times at once gives one code', async (t) => {
  const server = await shared;
  const browser = openBrowser(server.origin);
  const page = await signIn(await browser.get(authorizePath(server)));
  const answers = await Promise.all(Array.from({ length: 5 }, () => page.submit('/approve', { decision: 'allow' })));
  t.equal(answers.filter(({ answer }) => answer['code'] !== undefined).length, 1);
  for (const { status, answer } of answers) t.ok(answer['code'] !== undefined || status === 404, `${status}`);
  t.match(await page.submit('/approve', { decision: 'allow' }), { status: 404 }, 'and once more gives none');
  t.match(await page.submit('/approve', { decision: 'deny' }), { status: 404 });
});

test('A session without its second factor opens and ends nothing', async (t) => {
  const server = await shared;
  await server.addUser('lise', 'Practitioner/lise', 'expert');
  const secret = await server.enrol('lise');
  const owner = openBrowser(server.origin);
  const own = await signIn(await owner.get('/auth/sign-in?for=manage'), 'lise');
  t.equal((await own.submit('/auth/second-factor', { code: codeOf(secret) })).title, 'My apps');
  const thief = openBrowser(server.origin);
  const half = await signIn(await thief.get(authorizePath(server)), 'lise');
  t.equal(half.title, 'Confirm that it is you');
  const form = half.fields('/auth/second-factor').filter(([name]) => name === 'form');
  const request = /^\/auth\/second-factor\?for=([\w-]{22})$/.exec(half.url)?.[1];
  for (const path of [
    ...['/auth/manage/sign-out-everywhere', '/auth/manage/revoke', '/auth/manage/password', '/auth/apps'],
    `/auth/authorize/${request}/approve`,
    '/auth/enrol',
  ]) {
    const page = await thief.post(path, [
      ...form,
      ...Object.entries({
        old: PASSWORD,
        new: 'a new long password',
        decision: 'allow',
        code: '000000',
        client: 'app',
      }),
    ]);
    t.equal(page.title, 'Confirm that it is you', path);
  }
  t.equal((await owner.get('/auth/manage')).title, 'My apps', 'the owner is still signed in');
});

test('redirect_uri is compared character by character: nothing that is near it is an address', async (t) => {
  const server = await shared;
  const near = [
    ...[
      `${REDIRECT}/`,
      `${REDIRECT}?x=1`,
      `${REDIRECT}#x`,
      `${REDIRECT}/../evil`,
      REDIRECT.toUpperCase(),
      ` ${REDIRECT}`,
    ],
    ...[REDIRECT.replace(':9/', ':90/'), REDIRECT.replace('http:', 'https:'), REDIRECT.slice(0, -1)],
    ...[
      REDIRECT.replace('//', '//evil@'),
      REDIRECT.replace('127.0.0.1', 'localhost'),
      REDIRECT.replace('/callback', '/%63allback'),
    ],
    ...[REDIRECT.replace('127.0.0.1', '127.0.0.1.evil.example'), `${REDIRECT}\r\nX: y`, `${REDIRECT}%00`],
  ];
  for (const redirect of near) {
    const response = await fetch(`${server.origin}${authorizePath(server, { redirect_uri: redirect })}`, {
      redirect: 'manual',
    });
    t.equal(response.status, 400, redirect);
    t.equal(response.headers.get('location'), null, redirect);
  }
});

test('Text of others is text on every page: names, logos, hints, languages, searches, states', async (t) => {
  const server = await shared;
  await server.addApp({ id: 'evil', name: EVIL, launchUris: [REDIRECT], logoUrl: 'https://logo.example/"><script>' });
  await server.put('Organization/north', {
    resourceType: 'Patient',
    id: 'evil',
    name: [{ text: EVIL, family: EVIL }],
    gender: 'other',
    birthDate: '1970-01-01',
  });
  await server.put('Organization/north', { resourceType: 'Practitioner', id: 'marie', name: [{ text: EVIL }] });
  const browser = openBrowser(server.origin);
  const changes = { client_id: 'evil', login_hint: EVIL, ui_locales: EVIL, state: EVIL };
  const first = await browser.get(authorizePath(server, changes));
  const picker = await signIn(first, 'marie');
  const searched = await browser.get(`${picker.url}?text=${encodeURIComponent(EVIL)}`);
  const approval = await picker.submit('/patient', { patient: 'evil' });
  const answered = await approval.submit('/approve', { decision: 'allow' });
  t.equal(new URL(answered.url).searchParams.get('state'), EVIL, 'the state is as it was');
  const pages = [
    ...[first, picker, searched, approval],
    await browser.get('/auth/manage'),
    await browser.get('/auth/apps'),
    await browser.get('/auth/apps?patient=evil'),
    await browser.get(authorizePath(server, { client_id: EVIL })),
    await browser.get(authorizePath(server, { ...changes, prompt: 'select_account' })),
    await browser.get(`/auth/sign-in?for=${encodeURIComponent(EVIL)}`),
    await browser.get(`/auth/authorize/${encodeURIComponent(EVIL)}`),
    await browser.get(`/auth/federation/${encodeURIComponent(EVIL)}`),
    await browser.get(`/auth/federation/callback?state=${encodeURIComponent(EVIL)}&error=${encodeURIComponent(EVIL)}`),
  ];
  for (const { text, url, status } of pages) {
    t.ok(status < 500, `${url}: ${status}`);
    t.match(text, /^<!doctype html>/, url);
    t.notMatch(text, /<script|<img src=x|[\u202a-\u202e\u2066-\u2069]/, url);
  }
});

test('Answers to odd requests are pages with all headers, and none is a fault of the server', async (t) => {
  const server = await shared;
  const browser = openBrowser(server.origin);
  const page = await signIn(await browser.get('/auth/sign-in?for=manage'));
  t.equal(page.title, 'My apps');
  const cookie = [...browser.cookies].map((pair) => pair.join('=')).join('; ');
  const urlencoded = 'application/x-www-form-urlencoded';
  const send = (method: string, path: string, body?: string | Buffer, type = urlencoded) =>
    fetch(`${server.origin}${path}`, {
      method,
      redirect: 'manual',
      headers: { cookie, ...(body === undefined ? {} : { 'content-type': type }) },
      ...(body === undefined ? {} : { body }),
    });
  const answers: (readonly [Response, readonly number[]])[] = [
    [await send('POST', '/auth/sign-in', '{"login":"ada"}', 'application/json'), [403, 415]],
    [await send('POST', '/auth/sign-in', '<x/>', 'text/xml'), [415]],
    [await send('POST', '/auth/sign-in', 'a', 'multipart/form-data'), [415]],
    [await send('POST', '/auth/sign-in', `login=${'x'.repeat(200_000)}`), [413]],
    [await send('POST', '/auth/sign-in', 'a&'.repeat(49_000)), [403]],
    [await send('POST', '/auth/sign-in', Buffer.from([0x6c, 0x3d, 0xff, 0xfe, 0x26, 0x00])), [403]],
    [await send('POST', '/auth/sign-in'), [403, 415]],
    [await send('POST', '/auth/authorize'), [400, 415, 303]],
    [await send('GET', `/auth/authorize?state=${'x'.repeat(8_000)}`), [400]],
    [await send('GET', '/auth/authorize/%00'), [404]],
    [await send('GET', '/auth/sign-in?for=%ff%00%0d%0aSet-Cookie:x'), [200]],
    [await send('GET', '/auth/apps?patient='), [404]],
    [await send('GET', '/auth/apps?patient=..%2Fada'), [404]],
    [await send('GET', '/auth/apps?patient=%00'), [404]],
    [await send('GET', `/auth/apps?patient=${'x'.repeat(2_000)}`), [404]],
    [await send('GET', '/auth/manage?removed=%22%3E'), [200]],
    [await send('GET', '/auth/federation/callback'), [403]],
  ];
  for (const [{ url, status, headers }, expected] of answers) {
    t.ok(expected.includes(status), `${url.slice(0, 100)}: ${status}`);
    t.equal(headers.get('cache-control'), 'no-store', url.slice(0, 100));
    t.equal(headers.get('x-frame-options'), 'DENY', url.slice(0, 100));
    t.equal(headers.get('x-content-type-options'), 'nosniff');
    if (status !== 303) t.match(headers.get('content-security-policy') ?? '', "frame-ancestors 'none'");
  }
  for (const path of ['/auth/sign-in', '/auth/authorize'])
    for (const [type, body] of [
      ['application/json', '[1]'],
      ['application/json', '[["login","ada"]]'],
      ['application/json', '{'],
      ['text/plain', 'login=ada'],
    ] as const)
      t.equal((await send('POST', path, body, type)).status, 415, `${path} ${type} ${body}`);
  const large = await send('POST', '/auth/sign-in', `login=${'x'.repeat(200_000)}`);
  t.match(await large.text(), 'larger than 100000 bytes, the limit of this endpoint');
  for (const [method, path] of [
    ['PUT', '/auth/sign-in'],
    ['DELETE', '/auth/manage'],
    ['GET', '/auth/nothing'],
    ['GET', '/auth/authorize/%ff'],
    ['HEAD', '/auth/authorize'],
    ['HEAD', '/auth/federation/callback'],
  ] as const) {
    const { status } = await send(method, path);
    t.ok(status >= 400 && status < 500, `${method} ${path}: ${status}`);
  }
  t.equal((await send('HEAD', '/auth/manage')).status, 200);
});

test('HEAD of an authorization request does not use up a launch, and begins nothing', async (t) => {
  const server = await shared;
  const launch = await keepLaunch(server.auth, { clientId: 'app', context: { patient: 'ada' } });
  const path = authorizePath(server, { launch, scope: 'launch patient/*.rs' });
  await fetch(`${server.origin}${path}`, { method: 'HEAD', redirect: 'manual' });
  const page = await signIn(await openBrowser(server.origin).get(path));
  t.match(page.title, /^Allow/);
});

test('A user who is disabled, or whose Patient is deleted, gets no further in a session that is open', async (t) => {
  const server = await start(t);
  const browser = openBrowser(server.origin);
  const page = await signIn(await browser.get(authorizePath(server)));
  t.match(page.title, /^Allow/);
  await server.addUser('grace', 'Patient/grace', 'patient');
  const other = openBrowser(server.origin);
  const open = await signIn(await other.get(authorizePath(server)), 'grace');
  t.match(open.title, /^Allow/);
  await server.people.users.disable('ada');
  t.match(await page.submit('/approve', { decision: 'allow' }), { status: 403 });
  t.equal((await browser.get('/auth/manage')).title, 'Sign in');
  await server.remove('Patient/grace');
  t.match((await open.submit('/approve', { decision: 'allow' })).answer, { error: 'access_denied' });
  t.match(await other.get('/auth/manage'), { status: 200, title: 'My apps' });
});

test('After signing out, going back and sending an old form does nothing', async (t) => {
  const server = await shared;
  const browser = openBrowser(server.origin);
  const page = await signIn(await browser.get(authorizePath(server)));
  const manage = await browser.get('/auth/manage');
  await manage.submit('/auth/sign-out');
  t.notOk(browser.cookies.has(SESSION));
  t.match(await page.submit('/approve', { decision: 'allow' }), { status: 403 });
  t.match(await manage.submit('/auth/manage/sign-out-everywhere'), { status: 403 });
  t.equal((await browser.get(page.url)).title, 'Sign in', 'the request still waits, for whoever signs in');
});

test('max_age=0 and prompt=login ask for the password again, and once', async (t) => {
  const server = await shared;
  const browser = openBrowser(server.origin);
  await signIn(await browser.get('/auth/sign-in?for=manage'));
  for (const changes of [{ max_age: '0' }, { prompt: 'login' }, { prompt: 'login consent', max_age: '1000' }]) {
    const page = await browser.get(authorizePath(server, changes));
    t.equal(page.title, 'Sign in', JSON.stringify(changes));
    t.match((await signIn(page)).title, /^Allow/);
  }
  t.match((await browser.get(authorizePath(server, { max_age: '0', prompt: 'none' }))).answer, {
    error: 'login_required',
  });
  for (const prompt of ['none login', 'consent none', 'LOGIN', 'login,consent'])
    t.match((await browser.get(authorizePath(server, { prompt }))).answer, { error: 'invalid_request' }, prompt);
  for (const max_age of ['-1', '1e3', '1.5', '9'.repeat(20)])
    t.match((await browser.get(authorizePath(server, { max_age }))).answer, { error: 'invalid_request' }, max_age);
});

test('A login is the same however it is typed; one in letters of another script is not', async (t) => {
  const server = await shared;
  const attempt = async (login: string) =>
    (
      await (
        await openBrowser(server.origin).get('/auth/sign-in')
      ).submit('/auth/sign-in', { login, password: PASSWORD })
    ).status;
  for (const login of ['ADA', ' ada ', 'ａｄａ', 'ªda']) t.equal(await attempt(login), 200, login);
  for (const login of ['аda', 'ad\u200da', 'a\u0000da', 'x'.repeat(50_000), '\ufdfa'.repeat(1_000)])
    t.equal(await attempt(login), 403, login.slice(0, 20));
});

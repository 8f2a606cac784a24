import { createHash } from 'node:crypto';
import tap, { type Test, test } from 'tap';
import { keepLaunch } from '../../../src/auth/launches.ts';
import { openBrowser, plain, type ShownPage } from '../test-browser.ts';
import { authorizePath, CHALLENGE, PASSWORD, type PeopleServer, REDIRECT, startPeopleServer } from '../test-people.ts';

interface Started {
  readonly server: PeopleServer;
  /** Sends a request with changes to one that is right, in a browser of its own. */
  ask(changes?: Readonly<Record<string, string | undefined>>): Promise<ShownPage>;
}

/** For all tests: none changes the app or a user that another one has. */
const running = startPeopleServer(tap).then(async (server) => {
  await server.addApp();
  return server;
});

const start = async (): Promise<Started> => {
  const server = await running;
  return { server, ask: (changes) => openBrowser(server.origin).get(authorizePath(server, changes)) };
};

const signInTitle = 'Sign in';

test('smart_app_redirect_stu2: the authorization endpoint takes GET with all that SMART asks for, and shows the sign-in page', async (t) => {
  const { ask } = await start();
  t.match(await ask(), { status: 200, title: signInTitle });
});

test('authorize-post, OIDCCEnsurePostRequestSucceeds: the same parameters as form POST work: the browser goes on by GET, so that our cookies come with it', async (t) => {
  const { server } = await start();
  const query = authorizePath(server).split('?')[1] ?? '';
  const response = await fetch(`${server.origin}/auth/authorize`, {
    method: 'POST',
    redirect: 'manual',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      'sec-fetch-site': 'cross-site',
      origin: 'https://app.example',
    },
    body: query,
  });
  t.equal(response.status, 303);
  t.same(response.headers.getSetCookie(), [], 'the cookies that it has are not replaced');
  const location = response.headers.get('location') ?? '';
  t.match(location, /^\/auth\/authorize\?/);
  t.same([...new URLSearchParams(location.split('?')[1])], [...new URLSearchParams(query)]);
  t.match(await openBrowser(server.origin).get(location), { status: 200, title: signInTitle });
});

test('An unknown client, and none, get an error page and never a redirect', async (t) => {
  const { ask } = await start();
  for (const client of ['nobody', undefined, '', '../app', 'app '])
    t.match(await ask({ client_id: client }), { status: 400, title: 'This did not work' }, String(client));
});

test('A disabled client and a backend client get an error page', async (t) => {
  const { server, ask } = await start();
  await server.addApp({
    ...{ id: 'backend', kind: 'backend', redirectUris: [], scope: 'system/*.rs', organization: 'Organization/north' },
    jwksUrl: 'https://ehr.example/jwks',
  });
  t.match(await ask({ client_id: 'backend' }), { status: 400, title: 'This did not work' });
});

test('OIDCCEnsureRegisteredRedirectUri: a redirect_uri that is not exactly registered gets an error page, never a redirect (open redirect)', async (t) => {
  const { ask } = await start();
  const near = [
    ...[
      `${REDIRECT}/`,
      `${REDIRECT}?x=1`,
      `${REDIRECT}#x`,
      `${REDIRECT}/../evil`,
      REDIRECT.toUpperCase(),
      `${REDIRECT}%20`,
    ],
    ...['https://evil.example/callback', 'http://127.0.0.1:9@evil.example/callback', 'http://127.0.0.1:10/callback'],
    ...['javascript:alert(1)', '//evil.example', '/callback', '', undefined],
  ];
  for (const uri of near)
    t.match(await ask({ redirect_uri: uri }), { status: 400, url: /^\/auth\/authorize/ }, String(uri));
});

test('client_id or redirect_uri twice gets an error page', async (t) => {
  const { server } = await start();
  for (const more of ['client_id=app', `redirect_uri=${encodeURIComponent(REDIRECT)}`]) {
    const page = await openBrowser(server.origin).get(`${authorizePath(server)}&${more}`);
    t.match(page, { status: 400, title: 'This did not work' });
  }
});

/** What is sent back to the app: always with its state, and with who says so. */
const refused = async (
  t: Test,
  { server, ask }: Started,
  changes: Record<string, string | undefined>,
  error: string,
) => {
  const { url, answer } = await ask(changes);
  t.ok(url.startsWith(REDIRECT), JSON.stringify(changes).slice(0, 100));
  t.match(
    answer,
    { error, state: 'a state', iss: server.origin, error_description: /./ },
    JSON.stringify(changes).slice(0, 100),
  );
  t.notOk('code' in answer);
};

test('REQ-S 15, 31: authorize without code_challenge, or with method plain, or none, is an error (PKCE downgrade)', async (t) => {
  const started = await start();
  await refused(t, started, { code_challenge: undefined }, 'invalid_request');
  await refused(t, started, { code_challenge: '' }, 'invalid_request');
  await refused(t, started, { code_challenge_method: 'plain' }, 'invalid_request');
  await refused(t, started, { code_challenge_method: undefined }, 'invalid_request');
  await refused(t, started, { code_challenge_method: 's256' }, 'invalid_request');
  await refused(t, started, { code_challenge: 'x'.repeat(42) }, 'invalid_request');
  await refused(t, started, { code_challenge: 'x'.repeat(44) }, 'invalid_request');
});

test('g10_smart_invalid_aud: aud must be the FHIR base: another url, and none, give no code', async (t) => {
  const started = await start();
  await refused(t, started, { aud: 'https://other.example/fhir' }, 'invalid_request');
  await refused(t, started, { aud: undefined }, 'invalid_request');
  await refused(t, started, { aud: started.server.origin }, 'invalid_request');
  t.match(await started.ask({ aud: `${started.server.fhirBase}/` }), { title: signInTitle });
  t.match(await started.ask({ aud: undefined, scope: 'openid profile' }), { title: signInTitle }, 'OpenID alone');
});

test('OIDCCResponseTypeMissing: a response_type that is missing is invalid_request, another is unsupported_response_type', async (t) => {
  const started = await start();
  await refused(t, started, { response_type: undefined }, 'invalid_request');
  await refused(t, started, { response_type: 'token' }, 'unsupported_response_type');
  await refused(t, started, { response_type: 'code id_token' }, 'unsupported_response_type');
});

test('OIDCCRequestUri, UnsignedRequestObject: request and request_uri are refused with their own errors', async (t) => {
  const started = await start();
  await refused(t, started, { request: 'e30.e30.' }, 'request_not_supported');
  await refused(t, started, { request_uri: 'https://app.example/request' }, 'request_uri_not_supported');
});

test('OIDCCEnsureRequestWithUnknownParameterSucceeds, AcrValues, ClaimsLocales, DisplayPage: what is known is refused twice; unknown parameters are passed over, however often they come', async (t) => {
  const started = await start();
  const path = authorizePath(started.server);
  for (const more of [
    'scope=openid',
    'state=x',
    `code_challenge=${CHALLENGE}`,
    'aud=x',
    'prompt=login&prompt=login',
    'nonce=1&nonce=2',
  ]) {
    const { answer } = await openBrowser(started.server.origin).get(`${path}&${more}`);
    t.match(answer, { error: 'invalid_request', state: 'a state' }, more);
  }
  const unknown = 'foo=1&foo=2&acr_values=1&display=page&claims_locales=fr&resource=a&resource=b';
  t.match(await openBrowser(started.server.origin).get(`${path}&${unknown}`), { title: signInTitle });
});

test('Existing query parameters of a redirect_uri are kept', async (t) => {
  const { server } = await start();
  const uri = `${REDIRECT}?tenant=a%20b`;
  await server.addApp({ id: 'tenant', redirectUris: [uri] });
  const { url } = await openBrowser(server.origin).get(
    authorizePath(server, { client_id: 'tenant', redirect_uri: uri, aud: 'https://other.example' }),
  );
  t.ok(url.startsWith(`${uri}&error=`), url);
});

test('Scopes: what is malformed or too long refuses the request, what is not registered is dropped, nothing left is invalid_scope', async (t) => {
  const started = await start();
  await refused(t, started, { scope: undefined }, 'invalid_scope');
  await refused(t, started, { scope: ' ' }, 'invalid_scope');
  await refused(t, started, { scope: 'patient/Nothing.rs' }, 'invalid_scope');
  await refused(t, started, { scope: 'patient/Patient.sr' }, 'invalid_scope');
  await refused(t, started, { scope: 'email' }, 'invalid_scope');
  await refused(t, started, { scope: 'system/Patient.rs' }, 'invalid_scope');
  await refused(t, started, { scope: `openid ${'x'.repeat(10_000)}` }, 'invalid_scope');
  await refused(t, started, { scope: 'openid\nsystem/*.cruds' }, 'invalid_scope');
  await refused(t, started, { scope: 'openid patient/Patient.rs\u0000' }, 'invalid_scope');
  t.match(await started.ask({ scope: 'openid email phone patient/Patient.rs' }), { title: signInTitle });
});

test('A scope of 10,000 characters by POST is refused, too', async (t) => {
  const { server } = await start();
  const query = new URLSearchParams(authorizePath(server).split('?')[1]);
  query.set('scope', 'openid '.repeat(3000));
  const { answer } = await openBrowser(server.origin).post('/auth/authorize', [...query]);
  t.match(answer, { error: 'invalid_request', state: 'a state' });
});

test('prompt and max_age are checked', async (t) => {
  const started = await start();
  await refused(t, started, { prompt: 'sometimes' }, 'invalid_request');
  await refused(t, started, { prompt: 'none login' }, 'invalid_request');
  for (const age of ['-1', 'x', '1.5', '99999999999']) await refused(t, started, { max_age: age }, 'invalid_request');
});

test('An id_token_hint that we have not issued is refused', async (t) => {
  const started = await start();
  await refused(t, started, { id_token_hint: 'x.y.z' }, 'invalid_request');
  const foreign = await started.server.auth.keys.sign({ iss: 'https://other.example', sub: 'x' });
  await refused(t, started, { id_token_hint: foreign }, 'invalid_request');
});

test('A launch that is unknown, reused or of another client, and a launch without its scope, give an error and no code', async (t) => {
  const started = await start();
  const { server, ask } = started;
  const scope = 'openid launch patient/Patient.rs';
  await refused(t, started, { scope, launch: 'unknown' }, 'invalid_request');
  await refused(t, started, { scope }, 'invalid_request');
  const launch = (clientId: string) => keepLaunch(server.auth, { clientId, context: { patient: 'ada' } });
  await refused(t, started, { launch: await launch('app') }, 'invalid_request');
  await refused(t, started, { scope, launch: await launch('other') }, 'invalid_request');
  const good = await launch('app');
  t.match(await ask({ scope, launch: good }), { title: signInTitle });
  await refused(t, started, { scope, launch: good }, 'invalid_request');
});

test('OIDCCPromptNoneNotLoggedIn: prompt=none without a session is answered login_required, without a page', async (t) => {
  await refused(t, await start(), { prompt: 'none' }, 'login_required');
});

test('OIDCCLoginHint: login_hint fills the name in; it cannot break out of the page', async (t) => {
  const { ask } = await start();
  t.match((await ask({ login_hint: 'ada' })).text, 'value="ada"');
  const { text } = await ask({ login_hint: '"><script>alert(1)</script>' });
  t.notMatch(text, '<script>');
  t.match(plain(text), 'value=""><script>alert(1)</script>"');
});

test('OIDCCUiLocales: ui_locales choose the language, before the browser’s own', async (t) => {
  const { server, ask } = await start();
  t.equal((await ask({ ui_locales: 'de fr-CA en' })).title, 'Connexion');
  t.equal((await ask({ ui_locales: 'de' })).title, signInTitle);
  const header = { 'accept-language': 'de, fr;q=0.8, en;q=0.7' };
  t.equal((await openBrowser(server.origin).get('/auth/sign-in', header)).title, 'Connexion');
});

test('The pages of a request open in the browser that brought it, and in no other', async (t) => {
  const { server } = await start();
  await server.addUser('ada', 'Patient/ada', 'patient');
  const browser = openBrowser(server.origin);
  const shown = await browser.get(authorizePath(server));
  const id = new URLSearchParams(shown.url.split('?')[1]).get('for') ?? '';
  t.match(id, /^[\w-]{22}$/);
  const other = openBrowser(server.origin);
  t.match(await other.get(`/auth/authorize/${id}`), { status: 400, title: 'This did not work' }, 'without a cookie');
  await other.get('/auth/sign-in');
  t.match(await other.get(`/auth/authorize/${id}`), { status: 404, title: 'This did not work' });
  await shown.submit('/auth/sign-in', { login: 'ada', password: PASSWORD });
  t.match(await browser.get(`/auth/authorize/${id}`), { status: 200 });
});

test('The challenge of the tests is that of their verifier', (t) => {
  t.equal(createHash('sha256').update('v'.repeat(43)).digest('base64url'), CHALLENGE);
  t.end();
});

import { createHash, generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, SignJWT } from 'jose';
import { type Test, test } from 'tap';
import { providersOf } from '../../../src/auth/users/providers.ts';
import { openBrowser, type ShownPage } from '../test-browser.ts';
import { authorizePath, type PeopleServer, startPeopleServer } from '../test-people.ts';

interface TestProvider {
  readonly issuer: string;
  /** The authorization request that came last. */
  asked(): URLSearchParams;
  /** What the next id token says in place of what is right. */
  say(claims: Readonly<Record<string, unknown>>): void;
  /** The query with which the browser comes back. */
  answer(changes?: Readonly<Record<string, string>>): string;
}

/** A small OpenID provider of a hospital, with one person. */
const startProvider = async (t: Test): Promise<TestProvider> => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const jwk = { ...(await exportJWK(publicKey)), kid: 'one', alg: 'RS256', use: 'sig' };
  let request = new URLSearchParams();
  let said: Readonly<Record<string, unknown>> = {};

  const idToken = (issuer: string): Promise<string> =>
    new SignJWT({ nonce: request.get('nonce'), fhirUser: 'Practitioner/marie', ...said })
      .setProtectedHeader({ alg: 'RS256', kid: 'one' })
      .setIssuer(typeof said['iss'] === 'string' ? said['iss'] : issuer)
      .setSubject('marie')
      .setAudience('consilium')
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(privateKey);

  const tokenAnswer = async (issuer: string, form: URLSearchParams): Promise<[number, object]> => {
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    const isRight =
      form.get('client_secret') === 'a secret' &&
      form.get('code') === 'good' &&
      form.get('redirect_uri') === request.get('redirect_uri') &&
      challenge === request.get('code_challenge');
    if (!isRight) return [400, { error: 'invalid_grant' }];
    return [200, { access_token: 'x', token_type: 'Bearer', id_token: await idToken(issuer) }];
  };

  const server = createServer(async (incoming, response) => {
    const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const url = new URL(incoming.url ?? '', issuer);
    let body = '';
    for await (const chunk of incoming) body += chunk;
    const send = (status: number, value: object): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    };
    if (url.pathname === '/authorize') {
      request = url.searchParams;
      send(200, {});
    } else if (url.pathname === '/jwks') send(200, { keys: [jwk] });
    else if (url.pathname === '/token') send(...(await tokenAnswer(issuer, new URLSearchParams(body))));
    else
      send(200, {
        ...{ issuer, authorization_endpoint: `${issuer}/authorize`, token_endpoint: `${issuer}/token` },
        ...{ jwks_uri: `${issuer}/jwks`, response_types_supported: ['code'], subject_types_supported: ['public'] },
        ...{ id_token_signing_alg_values_supported: ['RS256'], authorization_response_iss_parameter_supported: true },
        ...{ code_challenge_methods_supported: ['S256'] },
      });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    issuer,
    asked: () => request,
    say: (claims) => {
      said = claims;
    },
    answer: (changes = {}) =>
      `?${new URLSearchParams({ code: 'good', state: request.get('state') ?? '', iss: issuer, ...changes })}`,
  };
};

interface Started {
  readonly server: PeopleServer;
  readonly provider: TestProvider;
  readonly browser: ReturnType<typeof openBrowser>;
  /** Goes to the provider from the sign-in page of an authorization request. */
  leave(changes?: Readonly<Record<string, string>>): Promise<void>;
  /** Comes back from it. */
  comeBack(changes?: Readonly<Record<string, string>>): Promise<ShownPage>;
}

const start = async (t: Test, more: object = {}): Promise<Started> => {
  const provider = await startProvider(t);
  const providers = providersOf(
    JSON.stringify([
      {
        ...{ name: 'north', title: 'North Hospital', issuer: provider.issuer, clientId: 'consilium' },
        ...{ clientSecret: 'a secret', organization: 'Organization/north', checksSecondFactor: true, ...more },
      },
    ]),
  );
  const server = await startPeopleServer(t, {}, providers);
  await server.addApp();
  await server.addUser('marie', 'Practitioner/marie', 'referring-doctor');
  await server.addUser('lise', 'Practitioner/lise', 'referring-doctor');
  const browser = openBrowser(server.origin);
  return {
    ...{ server, provider, browser },
    leave: async (changes) => {
      const page = await browser.get(authorizePath(server, changes));
      const href = /href="([^"]*federation[^"]*)"/.exec(page.text)?.[1] ?? '';
      const away = await browser.get(href.replaceAll('&amp;', '&'));
      await fetch(away.url);
    },
    comeBack: (changes) => browser.get(`/auth/federation/callback${provider.answer(changes)}`),
  };
};

test('A doctor signs in through the hospital’s own provider, and goes on with the request', async (t) => {
  const { server, provider, leave, comeBack } = await start(t);
  await leave();
  const asked = provider.asked();
  t.match(Object.fromEntries(asked), {
    ...{ response_type: 'code', client_id: 'consilium', code_challenge_method: 'S256', scope: 'openid' },
    ...{ redirect_uri: `${server.origin}/auth/federation/callback`, state: /^.{43}$/, nonce: /^.{43}$/ },
  });
  t.equal((await comeBack()).title, 'Choose a patient');
});

test('prompt=login is passed on: the provider must ask anew', async (t) => {
  const { provider, leave } = await start(t);
  await leave();
  t.equal(provider.asked().get('prompt'), null);
  await leave({ prompt: 'login' });
  t.equal(provider.asked().get('prompt'), 'login');
  await leave({ max_age: '60' });
  t.equal(provider.asked().get('prompt'), 'login');
});

test('Where the provider does not check a second factor, we do', async (t) => {
  const { leave, comeBack } = await start(t, { checksSecondFactor: false });
  await leave();
  t.equal((await comeBack()).title, 'Set up two-step sign-in');
});

test('fhirUser may be absolute, below our FHIR base', async (t) => {
  const { server, provider, leave, comeBack } = await start(t);
  await leave();
  provider.say({ fhirUser: `${server.fhirBase}/Practitioner/marie` });
  t.equal((await comeBack()).title, 'Choose a patient');
});

test('The claim is the configured one', async (t) => {
  const { provider, leave, comeBack } = await start(t, { claim: 'employee' });
  await leave();
  provider.say({ employee: 'Practitioner/marie', fhirUser: 'Practitioner/lise' });
  t.match((await comeBack()).title, 'Choose a patient');
});

test('A provider can say nothing about people of another organization, nor about people who are not registered', async (t) => {
  const { server, provider, leave, comeBack } = await start(t);
  const claims = [
    ...['Practitioner/lise', 'Practitioner/nobody', 'Organization/north', 'https://evil.example/Practitioner/marie'],
    ...['Patient/ada', '', ['Practitioner/marie'], undefined, 'Practitioner/marie/../lise'],
  ];
  for (const fhirUser of claims) {
    await leave();
    provider.say({ fhirUser });
    const page = await comeBack();
    t.match(page, { status: 403, title: 'This did not work' }, String(fhirUser));
  }
  await server.people.users.disable('marie');
  await leave();
  provider.say({});
  t.match(await comeBack(), { status: 403 }, 'a disabled user');
});

test('state, nonce, iss, code and issuer are checked (mix-up, replay)', async (t) => {
  const { provider, leave, comeBack } = await start(t);
  const refused = async (changes: Readonly<Record<string, string>>, claims = {}): Promise<void> => {
    await leave();
    provider.say(claims);
    t.match(await comeBack(changes), { status: 403 }, JSON.stringify([changes, claims]));
  };
  await refused({ state: 'another' });
  await refused({ iss: 'https://other.example' });
  await refused({ code: 'bad' });
  await refused({}, { nonce: 'another' });
  await refused({}, { iss: 'https://other.example' });
  await leave();
  provider.say({});
  t.equal((await comeBack()).title, 'Choose a patient');
  t.match(await comeBack(), { status: 403 }, 'a second time');
});

test('Somebody else’s way back does not sign this browser in (login CSRF)', async (t) => {
  const { server, provider, leave } = await start(t);
  await leave();
  const victim = openBrowser(server.origin);
  await victim.get('/auth/sign-in');
  t.match(await victim.get(`/auth/federation/callback${provider.answer()}`), { status: 403 });
  t.equal((await victim.get('/auth/manage')).title, 'Sign in');
});

test('An unknown provider, and one that cannot be reached, are told', async (t) => {
  const { server } = await start(t, { issuer: 'http://127.0.0.1:9' });
  const browser = openBrowser(server.origin);
  t.match(await browser.get('/auth/federation/south'), { status: 403, text: /There is no such provider/ });
  t.match(await browser.get('/auth/federation/north'), { status: 502, text: /cannot be reached/ });
});

test('A file of providers that is wrong is refused with the place', (t) => {
  const good = { name: 'a', title: 'A', issuer: 'https://a.example', clientId: 'x', organization: 'Organization/1' };
  t.match(providersOf(JSON.stringify([good])), [{ claim: 'fhirUser', checksSecondFactor: false }]);
  const wrong: [unknown, RegExp][] = [
    [{}, /no JSON array/],
    [[1], /provider 1 is no object/],
    [[good, { ...good }], /the name a is there twice/],
    [[{ ...good, issuer: 'http://a.example' }], /provider 1: issuer/],
    [[{ ...good, name: 'callback' }], /name/],
    [[{ ...good, organization: 'north' }], /organization/],
    [[{ ...good, checksSecondFactor: 'yes' }], /checksSecondFactor/],
    [[{ ...good, secret: 'x' }], /secret is unknown/],
    [[{ name: 'a' }], /title is missing/],
  ];
  for (const [content, message] of wrong)
    t.throws(() => providersOf(JSON.stringify(content)), { name: 'ProvidersUnusable', message });
  t.throws(() => providersOf('no JSON'), { name: 'ProvidersUnusable' });
  t.end();
});

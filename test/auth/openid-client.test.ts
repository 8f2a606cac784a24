/** openid-client, a certified relying party, as it comes, against our OpenID provider, by discovery. */
import * as client from 'openid-client';
import { type Test, test } from 'tap';
import { openBrowser } from './test-browser.ts';
import { APP_SCOPE, PASSWORD, type PeopleServer, REDIRECT, startPeopleServer } from './test-people.ts';

const SCOPE = 'openid fhirUser offline_access launch/patient patient/Patient.rs';

/** Our server, and the configuration that the relying party has found. */
const start = async (t: Test): Promise<{ server: PeopleServer; config: client.Configuration }> => {
  const server = await startPeopleServer(t);
  const { id } = await server.addApp({ scope: APP_SCOPE });
  await server.addUser('ada', 'Patient/ada', 'patient');
  // Loopback has no TLS.
  const options = { execute: [client.allowInsecureRequests] };
  return { server, config: await client.discovery(new URL(server.origin), id, undefined, client.None(), options) };
};

test('openid-client signs a person in by discovery, reads userinfo, refreshes, introspects and revokes', async (t) => {
  const { server, config } = await start(t);
  const metadata = config.serverMetadata();
  t.equal(metadata.issuer, server.origin);
  t.ok(metadata.supportsPKCE());
  const [verifier, state, nonce] = [client.randomPKCECodeVerifier(), client.randomState(), client.randomNonce()];
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: REDIRECT,
    scope: SCOPE,
    aud: server.fhirBase,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...{ state, nonce },
  });
  const browser = openBrowser(server.origin);
  const signIn = await browser.get(url.href);
  const approve = await signIn.submit('/sign-in', { login: 'ada', password: PASSWORD });
  const back = await approve.submit('/approve', { decision: 'allow' });
  const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true };
  const tokens = await client.authorizationCodeGrant(config, new URL(back.url), checks);
  const claims = tokens.claims();
  t.match(claims, { iss: server.origin, aud: 'app', nonce, fhirUser: `${server.fhirBase}/Patient/ada` });
  const sub = claims?.sub ?? '';
  t.match(await client.fetchUserInfo(config, tokens.access_token, sub), { sub });

  const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token ?? '');
  t.not(refreshed.access_token, tokens.access_token);
  t.equal(refreshed.claims()?.sub, sub);
  t.equal(refreshed.claims()?.['auth_time'], claims?.['auth_time'], 'the person has not signed in anew');
  const read = await fetch(`${server.fhirBase}/Patient/ada`, {
    headers: { authorization: `Bearer ${refreshed.access_token}` },
  });
  t.equal(read.status, 200);

  t.match(await client.tokenIntrospection(config, refreshed.access_token), { active: true, client_id: 'app', sub });
  await client.tokenRevocation(config, refreshed.refresh_token ?? '');
  t.same(await client.tokenIntrospection(config, refreshed.access_token), { active: false });
  const again = await client.refreshTokenGrant(config, refreshed.refresh_token ?? '').catch((error: unknown) => error);
  t.match(again, { error: 'invalid_grant', status: 400 });
});

test('openid-client refuses a response of another issuer (mix-up), and ours names itself', async (t) => {
  const { server, config } = await start(t);
  const verifier = client.randomPKCECodeVerifier();
  const state = client.randomState();
  const response = new URL(`${REDIRECT}?${new URLSearchParams({ code: 'x', state, iss: 'https://evil.example' })}`);
  const checks = { pkceCodeVerifier: verifier, expectedState: state };
  const refused = await client.authorizationCodeGrant(config, response, checks).catch((error: unknown) => error);
  t.match((refused as Error).cause, /"iss"/);
  t.equal(config.serverMetadata().authorization_response_iss_parameter_supported, true);
  t.equal(server.origin, config.serverMetadata().issuer);
});

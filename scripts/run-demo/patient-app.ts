/** An app of the patient: the standalone launch of SMART App Launch, and what its token is good for. */
import { createHash, randomBytes } from 'node:crypto';
import type { Bundle, Patient } from '@medplum/fhirtypes';
import { createPerson } from './person.ts';
import { print, printIndented, send, sendForJson, title } from './report.ts';

/** Nobody answers there: the demo looks only at what the browser would bring. */
export const REDIRECT_URI = 'http://127.0.0.1:9999/callback';
export const APP_SCOPES = [
  'launch/patient openid fhirUser offline_access patient/Patient.rs patient/Observation.rs patient/Condition.rs',
  'patient/DiagnosticReport.rs patient/DocumentReference.rs patient/Binary.r',
].join(' ');

interface SmartConfiguration {
  readonly authorization_endpoint: string;
  readonly token_endpoint: string;
}

interface TokenResponse {
  readonly access_token: string;
  readonly patient: string;
  readonly scope: string;
  readonly expires_in: number;
  readonly id_token: string;
}

export interface AppLaunch {
  readonly base: string;
  readonly clientId: string;
  readonly login: string;
  readonly password: string;
}

/** From the app's link to its token, with the person in between. */
export const launchApp = async ({ base, clientId, login, password }: AppLaunch): Promise<string> => {
  title('The patient opens an app: SMART standalone launch');
  const configuration = await sendForJson<SmartConfiguration>('GET', `${base}/.well-known/smart-configuration`);
  const verifier = randomBytes(32).toString('base64url');
  const state = randomBytes(16).toString('base64url');
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: clientId,
    redirect_uri: REDIRECT_URI,
    scope: APP_SCOPES,
    state,
    aud: base,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  const person = createPerson(new URL(base).origin);
  const signIn = await person.open(`${configuration.authorization_endpoint}?${query}`);
  printIndented(`The browser shows: ${signIn.title}`);
  const approve = await person.press('Sign in', { login, password });
  printIndented(`The browser shows: ${approve.title}`);
  const first = approve.html.replace(/<details[\s\S]*?<\/details>/g, '');
  for (const [, label] of first.matchAll(/<label for="tick-[^>]*>([^<]*)<\/label>/g)) printIndented(`  [x] ${label}`);
  const { left } = await person.press('Allow');
  if (left?.searchParams.get('state') !== state) throw new Error(`The app did not get its state back: ${left}`);
  printIndented(`The browser goes back to the app: ${left.origin}${left.pathname} with a code, state and iss`);
  const form = new URLSearchParams({
    grant_type: 'authorization_code',
    code: left.searchParams.get('code') ?? '',
    redirect_uri: REDIRECT_URI,
    client_id: clientId,
    code_verifier: verifier,
  });
  const token = await sendForJson<TokenResponse>('POST', configuration.token_endpoint, { body: form });
  printIndented(`patient ${token.patient}, for ${token.expires_in} s, scope ${token.scope}`);
  return token.access_token;
};

/** The app reads what is the patient's, and nothing else. */
export const useApp = async (base: string, token: string, patient: string): Promise<void> => {
  title('The app reads what belongs to this patient, and only that');
  const { name } = await sendForJson<Patient>('GET', `${base}/Patient/${patient}`, { token });
  printIndented(`${name?.[0]?.given?.join(' ')} ${name?.[0]?.family}`);
  const { total } = await sendForJson<Bundle>('GET', `${base}/Observation?_summary=count`, { token });
  printIndented(`${total} Observations`);
  print('    It may not write, and without a token there is nothing at all:');
  await send(403, 'POST', `${base}/Observation`, { token, body: '{"resourceType":"Observation"}' });
  await send(401, 'GET', `${base}/Patient/${patient}`);
};

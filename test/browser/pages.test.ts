import type { Patient } from '@medplum/fhirtypes';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import tap, { type Test, test } from 'tap';
import { authorizePath, codeOf, PASSWORD, type PeopleServer, startPeopleServer } from '../auth/test-people.ts';
import { checkPage, newPerson, openChromium, WITHOUT_CHROMIUM } from './chromium.ts';
import { startApp } from './test-app.ts';

interface Scene {
  readonly server: PeopleServer;
  readonly person: BrowserContext;
  readonly redirect: string;
  /** A tab at an authorization request. */
  authorize(changes?: Readonly<Record<string, string>>): Promise<Page>;
}

let opened: Promise<Browser> | undefined;

/** One for all tests. */
const chromium = (): Promise<Browser> => {
  opened ??= openChromium(tap);
  return opened;
};

const start = async (t: Test): Promise<Scene> => {
  const app = await startApp(t);
  const redirect = `${app}/callback`;
  const server = await startPeopleServer(t);
  await server.addApp({ redirectUris: [redirect], launchUris: [`${app}/launch`] });
  await server.addUser('ada', 'Patient/ada', 'patient');
  await server.addUser('marie', 'Practitioner/marie', 'referring-doctor');
  const person = await newPerson(await chromium());
  return {
    ...{ server, person, redirect },
    authorize: async (changes = {}) => {
      const page = await person.newPage();
      await page.goto(server.origin + authorizePath(server, { redirect_uri: redirect, ...changes }));
      return page;
    },
  };
};

const signIn = async (page: Page, login: string, password = PASSWORD): Promise<void> => {
  await page.getByLabel('User name').fill(login);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
};

const press = (page: Page, name: string) => page.getByRole('button', { name }).click();

const answerOf = (page: Page): Readonly<Record<string, string>> => Object.fromEntries(new URL(page.url()).searchParams);

const titleOf = (page: Page) => page.getByRole('heading', { level: 1 }).innerText();

test('A patient signs in, approves, and comes back to the app with a code; every page is accessible', {
  skip: WITHOUT_CHROMIUM,
}, async (t) => {
  const { server, redirect, authorize } = await start(t);
  const page = await authorize();
  t.equal(await titleOf(page), 'Sign in');
  await checkPage(t, page, 'sign-in');
  await signIn(page, 'ada', 'wrong');
  t.match(await page.getByRole('alert').innerText(), /wrong/);
  await checkPage(t, page, 'sign-in-wrong');
  await signIn(page, 'ada');
  t.equal(await titleOf(page), 'Allow Heart Diary to use records?');
  await checkPage(t, page, 'approve');
  await press(page, 'Allow');
  await page.waitForURL(`${redirect}**`);
  t.match(answerOf(page), { state: 'a state', iss: server.origin, code: /^.{20,}$/ });
});

test('Everything works in a browser that runs no script', { skip: WITHOUT_CHROMIUM }, async (t) => {
  const { server, redirect } = await start(t);
  const person = await newPerson(await chromium(), { javaScriptEnabled: false });
  const page = await person.newPage();
  const scope = 'launch/patient patient/Observation.rs';
  await page.goto(server.origin + authorizePath(server, { redirect_uri: redirect, scope }));
  await signIn(page, 'ada');
  await page.getByText('Only some kinds').click();
  await page.getByLabel('Vital signs such as blood pressure').check();
  await press(page, 'Allow');
  await page.waitForURL(`${redirect}**`);
  t.match(answerOf(page), { code: /./ });
});

test('A person denies, and the app is told so with its state', { skip: WITHOUT_CHROMIUM }, async (t) => {
  const { server, redirect, authorize } = await start(t);
  const page = await authorize();
  await signIn(page, 'ada');
  await press(page, 'Deny');
  await page.waitForURL(`${redirect}**`);
  t.match(answerOf(page), { error: 'access_denied', state: 'a state', iss: server.origin });
});

test('A scope is unticked, another is narrowed to kinds, and exactly what is left is granted', {
  skip: WITHOUT_CHROMIUM,
}, async (t) => {
  const { server, person, redirect, authorize } = await start(t);
  const scope =
    'openid fhirUser launch/patient offline_access patient/Patient.rs patient/Condition.rs patient/Observation.rs';
  const page = await authorize({ scope });
  await signIn(page, 'ada');
  await page.getByLabel('Name, birth date').uncheck();
  await page.getByLabel('Access while you are away').uncheck();
  await page.getByText('Only some kinds').nth(1).click();
  await page.getByLabel('Laboratory results', { exact: true }).check();
  await checkPage(t, page, 'approve-narrowed');
  await press(page, 'Allow');
  await page.waitForURL(`${redirect}**`);
  const { code = '' } = answerOf(page);
  const form = {
    grant_type: 'authorization_code',
    code,
    redirect_uri: redirect,
    client_id: 'app',
    code_verifier: 'v'.repeat(43),
  };
  const answer = await person.request.post(`${server.origin}/auth/token`, { form });
  const granted = (await answer.json()) as { scope: string; refresh_token?: string; patient: string };
  t.same(granted.scope.split(' ').sort(), [
    'fhirUser',
    'launch/patient',
    'openid',
    'patient/Condition.rs',
    'patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory',
  ]);
  t.equal(granted.patient, 'ada');
  t.equal(granted.refresh_token, undefined, 'offline access was unticked');
});

test('Where everything is unticked, the page says what to do', { skip: WITHOUT_CHROMIUM }, async (t) => {
  const { authorize } = await start(t);
  const page = await authorize();
  await signIn(page, 'ada');
  const ticked = page.getByRole('checkbox', { checked: true });
  while ((await ticked.count()) > 0) await ticked.first().uncheck();
  await press(page, 'Allow');
  t.match(await page.getByRole('alert').innerText(), /Tick at least one/);
  await checkPage(t, page, 'approve-nothing');
});

test('Five wrong passwords lock the name for a while', { skip: WITHOUT_CHROMIUM }, async (t) => {
  const { authorize } = await start(t);
  const page = await authorize();
  for (let count = 0; count < 5; count++) await signIn(page, 'ada', 'wrong');
  t.match(await page.getByRole('alert').innerText(), /wrong/);
  await signIn(page, 'ada');
  t.match(await page.getByRole('alert').innerText(), /Too many attempts. Try again in 1 minute/);
  await checkPage(t, page, 'sign-in-locked');
});

test('A doctor enrols a second factor, picks a patient and a visit, and needs a code the next time', {
  skip: WITHOUT_CHROMIUM,
}, async (t) => {
  const { person, redirect, authorize } = await start(t);
  const scope = 'openid fhirUser launch/patient launch/encounter patient/Observation.rs user/Practitioner.rs';
  const page = await authorize({ scope });
  await signIn(page, 'marie');
  t.equal(await titleOf(page), 'Set up two-step sign-in');
  await checkPage(t, page, 'enrol');
  const secret = (await page.locator('code').innerText()).replaceAll(' ', '');
  await page.getByLabel('Code', { exact: true }).fill('123456');
  await press(page, 'Confirm');
  t.match(await page.getByRole('alert').innerText(), /code is wrong/);
  t.equal((await page.locator('code').innerText()).replaceAll(' ', ''), secret, 'the secret stays');
  await page.getByLabel('Code', { exact: true }).fill(codeOf(secret, Date.now() - 30_000));
  await press(page, 'Confirm');
  t.equal(await titleOf(page), 'Keep your recovery codes');
  await checkPage(t, page, 'recovery-codes');
  await page.getByRole('link', { name: 'I have kept them' }).click();
  t.equal(await titleOf(page), 'Choose a patient');
  t.equal(await page.getByText('Rosa').count(), 0, 'the patient of another hospital is not offered');
  await checkPage(t, page, 'patients');
  await page.getByLabel('Search by name').fill('love');
  await press(page, 'Search');
  t.same(await page.locator('.pick strong').allInnerTexts(), ['Ada Lovelace']);
  await page.getByRole('button', { name: 'Ada Lovelace' }).click();
  t.equal(await titleOf(page), 'Choose a visit');
  await checkPage(t, page, 'encounters');
  await page.getByRole('button', { name: 'March 2, 2026' }).click();
  await checkPage(t, page, 'approve-doctor');
  await press(page, 'Allow');
  await page.waitForURL(`${redirect}**`);
  t.match(answerOf(page), { code: /./ });

  await person.clearCookies();
  const again = await authorize({ scope });
  await signIn(again, 'marie');
  t.equal(await titleOf(again), 'Confirm that it is you');
  await checkPage(t, again, 'second-factor');
  await again.getByLabel('Code', { exact: true }).fill(codeOf(secret));
  await press(again, 'Confirm');
  t.equal(await titleOf(again), 'Choose a patient');
});

test('With prompt=select_account the person says as whom to go on', { skip: WITHOUT_CHROMIUM }, async (t) => {
  const { redirect, authorize } = await start(t);
  await signIn(await authorize(), 'ada');
  const page = await authorize({ prompt: 'select_account' });
  t.equal(await titleOf(page), 'Which account?');
  await checkPage(t, page, 'account');
  await press(page, 'Continue as Ada Lovelace');
  await press(page, 'Allow');
  await page.waitForURL(`${redirect}**`);
  t.match(answerOf(page), { code: /./ });
});

test('A hospital’s own provider is offered beside the password', { skip: WITHOUT_CHROMIUM }, async (t) => {
  const north = { name: 'north', title: 'North Hospital', organization: 'Organization/north', claim: 'fhirUser' };
  const provider = { ...north, issuer: 'https://login.example', clientId: 'x', checksSecondFactor: true };
  const server = await startPeopleServer(t, {}, [provider]);
  const person = await newPerson(await chromium());
  const page = await person.newPage();
  await page.goto(`${server.origin}/auth/sign-in`);
  const link = page.getByRole('link', { name: 'Sign in with North Hospital' });
  t.equal(await link.getAttribute('href'), '/auth/federation/north?for=manage');
  await checkPage(t, page, 'sign-in-providers');
});

test('Two tabs with two requests do not get in each other’s way', { skip: WITHOUT_CHROMIUM }, async (t) => {
  const { redirect, authorize } = await start(t);
  const [one, other] = [await authorize({ state: 'one' }), await authorize({ state: 'other' })];
  await signIn(one, 'ada');
  t.equal(await titleOf(one), 'Allow Heart Diary to use records?');
  await signIn(other, 'ada');
  t.equal(await titleOf(other), 'Allow Heart Diary to use records?');
  await press(one, 'Allow');
  await one.waitForURL(`${redirect}**`);
  t.match(answerOf(one), { state: 'one', code: /./ });
  await press(other, 'Deny');
  await other.waitForURL(`${redirect}**`);
  t.match(answerOf(other), { state: 'other', error: 'access_denied' });
});

test('My apps: an app is removed, the password is changed, and everything is signed out', {
  skip: WITHOUT_CHROMIUM,
}, async (t) => {
  const { server, person, redirect, authorize } = await start(t);
  const page = await authorize({ scope: 'openid launch/patient offline_access patient/Observation.rs' });
  await signIn(page, 'ada');
  await press(page, 'Allow');
  await page.waitForURL(`${redirect}**`);
  const { code = '' } = answerOf(page);
  const form = {
    grant_type: 'authorization_code',
    code,
    redirect_uri: redirect,
    client_id: 'app',
    code_verifier: 'v'.repeat(43),
  };
  t.equal((await person.request.post(`${server.origin}/auth/token`, { form })).status(), 200);
  await page.goto(`${server.origin}/auth/manage`);
  t.equal(await page.getByRole('heading', { name: 'Heart Diary' }).count(), 1);
  await page.getByText('What it may use').click();
  await checkPage(t, page, 'my-apps');
  await press(page, 'Remove Heart Diary');
  t.match(await page.getByRole('status').innerText(), /removed/);
  t.equal(await page.getByRole('heading', { name: 'Heart Diary' }).count(), 0);
  await page.getByLabel('Current password').fill('not the password');
  await page.getByLabel('New password').fill('another long password');
  await press(page, 'Change the password');
  t.match(await page.getByRole('alert').innerText(), /current password is wrong/);
  await checkPage(t, page, 'my-apps-wrong');
  await page.getByLabel('Current password').fill(PASSWORD);
  await page.getByLabel('New password').fill('another long password');
  await press(page, 'Change the password');
  t.match(await page.getByRole('status').innerText(), /changed/);
  await checkPage(t, page, 'my-apps-changed');
  await page.getByRole('link', { name: 'Set it up' }).click();
  t.equal(await titleOf(page), 'Set up two-step sign-in');
  await page.goto(`${server.origin}/auth/manage`);
  await press(page, 'Sign out everywhere');
  t.equal(await titleOf(page), 'You are signed out');
  await checkPage(t, page, 'signed-out');
  await page.goto(`${server.origin}/auth/manage`);
  t.equal(await titleOf(page), 'Sign in');
});

test('A signed-in person opens an app with a patient', { skip: WITHOUT_CHROMIUM }, async (t) => {
  const { server, person, redirect } = await start(t);
  await server.addUser('lise', 'Practitioner/marie', 'expert', false);
  const page = await person.newPage();
  await page.goto(`${server.origin}/auth/apps`);
  await signIn(page, 'lise');
  await page.getByRole('button', { name: 'Grace Hopper' }).click();
  t.equal(await titleOf(page), 'Open an app');
  await checkPage(t, page, 'open-app');
  await press(page, 'Open Heart Diary');
  await page.waitForURL(`${new URL(redirect).origin}/launch**`);
  const { iss, launch } = answerOf(page);
  t.equal(iss, server.fhirBase);
  t.match(launch, /^.{20,}$/);
});

test('Names, identifiers and organizations without a space fit on a phone; equal names are told apart', {
  skip: WITHOUT_CHROMIUM,
}, async (t) => {
  const { server, person, redirect, authorize } = await start(t);
  const long = 'Wolfeschlegelsteinhausenbergerdorff'.repeat(3);
  const type = { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v2-0203', code: 'MR' }] };
  const patient = (id: string, family: string, value: string): Patient & { id: string } => ({
    ...{ resourceType: 'Patient', id, gender: 'female' },
    ...{ name: [{ family }], identifier: [{ type, value }] },
  });
  await server.put(
    'Organization/north',
    patient('long', long, 'N'.repeat(100)),
    ...['MR-1', 'MR-2', 'MR-3'].map((value) => patient(value, 'Wu', value)),
    { resourceType: 'Practitioner', id: 'long', name: [{ family: long }] },
  );
  await server.put('Organization/south', { resourceType: 'Organization', id: 'south', name: long });
  await server.addUser('long', 'Practitioner/long', 'expert', false);
  const page = await authorize({ scope: 'openid launch/patient offline_access patient/Patient.rs' });
  await signIn(page, 'long');
  await checkPage(t, page, 'patients-long');
  t.same(await page.getByRole('button', { name: 'Wu female' }).allInnerTexts(), [
    ...['Wu\nfemale · MR-1', 'Wu\nfemale · MR-2', 'Wu\nfemale · MR-3'],
  ]);
  await page.getByRole('button', { name: 'Wolfe' }).click();
  t.match(await titleOf(page), /^Allow/);
  t.match(await page.locator('.app').innerText(), `An app of ${long}`);
  await checkPage(t, page, 'approve-long');
  await press(page, 'Allow');
  await page.waitForURL(`${redirect}**`);
  await page.goto(`${server.origin}/auth/manage`);
  await checkPage(t, page, 'my-apps-long');
  await page.goto(`${server.origin}/auth/apps?patient=long`);
  await checkPage(t, page, 'open-app-long');
  const other = await person.newPage();
  await other.goto(`${server.origin}/auth/nothing`);
  t.equal(await titleOf(other), 'This did not work');
  await other.getByRole('link', { name: 'My apps' }).click();
  t.equal(await titleOf(other), 'My apps');
});

test('An app that is not registered, or wants its answer elsewhere, gets an error page', {
  skip: WITHOUT_CHROMIUM,
}, async (t) => {
  const { authorize } = await start(t);
  const page = await authorize({ redirect_uri: 'https://evil.example/' });
  t.equal(await titleOf(page), 'This did not work');
  await checkPage(t, page, 'error');
});

test('All of it is there in French', { skip: WITHOUT_CHROMIUM }, async (t) => {
  const { authorize } = await start(t);
  const page = await authorize({ ui_locales: 'fr-CA en' });
  t.equal(await titleOf(page), 'Connexion');
  t.equal(await page.locator('html').getAttribute('lang'), 'fr');
  await page.getByLabel('Nom d’utilisateur').fill('ada');
  await page.getByLabel('Mot de passe').fill(PASSWORD);
  await press(page, 'Se connecter');
  t.equal(await titleOf(page), 'Autoriser Heart Diary à utiliser des dossiers?');
  await checkPage(t, page, 'approve-french');
});

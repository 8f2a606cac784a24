import { test } from 'tap';
import { keepLaunch } from '../../../src/auth/launches.ts';
import { openBrowser, type ShownPage } from '../test-browser.ts';
import { authorizePath } from '../test-people.ts';
import { allow, allowOnly, claimsOf, signIn, start } from './authorization-flow.ts';

test('smart_code_received, REQ-S 57, 59: the redirect carries a code, the state unchanged, and iss (RFC 9207: mix-up)', async (t) => {
  const { server, ask, tokens } = await start();
  const page = await allow(await signIn(await ask({ state: 'ä &=%20+"', nonce: 'n-1' })));
  t.match(page.answer, { code: /./, state: 'ä &=%20+"', iss: server.origin });
  t.notOk('error' in page.answer);
  const granted = await tokens(page);
  t.match(granted, { patient: 'ada', token_type: 'Bearer' });
  t.match(claimsOf(granted), { nonce: 'n-1', fhirUser: `${server.fhirBase}/Patient/ada` });
});

test('REQ-S 54: user denies: redirect with error=access_denied and state, and the request is over', async (t) => {
  const { server, browser, ask } = await start();
  const shown = await signIn(await ask());
  const page = await shown.submit('/approve', { decision: 'deny' });
  t.match(page.answer, { error: 'access_denied', state: 'a state', iss: server.origin });
  t.match(await browser.get(shown.url), { status: 404 });
});

test('A request is answered once: of two who approve at once, one gets a code', async (t) => {
  const { ask } = await start();
  const shown = await signIn(await ask());
  const pages = await Promise.all([allow(shown), allow(shown)]);
  t.equal(pages.filter(({ answer }) => answer['code'] !== undefined).length, 1);
});

test('g10_limited_scope_grant: user unticks types: exactly what is left is granted, and at least one type is denied', async (t) => {
  const { browser, ask, tokens } = await start();
  const scope =
    'openid fhirUser launch/patient offline_access patient/Patient.rs patient/Condition.rs patient/Observation.rs patient/Immunization.rs';
  const page = await signIn(await ask({ scope }));
  const granted = await tokens(await allowOnly(browser, page, 'Conditions', 'Vaccinations'));
  t.same(granted.scope.split(' ').sort(), ['launch/patient', 'patient/Condition.rs', 'patient/Immunization.rs']);
  t.notOk('id_token' in granted, 'who the person is was unticked, too');
  t.notOk('refresh_token' in granted, 'and access while away');
});

test('g10_smart_granular_scope_selection: Condition and Observation by category, no plain scope beside them, and a v2 Patient scope', async (t) => {
  const { browser, ask, tokens } = await start();
  const scope = 'launch/patient patient/Condition.rs patient/Observation.rs patient/Patient.rs';
  const page = await signIn(await ask({ scope }));
  const labels = ['Name', 'Diagnoses of a visit', 'Health concerns', 'Laboratory results</label>', 'Social history'];
  const granted = await tokens(await allowOnly(browser, page, ...labels));
  const condition = 'patient/Condition.rs?category=http://';
  const observation = 'patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|';
  t.same(granted.scope.split(' ').sort(), [
    'launch/patient',
    `${condition}hl7.org/fhir/us/core/CodeSystem/condition-category|health-concern`,
    `${condition}terminology.hl7.org/CodeSystem/condition-category|encounter-diagnosis`,
    `${observation}laboratory`,
    `${observation}social-history`,
    'patient/Patient.rs',
  ]);
});

test('us_core_granted_granular_scopes: two launches grant exactly the categories that the person picks', async (t) => {
  const { browser, ask, tokens } = await start();
  const ask2 = () => ask({ scope: 'launch/patient patient/Condition.rs patient/Observation.rs' });
  const system = {
    condition: 'http://terminology.hl7.org/CodeSystem/condition-category',
    usCondition: 'http://hl7.org/fhir/us/core/CodeSystem/condition-category',
    observation: 'http://terminology.hl7.org/CodeSystem/observation-category',
    usCategory: 'http://hl7.org/fhir/us/core/CodeSystem/us-core-category',
  };
  const first = ['Diagnoses of a visit', 'Health concerns', 'Laboratory results</label>', 'Social history'];
  t.same((await tokens(await allowOnly(browser, await signIn(await ask2()), ...first))).scope.split(' '), [
    'launch/patient',
    `patient/Condition.rs?category=${system.condition}|encounter-diagnosis`,
    `patient/Condition.rs?category=${system.usCondition}|health-concern`,
    `patient/Observation.rs?category=${system.observation}|laboratory`,
    `patient/Observation.rs?category=${system.observation}|social-history`,
  ]);
  const second = ['Problem list', 'Vital signs', 'Questionnaires', 'Living conditions'];
  t.same((await tokens(await allowOnly(browser, await ask2(), ...second))).scope.split(' '), [
    'launch/patient',
    `patient/Condition.rs?category=${system.condition}|problem-list-item`,
    `patient/Observation.rs?category=${system.observation}|vital-signs`,
    `patient/Observation.rs?category=${system.observation}|survey`,
    `patient/Observation.rs?category=${system.usCategory}|sdoh`,
  ]);
});

test('A kind that is ticked beside its whole type narrows it; a wildcard is narrowed to types', async (t) => {
  const { browser, ask, tokens } = await start();
  const narrowed = await signIn(await ask({ scope: 'launch/patient patient/Observation.read' }));
  const observation = await tokens(await allowOnly(browser, narrowed, 'Laboratory results, vital', 'Vital signs'));
  t.match(observation.scope, /^launch\/patient patient\/Observation\.rs\?category=\S+\|vital-signs$/);
  const wide = await ask({ scope: 'launch/patient patient/*.rs' });
  const types = await tokens(await allowOnly(browser, wide, 'Vaccinations', 'Visits'));
  t.equal(types.scope, 'launch/patient patient/Encounter.rs patient/Immunization.rs');
  // REQ-S 127
  const first = await allowOnly(browser, await ask({ scope: 'launch/patient patient/*.read' }), 'Visits');
  t.equal((await tokens(first)).scope, 'launch/patient patient/Encounter.read');
});

test('A box that was not offered is not granted', async (t) => {
  const { ask, tokens } = await start();
  const page = await signIn(await ask({ scope: 'launch/patient patient/Patient.rs' }));
  const forged = ['tick=offline', 'tick=99', 'tick=1.0', 'scope=user/*.cruds'];
  const granted = await tokens(
    await allow(
      page,
      forged.map((pair) => pair.split('=') as [string, string]),
    ),
  );
  t.equal(granted.scope, 'launch/patient patient/Patient.rs');
});

test('g10_smart_v1_scopes: v1 scopes work, and are granted as they were asked', async (t) => {
  const { ask, tokens } = await start();
  const page = await signIn(await ask({ scope: 'launch/patient patient/Patient.read patient/Observation.*' }));
  t.equal((await tokens(await allow(page))).scope, 'launch/patient patient/Patient.read patient/Observation.*');
});

test('REQ-S 164, 165: patient/ scopes without a launch context establish a patient: launch/patient is inferred', async (t) => {
  const { ask, tokens } = await start();
  const granted = await tokens(await allow(await signIn(await ask({ scope: 'patient/Observation.rs' }))));
  t.match(granted, { patient: 'ada', scope: 'patient/Observation.rs launch/patient' });
});

test('The picker lists only patients within the person’s reach; another one cannot be chosen by hand', async (t) => {
  const { ask, tokens } = await start();
  const shown = await signIn(await ask(), 'marie');
  t.equal(shown.title, 'Choose a patient');
  for (const name of ['Ada Lovelace', 'Grace Hopper', 'Emmy Noether']) t.match(shown.text, name);
  t.notMatch(shown.text, 'Rosa Parks');
  for (const patient of ['rosa', 'nobody', '../Patient/ada', ''])
    t.equal((await shown.submit('/patient', { patient })).title, 'Choose a patient', patient);
  const approval = await shown.submit('/patient', { patient: 'grace' });
  t.match(approval.text, 'From the record of Grace Hopper');
  t.equal((await tokens(await allow(approval)))['patient'], 'grace');
});

test('The picker searches by name, and has pages', async (t) => {
  const { server, browser, ask } = await start();
  const many = Array.from({ length: 25 }, (_, index) => ({
    ...{ resourceType: 'Patient' as const, id: `many-${index}` },
    name: [{ given: [`Given${String(index).padStart(2, '0')}`], family: 'Many' }],
  }));
  const grace = { resourceType: 'Patient' as const, id: 'other-grace', name: [{ given: ['Grace'], family: 'Hopper' }] };
  const doctor = { resourceType: 'Practitioner' as const, id: 'chien' };
  await server.put('Organization/west', { resourceType: 'Organization', id: 'west' }, doctor, grace, ...many);
  await server.addUser('chien', 'Practitioner/chien', 'referring-doctor', false);
  const first = await signIn(await ask(), 'chien');
  const count = ({ text }: ShownPage): number => text.match(/class="pick"/g)?.length ?? 0;
  t.equal(count(first), 10);
  t.match(first.text, 'Patients 1 to 10');
  const names = new Set<string>();
  for (const page of ['1', '2', '3']) {
    const shown = await browser.get(`${first.url}?page=${page}`);
    for (const [, id = ''] of shown.text.matchAll(/name="patient" value="([^"]+)"/g)) names.add(id);
  }
  t.equal(names.size, 26, 'all of them, each once');
  const found = await browser.get(`${first.url}?text=${encodeURIComponent('hop gra')}`);
  t.equal(count(found), 1);
  t.match(found.text, 'Grace Hopper');
  t.match((await browser.get(`${first.url}?text=xyz`)).text, 'No patient was found');
});

test('One possible patient is chosen without asking; without any the request is refused', async (t) => {
  const { server, app, ask, tokens } = await start();
  const shown = await signIn(await ask(), 'lise');
  t.match(shown.title, /^Allow/);
  t.equal((await tokens(await allow(shown)))['patient'], 'rosa');
  await server.addUser('operator', 'Practitioner/marie', 'operator', false);
  const other = await openBrowser(server.origin).get(authorizePath(server, { client_id: app }));
  t.match((await signIn(other, 'operator')).answer, { error: 'access_denied', state: 'a state' });
});

test('REQ-S 119: a scope never widens what the person may see: a role without records gets no scope on them', async (t) => {
  const { server, ask, tokens } = await start();
  await server.addUser('officer', 'Practitioner/marie', 'privacy-officer', false);
  const scope = 'openid user/AuditEvent.rs user/Observation.rs';
  const page = await signIn(await ask({ scope }), 'officer');
  t.equal((await tokens(await allow(page))).scope, 'openid user/AuditEvent.rs');
  const withVisit = await allow(await ask({ scope: `${scope} launch/encounter` }));
  t.equal((await tokens(withVisit)).scope, 'openid user/AuditEvent.rs', 'who sees no patient chooses no visit');
});

test('launch/encounter: an encounter of the patient is chosen; the token has both', async (t) => {
  const { ask, tokens } = await start();
  const scope = 'launch/patient launch/encounter patient/Encounter.rs';
  const shown = await signIn(await ask({ scope }));
  t.equal(shown.title, 'Choose a visit');
  const chosen = await allow(await shown.submit('/encounter', { encounter: 'visit-1' }));
  t.equal((await tokens(chosen))['encounter'], 'visit-1');
  const again = await (await ask({ scope })).submit('/encounter', { encounter: '' });
  const granted = await tokens(await allow(again));
  t.notOk('encounter' in granted);
  t.equal(granted.scope, 'launch/patient patient/Encounter.rs');
});

test('EHR launch: patient and encounter come from the launch, with need_patient_banner and smart_style_url', async (t) => {
  const { server, app, ask, tokens } = await start();
  const context = { patient: 'ada', encounter: 'visit-2', intent: 'order-review', needPatientBanner: false };
  const launch = await keepLaunch(server.auth, { clientId: app, context });
  const page = await signIn(
    await ask({ scope: 'openid fhirUser launch user/Patient.rs patient/Observation.rs', launch }),
    'marie',
  );
  t.match(page.title, /^Allow/, 'no picker');
  const granted = await tokens(await allow(page));
  t.match(granted, { patient: 'ada', encounter: 'visit-2', intent: 'order-review', need_patient_banner: false });
});

test('EHR launch with a patient whom the person does not see, and one by another person, are refused', async (t) => {
  const { server, app, ask } = await start();
  const scope = 'launch patient/Observation.rs';
  const launch = (patient: string, by?: string) =>
    keepLaunch(server.auth, { clientId: app, context: { patient }, ...(by === undefined ? {} : { launchedBy: by }) });
  const hidden = await signIn(await ask({ scope, launch: await launch('rosa') }), 'marie');
  t.match(hidden.answer, { error: 'access_denied' });
  const foreign = await ask({ scope, launch: await launch('ada', 'somebody else') });
  t.match(foreign.answer, { error: 'access_denied' });
});

test('A person opens an app with a patient: the app is launched in their name', async (t) => {
  const { server, browser, ask } = await start();
  await server.addApp({ id: 'launched', launchUris: ['http://127.0.0.1:9/launch?x=1'] });
  const picker = await signIn(await browser.get('/auth/apps'), 'marie');
  const apps = await picker.submit('/auth/apps/patient', { patient: 'emmy' });
  t.equal(apps.title, 'Open an app');
  t.match(apps.headers.get('content-security-policy'), /form-action 'self' http:\/\/127\.0\.0\.1:9;/);
  const { url } = await apps.submit('/auth/apps', { client: 'launched', patient: 'emmy' });
  const { searchParams } = new URL(url);
  t.equal(searchParams.get('iss'), server.fhirBase);
  t.equal(searchParams.get('x'), '1');
  const launch = searchParams.get('launch') ?? '';
  const page = await ask({ client_id: 'launched', launch, scope: 'launch patient/Observation.rs' });
  t.match(page.text, 'From the record of Emmy Noether');
  t.match((await allow(page)).answer, { code: /./ });
  t.match(await browser.get('/auth/apps?patient=rosa'), { status: 404 }, 'a patient whom the person does not see');
});

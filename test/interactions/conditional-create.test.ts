import type { Bundle, Patient } from '@medplum/fhirtypes';
import { test } from 'tap';
import { startTestServer } from '../http/test-server.ts';

const system = 'http://example.org/mrn';
const patient = (value: string, family = 'A') => ({
  resourceType: 'Patient' as const,
  identifier: [{ system, value }],
  name: [{ family }],
});

test('A conditional create', async (t) => {
  const { baseUrl, create, send, count } = await startTestServer(t);
  const post = (body: object, criteria: string, prefer = 'return=representation') =>
    send('POST', 'Patient', { body, headers: { 'if-none-exist': criteria, prefer } });
  const transaction = (value: string, ifNoneExist = `identifier=${system}|${value}`) =>
    send('POST', '', {
      body: {
        resourceType: 'Bundle',
        type: 'transaction',
        entry: [{ resource: patient(value), request: { method: 'POST', url: 'Patient', ifNoneExist } }],
      },
    });

  t.test('creates if nothing matches', async (t) => {
    t.equal((await post(patient('none'), `identifier=${system}|none`)).status, 201);
  });

  t.test('answers 200 with what matches, where it is, and stores nothing', async (t) => {
    const { id, meta } = await create<Patient>(patient('one'));
    const before = await count('Patient');
    const answer = await post(patient('one', 'B'), `identifier=${encodeURIComponent(`${system}|one`)}`);
    t.equal(answer.status, 200);
    t.same(answer.json<Patient>(), { ...patient('one'), id, meta });
    t.equal(answer.headers.get('etag'), 'W/"1"');
    t.equal(answer.headers.get('location'), `${baseUrl}/Patient/${id}/_history/1`);
    const minimal = await post(patient('one'), `identifier=${system}|one`, 'return=minimal');
    t.equal(minimal.text, '');
    t.equal(minimal.headers.get('location'), `${baseUrl}/Patient/${id}/_history/1`);
    const outcome = await post(patient('one'), `identifier=${system}|one`, 'return=OperationOutcome');
    t.match(outcome.diagnostics, id);
    t.equal(await count('Patient'), before);
  });

  t.test('is refused with 412 if several match', async (t) => {
    await create(patient('many'));
    await create(patient('many'));
    const before = await count('Patient');
    const answer = await post(patient('many'), `identifier=${system}|many`);
    t.equal(answer.status, 412);
    t.equal(answer.outcome.issue[0]?.code, 'multiple-matches');
    const inTransaction = await transaction('many');
    t.equal(inTransaction.status, 412);
    t.match(inTransaction.diagnostics, /Entry 0/);
    t.equal(await count('Patient'), before);
  });

  t.test('is refused with 400 if its criteria select nothing or are not known', async (t) => {
    const before = await count('Patient');
    for (const criteria of ['', ' ', '_count=1', '_sort=_id', 'shoe-size=44', 'birthdate=yesterday', 'name=%zz']) {
      t.equal((await post(patient('bad'), criteria)).status, 400, `'${criteria}'`);
      if (criteria !== '') t.equal((await transaction('bad', criteria)).status, 400, `'${criteria}' in a transaction`);
    }
    t.equal(await count('Patient'), before);
  });

  t.test('does not match what is deleted', async (t) => {
    const { id } = await create<Patient>(patient('gone'));
    await send('DELETE', `Patient/${id}`);
    t.equal((await post(patient('gone'), `identifier=${system}|gone`)).status, 201);
  });

  t.test('sent a thousand times at once, leaves one resource', async (t) => {
    const answers = await Promise.all(
      Array.from({ length: 1000 }, () => post(patient('race'), `identifier=${system}|race`)),
    );
    t.equal(answers.filter(({ status }) => status === 201).length, 1);
    t.equal(answers.filter(({ status }) => status === 200).length, 999);
    t.equal(new Set(answers.map((answer) => answer.json<Patient>().id)).size, 1);
    t.equal((await send('GET', `Patient?identifier=${system}|race&_summary=count`)).json<Bundle>().total, 1);
  });

  t.test('in a hundred transactions at once, leaves one resource', async (t) => {
    const answers = await Promise.all(Array.from({ length: 100 }, () => transaction('together')));
    t.ok(answers.every(({ status }) => status === 200));
    const responses = answers.map((answer) => answer.json<Bundle>().entry?.[0]?.response);
    t.equal(responses.filter((response) => response?.status === '201 Created').length, 1);
    t.equal(responses.filter((response) => response?.status === '200 OK').length, 99);
    t.equal(new Set(responses.map((response) => response?.location)).size, 1);
    t.equal((await send('GET', `Patient?identifier=${system}|together&_summary=count`)).json<Bundle>().total, 1);
  });
});

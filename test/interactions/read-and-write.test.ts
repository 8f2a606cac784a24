import type { Observation, OperationOutcome, Patient } from '@medplum/fhirtypes';
import { test } from 'tap';
import { startTestServer, type TestServer } from '../http/test-server.ts';

test('Resources are read and written one by one', async (t) => {
  const { baseUrl, create, send, count } = await startTestServer(t);

  t.test('a create answers 201 with Location, ETag, Last-Modified and the resource', async (t) => {
    const answer = await send('POST', 'Patient', { body: { resourceType: 'Patient', active: true } });
    const patient = answer.json<Patient>();
    t.equal(answer.status, 201);
    t.equal(answer.headers.get('location'), `${baseUrl}/Patient/${patient.id}/_history/1`);
    t.equal(answer.headers.get('etag'), 'W/"1"');
    t.equal(answer.headers.get('content-type'), 'application/fhir+json; charset=utf-8');
    t.equal(patient.meta?.versionId, '1');
    const seconds = Math.floor(Date.parse(patient.meta?.lastUpdated ?? '') / 1000);
    t.equal(Date.parse(answer.headers.get('last-modified') ?? '') / 1000, seconds);
    t.match(patient.id, /^[A-Za-z0-9\-.]{1,64}$/);
  });

  t.test('a create ignores the id that the client gives', async (t) => {
    const { id } = await create<Patient>({ resourceType: 'Patient', id: 'chosen' });
    t.not(id, 'chosen');
    t.equal((await send('GET', 'Patient/chosen')).status, 404);
  });

  t.test('a read answers the text that was written, with the same headers', async (t) => {
    const created = await send('POST', 'Patient', { body: { resourceType: 'Patient', active: true } });
    const { id } = created.json<Patient>();
    const read = await send('GET', `Patient/${id}`);
    t.equal(read.status, 200);
    t.equal(read.text, created.text);
    for (const name of ['etag', 'last-modified']) t.equal(read.headers.get(name), created.headers.get(name), name);
  });

  t.test('an update with a part of a resource is refused, as it would lose the rest', async (t) => {
    const { id } = await create<Patient>({ resourceType: 'Patient', active: true, name: [{ family: 'Kept' }] });
    const part = (await send('GET', `Patient/${id}?_elements=active`)).json<Patient>();
    const refusal = await send('PUT', `Patient/${id}`, { body: part });
    t.equal(refusal.status, 422);
    t.match(refusal.diagnostics, /Patient\.meta\.tag: SUBSETTED/);
    const entry = [{ resource: part, request: { method: 'PUT', url: `Patient/${id}` } }];
    for (const [type, status] of [
      ['transaction', 422],
      ['batch', 200],
    ] as const)
      t.equal((await send('POST', '', { body: { resourceType: 'Bundle', type, entry } })).status, status, type);
    t.match((await send('GET', `Patient/${id}`)).json<Patient>(), {
      name: [{ family: 'Kept' }],
      meta: { versionId: '1' },
    });
  });

  t.test('HEAD answers as GET does, without the body', async (t) => {
    const { id } = await create<Patient>({ resourceType: 'Patient' });
    for (const path of [`Patient/${id}`, 'Patient', `Patient/${id}/_history`, 'metadata', 'Patient/none']) {
      const [get, head] = [await send('GET', path), await send('HEAD', path)];
      t.equal(head.status, get.status, path);
      t.equal(head.text, '', path);
      t.equal(head.headers.get('content-length'), String(Buffer.byteLength(get.text)), path);
      t.equal(head.headers.get('etag'), get.headers.get('etag'), path);
    }
  });

  t.test('what is stored keeps its digits, key order, twins and characters', async (t) => {
    const text =
      '{"resourceType":"Observation","code":{"text":"\u00f1 \ud83d\ude00 \\u00e9 \\/"},"_status":{"extension":[{"url":"http://example.org/x","valueDecimal":1.10}]},' +
      '"status":"final","component":[{"valueQuantity":{"value":1e3},"code":{"text":"a"}},{"code":{"text":"b"},"valueQuantity":{"value":-0.00}}]}';
    const answer = await send('POST', 'Observation', { body: text, headers: { 'content-type': 'application/json' } });
    t.equal(answer.status, 201, answer.text);
    const { id, meta } = answer.json<Observation>();
    const stamp = `"id":"${id}","meta":{"versionId":"1","lastUpdated":"${meta?.lastUpdated}"},`;
    const expected = text.replace('"Observation",', `"Observation",${stamp}`);
    t.equal(answer.text, expected);
    t.equal((await send('GET', `Observation/${id}`)).text, expected);
  });

  t.test('the version and time in meta are the server\u2019s; tags, profiles and the source stay', async (t) => {
    const tag = [{ system: 'http://example.org/tags', code: 'x' }];
    const profile = ['http://example.org/StructureDefinition/p'];
    const given = {
      versionId: '77',
      lastUpdated: '2001-01-01T00:00:00Z',
      tag,
      profile,
      source: 'http://example.org/s',
    };
    const { meta } = await create<Patient>({ resourceType: 'Patient', meta: given });
    t.equal(meta?.versionId, '1');
    t.ok(Date.parse(meta?.lastUpdated ?? '') > Date.now() - 60_000);
    t.same([meta?.tag, meta?.profile, meta?.source], [tag, profile, 'http://example.org/s']);
  });

  t.test('Prefer chooses what a write answers', async (t) => {
    const body = { resourceType: 'Patient', id: 'prefer', active: true };
    const minimal = await send('PUT', 'Patient/prefer', { body, headers: { prefer: 'return=minimal' } });
    t.equal(minimal.status, 201);
    t.equal(minimal.text, '');
    t.equal(minimal.headers.get('location'), `${baseUrl}/Patient/prefer/_history/1`);
    const outcome = await send('POST', 'Patient', { body, headers: { prefer: 'return=OperationOutcome' } });
    t.equal(outcome.status, 201);
    t.equal(outcome.outcome.resourceType, 'OperationOutcome');
    const first = await send('POST', 'Patient', { body, headers: { prefer: 'return=minimal, return=representation' } });
    t.equal(first.text, '', 'of a preference that stands twice the first counts');
    const unknown = await send('POST', 'Patient', { body, headers: { prefer: 'respond-async, wait=10' } });
    t.equal(unknown.json().resourceType, 'Patient', 'preferences that the server does not know are ignored');
    const before = await count('Patient');
    for (const prefer of ['return=everything', 'handling=rough']) {
      const refused = await send('POST', 'Patient', { body, headers: { prefer } });
      t.equal(refused.status, 400, prefer);
      t.match(refused.diagnostics, /^Prefer: /);
    }
    t.equal(await count('Patient'), before);
  });

  t.test('an update makes the next version; without a change it makes none', async (t) => {
    const { id } = await create<Patient>({ resourceType: 'Patient', active: true });
    const body = { resourceType: 'Patient', id, active: false };
    const changed = await send('PUT', `Patient/${id}`, { body });
    t.equal(changed.status, 200);
    t.equal(changed.headers.get('etag'), 'W/"2"');
    t.equal(changed.json<Patient>().meta?.versionId, '2');
    const unchanged = await send('PUT', `Patient/${id}`, { body });
    t.equal(unchanged.status, 200);
    t.equal(unchanged.headers.get('etag'), 'W/"2"');
    t.equal(unchanged.text, changed.text);
    t.equal((await send('GET', `Patient/${id}/_history/1`)).json<Patient>().active, true);
  });

  t.test('an update of what is not there creates it with the client\u2019s id', async (t) => {
    const id = `a.B-3${'x'.repeat(59)}`;
    const answer = await send('PUT', `Patient/${id}`, { body: { resourceType: 'Patient', id } });
    t.equal(answer.status, 201);
    t.equal(answer.headers.get('location'), `${baseUrl}/Patient/${id}/_history/1`);
  });

  t.test('an update needs the id of the url in the body', async (t) => {
    for (const id of [undefined, 'other']) {
      const answer = await send('PUT', 'Patient/mismatch', { body: { resourceType: 'Patient', id } });
      t.equal(answer.status, 400);
      t.match(answer.outcome.issue[0], { code: 'invalid', expression: ['Patient.id'] });
    }
    const type = await send('PUT', 'Patient/mismatch', { body: { resourceType: 'Group', id: 'mismatch' } });
    t.equal(type.status, 400);
    t.equal((await send('GET', 'Patient/mismatch')).status, 404);
  });

  t.test('If-Match lets an update or delete through only at the current version', async (t) => {
    const { id } = await create<Patient>({ resourceType: 'Patient' });
    const put = (ifMatch: string, gender: string) =>
      send('PUT', `Patient/${id}`, { body: { resourceType: 'Patient', id, gender }, headers: { 'if-match': ifMatch } });
    t.equal((await put('W/"1"', 'female')).status, 200);
    const stale = await put('W/"1"', 'male');
    t.equal(stale.status, 412);
    t.equal(stale.outcome.issue[0]?.code, 'conflict');
    t.equal((await put('"2"', 'other')).status, 200, 'a strong tag is taken for the version too');
    for (const malformed of ['2', 'W/"x"', 'W/""', '**', 'W/"1", W/"2"']) {
      t.equal((await put(malformed, 'unknown')).status, 400, malformed);
    }
    const absent = { body: { resourceType: 'Patient', id: 'absent' }, headers: { 'if-match': 'W/"1"' } };
    t.equal((await send('PUT', 'Patient/absent', absent)).status, 412);
    const deletion = (version: string) => send('DELETE', `Patient/${id}`, { headers: { 'if-match': version } });
    t.equal((await deletion('W/"2"')).status, 412);
    t.equal((await send('GET', `Patient/${id}`)).json<Patient>().gender, 'other');
    t.equal((await deletion('W/"3"')).status, 204);
  });

  t.test('If-Match: * lets a write through only if there is a current version', async (t) => {
    const headers = { 'if-match': '*' };
    const body = { resourceType: 'Patient', id: 'star' };
    const merge = { 'content-type': 'application/json-patch+json', ...headers };
    const activate = '[{"op":"add","path":"/active","value":true}]';
    t.equal((await send('PUT', 'Patient/star', { body, headers })).status, 412);
    t.equal((await send('DELETE', 'Patient/star', { headers })).status, 412);
    t.equal((await send('PATCH', 'Patient/star', { body: activate, headers: merge })).status, 404);
    await send('PUT', 'Patient/star', { body });
    t.equal((await send('PUT', 'Patient/star', { body: { ...body, gender: 'other' }, headers })).status, 200);
    t.equal((await send('PATCH', 'Patient/star', { body: activate, headers: merge })).status, 200);
    t.equal((await send('DELETE', 'Patient/star', { headers })).status, 204);
    t.equal((await send('PUT', 'Patient/star', { body, headers })).status, 412, 'a deletion is no current version');
  });

  t.test('of a hundred updates with the same If-Match one goes through', async (t) => {
    const { id } = await create<Patient>({ resourceType: 'Patient' });
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, at) =>
        send('PUT', `Patient/${id}`, {
          body: { resourceType: 'Patient', id, name: [{ family: `Number ${at}` }] },
          headers: { 'if-match': 'W/"1"' },
        }),
      ),
    );
    t.equal(answers.filter(({ status }) => status === 200).length, 1);
    t.equal(answers.filter(({ status }) => status === 412).length, 99);
  });

  t.test('what was never there is 404, what was deleted is 410, and its older versions stay', async (t) => {
    const { id } = await create<Patient>({ resourceType: 'Patient' });
    const path = `Patient/${id}`;
    const deleted = await send('DELETE', path);
    t.equal(deleted.status, 204);
    t.equal(deleted.text, '');
    t.equal(deleted.headers.get('etag'), 'W/"2"');
    t.equal((await send('GET', path)).status, 410);
    t.equal((await send('GET', path)).outcome.issue[0]?.code, 'deleted');
    t.equal((await send('GET', `${path}/_history/1`)).status, 200);
    t.equal((await send('GET', `${path}/_history/2`)).status, 410);
    for (const version of ['3', '0', '01', '-1', 'x', '1.0', '99999999999999999999'])
      t.equal((await send('GET', `${path}/_history/${version}`)).status, 404, version);
    t.equal((await send('DELETE', path)).status, 204, 'deleting again succeeds');
    t.equal((await send('DELETE', 'Patient/never')).status, 204, 'so does deleting what was never there');
    t.equal((await send('GET', 'Patient/never')).status, 404);
    t.equal((await send('GET', 'Patient/never/_history')).status, 404);
    const again = await send('PUT', path, { body: { resourceType: 'Patient', id } });
    t.equal(again.status, 201, 'an update brings it back');
    t.equal(again.headers.get('etag'), 'W/"3"');
  });

  t.test('a reference by search criteria is kept as it is outside of a transaction', async (t) => {
    const subject = { reference: 'Patient?identifier=1' };
    const { status, json } = await send('POST', 'Observation', {
      body: { resourceType: 'Observation', status: 'final', code: { text: 'x' }, subject },
    });
    t.equal(status, 201);
    t.same(json<Observation>().subject, subject);
  });

  t.test('a refusal names each fault in words and with its FHIRPath', async (t) => {
    const before = await count('Patient');
    const body = { resourceType: 'Patient', birthDate: '1980-13-01', gender: 'femal', favouriteColour: 'green' };
    const answer = await send('POST', 'Patient', { body });
    t.equal(answer.status, 400);
    const { issue } = answer.json<OperationOutcome>();
    t.same(issue.flatMap(({ expression = [] }) => expression).sort(), [
      'Patient.birthDate',
      'Patient.favouriteColour',
      'Patient.gender',
    ]);
    t.ok(issue.some(({ diagnostics }) => diagnostics === "Patient.birthDate: '1980-13-01' is not a date"));
    t.equal(await count('Patient'), before);
  });
});

test('References to what is not there are accepted, and refused where the configuration says so', async (t) => {
  const body = {
    resourceType: 'Observation',
    status: 'final',
    code: { text: 'x' },
    subject: { reference: 'Patient/none' },
  };
  const accepting = await startTestServer(t);
  t.equal((await accepting.send('POST', 'Observation', { body })).status, 201);
  const refusing = await startTestServer(t, { CONSILIUM_REFERENCES: 'refuse' });
  const refused = await refusing.send('POST', 'Observation', { body });
  t.equal(refused.status, 422);
  t.match(refused.diagnostics, /Patient\/none/);
  t.equal(await refusing.count('Observation'), 0);
});

test('What others refer to is deleted, and not where the configuration says so', async (t) => {
  const observationOf = (id: string, more: object = {}) => ({
    resourceType: 'Observation' as const,
    id,
    status: 'final',
    code: { text: 'x' },
    subject: { reference: 'Patient/p' },
    ...more,
  });
  const patient = { resourceType: 'Patient', id: 'p', contact: [{ organization: { reference: 'Organization/o' } }] };
  const fill = async ({ send }: TestServer): Promise<void> => {
    for (const body of [{ resourceType: 'Organization', id: 'o', name: 'x' }, patient, observationOf('a')])
      t.ok((await send('PUT', `${body.resourceType}/${body.id}`, { body })).status <= 201);
  };
  const entryOf = (method: string, url: string, resource?: object) => ({ resource, request: { method, url } });
  const transact = ({ send }: TestServer, ...entry: object[]) =>
    send('POST', '', { body: { resourceType: 'Bundle', type: 'transaction', entry } });

  const accepting = await startTestServer(t);
  await fill(accepting);
  t.equal((await accepting.send('DELETE', 'Patient/p')).status, 204);

  const refusing = await startTestServer(t, { CONSILIUM_REFERENCES: 'refuse' });
  await fill(refusing);
  const { send } = refusing;
  const refused = await send('DELETE', 'Patient/p');
  t.equal(refused.status, 409);
  t.match(refused.diagnostics, /Patient\/p .*Observation\/a/);
  t.equal((await send('DELETE', 'Organization/o')).status, 409, 'no search parameter is necessary for that');
  t.equal((await send('DELETE', 'Patient?_id=p')).status, 409);
  const alone = await transact(refusing, entryOf('DELETE', 'Patient/p'));
  t.equal(alone.status, 409);
  t.match(alone.diagnostics, /Entry 0/);
  t.equal((await send('DELETE', 'Patient/none')).status, 204);

  const kept = await transact(
    refusing,
    entryOf('DELETE', 'Patient/p'),
    entryOf('PUT', 'Observation/a', observationOf('a', { status: 'amended' })),
  );
  t.equal(kept.status, 422, 'the referrer is written, and still refers');
  const freed = await transact(
    refusing,
    entryOf('DELETE', 'Patient/p'),
    entryOf('PUT', 'Observation/a', observationOf('a', { subject: { display: 'Somebody' } })),
  );
  t.equal(freed.status, 200, freed.text);
  t.equal((await send('DELETE', 'Organization/o')).status, 204, 'what is deleted refers to nothing');

  await fill(refusing);
  const both = await transact(refusing, entryOf('DELETE', 'Patient/p'), entryOf('DELETE', 'Observation/a'));
  t.equal(both.status, 200, 'deleted together');

  const race = Array.from({ length: 40 }, (_, at) => `r${at}`);
  await Promise.all(race.map((id) => send('PUT', `Patient/${id}`, { body: { resourceType: 'Patient', id } })));
  await Promise.all(
    race.flatMap((id) => {
      const body = observationOf(id, { subject: { reference: `Patient/${id}` } });
      return [send('PUT', `Observation/${id}`, { body }), send('DELETE', `Patient/${id}`)];
    }),
  );
  for (const id of race) {
    const [referrer, target] = await Promise.all([send('GET', `Observation/${id}`), send('GET', `Patient/${id}`)]);
    t.ok(
      referrer.status === 200 ? target.status === 200 : target.status === 410,
      `${id}: at once, one of the two goes through`,
    );
  }
});

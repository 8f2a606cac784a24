import type { Bundle, Patient } from '@medplum/fhirtypes';
import { test } from 'tap';
import { startTestServer } from '../http/test-server.ts';

const system = 'http://example.org/mrn';
const identified = (value: string, more: object = {}) => ({
  resourceType: 'Patient' as const,
  identifier: [{ system, value }],
  ...more,
});
const criteria = (value: string): string => `Patient?identifier=${system}|${value}`;
const JSON_PATCH = { 'content-type': 'application/json-patch+json' };
const ACTIVATE = JSON.stringify([{ op: 'add', path: '/active', value: true }]);

test('A conditional update', async (t) => {
  // A thousand in a row take their time on MongoDB.
  const { create, send, count } = await startTestServer(t, { CONSILIUM_STORE_SECONDS: '300' });
  const put = (value: string, more: object = {}, headers: Record<string, string> = {}) =>
    send('PUT', criteria(value), { body: identified(value, more), headers });

  t.test(
    'creates with 201 if nothing matches, under the id of the body if it has one; 409 if that id is taken',
    async (t) => {
      const made = await put('none');
      t.equal(made.status, 201);
      t.match(made.headers.get('location'), `/Patient/${made.json<Patient>().id}/_history/1`);
      const own = await put('own', { id: 'my-own' });
      t.equal(own.status, 201);
      t.equal(own.json<Patient>().id, 'my-own');
      const taken = await put('taken', { id: 'my-own' });
      t.equal(taken.status, 409);
      t.match(taken.diagnostics, /Patient\/my-own/);
      t.match((await send('GET', 'Patient/my-own')).json(), identified('own'), 'what is there stays as it is');
      await send('DELETE', 'Patient/my-own');
      t.equal((await put('taken', { id: 'my-own' })).status, 201, 'the id of what is deleted is free');
    },
  );

  t.test('updates with 200 if one matches; the id of the body is that one or absent', async (t) => {
    const { id } = await create<Patient>(identified('one'));
    const changed = await put('one', { active: true });
    t.equal(changed.status, 200);
    t.match(changed.json(), { id, active: true, meta: { versionId: '2' } });
    t.equal((await put('one', { active: true })).headers.get('etag'), 'W/"2"', 'the same makes no version');
    t.equal((await put('one', { id: 'other' })).status, 400, 'body id is not that of the match');
  });

  t.test('is refused with 412 if several match, 400 without criteria, 412 for a stale If-Match', async (t) => {
    await create(identified('many'));
    await create(identified('many'));
    const before = await count('Patient');
    t.equal((await put('many')).status, 412);
    for (const url of ['Patient', 'Patient?', 'Patient?_count=1', 'Patient?shoe-size=44', 'Patient?_format=json'])
      t.equal((await send('PUT', url, { body: identified('x') })).status, 400, url);
    await create(identified('matched'));
    t.equal((await put('matched', { active: true }, { 'if-match': 'W/"9"' })).status, 412);
    t.equal((await put('unmatched', {}, { 'if-match': 'W/"1"' })).status, 412);
    t.equal((await put('matched', {}, { 'if-none-match': '*' })).status, 412);
    t.equal(await count('Patient'), before + 1);
  });

  t.test('sent a thousand times at once, leaves one resource', async (t) => {
    const answers = await Promise.all(
      Array.from({ length: 1000 }, (_, at) => put('race', { telecom: [{ value: `${at % 7}` }] })),
    );
    t.equal(answers.filter(({ status }) => status === 201).length, 1);
    t.equal(answers.filter(({ status }) => status === 200).length, 999);
    t.equal((await send('GET', `${criteria('race')}&_summary=count`)).json<Bundle>().total, 1);
  });
});

test('PUT with If-None-Match: * creates, and is refused with 412 on an existing id', async (t) => {
  const { send } = await startTestServer(t);
  const put = (headers: Record<string, string> = { 'if-none-match': '*' }) =>
    send('PUT', 'Patient/n', { body: identified('n', { id: 'n' }), headers });
  const answers = await Promise.all(Array.from({ length: 50 }, () => put()));
  t.equal(answers.filter(({ status }) => status === 201).length, 1, 'of many at once one creates');
  t.equal(answers.filter(({ status }) => status === 412).length, 49);
  t.equal((await put({ 'if-none-match': 'W/"1"' })).status, 400);
  await send('DELETE', 'Patient/n');
  t.equal((await put()).status, 201, 'what is deleted is not there');
});

test('A conditional delete', async (t) => {
  const { create, send, count } = await startTestServer(t);

  t.test('answers 204 for 0 matches, deletes 1, refuses many with 412 in single mode', async (t) => {
    t.equal((await send('DELETE', criteria('none'))).status, 204);
    const { id } = await create<Patient>(identified('one'));
    const one = await send('DELETE', criteria('one'));
    t.equal(one.status, 204);
    t.equal(one.headers.get('etag'), 'W/"2"');
    t.equal((await send('GET', `Patient/${id}`)).status, 410);
    await create(identified('many'));
    await create(identified('many'));
    const before = await count('Patient');
    t.equal((await send('DELETE', criteria('many'))).status, 412);
    t.equal((await send('DELETE', 'Patient')).status, 400, 'no criteria');
    t.equal(await count('Patient'), before);
  });

  t.test('in multiple mode deletes all up to a limit, and above it none', async (t) => {
    const multiple = await startTestServer(t, {
      CONSILIUM_CONDITIONAL_DELETE: 'multiple',
      CONSILIUM_CONDITIONAL_DELETE_LIMIT: '3',
    });
    for (let at = 0; at < 4; at++) await multiple.create(identified('many'));
    const refused = await multiple.send('DELETE', criteria('many'));
    t.equal(refused.status, 412);
    t.match(refused.diagnostics, /CONSILIUM_CONDITIONAL_DELETE_LIMIT/);
    t.equal(await multiple.count('Patient'), 4);
    const found = (await multiple.send('GET', criteria('many'))).json<Bundle>();
    await multiple.send('DELETE', `Patient/${found.entry?.[0]?.resource?.id}`);
    t.equal((await multiple.send('DELETE', criteria('many'))).status, 204);
    t.equal(await multiple.count('Patient'), 0);
  });
});

test('A conditional patch changes the one match: 404 for none, 412 for several', async (t) => {
  const { create, send } = await startTestServer(t);
  const patch = (value: string) => send('PATCH', criteria(value), { body: ACTIVATE, headers: JSON_PATCH });
  t.equal((await patch('none')).status, 404);
  const { id } = await create<Patient>(identified('one'));
  const patched = await patch('one');
  t.equal(patched.status, 200);
  t.match(patched.json(), { id, active: true, meta: { versionId: '2' } });
  await create(identified('many'));
  await create(identified('many'));
  t.equal((await patch('many')).status, 412);
  t.equal((await send('PATCH', 'Patient', { body: ACTIVATE, headers: JSON_PATCH })).status, 400);
});

test('A conditional read answers 304 with ETag and no body, as read or in a Bundle', async (t) => {
  const { create, send } = await startTestServer(t);
  const { id, meta } = await create<Patient>(identified('one'));
  const read = (headers: Record<string, string>) => send('GET', `Patient/${id}`, { headers });
  const modified = (await read({})).headers.get('last-modified') ?? '';
  const past = new Date(Date.parse(modified) - 1000).toUTCString();
  for (const headers of [
    { 'if-none-match': 'W/"1"' },
    { 'if-none-match': '"7", W/"1"' },
    { 'if-none-match': '*' },
    { 'if-modified-since': modified },
    { 'if-none-match': 'W/"1"', 'if-modified-since': past },
  ]) {
    const answer = await read(headers);
    t.equal(answer.status, 304, JSON.stringify(headers));
    t.equal(answer.headers.get('etag'), 'W/"1"');
    t.equal(answer.text, '');
  }
  for (const headers of [
    { 'if-none-match': 'W/"2"' },
    { 'if-modified-since': past },
    { 'if-modified-since': 'yesterday' },
    { 'if-none-match': 'W/"2"', 'if-modified-since': modified },
  ])
    t.equal((await read(headers as Record<string, string>)).status, 200, JSON.stringify(headers));
  const url = `Patient/${id}`;
  const entry = [
    { request: { method: 'GET', url, ifNoneMatch: 'W/"1"' } },
    { request: { method: 'GET', url, ifModifiedSince: meta?.lastUpdated } },
    { request: { method: 'GET', url, ifNoneMatch: 'W/"2"' } },
  ];
  for (const type of ['batch', 'transaction']) {
    const answer = await send('POST', '', { body: { resourceType: 'Bundle', type, entry } });
    t.match(
      answer.json<Bundle>().entry?.map(({ response }) => response?.status),
      ['304 Not Modified', '304 Not Modified', '200 OK'],
      type,
    );
  }
});

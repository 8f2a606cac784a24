import type { Meta, Parameters, Resource } from '@medplum/fhirtypes';
import { test } from 'tap';
import { startTestServer } from '../http/test-server.ts';

const metaParameters = (valueMeta: Meta): Parameters => ({
  resourceType: 'Parameters',
  parameter: [{ name: 'meta', valueMeta }],
});
const red = { system: 'urn:tags', code: 'red' };
const blue = { system: 'urn:tags', code: 'blue' };
const PROFILE = 'http://example.org/StructureDefinition/p';
const JSON_TYPE = { 'content-type': 'application/fhir+json' };

test('The operations on meta', async (t) => {
  const { send } = await startTestServer(t);
  const observation =
    '{"resourceType":"Observation","id":"o","meta":{"tag":[{"system":"urn:tags","code":"red","display":"Red"}]},' +
    '"status":"final","code":{"text":"x"},"valueQuantity":{"value":1.10}}';
  await send('PUT', 'Observation/o', { body: observation, headers: JSON_TYPE });
  const metaOf = (answer: { json<T>(): T }) => answer.json<Parameters>().parameter?.[0]?.valueMeta;
  const versionOf = async () => (await send('GET', 'Observation/o')).json<Resource>().meta?.versionId;

  t.test('$meta of an instance is the meta of its current version', async (t) => {
    const answer = await send('GET', 'Observation/o/$meta');
    t.equal(answer.status, 200);
    t.same(metaOf(answer), (await send('GET', 'Observation/o')).json<Resource>().meta);
    t.equal((await send('GET', 'Observation/none/$meta')).status, 404);
  });

  t.test('$meta-add adds what is new, keeps the digits of the rest, and makes a new version', async (t) => {
    const body = metaParameters({ tag: [red, blue, blue], profile: [PROFILE] });
    const answer = await send('POST', 'Observation/o/$meta-add', { body });
    t.equal(answer.status, 200, answer.text);
    t.equal(answer.headers.get('etag'), 'W/"2"');
    t.match(metaOf(answer), { versionId: '2', tag: [{ ...red, display: 'Red' }, blue], profile: [PROFILE] });
    t.equal(metaOf(answer)?.tag?.length, 2);
    const { text } = await send('GET', 'Observation/o');
    t.match(text, '"value":1.10');
    t.equal(
      (await send('GET', 'Observation?_tag=urn:tags|blue&_summary=count')).json<{
        resourceType: 'Bundle';
        total?: number;
      }>().total,
      1,
    );
  });

  t.test('$meta-add of what is there makes no new version', async (t) => {
    const body = metaParameters({ tag: [{ ...red, display: 'Other' }], profile: [PROFILE] });
    t.equal((await send('POST', 'Observation/o/$meta-add', { body })).status, 200);
    t.equal(await versionOf(), '2');
  });

  t.test('$meta of a type has all profiles, tags and labels that its resources have, each once', async (t) => {
    const body = { resourceType: 'Observation', meta: { tag: [red] }, status: 'final', code: { text: 'y' } };
    await send('POST', 'Observation', { body });
    t.same(metaOf(await send('GET', 'Observation/$meta')), { profile: [PROFILE], tag: [red, blue] });
    t.same((await send('GET', 'Patient/$meta')).json(), { resourceType: 'Parameters' });
  });

  t.test('$meta of the system has those of all types, each once', async (t) => {
    const green = { system: 'urn:tags', code: 'green' };
    const security = [{ system: 'http://terminology.hl7.org/CodeSystem/v3-Confidentiality', code: 'R' }];
    const created = await send('POST', 'Patient', {
      body: { resourceType: 'Patient', meta: { tag: [green, red], security } },
    });
    for (const answer of [await send('GET', '$meta'), await send('POST', '$meta')])
      t.same(metaOf(answer), { profile: [PROFILE], security, tag: [red, blue, green] });
    await send('DELETE', `Patient/${created.json<Resource>().id}`);
    t.same(metaOf(await send('GET', '$meta')), { profile: [PROFILE], tag: [red, blue] }, 'of what is current');
  });

  t.test('$meta-delete takes away by system and code, and of what is not there nothing', async (t) => {
    const body = metaParameters({ tag: [blue, { code: 'red' }], profile: [PROFILE] });
    const answer = await send('POST', 'Observation/o/$meta-delete', { body });
    t.same(metaOf(answer)?.tag, [{ ...red, display: 'Red' }]);
    t.notOk('profile' in (metaOf(answer) ?? {}), 'R4 has no empty arrays');
    t.equal(await versionOf(), '3');
    await send('POST', 'Observation/o/$meta-delete', { body });
    t.equal(await versionOf(), '3', 'nothing changed');
  });

  t.test('a stale If-Match is refused with 412, and what is no meta with 400', async (t) => {
    const body = metaParameters({ tag: [blue] });
    const headers = { 'if-match': 'W/"1"' };
    t.equal((await send('POST', 'Observation/o/$meta-add', { body, headers })).status, 412);
    t.equal((await send('POST', 'Observation/none/$meta-add', { body })).status, 404);
    t.equal((await send('POST', 'Observation/o/$meta-add', { body: { resourceType: 'Parameters' } })).status, 400);
    t.equal((await send('GET', 'Observation/o/$meta-add')).status, 405);
    t.equal((await send('GET', 'Observation/o/$meta?foo=1')).status, 400);
  });

  t.test('parallel additions are all kept', async (t) => {
    const codes = Array.from({ length: 10 }, (_, at) => `t${at}`);
    await Promise.all(
      codes.map((code) => send('POST', 'Observation/o/$meta-add', { body: metaParameters({ tag: [{ code }] }) })),
    );
    const tags = metaOf(await send('GET', 'Observation/o/$meta'))?.tag?.map(({ code }) => code) ?? [];
    t.ok(codes.every((code) => tags.includes(code)));
  });
});

import { join } from 'node:path';
import type { Bundle, CapabilityStatement, OperationDefinition } from '@medplum/fhirtypes';
import { test } from 'tap';
import { derivedKey, STORE_FILE } from '../../src/config.ts';
import { readDefinitions } from '../../src/definitions/read-definitions.ts';
import { resourceText } from '../../src/fhir/resource-text.ts';
import { OPERATIONS } from '../../src/operations/operations.ts';
import { openSqliteStore } from '../../src/store/sqlite/open-store.ts';
import { startTestServer, temporaryFolder } from '../http/test-server.ts';
import { EMBEDDED_ONLY } from '../http/test-store.ts';

const NAMES = OPERATIONS.map(({ name }) => name);

/** What US Core 6.1.0 says of its operation. */
const US_CORE_DOCREF: Partial<OperationDefinition> = {
  url: 'http://hl7.org/fhir/us/core/OperationDefinition/docref',
  system: false,
  type: true,
  instance: false,
  parameter: ['patient', 'start', 'end', 'type', 'on-demand', 'profile'].map((name) => ({
    name,
    use: 'in',
    min: 0,
    max: '*',
  })),
};

/** Parameters that are in the definitions' package, and not in R4. */
const BEYOND_R4 = new Set(['_offset']);

test('The OperationDefinitions of the server', async (t) => {
  const { baseUrl, send } = await startTestServer(t);

  t.test('are read by the name of the operation', async (t) => {
    for (const name of NAMES) {
      const { status, json } = await send('GET', `OperationDefinition/${name}`);
      t.equal(status, 200, name);
      t.match(json(), { resourceType: 'OperationDefinition', id: name, code: name, status: 'active' });
    }
  });

  t.test('are found by name and by url', async (t) => {
    for (const name of NAMES) {
      const definition = (await send('GET', `OperationDefinition/${name}`)).json<OperationDefinition>();
      for (const query of [`name=${definition.name}`, `url=${definition.url}`, `code=${name}`]) {
        const { entry = [] } = (await send('GET', `OperationDefinition?${query}`)).json<Bundle>();
        t.ok(
          entry.some(({ resource }) => resource?.id === name),
          query,
        );
      }
    }
  });

  t.test('are what the CapabilityStatement names, or HL7 defines the operation so', async (t) => {
    const { rest = [] } = (await send('GET', 'metadata')).json<CapabilityStatement>();
    const stated = [
      ...(rest[0]?.operation ?? []),
      ...(rest[0]?.resource ?? []).flatMap(({ operation = [] }) => operation),
    ];
    t.same(new Set(stated.map(({ name }) => name)), new Set(NAMES));
    const definitions = readDefinitions('profiles-resources.json') as Partial<OperationDefinition>[];
    const ofHl7 = new Map([...definitions, US_CORE_DOCREF].map((resource) => [resource.url, resource]));
    for (const [name, definition] of new Map(stated.map(({ name, definition }) => [name, definition]))) {
      const own = (await send('GET', `OperationDefinition/${name}`)).json<OperationDefinition>();
      const whole = ofHl7.get(definition ?? '');
      if (whole === undefined) {
        t.equal(definition, own.url, name);
        t.equal((await send('GET', `OperationDefinition?url=${definition}&_total=accurate`)).json<Bundle>().total, 1);
        continue;
      }
      // To name HL7's definition is to claim all of it: every level, and every parameter.
      t.equal(own.base, definition, name);
      for (const level of ['system', 'type', 'instance'] as const)
        t.equal(own[level], whole[level], `${name} ${level}`);
      const taken = ({ parameter = [] }: Partial<OperationDefinition>) =>
        parameter.filter(({ use }) => use === 'in').map((item) => item.name ?? '');
      const missing = taken(whole).filter((item) => !taken(own).includes(item) && !BEYOND_R4.has(item));
      t.same(missing, [], `${name} has all parameters`);
    }
  });

  t.test('cannot be changed by a client, in whatever way', async (t) => {
    const own = (await send('GET', 'OperationDefinition/everything')).json<OperationDefinition>();
    const changed = { ...own, title: 'Mine' };
    const patch = [{ op: 'replace', path: '/title', value: 'Mine' }];
    const asPatch = { headers: { 'content-type': 'application/json-patch+json' }, body: patch };
    const meta = { resourceType: 'Parameters', parameter: [{ name: 'meta', valueMeta: { tag: [{ code: 'x' }] } }] };
    const entry = [
      { resource: { resourceType: 'Basic', code: { text: 'x' } }, request: { method: 'POST', url: 'Basic' } },
      { resource: changed, request: { method: 'PUT', url: 'OperationDefinition/everything' } },
    ];
    const answers = [
      await send('PUT', 'OperationDefinition/everything', { body: changed }),
      await send('PUT', 'OperationDefinition?name=Everything', { body: changed }),
      await send('PATCH', 'OperationDefinition/everything', asPatch),
      await send('DELETE', 'OperationDefinition/everything'),
      await send('DELETE', 'OperationDefinition?name=Everything'),
      await send('POST', 'OperationDefinition/everything/$meta-add', { body: meta }),
      await send('POST', '', { body: { resourceType: 'Bundle', type: 'transaction', entry } }),
    ];
    for (const { status, outcome, diagnostics } of answers) {
      t.equal(status, 403, diagnostics);
      t.match(outcome.issue, [{ severity: 'error', code: 'forbidden' }]);
      t.match(diagnostics, /OperationDefinition\/everything describes this server itself, and cannot be changed/);
    }
    const batch = await send('POST', '', { body: { resourceType: 'Bundle', type: 'batch', entry } });
    t.match(batch.json<Bundle>().entry, [
      { response: { status: '201 Created' } },
      { response: { status: '403 Forbidden' } },
    ]);
    const history = (await send('GET', 'OperationDefinition/everything/_history')).json<Bundle>();
    t.equal(history.entry?.length, 1);
    t.same((await send('GET', 'OperationDefinition/everything')).json(), own);
  });

  t.test('leave the ids and urls of all others to clients', async (t) => {
    const body = { ...(await send('GET', 'OperationDefinition/meta')).json<OperationDefinition>(), id: 'mine' };
    t.equal((await send('PUT', 'OperationDefinition/mine', { body })).status, 201);
    t.equal((await send('DELETE', 'OperationDefinition/mine')).status, 204);
    t.equal((await send('POST', 'OperationDefinition', { body })).status, 201);
    t.match(baseUrl, /fhir$/);
  });
});

test('A restart makes no new version of an OperationDefinition', async (t) => {
  const environment = { CONSILIUM_DATA: temporaryFolder(t) };
  const first = await startTestServer(t, environment);
  await first.close();
  const { send } = await startTestServer(t, environment);
  const history = (await send('GET', 'OperationDefinition/_history')).json<Bundle>();
  t.equal(history.entry?.length, NAMES.length);
});

test('A start puts its own OperationDefinition in the place of another one', { skip: EMBEDDED_ONLY }, async (t) => {
  const folder = temporaryFolder(t);
  await (await startTestServer(t, { CONSILIUM_DATA: folder })).close();
  const store = await openSqliteStore({
    path: join(folder, STORE_FILE),
    key: derivedKey(Buffer.from('5'.repeat(64), 'hex'), 'store'),
    checkBytes: 0,
    readCacheBytes: 2 ** 20,
    searchPool: { quickThreads: 1, slowThreads: 1, quickMilliseconds: 25, queue: 1000 },
    searchLimits: { milliseconds: 1000, rows: 100_000 },
  });
  const text = '{"resourceType":"OperationDefinition","id":"meta","name":"Other"}';
  await store.commit([{ kind: 'update', resource: resourceText(text, 'OperationDefinition', 'meta'), entries: [] }]);
  await store.close();
  const { send } = await startTestServer(t, { CONSILIUM_DATA: folder });
  const answer = await send('GET', 'OperationDefinition/meta');
  t.match(answer.json(), { name: 'Meta', meta: { versionId: '3' } });
});

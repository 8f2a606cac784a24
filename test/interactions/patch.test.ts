import { join } from 'node:path';
import { type Test, test } from 'tap';
import { createFhirServer } from '../../src/app.ts';
import { derivedKey, readConfig } from '../../src/config.ts';
import { loadStructures } from '../../src/definitions/structures.ts';
import { FhirError } from '../../src/fhir/fhir-error.ts';
import { stampedText } from '../../src/fhir/resource-text.ts';
import { createFhirPathPatch } from '../../src/fhirpath/patch.ts';
import type { FhirRequest } from '../../src/interactions/fhir-request.ts';
import { type PatchingServer, patch, patchDocument, patchOfEntry, patchWrite } from '../../src/interactions/patch.ts';
import { openSqliteStore } from '../../src/store/sqlite/open-store.ts';
import { operation, parametersOf } from '../fhirpath/patch-parameters.ts';
import { temporaryFolder } from '../http/test-server.ts';

const JSON_PATCH = 'application/json-patch+json';
const FHIR_JSON = 'application/fhir+json';

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The body, or the reasons of a refusal. */
  readonly text: string;
}

const openServer = async (t: Test): Promise<PatchingServer> => {
  const config = readConfig({
    CONSILIUM_PORT: '0',
    CONSILIUM_LOG_LEVEL: 'silent',
    CONSILIUM_ACCESS: 'open',
    CONSILIUM_STORE_KEY: '5'.repeat(64),
    CONSILIUM_DATA: temporaryFolder(t),
  });
  const store = await openSqliteStore({
    path: join(config.dataFolder, 'test.db'),
    key: derivedKey(config.storeKey, 'store'),
    checkBytes: config.storeCheckBytes,
    readCacheBytes: 2 ** 20,
    searchPool: { quickThreads: 1, slowThreads: 1, quickMilliseconds: 25, queue: 1000 },
    searchLimits: { milliseconds: 10_000, rows: 1_000_000 },
  });
  t.teardown(() => store.close());
  const server = createFhirServer(config, store, 'http://localhost/fhir');
  return { ...server, fhirPathPatched: createFhirPathPatch(loadStructures(), config) };
};

const answerOf = async (
  action: () => Promise<{
    status: number;
    headers: Readonly<Record<string, string>>;
    body?: string | Buffer;
    outcome?: string;
  }>,
): Promise<Answer> => {
  try {
    const { status, headers, body, outcome } = await action();
    return { status, headers, text: (body ?? outcome ?? '').toString() };
  } catch (error) {
    if (!(error instanceof FhirError)) throw error;
    const text = error.issues.map(({ diagnostics }) => diagnostics).join('\n');
    return { status: error.status, headers: error.headers, text };
  }
};

const OBSERVATION =
  '{"resourceType":"Observation","id":"o","code":{"text":"c"},"status":"final","valueQuantity":{"value":1.10,"unit":"mg"},"component":[{"code":{"text":"d"},"valueQuantity":{"value":1e3}}]}';

test('Patch', async (t) => {
  const server = await openServer(t);
  let count = 0;

  /** Stores an Observation of its own; returns its path, the way to patch it, and the way to read it. */
  const observation = async () => {
    const id = `o${++count}`;
    const body = OBSERVATION.replace('"o"', `"${id}"`);
    const send = (method: string, headers: FhirRequest['headers'] = {}, text?: string) =>
      server.answer({
        method,
        path: `Observation/${id}`,
        query: '',
        headers,
        ...(text === undefined ? {} : { body: text }),
      });
    await send('PUT', { 'content-type': FHIR_JSON }, body);
    return {
      id,
      send,
      text: async () => ((await send('GET')).body ?? '').toString(),
      patch: (contentType: string, text: string | undefined, headers: FhirRequest['headers'] = {}) =>
        answerOf(() =>
          patch(
            server,
            {
              method: 'PATCH',
              path: `Observation/${id}`,
              query: '',
              headers: { 'content-type': contentType, ...headers },
              ...(text === undefined ? {} : { body: text }),
            },
            { type: 'Observation', id },
          ),
        ),
    };
  };

  const amended = (version: string) => `[{"op":"replace","path":"/status","value":"${version}"}]`;
  const amendedByPath = (status: string) =>
    parametersOf(operation('replace', 'Observation.status', { value: { valueCode: status } }));

  t.test('Patch: JSON Patch 200 and only the addressed field changes', async (t) => {
    const { text, patch } = await observation();
    const before = await text();
    const answer = await patch(`${JSON_PATCH}; charset=utf-8`, amended('amended'));
    t.equal(answer.status, 200, answer.text);
    t.equal(answer.headers['etag'], 'W/"2"');
    t.match(answer.headers['location'], /\/_history\/2$/);
    const after = await text();
    t.equal(answer.text, after);
    const withoutStamp = (resource: string) => resource.replace(/"meta":\{[^}]*\}/, '');
    t.equal(withoutStamp(after), withoutStamp(before).replace('"final"', '"amended"'));
    t.match(after, '"versionId":"2"');
  });

  t.test('Patch: FHIRPath Patch 200 and only the addressed field changes', async (t) => {
    for (const contentType of [FHIR_JSON, 'application/json', `${FHIR_JSON};fhirVersion=4.0`]) {
      const { text, patch } = await observation();
      const answer = await patch(contentType, amendedByPath('amended'));
      t.equal(answer.status, 200, answer.text);
      t.match(await text(), '"status":"amended","valueQuantity":{"value":1.10,"unit":"mg"}');
    }
  });

  t.test('Patch: test op mismatch answers 422, and nothing changes', async (t) => {
    const { text, patch } = await observation();
    const before = await text();
    const answer = await patch(
      JSON_PATCH,
      '[{"op":"replace","path":"/status","value":"amended"},{"op":"test","path":"/valueQuantity/value","value":1.2}]',
    );
    t.equal(answer.status, 422);
    t.match(answer.text, /Operation 1 \(test\)/);
    t.equal(await text(), before);
    t.equal((await patch(JSON_PATCH, '[{"op":"test","path":"/valueQuantity/value","value":1.1}]')).status, 200);
  });

  t.test(
    'Patch: a patch that makes the resource invalid is refused with the faults, and nothing changes',
    async (t) => {
      const { text, patch } = await observation();
      const before = await text();
      const refused: [body: string, sentence: RegExp][] = [
        ['[{"op":"remove","path":"/status"}]', /Observation.status/],
        ['[{"op":"replace","path":"/status","value":"unheard-of"}]', /Observation.status/],
        ['[{"op":"add","path":"/nickname","value":"x"}]', /nickname/],
        ['[{"op":"add","path":"/__proto__","value":{"status":"x"}}]', /__proto__/],
        ['[{"op":"add","path":"/valueString","value":"mixes choice types"}]', /value/],
        ['[{"op":"replace","path":"","value":[]}]', /no JSON object/],
      ];
      for (const [body, sentence] of refused) {
        const answer = await patch(JSON_PATCH, body);
        t.equal(answer.status, 422, body);
        t.match(answer.text, sentence);
      }
      const byPath = parametersOf(operation('delete', 'Observation.code'));
      t.match(await patch(FHIR_JSON, byPath), { status: 422, text: /Observation.code/ });
      t.equal(await text(), before);
      t.notOk('status' in {});
    },
  );

  t.test('Patch: a patch that changes id, versionId, lastUpdated or resourceType is refused with 400', async (t) => {
    const { text, patch } = await observation();
    const before = await text();
    const refused = [
      '[{"op":"replace","path":"/id","value":"other"}]',
      '[{"op":"remove","path":"/id"}]',
      '[{"op":"replace","path":"/resourceType","value":"Patient"}]',
      '[{"op":"remove","path":"/resourceType"}]',
      '[{"op":"replace","path":"/meta/versionId","value":"7"}]',
      '[{"op":"replace","path":"/meta/lastUpdated","value":"2001-01-01T00:00:00Z"}]',
    ];
    for (const body of refused) t.match(await patch(JSON_PATCH, body), { status: 400, text: /must not change/ }, body);
    const byPath = parametersOf(operation('replace', 'Observation.id', { value: { valueId: 'other' } }));
    t.match(await patch(FHIR_JSON, byPath), { status: 400, text: /Observation.id: a patch must not change it/ });
    t.equal(await text(), before);
  });

  t.test('a patch may add tags, and may leave the version out; the server puts it in again', async (t) => {
    const { text, patch } = await observation();
    const answer = await patch(JSON_PATCH, '[{"op":"add","path":"/meta","value":{"tag":[{"code":"t"}]}}]');
    t.equal(answer.status, 200, answer.text);
    t.match(await text(), /"meta":\{"versionId":"2","lastUpdated":"[^"]*","tag":\[\{"code":"t"\}\]\}/);
  });

  t.test('Patch: wrong ETag 412, the right one 200, a malformed one 400', async (t) => {
    const { patch } = await observation();
    t.equal((await patch(JSON_PATCH, amended('amended'), { 'if-match': 'W/"2"' })).status, 412);
    t.equal((await patch(FHIR_JSON, amendedByPath('amended'), { 'if-match': 'W/"2"' })).status, 412);
    t.equal((await patch(JSON_PATCH, amended('amended'), { 'if-match': 'soon' })).status, 400);
    t.equal((await patch(JSON_PATCH, amended('amended'), { 'if-match': 'W/"1"' })).status, 200);
    t.equal((await patch(JSON_PATCH, amended('final'), { 'if-match': 'W/"1"' })).status, 412);
  });

  t.test('Patch: missing resource 404, deleted 410', async (t) => {
    const { patch: patchOne, send } = await observation();
    await send('DELETE');
    t.equal((await patchOne(JSON_PATCH, amended('amended'))).status, 410);
    const request = {
      method: 'PATCH',
      path: 'Observation/none',
      query: '',
      headers: { 'content-type': JSON_PATCH },
      body: '[]',
    };
    t.equal((await answerOf(() => patch(server, request, { type: 'Observation', id: 'none' }))).status, 404);
  });

  t.test('Patch: empty body 400, as is one that is no JSON or no patch', async (t) => {
    const { patch } = await observation();
    for (const contentType of [JSON_PATCH, FHIR_JSON])
      for (const body of [undefined, '', ' ', '[', '"x"', '{"resourceType":"Patient"}', '{"op":"remove"}'])
        t.equal((await patch(contentType, body)).status, 400, `${contentType} ${body}`);
    t.equal((await patch(FHIR_JSON, '[]')).status, 400);
    t.match(await patch(JSON_PATCH, '[{"op":"remove","op":"add","path":"/status"}]'), { status: 400, text: /twice/ });
  });

  t.test('Patch: a patch that changes nothing creates no version', async (t) => {
    const { text, patch } = await observation();
    const before = await text();
    for (const [contentType, body] of [
      [JSON_PATCH, '[]'],
      [JSON_PATCH, '[{"op":"replace","path":"/valueQuantity/value","value":1.10}]'],
      [JSON_PATCH, '[{"op":"remove","path":"/meta/versionId"}]'],
      [FHIR_JSON, parametersOf(operation('delete', 'Observation.note'))],
      [FHIR_JSON, parametersOf()],
    ] as const) {
      const answer = await patch(contentType, body);
      t.match(answer, { status: 200, headers: { etag: 'W/"1"' }, text: before }, body);
    }
    const written = await patch(JSON_PATCH, '[{"op":"replace","path":"/valueQuantity/value","value":1.1}]');
    t.equal(written.headers['etag'], 'W/"2"', 'other digits are a change');
  });

  t.test(
    'a patch of another media type, such as XML Patch, is refused with 415 and the media types that go',
    async (t) => {
      const { patch } = await observation();
      for (const contentType of [
        'application/xml-patch+xml',
        'application/fhir+xml',
        'application/merge-patch+json',
        '',
      ]) {
        const answer = await patch(contentType, '<diff/>');
        t.equal(answer.status, 415, contentType);
        t.equal(answer.headers['accept-patch'], `${JSON_PATCH}, ${FHIR_JSON}`);
      }
    },
  );

  t.test(
    'Patch: FHIRPath Patch with where() path, add on an existing single element, an invalid part definition',
    async (t) => {
      const { text, patch } = await observation();
      const where = "Observation.component.where(code.text = 'd').value.value";
      const replaced = await patch(
        FHIR_JSON,
        parametersOf(operation('replace', where, { value: { valueDecimal: 7 } })),
      );
      t.equal(replaced.status, 200, replaced.text);
      t.match(await text(), '"component":[{"code":{"text":"d"},"valueQuantity":{"value":7}}]');
      const add = parametersOf(operation('add', 'Observation', { name: 'status', value: { valueCode: 'final' } }));
      t.match(await patch(FHIR_JSON, add), { status: 422, text: /'status' is there already/ });
      const unknownPart = parametersOf(operation('delete', 'Observation.note', { where: 'x' }));
      t.match(await patch(FHIR_JSON, unknownPart), { status: 400, text: /Operation 0: a patch has no part 'where'/ });
      const twoValues =
        '{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"a","valueString":"b"}]}]}';
      t.match(await patch(FHIR_JSON, twoValues), { status: 400, text: /Parameters.parameter\[0\].part\[0\]/ });
    },
  );

  t.test('Prefer says what a patch answers', async (t) => {
    const { patch } = await observation();
    const minimal = await patch(JSON_PATCH, amended('amended'), { prefer: 'return=minimal' });
    t.match(minimal, { status: 200, headers: { etag: 'W/"2"' }, text: '' });
    t.match(
      (await patch(JSON_PATCH, amended('final'), { prefer: 'return=OperationOutcome' })).text,
      'OperationOutcome',
    );
  });

  t.test('patches that come at once are all applied, one upon the other', async (t) => {
    const { text, patch } = await observation();
    const add = (index: number) =>
      parametersOf(
        operation('add', 'Observation', { name: 'note', value: { valueAnnotation: { text: `n${index}` } } }),
      );
    const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => patch(FHIR_JSON, add(index))));
    t.same(new Set(answers.map(({ status }) => status)), new Set([200]));
    const { note, meta } = JSON.parse(await text());
    t.equal(note.length, 20);
    t.equal(meta.versionId, '21');
    const matched = await Promise.all(
      Array.from({ length: 5 }, (_, index) => patch(FHIR_JSON, add(index), { 'if-match': 'W/"21"' })),
    );
    t.same(matched.map(({ status }) => status).sort(), [200, 412, 412, 412, 412], 'with If-Match only one');
  });

  t.test('Patch: in a Bundle, JSON Patch comes as a Binary and FHIRPath Patch as Parameters', async (t) => {
    const { id } = await observation();
    const binary = {
      resourceType: 'Binary',
      contentType: JSON_PATCH,
      data: Buffer.from(amended('amended')).toString('base64'),
    };
    for (const entry of [JSON.stringify(binary), amendedByPath('amended')]) {
      const { contentType, body } = patchOfEntry(entry);
      const { resource } = await patchWrite(
        server,
        { type: 'Observation', id },
        patchDocument(server, contentType, body),
        1,
      );
      t.equal(JSON.parse(stampedText(resource, { version: 2, lastUpdated: 0 })).status, 'amended');
    }
    for (const wrong of [{ resourceType: 'Binary' }, { ...binary, data: Buffer.from([0xff]).toString('base64') }])
      t.equal((await answerOf(async () => patchOfEntry(JSON.stringify(wrong)) as never)).status, 400);
    const xml = patchOfEntry(JSON.stringify({ ...binary, contentType: 'application/xml-patch+xml' }));
    t.equal((await answerOf(async () => patchDocument(server, xml.contentType, xml.body) as never)).status, 415);
  });
});

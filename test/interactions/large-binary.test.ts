import { createHash } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import fc from 'fast-check';
import { test } from 'tap';
import { startTestServer } from '../http/test-server.ts';

const FHIR = 'application/fhir+json';
const STEP = 768 * 1024;

const contentOf = (length: number, seed = 0): Buffer =>
  Buffer.from(Uint8Array.from({ length }, (_, at) => (at * 31 + (at >> 8) + seed) & 255));

const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

test('A large Binary', async (t) => {
  const { baseUrl, send } = await startTestServer(t);
  const put = (id: string, body: Buffer | string, headers: Record<string, string> = {}) =>
    send('PUT', `Binary/${id}`, { body, headers: { 'content-type': 'image/png', ...headers } });
  const read = async (id: string, headers: Record<string, string> = {}, method = 'GET') => {
    const response = await fetch(`${baseUrl}/Binary/${id}`, { method, headers });
    return { status: response.status, headers: response.headers, bytes: Buffer.from(await response.arrayBuffer()) };
  };
  const jsonOf = (id: string, data: string): string =>
    `{"resourceType":"Binary","id":"${id}","contentType":"image/png","data":"${data}"}`;

  t.test('is downloaded as it was uploaded, at every length around the steps', async (t) => {
    for (const length of [
      ...[1, 2, 3, 49_149, 196_605, 196_608, 250_000, STEP - 1, STEP, STEP + 1, 2 * STEP + 1],
      ...[3 * STEP - 1, 4 * STEP + 2, 5_000_001],
    ]) {
      const content = contentOf(length);
      const id = `l${length}`;
      t.equal((await put(id, content)).status, 201, `${length} bytes`);
      const whole = await read(id);
      t.equal(whole.headers.get('content-length'), `${length}`);
      t.equal(digest(whole.bytes), digest(content), `${length} bytes`);
      const json = await send('GET', `Binary/${id}`, { headers: { accept: FHIR } });
      t.ok(json.json<{ data: string }>().data === content.toString('base64'));
      const again = await put(id, content);
      t.equal(again.headers.get('etag'), 'W/"1"', 'the same makes no version');
      const byJson = await put(id, jsonOf(id, content.toString('base64')), { 'content-type': FHIR });
      t.equal(byJson.headers.get('etag'), 'W/"1"', 'nor as JSON');
    }
  });

  t.test('is answered in part, as the slice of the whole', async (t) => {
    const content = contentOf(3_333_331);
    await put('ranges', content);
    await fc.assert(
      fc.asyncProperty(fc.nat(content.length - 1), fc.nat(content.length), async (start, length) => {
        const { status, headers, bytes } = await read('ranges', { range: `bytes=${start}-${start + length}` });
        const end = Math.min(start + length, content.length - 1);
        t.equal(headers.get('content-range'), `bytes ${start}-${end}/${content.length}`);
        return status === 206 && bytes.equals(content.subarray(start, end + 1));
      }),
      { numRuns: 40 },
    );
    t.same((await read('ranges', { range: 'bytes=-10' })).bytes, content.subarray(-10));
    const head = await read('ranges', {}, 'HEAD');
    t.equal(head.headers.get('content-length'), `${content.length}`);
    t.equal(head.headers.get('content-type'), 'image/png');
    t.equal((await read('ranges', { range: 'bytes=3333331-' })).status, 416);
  });

  t.test('keeps its versions, and is answered with what was written if that is preferred', async (t) => {
    for (const seed of [1, 2]) {
      const answer = await put('versions', contentOf(2_000_000, seed), { prefer: 'return=representation' });
      const { data, meta } = answer.json<{ data: string; meta: { versionId: string } }>();
      t.equal(meta.versionId, `${seed}`);
      t.ok(data === contentOf(2_000_000, seed).toString('base64'));
    }
    for (const seed of [1, 2])
      t.ok((await read(`versions/_history/${seed}`)).bytes.equals(contentOf(2_000_000, seed)), `version ${seed}`);
  });

  t.test('as JSON is kept as it is written, with meta wherever it stands', async (t) => {
    const data = contentOf(1_500_000).toString('base64');
    for (const [at, json] of [
      `{ "resourceType" : "Binary", "id" : "ID",\n "contentType" : "image/png", "data" : "${data}" }`,
      `{"data":"${data}","id":"ID","meta":{"language":"de"},"contentType":"image/png","resourceType":"Binary"}`.replace(
        '"meta":{"language":"de"},',
        '"meta":{"tag":[{"code":"x"}]},',
      ),
      `\ufeff{"resourceType":"Binary","meta":{"tag":[{"code":"\u00e9"}]},"data":"${data}","contentType":"image/png","id":"ID"}`,
    ].entries()) {
      const id = `json${at}`;
      const written = await put(id, json.replace('"ID"', `"${id}"`), { 'content-type': FHIR });
      t.equal(written.status, 201, written.text.slice(0, 200));
      const { data: stored, ...others } = written.json<{ data: string }>();
      t.match(others, { id, meta: { versionId: '1' } });
      t.ok(stored === data);
      t.ok((await read(id)).bytes.equals(contentOf(1_500_000)));
    }
  });

  t.test('as JSON may be base64 with escapes or white space; what is no base64 is refused', async (t) => {
    const content = contentOf(1_500_000);
    const lines = content.toString('base64').replace(/.{76}/g, '$& ');
    for (const [id, data] of [
      ['escapes', content.toString('base64').replaceAll('/', '\\/')],
      ['spaces', lines],
      ['lines', lines.replaceAll(' ', '\\n')],
    ] as const) {
      const written = await put(id, jsonOf(id, data), { 'content-type': FHIR });
      t.equal(written.status, 201, written.text.slice(0, 200));
      t.ok((await read(id)).bytes.equals(content), id);
      const { bytes } = await read(id, { range: 'bytes=1000001-1000010' });
      t.same(bytes, content.subarray(1_000_001, 1_000_011), `a range of ${id}`);
    }
    for (const wrong of ['-', '_', '=', '\u00e9', 'QUJ']) {
      const refused = await put('wrong', jsonOf('wrong', `${lines.replaceAll(' ', '')}${wrong}QUJD`), {
        'content-type': FHIR,
      });
      t.equal(refused.status, 400, wrong);
      t.match(refused.diagnostics, /Binary\.data/);
    }
  });

  t.test('that is written again as its condition is overtaken is still whole', async (t) => {
    const provenance = JSON.stringify({
      resourceType: 'Provenance',
      recorded: '2026-01-01T00:00:00Z',
      agent: [{ who: { display: 'x' } }],
    });
    const contents = Array.from({ length: 6 }, (_, seed) => contentOf(1_000_000, seed + 10));
    const answers = await Promise.all(
      contents.map((content, at) =>
        at % 2 === 0
          ? put('race', content, { 'x-provenance': provenance })
          : put('race', jsonOf('race', content.toString('base64')), {
              'content-type': FHIR,
              'x-provenance': provenance,
              prefer: 'return=minimal',
            }),
      ),
    );
    t.same(
      answers.map(({ headers }) => headers.get('etag')).sort(),
      contents.map((_, at) => `W/"${at + 1}"`),
    );
    const stored = await Promise.all(contents.map((_, at) => read(`race/_history/${at + 1}`)));
    t.same(stored.map(({ bytes }) => digest(bytes)).sort(), contents.map(digest).sort());
  });

  t.test('reaches a slow reader whole, while others are answered', async (t) => {
    const content = contentOf(12_000_001);
    await put('slow', content);
    const hash = createHash('sha256');
    let answered = 0;
    await new Promise<void>((resolve, reject) => {
      const sent = httpRequest(`${baseUrl}/Binary/slow`, (answer) => {
        answer.on('data', (chunk: Buffer) => {
          hash.update(chunk);
          answer.pause();
          setTimeout(() => answer.resume(), 2);
        });
        answer.on('end', resolve).on('error', reject);
      });
      sent.on('error', reject).end();
      void (async () => {
        for (let at = 0; at < 10; at++) if ((await read('ranges', { range: 'bytes=0-3' })).status === 206) answered++;
      })();
    });
    t.equal(hash.digest('hex'), digest(content));
    t.equal(answered, 10);
  });

  t.test('whose reader leaves does no harm', async (t) => {
    for (let at = 0; at < 3; at++) {
      await new Promise<void>((resolve) => {
        const sent = httpRequest(`${baseUrl}/Binary/slow`, { agent: false }, (answer) => {
          answer.on('close', resolve).on('error', () => undefined);
          answer.once('data', () => sent.destroy());
        });
        sent.end();
      });
    }
    t.equal((await read('ranges', { range: 'bytes=0-3' })).status, 206);
  });
});

test('a Binary over the limit of a body is refused with 413, announced or not', async (t) => {
  const { baseUrl } = await startTestServer(t, { CONSILIUM_BODY_MEGABYTES: '1' });
  for (const type of ['image/png', FHIR])
    for (const isAnnounced of [true, false]) {
      const body = contentOf(1_000_001);
      const status = await new Promise((resolve, reject) => {
        const headers = { 'content-type': type, ...(isAnnounced ? { 'content-length': body.length } : {}) };
        const sent = httpRequest(`${baseUrl}/Binary/x`, { method: 'PUT', headers }, (answer) => {
          answer.resume();
          resolve(answer.statusCode);
        });
        sent.on('error', reject).end(body);
      });
      t.equal(status, 413, `${type} ${isAnnounced}`);
    }
});

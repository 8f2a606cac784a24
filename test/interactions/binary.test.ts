import type { Binary } from '@medplum/fhirtypes';
import { test } from 'tap';
import { startTestServer } from '../http/test-server.ts';

const PDF = Buffer.from('%PDF-1.7 \u00e9 0123456789', 'latin1');
const FHIR = 'application/fhir+json';

test('A Binary', async (t) => {
  const { baseUrl, create, send } = await startTestServer(t);
  const upload = (bytes: Buffer, headers: Record<string, string>) => send('POST', 'Binary', { body: bytes, headers });
  const idOf = (location: string | null): string => /Binary\/([^/]+)\/_history/.exec(location ?? '')?.[1] ?? '';
  const read = async (id: string, headers: Record<string, string> = {}, method = 'GET') => {
    const response = await fetch(`${baseUrl}/Binary/${id}`, { method, headers });
    return { status: response.status, headers: response.headers, bytes: Buffer.from(await response.arrayBuffer()) };
  };

  t.test('is written as raw data, and read raw or as JSON by Accept', async (t) => {
    const written = await upload(PDF, { 'content-type': 'application/pdf' });
    t.equal(written.status, 201);
    t.equal(written.text, '', 'bytes are not sent back unless they are asked for');
    const id = idOf(written.headers.get('location'));
    for (const accept of [undefined, '*/*', 'application/pdf', 'text/html,application/xhtml+xml,*/*;q=0.8']) {
      const raw = await read(id, accept === undefined ? {} : { accept });
      t.equal(raw.status, 200);
      t.equal(raw.headers.get('content-type'), 'application/pdf', accept ?? 'no Accept');
      t.same(raw.bytes, PDF, accept ?? 'no Accept');
      t.equal(raw.headers.get('etag'), 'W/"1"');
      t.equal(raw.headers.get('x-content-type-options'), 'nosniff');
    }
    for (const accept of [FHIR, 'application/json', 'application/fhir+json, */*']) {
      const json = await send('GET', `Binary/${id}`, { headers: { accept } });
      t.match(json.json<Binary>(), { id, contentType: 'application/pdf', data: PDF.toString('base64') }, accept);
    }
    t.match((await send('GET', `Binary/${id}?_format=json`)).json(), { resourceType: 'Binary' });
    t.equal((await read(id, { accept: 'application/fhir+xml' })).status, 406);
    t.same((await read(`${id}/_history/1`)).bytes, PDF, 'a version, too');
    t.equal((await read(id, { 'if-none-match': 'W/"1"' })).status, 304);
    t.equal((await read('none')).status, 404);
    t.match((await read('none')).headers.get('content-type'), /fhir\+json/, '404 has an OperationOutcome');
  });

  t.test('whose own type is JSON is read as it is by who asks for that type', async (t) => {
    // The media type of FHIR is a resource; another JSON type is content.
    const bytes = Buffer.from('{"a": 1.10}');
    const { id } = await create<Binary>({
      resourceType: 'Binary',
      contentType: 'application/json',
      data: bytes.toString('base64'),
    });
    t.same((await read(id, { accept: 'application/json' })).bytes, bytes);
    t.match((await send('GET', `Binary/${id}`, { headers: { accept: FHIR } })).json(), { resourceType: 'Binary' });
  });

  t.test('whose base64 is written with escapes is decoded all the same', async (t) => {
    const body = '{"resourceType":"Binary","contentType":"text/plain","data":"\\u0061GVsbG8\\/"}';
    const made = await send('POST', 'Binary', { body, headers: { 'content-type': FHIR } });
    t.equal(made.status, 201, made.text);
    t.same((await read(made.json<Binary>().id ?? '')).bytes, Buffer.from('aGVsbG8/', 'base64'));
  });

  t.test('is updated raw, under its id and its version', async (t) => {
    const put = (text: string, headers: Record<string, string> = {}) =>
      send('PUT', 'Binary/own', {
        body: Buffer.from(text),
        headers: { 'content-type': 'text/plain; charset=utf-8', ...headers },
      });
    t.equal((await put('one')).status, 201);
    t.equal((await put('one')).headers.get('etag'), 'W/"1"', 'the same makes no version');
    t.equal((await put('two', { prefer: 'return=representation' })).json<Binary>().data, 'dHdv');
    t.equal((await put('three', { 'if-match': 'W/"1"' })).status, 412);
    const { bytes, headers } = await read('own');
    t.equal(bytes.toString(), 'two');
    t.equal(headers.get('content-type'), 'text/plain; charset=utf-8');
  });

  t.test('keeps its X-Security-Context', async (t) => {
    const headers = { 'content-type': 'image/png', 'x-security-context': 'Patient/7' };
    const id = idOf((await upload(PDF, headers)).headers.get('location'));
    const json = await send('GET', `Binary/${id}`, { headers: { accept: FHIR } });
    t.match(json.json(), { securityContext: { reference: 'Patient/7' } });
    t.equal((await read(id)).headers.get('x-security-context'), 'Patient/7');
    t.equal((await upload(PDF, { ...headers, 'x-security-context': 'seven' })).status, 400);
  });

  t.test('is answered in part for a range: 206, or 416 beyond its end', async (t) => {
    const bytes = Buffer.from('0123456789');
    const id = idOf((await upload(bytes, { 'content-type': 'text/plain' })).headers.get('location'));
    const ranges: [range: string, text: string, contentRange: string][] = [
      ['bytes=0-3', '0123', 'bytes 0-3/10'],
      ['bytes=7-', '789', 'bytes 7-9/10'],
      ['bytes=-2', '89', 'bytes 8-9/10'],
      ['bytes=5-100', '56789', 'bytes 5-9/10'],
      ['bytes=-100', '0123456789', 'bytes 0-9/10'],
    ];
    for (const [range, text, contentRange] of ranges) {
      const part = await read(id, { range });
      t.equal(part.status, 206, range);
      t.equal(part.bytes.toString(), text, range);
      t.equal(part.headers.get('content-range'), contentRange, range);
    }
    const resumed = await read(id, { range: 'bytes=0-3', 'if-range': 'W/"1"' });
    t.equal(resumed.status, 200, 'a weak validator cannot promise that the parts fit');
    t.equal(resumed.bytes.toString(), '0123456789');
    for (const range of ['bytes=10-', 'bytes=100-200', 'bytes=-0']) {
      const refused = await read(id, { range });
      t.equal(refused.status, 416, range);
      t.equal(refused.headers.get('content-range'), 'bytes */10');
    }
    for (const range of ['bytes=5-2', 'bytes=0-1,3-4', 'lines=1-2', 'bytes=a-b', 'bytes=-']) {
      const whole = await read(id, { range });
      t.equal(whole.status, 200, `${range} is passed over`);
      t.equal(whole.bytes.length, 10);
    }
    const head = await read(id, { range: 'bytes=0-3' }, 'HEAD');
    t.equal(head.status, 200);
    t.equal(head.headers.get('content-length'), '10');
    t.equal(head.headers.get('accept-ranges'), 'bytes');
  });

  t.test('that a browser would run is an attachment', async (t) => {
    for (const type of [
      'text/html',
      'image/svg+xml',
      'application/xhtml+xml',
      'text/xml',
      'TEXT/HTML; charset=utf-8',
    ]) {
      const id = idOf((await upload(PDF, { 'content-type': type })).headers.get('location'));
      const { headers } = await read(id);
      t.equal(headers.get('content-disposition'), 'attachment', type);
      t.equal(headers.get('x-content-type-options'), 'nosniff', type);
    }
    const id = idOf((await upload(PDF, { 'content-type': 'image/png' })).headers.get('location'));
    t.equal((await read(id)).headers.get('content-disposition'), null);
  });

  t.test('without a Content-Type is refused with 415, without content with 400', async (t) => {
    t.equal((await upload(PDF, {})).status, 415);
    t.equal((await upload(Buffer.alloc(0), { 'content-type': 'image/png' })).status, 400);
  });
});

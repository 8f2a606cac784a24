import { type Test, test } from 'tap';
import { startTestServer } from './test-server.ts';

const FHIR = { 'content-type': 'application/fhir+json' };
const JSON_HEADERS = { 'content-type': 'application/json' };
const PATIENT = '{"resourceType":"Patient","active":true}';

test('Bad input is answered with its 4xx and a sentence, and nothing is stored', async (t) => {
  const { baseUrl, origin, send, sendRaw, count } = await startTestServer(t, { CONSILIUM_BODY_MEGABYTES: '2' });
  const refused = async (t: Test, status: number, reason: RegExp, answer: Awaited<ReturnType<typeof send>>) => {
    t.equal(answer.status, status, answer.text.slice(0, 300));
    t.equal(answer.headers.get('content-type'), 'application/fhir+json; charset=utf-8');
    t.equal(answer.headers.get('cache-control'), 'no-store');
    t.match(answer.diagnostics, reason);
    t.ok(answer.text.length < 5000, 'the answer is short');
  };
  const post = (body: string | Buffer, headers: Record<string, string> = FHIR) =>
    send('POST', 'Patient', { body, headers });

  t.test('a body that is no JSON', async (t) => {
    for (const body of [
      '{',
      'hello',
      '<Patient/>',
      '{"resourceType":"Patient",}',
      "{'resourceType':'Patient'}",
      '{}{}',
      'NaN',
    ])
      await refused(t, 400, /not JSON/, await post(body));
  });

  t.test('a body that is JSON and no resource', async (t) => {
    for (const body of ['[]', 'null', '5', '"Patient"', '{}', '[{"resourceType":"Patient"}]'])
      await refused(t, 400, /JSON object|resourceType/, await post(body));
    await refused(t, 400, /Patent.*Patient/, await post('{"resourceType":"Patent"}'));
    await refused(t, 400, /Group.*Patient/, await post('{"resourceType":"Group"}'));
  });

  t.test('an empty body', async (t) => {
    await refused(t, 400, /empty/, await post(''));
    await refused(t, 400, /empty/, await post(' \n\t'));
    await refused(t, 400, /empty/, await post('\uFEFF'));
    await refused(t, 400, /empty/, await send('PUT', 'Patient/1'));
    await refused(t, 400, /empty/, await send('POST', ''));
  });

  t.test('a body beyond the limit, announced or not, and the connection does not hang', async (t) => {
    const large = Buffer.alloc(3_000_000, ' ');
    await refused(t, 413, /CONSILIUM_BODY_MEGABYTES/, await post(large));
    const chunks = (size: number): ReadableStream =>
      new ReadableStream({
        start: (controller) => {
          for (let at = 0; at < size; at++) controller.enqueue(new Uint8Array(1_000_000));
          controller.close();
        },
      });
    const response = await fetch(`${baseUrl}/Patient`, {
      method: 'POST',
      headers: FHIR,
      body: chunks(60),
      duplex: 'half',
    } as RequestInit);
    t.equal(response.status, 413);
    t.match(await response.text(), /CONSILIUM_BODY_MEGABYTES/);
    const announced = `POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 60000000\r\n\r\n{`;
    t.match(await sendRaw(announced, 500), /^HTTP\/1\.1 413 /, 'the answer does not wait for the body');
  });

  t.test('a wrong, missing or malformed Content-Type, charset or encoding', async (t) => {
    await refused(t, 415, /missing/, await post(Buffer.from(PATIENT), {}));
    for (const type of ['text/plain', 'application/xml', 'application/fhir+xml', 'application/x-www-form-urlencoded'])
      await refused(t, 415, /application\/fhir\+json/, await post(PATIENT, { 'content-type': type }));
    for (const type of ['foo', ';', 'application/'])
      await refused(t, 415, /Content-Type/, await post(PATIENT, { 'content-type': type }));
    for (const charset of ['latin1', 'iso-8859-1', 'utf-16'])
      await refused(t, 415, /UTF-8/, await post(PATIENT, { 'content-type': `application/json; charset=${charset}` }));
    const version = { 'content-type': 'application/fhir+json; fhirVersion=5.0' };
    await refused(t, 415, /4\.0/, await post(PATIENT, version));
    await refused(t, 415, /Content-Encoding/, await post(PATIENT, { ...FHIR, 'content-encoding': 'gzip' }));
    await refused(t, 415, /form/, await send('POST', 'Patient/_search', { body: '{}', headers: FHIR }));
  });

  t.test('an answer that is asked for in a format that the server has not', async (t) => {
    for (const accept of [
      'application/fhir+xml',
      'text/html',
      'application/fhir+json; fhirVersion=3.0',
      'application/json;q=0',
    ])
      await refused(t, 406, /application\/fhir\+json/, await send('GET', 'Patient', { headers: { accept } }));
    for (const format of ['xml', 'application/fhir%2Bxml', 'ttl', ''])
      await refused(t, 406, /_format/, await send('GET', `Patient?_format=${format}`));
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    await refused(t, 406, /_format/, await send('POST', 'Patient/_search', { body: '_format=xml', headers: form }));
    await refused(t, 406, /Accept/, await post(PATIENT, { ...FHIR, accept: 'application/fhir+xml' }));
  });

  t.test('an unknown type or path', async (t) => {
    const paths = ['Patent', 'patient', 'Patient/1/_unknown', 'Patient/1/_history/1/x', 'Patient/$unknown', '$unknown'];
    for (const path of [
      ...paths,
      '__proto__',
      'constructor/1',
      'Patient%2F1',
      'metadata/x',
      `${origin}/`,
      `${origin}/fhirs`,
    ])
      await refused(t, 404, /./, await send('GET', path));
  });

  t.test('a method that the path has not: 405 with Allow', async (t) => {
    const wrong: [method: string, path: string, allow: string][] = [
      ['PUT', '', 'GET, HEAD, POST'],
      ['GET', '_search', 'POST'],
      ['POST', 'metadata', 'GET, HEAD'],
      ['OPTIONS', 'Patient', 'GET, HEAD, POST, PUT, PATCH, DELETE'],
      ['DELETE', '_history', 'GET, HEAD'],
      ['GET', 'Patient/_search', 'POST'],
      ['POST', 'Patient/1', 'GET, HEAD, PUT, PATCH, DELETE'],
      ['OPTIONS', 'Patient/1', 'GET, HEAD, PUT, PATCH, DELETE'],
      ['DELETE', 'Patient/1/_history', 'GET, HEAD'],
      ['PUT', 'Patient/1/_history/1', 'GET, HEAD'],
    ];
    for (const [method, path, allow] of wrong) {
      const body =
        method === 'GET' ? {} : { body: PATIENT, headers: { 'content-type': 'application/json-patch+json' } };
      const answer = await send(
        method,
        path,
        method === 'PUT' || method === 'POST' ? { ...body, headers: FHIR } : body,
      );
      await refused(t, 405, new RegExp(method), answer);
      t.equal(answer.headers.get('allow'), allow, `${method} ${path}`);
    }
    const propfind = await sendRaw('PROPFIND /fhir/Patient HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    t.match(propfind, /^HTTP\/1\.1 405 .*allow: GET, HEAD, POST, PUT, PATCH, DELETE/s);
  });

  t.test('JSON that is nested too deep', async (t) => {
    const deep = (levels: number): string => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;
    await refused(t, 400, /nested deeper than 64 levels/, await post(`{"resourceType":"Patient","x":${deep(64)}}`));
    await refused(t, 400, /nested deeper/, await post('['.repeat(900_000) + ']'.repeat(900_000)));
    await refused(t, 400, /not JSON/, await post('['.repeat(1_000_000)));
  });

  t.test('characters that are none', async (t) => {
    const family = (text: string): string => `{"resourceType":"Patient","name":[{"family":"${text}"}]}`;
    await refused(t, 400, /Patient\.name\[0\]\.family: .*NUL/, await post(family('a\\u0000b')));
    await refused(t, 400, /surrogate/, await post(family('\\ud83d')));
    await refused(t, 400, /surrogate/, await post(family('\\ude00\\ud83d')));
    await refused(t, 400, /not JSON/, await post(family('a\u0000b')));
    await refused(t, 400, /not JSON/, await post(family('a\nb')));
    await refused(t, 400, /UTF-8/, await post(Buffer.from([...Buffer.from('{"resourceType":"'), 0xff, 0xfe])));
    await refused(t, 400, /UTF-8/, await post(Buffer.from(family('ñ'), 'latin1')));
    await refused(t, 400, /UTF-8/, await post(Buffer.from([0xed, 0xa0, 0x80])));
  });

  t.test('keys that stand twice, or are those of JavaScript', async (t) => {
    await refused(
      t,
      400,
      /Patient\.active: .*twice/,
      await post('{"resourceType":"Patient","active":true,"active":false}'),
    );
    await refused(t, 400, /twice/, await post('{"resourceType":"Patient","active":true,"\\u0061ctive":false}'));
    for (const key of ['__proto__', 'constructor', 'toString', 'hasOwnProperty'])
      await refused(t, 400, new RegExp(key), await post(`{"resourceType":"Patient","${key}":{"active":true}}`));
    await refused(t, 400, /resourceType/, await post('{"__proto__":{"resourceType":"Patient"}}'));
    await refused(t, 400, /./, await post(`{"resourceType":"Patient","${'k'.repeat(500_000)}":1}`));
    await refused(t, 400, /twice/, await post(`{"${'k'.repeat(500_000)}":1,"${'k'.repeat(500_000)}":1}`));
    await refused(t, 400, /NUL/, await post('{"resourceType":"Patient","a\\u0000b":1}'));
  });

  t.test('ids that are none', async (t) => {
    for (const id of ['a'.repeat(65), 'a_b', 'a b', 'a%00b', '%C3%B1', 'a'.repeat(3000)]) {
      await refused(t, 400, /not an id/, await send('GET', `Patient/${id}`));
      await refused(t, 400, /not an id/, await send('PUT', `Patient/${id}`, { body: PATIENT, headers: FHIR }));
      await refused(t, 400, /not an id/, await send('DELETE', `Patient/${id}`));
    }
    await refused(t, 400, /Patient\.id/, await post(`{"resourceType":"Patient","id":"${'a'.repeat(65)}"}`));
  });

  t.test('paths and queries that are not percent-encoded UTF-8', async (t) => {
    for (const path of [
      'Patient/%zz',
      'Patient/%',
      'Patient/%ff',
      '%c3%28',
      'Patient?name=%',
      'Patient?name=%ff',
      'Patient?%zz=1',
    ])
      await refused(t, 400, /./, await send('GET', path));
    await refused(t, 400, /NUL/, await send('GET', 'Patient?name=%00'));
  });

  t.test('what is no HTTP, or has too many headers or too long a url', async (t) => {
    const raw = async (status: number, text: string): Promise<void> => {
      const answer = await sendRaw(text);
      t.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `), text.slice(0, 80));
      t.match(answer, /cache-control: no-store/);
      t.match(answer, /"resourceType":"OperationOutcome"/);
    };
    await raw(400, 'hello\r\n\r\n');
    await raw(400, 'FETCH /fhir/Patient HTTP/1.1\r\nHost: x\r\n\r\n');
    await raw(400, 'GET /fhir/Pat\u0000ient HTTP/1.1\r\nHost: x\r\n\r\n');
    await raw(400, 'POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nContent-Length: ten\r\n\r\n');
    const headers = Array.from({ length: 3000 }, (_, at) => `x-${at}: a\r\n`).join('');
    await raw(431, `GET /fhir/Patient HTTP/1.1\r\nHost: x\r\n${headers}\r\n`);
    await refused(t, 431, /_search/, await send('GET', `Patient?name=${'a'.repeat(20_000)}`));
    await refused(t, 400, /not an id/, await send('GET', `Patient/${'a'.repeat(10_000)}`));
  });

  t.test('after all of it the server answers, and has stored nothing', async (t) => {
    t.equal((await send('GET', `${origin}/readyz`)).status, 200);
    for (const type of ['Patient', 'Group', 'Binary']) t.equal(await count(type), 0);
  });
});

test('What is unusual and yet right is accepted', async (t) => {
  const { origin, send, sendRaw, count } = await startTestServer(t);

  t.test('a byte order mark before the JSON', async (t) => {
    const answer = await send('POST', 'Patient', { body: `\uFEFF${PATIENT}`, headers: FHIR });
    t.equal(answer.status, 201, answer.text);
    t.match(answer.text, /^\{"resourceType":"Patient"/);
  });

  t.test('every spelling of the JSON types, and white space', async (t) => {
    const types = ['application/json', 'text/json', 'APPLICATION/FHIR+JSON', 'application/json;charset="UTF-8"'];
    for (const type of [...types, 'application/fhir+json; fhirVersion=4.0']) {
      const answer = await send('POST', 'Patient', { body: ` \r\n\t${PATIENT}\n`, headers: { 'content-type': type } });
      t.equal(answer.status, 201, type);
    }
  });

  t.test('the formats that a client may ask for', async (t) => {
    const wanted: [accept: string, type: string][] = [
      ['*/*', 'application/fhir+json'],
      ['application/json', 'application/json'],
      ['text/html, application/fhir+json;q=0.5', 'application/fhir+json'],
      ['application/fhir+json; fhirVersion=4.0', 'application/fhir+json'],
    ];
    for (const [accept, type] of wanted) {
      const answer = await send('GET', 'metadata', { headers: { accept } });
      t.equal(answer.headers.get('content-type'), `${type}; charset=utf-8`, accept);
    }
    const format = await send('GET', 'Patient?_format=json', { headers: { accept: 'application/fhir+xml' } });
    t.equal(format.status, 200, '_format wins over Accept');
  });

  t.test('a slash at the end, and the whole url as the request target', async (t) => {
    t.equal((await send('GET', 'Patient/')).status, 200);
    const whole = await sendRaw(`GET ${origin}/fhir/Patient HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    t.match(whole, /^HTTP\/1\.1 200 /);
  });

  t.test('a body of nearly 50 MB', async (t) => {
    const data = 'a'.repeat(48_000_000);
    const body = `{"resourceType":"Binary","contentType":"text/plain","data":"${data}"}`;
    const answer = await send('POST', 'Binary', { body, headers: { ...JSON_HEADERS, prefer: 'return=minimal' } });
    t.equal(answer.status, 201, answer.text);
    t.equal(await count('Binary'), 1);
  });
});

test('A client that does not finish its request is answered 408 when its time is over', async (t) => {
  const { sendRaw, send } = await startTestServer(t, { CONSILIUM_REQUEST_SECONDS: '1' });
  const head = 'POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n';
  const answers = await Promise.all([sendRaw(`${head}\r\n{"resourceType"`, 4000), sendRaw(head, 4000)]);
  for (const answer of answers) {
    t.match(answer, /^HTTP\/1\.1 408 /);
    t.match(answer, /CONSILIUM_REQUEST_SECONDS/);
  }
  t.equal((await send('GET', 'Patient')).status, 200);
});

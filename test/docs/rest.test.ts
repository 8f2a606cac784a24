/** Sends every example of docs/rest.md, in order, to a server with the demo record. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { readConfig } from '../../src/config.ts';
import { TOKEN_CHARACTERS } from '../../src/search/page-token.ts';
import { startTestServer, temporaryFolder } from '../http/test-server.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const DOCUMENT = readFileSync(join(ROOT, 'docs', 'rest.md'), 'utf8');

interface Example {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly status: number;
}

const HEADER = /^([A-Z][A-Za-z-]*): (.*)$/;

/** The rows whose last cell is a status, and the one before it a request in backquotes. */
const examples = (): Example[] =>
  DOCUMENT.split('\n').flatMap((line) => {
    const [, cell, status] = /\| (`[A-Z]+(?: [^`]*)?`(?: `[^`]*`)*) \| (\d{3}) \|$/.exec(line) ?? [];
    if (cell === undefined) return [];
    const [request = '', ...parts] = [...cell.matchAll(/`([^`]*)`/g)].map(([, text = '']) =>
      text.replaceAll('\\|', '|'),
    );
    const [method = '', path = ''] = request.split(' ');
    const headers = parts.flatMap((part) => {
      const [, name, value] = HEADER.exec(part) ?? [];
      return name === undefined || value === undefined ? [] : [[name.toLowerCase(), value] as const];
    });
    const body = parts.find((part) => !HEADER.test(part));
    return [{ method, path, headers: Object.fromEntries(headers), body, status: Number(status) }];
  });

const encoded = (path: string): string => path.replaceAll('|', '%7C');

test('every example of docs/rest.md answers what it says', async (t) => {
  const { send } = await startTestServer(t);
  const record = readFileSync(join(ROOT, 'fixtures', 'second-opinion-request.json'), 'utf8');
  const json = { 'content-type': 'application/fhir+json' };
  t.equal((await send('POST', '', { body: record, headers: json })).status, 200);
  const all = examples();
  t.ok(all.length > 70, `${all.length} examples`);
  for (const { method, path, headers, body, status } of all) {
    const sent = body === undefined ? { headers } : { headers: { ...json, ...headers }, body };
    const answer = await send(method, encoded(path), sent);
    t.equal(answer.status, status, `${method} ${path} ${body ?? ''} ${answer.text.slice(0, 300)}`);
  }
});

test('docs/rest.md names every status of an error', (t) => {
  const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' });
  const sources = files
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(join(ROOT, 'src', file), 'utf8'));
  const statuses = new Set(
    sources.flatMap((text) => [...text.matchAll(/new FhirError\((\d{3})/g)].map(([, code]) => code)),
  );
  t.ok(statuses.size > 8, [...statuses].join());
  for (const status of statuses) t.match(DOCUMENT, new RegExp(`\\b${status}\\b`), `${status}`);
  t.end();
});

test('docs/rest.md names limits as they are', (t) => {
  const environment = { CONSILIUM_DATA: temporaryFolder(t), CONSILIUM_STORE_KEY: '5'.repeat(64) };
  for (const [, name = ''] of DOCUMENT.matchAll(/`(CONSILIUM_[A-Z_]+)`/g))
    t.throws(() => readConfig({ ...environment, [name]: '!' }), { message: new RegExp(name) }, name);
  t.match(DOCUMENT, `${TOKEN_CHARACTERS.toLocaleString('en')} characters`);
  t.end();
});

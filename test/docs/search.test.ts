/** Runs every example of docs/search.md against the demo record. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bundle, Parameters } from '@medplum/fhirtypes';
import { type Test, test } from 'tap';
import { startTestServer, type TestServer } from '../http/test-server.ts';
import { EMBEDDED_ONLY } from '../http/test-store.ts';

const ROOT = join(import.meta.dirname, '..', '..');

interface Example {
  readonly query: string;
  readonly finds: number;
}

/** The rows whose last two cells are a query in backquotes and a number. */
const examples = (): Example[] =>
  readFileSync(join(ROOT, 'docs', 'search.md'), 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, query, finds] = /\| `([^`]*\?[^`]*)` \| (\d+) \|$/.exec(line) ?? [];
      return query === undefined ? [] : [{ query: query.replaceAll('\\|', '|'), finds: Number(finds) }];
    });

const encoded = (query: string): string => {
  const [path, ...rest] = query.split('?');
  return `${path}?${[...new URLSearchParams(rest.join('?'))].map((pair) => pair.map(encodeURIComponent).join('=')).join('&')}`;
};

const startWithDemoRecord = async (t: Test): Promise<TestServer> => {
  const server = await startTestServer(t);
  const record = readFileSync(join(ROOT, 'fixtures', 'second-opinion-request.json'), 'utf8');
  const headers = { 'content-type': 'application/fhir+json' };
  t.equal((await server.send('POST', '', { body: record, headers })).status, 200);
  return server;
};

test('every example of docs/search.md finds what it says', async (t) => {
  const { send } = await startWithDemoRecord(t);
  const all = examples();
  t.ok(all.length > 35, `${all.length} examples`);
  for (const { query, finds } of all) {
    const answer = await send('GET', encoded(query));
    t.equal(answer.status, 200, query);
    const matches = (answer.json<Bundle>().entry ?? []).filter(({ search }) => search?.mode === 'match');
    t.equal(matches.length, finds, query);
  }
});

test('the explanation that docs/search.md shows is a part of the real one', { skip: EMBEDDED_ONLY }, async (t) => {
  const { send } = await startWithDemoRecord(t);
  const text = readFileSync(join(ROOT, 'docs', 'search.md'), 'utf8');
  const [, path = ''] = /`GET (\S+\$explain\S+)` answers/.exec(text) ?? [];
  const [, shown = ''] = /## Explain[\s\S]*?```json\n([\s\S]*?)```/.exec(text) ?? [];
  const { parameter = [] } = (await send('GET', path)).json<Parameters>();
  const parts = (JSON.parse(shown) as Parameters).parameter ?? [];
  t.ok(parts.length > 5);
  const answered = parameter.map((part) => JSON.stringify(part));
  for (const part of parts) t.ok(answered.includes(JSON.stringify(part)), JSON.stringify(part));
});

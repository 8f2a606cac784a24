/** Runs every example of docs/search.md against the demo record. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bundle } from '@medplum/fhirtypes';
import { test } from 'tap';
import { startTestServer } from '../http/test-server.ts';

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

test('every example of docs/search.md finds what it says', async (t) => {
  const { send } = await startTestServer(t);
  const record = readFileSync(join(ROOT, 'fixtures', 'second-opinion-request.json'), 'utf8');
  t.equal((await send('POST', '', { body: record, headers: { 'content-type': 'application/fhir+json' } })).status, 200);
  const all = examples();
  t.ok(all.length > 35, `${all.length} examples`);
  for (const { query, finds } of all) {
    const answer = await send('GET', encoded(query));
    t.equal(answer.status, 200, query);
    const matches = (answer.json<Bundle>().entry ?? []).filter(({ search }) => search?.mode === 'match');
    t.equal(matches.length, finds, query);
  }
});

/** Sends every example of docs/search-parameters.md, in order, to a server with the demo record. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Bundle, Task } from '@medplum/fhirtypes';
import { test } from 'tap';
import { startTestServer } from '../http/test-server.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const JSON_TYPE = { 'content-type': 'application/fhir+json' };

/** The rows whose last cell is a status, and the one before it a request and perhaps a body in backquotes. */
const ROW = /\| `([A-Z]+) ([^`]*)`(?: `([^`]*)`)? \| (\d{3}) \|$/;

test('every example of docs/search-parameters.md answers what it says', async (t) => {
  const { send } = await startTestServer(t);
  const record = readFileSync(join(ROOT, 'fixtures', 'second-opinion-request.json'), 'utf8');
  t.equal((await send('POST', '', { body: record, headers: JSON_TYPE })).status, 200);
  const lines = readFileSync(join(ROOT, 'docs', 'search-parameters.md'), 'utf8').split('\n');
  let found = 0;
  for (const line of lines) {
    const [, method = '', path = '', body, status] = ROW.exec(line) ?? [];
    if (status === undefined) continue;
    const answer = await send(method, path, body === undefined ? {} : { body, headers: JSON_TYPE });
    t.equal(answer.status, Number(status), `${method} ${path} ${answer.text.slice(0, 300)}`);
    if (answer.status === 202)
      while ((await send('GET', '$reindex')).json<Task>().status === 'in-progress') await pause(10);
    if (answer.status === 200 && path.includes('interpretation=')) {
      t.ok(answer.json<Bundle>().entry?.length, path);
      found++;
    }
  }
  t.equal(found, 2);
});

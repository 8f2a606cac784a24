/** Runs the commands of the pages about access, in a shell, as somebody does who has done README's tour. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Organization, Parameters, Task } from '@medplum/fhirtypes';
import { type Test, test } from 'tap';
import { openBrowser } from '../auth/test-browser.ts';
import { CHALLENGE } from '../auth/test-people.ts';
import { startTestServer, temporaryFolder } from '../http/test-server.ts';
import { storeEnvironment } from '../http/test-store.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const KEY = '5'.repeat(64);

/** The commands of a page, block by block. */
const commandsOf = (page: string): string[] =>
  [...readFileSync(join(ROOT, page), 'utf8').matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, text = '']) => text);

const blockWith = (page: string, words: string): string => {
  const block = commandsOf(page).find((text) => text.includes(words));
  if (block === undefined) throw new Error(`${page} has no command with ${words}`);
  return block;
};

/** In a folder of one's own, without `npm ci`. */
const PROGRAMS = `
set -eu -o pipefail
npx() { shift; node '${ROOT}/src/cli.ts' "$@"; }
npm() { shift 3; node '${ROOT}/scripts/load-bundles.ts' --base http://127.0.0.1:8080/fhir "$@"; }
`;

interface Shell {
  readonly origin: string;
  /** A file of the folder in which the commands run. */
  text(file: string): string;
  /** Runs blocks, one after the other, in one shell; answers what they print. */
  run(...blocks: readonly string[]): Promise<string>;
}

/** The tour is told for a server at port 8080; here the port is another. */
const startShell = async (t: Test): Promise<Shell> => {
  const data = temporaryFolder(t);
  const store = { CONSILIUM_DATA: data, CONSILIUM_STORE_KEY: KEY, ...storeEnvironment(t, data) };
  const { origin } = await startTestServer(t, { ...store, CONSILIUM_ACCESS: 'smart' });
  const { port } = new URL(origin);
  const folder = join(temporaryFolder(t), 'checkout');
  mkdirSync(folder);
  symlinkSync(join(ROOT, 'fixtures'), join(folder, 'fixtures'));
  const env = { ...process.env, ...store, CONSILIUM_PORT: port };
  return {
    origin,
    text: (file) => readFileSync(join(folder, file), 'utf8'),
    run: async (...blocks) => {
      const script = [PROGRAMS, ...blocks].join('\n').replaceAll('127.0.0.1:8080', `127.0.0.1:${port}`);
      const child = spawn('bash', ['-c', script], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
      let printed = '';
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (printed += chunk));
      const [code] = await once(child, 'close');
      if (code !== 0) throw new Error(printed);
      return printed;
    },
  };
};

const tour = (): string[] => ['--id st-anna', 'npm run load -- --client'].map((words) => blockWith('README.md', words));

test('The commands of docs/smart.md work from top to bottom after the tour of README', async (t) => {
  const { origin, run, text } = await startShell(t);
  t.match(await run(...tour()), /62 created, 0 updated, 0 refused/);
  const ask = 'curl -s -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8080/fhir';
  const printed = await run(
    ...commandsOf('docs/smart.md'),
    `echo; ${ask}/Organization/st-anna; echo; echo "$PATIENT $ENCOUNTER $DOCTOR"`,
  );
  t.match(printed, /"launch":"[^"]+","iss":"[^"]+","launch_url":"https:\/\/viewer\.example\/launch\?iss=[^"]+"/);
  const [pushed = '', ids = ''] = printed.trim().split('\n').slice(-2);
  t.match(JSON.parse(pushed) as Organization, { id: 'st-anna', name: 'St. Anna hospital' });
  t.match(ids, /^[\w-]{36} [\w-]{36} [\w-]{36}$/);
  const page = await openBrowser(origin).get(
    `/auth/authorize?${new URLSearchParams({
      ...{ response_type: 'code', client_id: 'my-records', redirect_uri: 'https://my-records.example/callback' },
      ...{ scope: 'launch/patient patient/*.rs', aud: `${origin}/fhir`, state: 'x' },
      ...{ code_challenge: CHALLENGE, code_challenge_method: 'S256' },
    })}`,
  );
  const password = text('begona.password.txt').trim();
  const approval = await page.submit('/auth/sign-in', { login: 'begona', password });
  t.match(approval.title, 'Allow My records');
  t.match(approval.text, 'An app of St. Anna hospital');
  t.match(approval.text, 'From the record of Begoña Núñez Echeverría');
});

test('A client as docs/search-parameters.md registers it may reindex and explain; README’s system may not', async (t) => {
  const { run } = await startShell(t);
  await run(...tour());
  const explain = blockWith('docs/search.md', '$explain');
  const blocks = [...commandsOf('docs/search-parameters.md'), 'echo', explain];
  const [reindexed = '', explained = ''] = (await run(...blocks)).trim().split('\n').slice(-2);
  t.match(JSON.parse(reindexed) as Task, { resourceType: 'Task', status: /^(?:in-progress|completed)$/ });
  const { parameter = [] } = JSON.parse(explained) as Parameters;
  t.ok(
    parameter.some(({ name }) => name === 'search'),
    explained,
  );
  const other = explain.replace(
    '--client operations --key operations.key.json',
    '--client st-anna --key hospital.key.json',
  );
  t.match(await run(other), /This is for clients that may do everything with all resources/);
});

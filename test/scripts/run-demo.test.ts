/** `npm run demo`, from its registration of clients to what the patient's app reads. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';

const SCRIPT = fileURLToPath(new URL('../../scripts/run-demo.ts', import.meta.url));

test('the demo gets a token, pushes a record, and launches the app of the patient', async (t) => {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('CONSILIUM_'));
  const env = { ...Object.fromEntries(inherited), CONSILIUM_PORT: '0' };
  const child = spawn(process.execPath, [SCRIPT, '--exit'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const [stdout = '', stderr = ''] = await Promise.all(
    [child.stdout, child.stderr].map(async (stream) => {
      let text = '';
      for await (const chunk of stream) text += chunk;
      return text;
    }),
  );
  if (child.exitCode === null) await once(child, 'close');
  t.equal(child.exitCode, 0, stderr);
  t.equal(stderr, '');
  t.match(stdout, /^1\. Register.*[\s\S]*clients add --id st-anna[\s\S]*^2\. The system gets a token/m);
  t.match(stdout, /^ {4}62 entries, each 201 Created: 1 Patient/m);
  t.match(
    stdout,
    /The browser shows: Sign in\n.*The browser shows: Allow My records to use records\?\n +\[x\] Name, birth date/,
  );
  t.match(stdout, /back to the app: http:\/\/127\.0\.0\.1:9999\/callback with a code, state and iss/);
  t.match(stdout, /^ {4}Begoña Núñez Echeverría\n[\s\S]*403 Forbidden[\s\S]*401 Unauthorized/m);
  t.notMatch(stdout, /password [\w-]{16}|eyJ/, 'no secret is printed on the way');
});

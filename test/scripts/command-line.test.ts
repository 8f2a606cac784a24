import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'tap';

const SCRIPTS = join(import.meta.dirname, '..', '..', 'scripts');

test('an option that a script does not know is answered with one line', async (t) => {
  for (const name of [
    ...['measure', 'measure-growth', 'measure-stores', 'measure-tokens'],
    ...['run-demo', 'load-bundles', 'kill-during-load'],
  ]) {
    const ended = spawnSync(process.execPath, [join(SCRIPTS, `${name}.ts`), '--foo'], { encoding: 'utf8' });
    t.match(ended, { status: 2, stdout: '', stderr: /^Unknown option '--foo'[^\n]*\n$/ }, name);
  }
});

/** A command of the operator's, as a process of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const CLI = join(import.meta.dirname, '..', '..', 'src', 'cli.ts');
/** As that of the test server; an environment with an empty one has none. */
const KEY = '5'.repeat(64);

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `npx consilium` with options, an environment of its own, and what it reads from the standard input. */
export const runCommand = async (
  options: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  input = '',
): Promise<Ended> => {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('CONSILIUM_'));
  const given = Object.entries({ CONSILIUM_STORE_KEY: KEY, ...environment });
  const env = Object.fromEntries([...inherited, ...given.filter(([, value]) => value !== '')]);
  const child = spawn(process.execPath, [CLI, ...options], { env });
  child.stdin.end(input);
  const [stdout, stderr] = [child.stdout, child.stderr].map(async (stream) => {
    let text = '';
    for await (const chunk of stream) text += chunk;
    return text;
  });
  const [code] = await once(child, 'close');
  return { code: code as number, stdout: (await stdout) ?? '', stderr: (await stderr) ?? '' };
};

/** `npm start` as a process of its own. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Test } from 'tap';

const SERVER = join(import.meta.dirname, '..', '..', 'src', 'server.ts');

export interface ServerProcess {
  /** The FHIR base, when it is ready; rejects if it ends before. */
  readonly ready: Promise<string>;
  /** How it ended. */
  readonly ended: Promise<{ code: number | null; stdout: string; stderr: string }>;
  signal(name: NodeJS.Signals): void;
}

/** Starts a server on a free port, with the given environment and no other CONSILIUM variables. */
export const startServerProcess = (t: Test, environment: Readonly<Record<string, string>>): ServerProcess => {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('CONSILIUM_'));
  const env = {
    ...Object.fromEntries(inherited),
    CONSILIUM_PORT: '0',
    CONSILIUM_LOG_LEVEL: 'warn',
    CONSILIUM_ACCESS: 'open',
    ...environment,
  };
  const child = spawn(process.execPath, [SERVER], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  t.teardown(() => child.kill('SIGKILL'));
  let stdout = '';
  let stderr = '';
  const ready = Promise.withResolvers<string>();
  // Whoever waits only for the end must not be troubled.
  ready.promise.catch(() => undefined);
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
    const match = /ready at (\S+)\n/.exec(stdout);
    if (match?.[1] !== undefined) ready.resolve(match[1]);
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
    child.on('close', (code) => {
      ready.reject(new Error(`It ended with ${code}: ${stderr}`));
      resolve({ code, stdout, stderr });
    });
  });
  return { ready: ready.promise, ended, signal: (name) => child.kill(name) };
};

/** A store in a folder of its own, with a server on it or without, for tests of commands. */
import { join } from 'node:path';
import type { Test } from 'tap';
import { startTestServer, type TestServer, temporaryFolder } from '../http/test-server.ts';
import { storeEnvironment } from '../http/test-store.ts';
import { runCommand } from './run-command.ts';

interface Place {
  /** A file in the folder. */
  file(name: string): string;
  start(): Promise<TestServer>;
  /** Runs a command on the store; fails if that does. Answers what it printed. */
  consilium(options: readonly string[], input?: string): Promise<string>;
  /** The same, of what it printed as JSON. */
  json<T = Readonly<Record<string, unknown>>>(options: readonly string[], input?: string): Promise<T>;
  /** The one line that a command says of its failure. */
  refusal(options: readonly string[], input?: string): Promise<string>;
}

/** A store of its own, and commands on it. */
export const place = (t: Test): Place => {
  const folder = temporaryFolder(t);
  const environment = { CONSILIUM_DATA: folder, CONSILIUM_STORE: 'sqlite', ...storeEnvironment(t, folder) };
  const consilium: Place['consilium'] = async (options, input) => {
    const { code, stdout, stderr } = await runCommand(options, environment, input);
    if (code !== 0) throw new Error(`${options.join(' ')}: ${stderr}`);
    return stdout;
  };
  return {
    consilium,
    file: (name) => join(folder, name),
    start: () => startTestServer(t, { ...environment, CONSILIUM_ACCESS: 'smart' }),
    json: async (options, input) => JSON.parse(await consilium([...options, '--json'], input)),
    refusal: async (options, input) => {
      const { code, stdout, stderr } = await runCommand(options, environment, input);
      t.equal(code, 1, options.join(' '));
      t.equal(stdout, '');
      t.match(stderr, /^[^\n]+\n$/, 'one line');
      return stderr;
    },
  };
};

/** Starts the real server, `node src/server.ts`, as a child process on a free port, and talks of it as one may of any process. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const SERVER = fileURLToPath(new URL('../../src/server.ts', import.meta.url));
/** For stores that are thrown away. */
const KEY = 'c0'.repeat(32);
const READY = /^Consilium is ready at (\S+)$/m;

export interface ChildServer {
  /** The FHIR base without a final slash. */
  readonly base: string;
  readonly pid: number;
  readonly millisecondsToReady: number;
  /** What it has written to stderr so far; warnings and errors only. */
  complaints(): string;
  /** Sends the signal; resolves when the process has ended, with its exit status, null if the signal ended it. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null>;
}

export interface ChildServerOptions {
  readonly dataFolder: string;
  /** Beside the variables that every child has. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Another program than the server, which prints the same line when it is ready. */
  readonly program?: string;
  /** Kills the child after so many milliseconds, ready or not. */
  readonly killAfterMilliseconds?: number;
}

/** The environment without the variables of this project, so that a developer's settings do not leak in. */
const cleanEnvironment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('CONSILIUM_')));

const spawnServer = ({ dataFolder, environment = {}, program = SERVER, killAfterMilliseconds }: ChildServerOptions) => {
  const child = spawn(process.execPath, [program], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...cleanEnvironment(),
      CONSILIUM_DATA: dataFolder,
      CONSILIUM_PORT: '0',
      CONSILIUM_STORE_KEY: KEY,
      CONSILIUM_LOG_LEVEL: 'warn',
      CONSILIUM_ACCESS: 'open',
      ...environment,
    },
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    output.stderr += text;
  });
  const ended = once(child, 'close').then(([status]) => status as number | null);
  if (killAfterMilliseconds !== undefined) {
    const timer = setTimeout(() => child.kill('SIGKILL'), killAfterMilliseconds);
    ended.finally(() => clearTimeout(timer));
  }
  return { child, output, ended };
};

/** Resolves when the server says that it is ready. Throws an Error with its stderr if it ends before. */
export const startChildServer = async (options: ChildServerOptions): Promise<ChildServer> => {
  const started = performance.now();
  const { child, output, ended } = spawnServer(options);
  const base = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', () => {
      const ready = READY.exec(output.stdout)?.[1];
      if (ready !== undefined) resolve(ready);
    });
    ended.then((status) => reject(new Error(`The server ended (${status ?? child.signalCode}): ${output.stderr}`)));
  });
  const millisecondsToReady = performance.now() - started;
  // Should this process end early, the server must not stay.
  const killChild = (): void => {
    child.kill('SIGKILL');
  };
  process.once('exit', killChild);
  return {
    base,
    pid: child.pid ?? 0,
    millisecondsToReady,
    complaints: () => output.stderr,
    end: (signal) => {
      process.off('exit', killChild);
      child.kill(signal);
      return ended;
    },
  };
};

/** Starts the server and kills it at a given moment, also while it still opens its store. */
export const killWhileStarting = async (dataFolder: string, killAfterMilliseconds: number): Promise<string> => {
  const { output, ended } = spawnServer({ dataFolder, killAfterMilliseconds });
  await ended;
  return output.stderr;
};

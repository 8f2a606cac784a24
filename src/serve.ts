/** Serves until SIGTERM or Ctrl-C, and ends cleanly. */
import closeWithGrace from 'close-with-grace';
import { startServer } from './app.ts';
import { readConfig, unknownVariables } from './config.ts';

/** Under `npm start` a Ctrl-C comes twice, from the terminal and from npm: so soon a second signal is the same one. */
const SAME_MILLISECONDS = 1000;
const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/** Calls `end` at the first signal; a later one ends the process at once. */
const endAtSignal = (end: (signal: string) => void): void => {
  let first: number | undefined;
  const onSignal = (signal: string): void => {
    if (first === undefined) {
      first = performance.now();
      end(signal);
    } else if (performance.now() - first > SAME_MILLISECONDS) {
      process.exit(1);
    }
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
};

/** Reads the environment, starts, and says where. Throws StoreUnusable or ConfigurationError. */
export const serve = async (): Promise<void> => {
  for (const sentence of unknownVariables()) process.stderr.write(`${sentence}\n`);
  const config = readConfig();
  const server = await startServer(config);
  let signalled: string | undefined;
  let closing: Promise<void> | undefined;
  const { close } = closeWithGrace(
    { delay: config.leaveMilliseconds + config.drainMilliseconds, logger: false, skip: [...SIGNALS] },
    async ({ err, signal = signalled }) => {
      if (err !== undefined) process.stderr.write(`${err.stack}\n`);
      // A signal may come while it ends for another reason.
      closing ??= server.close();
      await closing;
      if (signal !== undefined) process.stderr.write(`Consilium has ended (${signal})\n`);
    },
  );
  endAtSignal((signal) => {
    signalled = signal;
    close();
  });
  process.stdout.write(`Consilium is ready at ${server.baseUrl}\n`);
};

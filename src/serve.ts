/** Serves until SIGTERM or Ctrl-C, and ends cleanly. */
import closeWithGrace from 'close-with-grace';
import { startServer } from './app.ts';
import { readConfig } from './config.ts';

/** Reads the environment, starts, and says where. Throws StoreUnusable or ConfigurationError. */
export const serve = async (): Promise<void> => {
  const config = readConfig();
  const server = await startServer(config);
  closeWithGrace(
    { delay: config.leaveMilliseconds + config.drainMilliseconds, logger: false },
    async ({ err, signal }) => {
      if (err !== undefined) process.stderr.write(`${err.stack}\n`);
      await server.close();
      if (signal !== undefined) process.stderr.write(`Consilium has ended (${signal})\n`);
    },
  );
  process.stdout.write(`Consilium is ready at ${server.baseUrl}\n`);
};

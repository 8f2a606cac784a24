/** `npm start`: reads the environment, serves until SIGTERM or Ctrl-C, and ends cleanly. */
import closeWithGrace from 'close-with-grace';
import { startServer } from './app.ts';
import { ConfigurationError, readConfig } from './config.ts';
import { StoreUnusable } from './store/store-unusable.ts';

try {
  const config = readConfig();
  const server = await startServer(config);
  closeWithGrace({ delay: config.drainMilliseconds, logger: false }, async ({ err, signal }) => {
    if (err !== undefined) process.stderr.write(`${err.stack}\n`);
    await server.close();
    if (signal !== undefined) process.stderr.write(`Consilium has ended (${signal})\n`);
  });
  process.stdout.write(`Consilium is ready at ${server.baseUrl}\n`);
} catch (error) {
  if (!(error instanceof ConfigurationError || error instanceof StoreUnusable)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}

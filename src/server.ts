/** `npm start`: reads the environment and serves. */
import { runCommand } from './operator-errors.ts';
import { serve } from './serve.ts';

await runCommand(serve);

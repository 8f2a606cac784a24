/** `npm start`: reads the environment and serves. */
import { keepCompiled } from './keep-compiled.ts';

keepCompiled();
const { runCommand } = await import('./operator-errors.ts');
const { serve } = await import('./serve.ts');
await runCommand(serve);

/** `npm start`: reads the environment and serves. */
import { keepCompiled } from './keep-compiled.ts';

keepCompiled();
const { runCommand, surviveClosedOutput } = await import('./operator-errors.ts');
const { serve } = await import('./serve.ts');
surviveClosedOutput();
await runCommand(serve);

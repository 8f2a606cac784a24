#!/usr/bin/env node
/** `npx consilium`: the commands of an operator. */
import { keepCompiled } from './keep-compiled.ts';

keepCompiled();
const { runProgram } = await import('./commands/program.ts');
await runProgram();

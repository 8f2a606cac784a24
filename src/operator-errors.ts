/** Errors that are the operator's to mend: one line, no stack. */
import { ConfigurationError } from './config.ts';
import { CopyRefused } from './copying/copy-store.ts';
import { FhirError } from './fhir/fhir-error.ts';
import { StoreUnusable } from './store/store-unusable.ts';

const KINDS = [ConfigurationError, StoreUnusable, CopyRefused, FhirError];

/**
 * Whoever reads what is printed may have read enough: a closed pipe changes nothing, as a server goes on and a command does
 * what it was asked. Call it once, before anything is printed.
 */
export const surviveClosedOutput = (): void => {
  for (const [name, stream] of [
    ['standard output', process.stdout],
    ['standard error', process.stderr],
  ] as const)
    stream.on('error', ({ code, message }: NodeJS.ErrnoException) => {
      if (code === 'EPIPE') return;
      process.exitCode = 1;
      if (stream === process.stdout) process.stderr.write(`The ${name} cannot be written: ${message}\n`);
    });
};

/** Runs a command of the operator's: such an error is one line, and the exit status 1. */
export const runCommand = async (command: () => Promise<void>): Promise<void> => {
  try {
    await command();
  } catch (error) {
    if (!KINDS.some((kind) => error instanceof kind)) throw error;
    process.stderr.write(`${(error as Error).message}\n`);
    process.exitCode = 1;
  }
};

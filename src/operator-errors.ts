/** Errors that are the operator's to mend: one line, no stack. */
import { ConfigurationError } from './config.ts';
import { CopyRefused } from './copying/copy-store.ts';
import { FhirError } from './fhir/fhir-error.ts';
import { StoreUnusable } from './store/store-unusable.ts';

const KINDS = [ConfigurationError, StoreUnusable, CopyRefused, FhirError];

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

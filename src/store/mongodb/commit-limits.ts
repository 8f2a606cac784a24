/** How large a transaction may be: the database keeps all of it in memory until it is committed. */
import { FhirError, issue } from '../../fhir/fhir-error.ts';
import { textLength } from '../../fhir/resource-text.ts';
import type { Write } from '../store.ts';

export interface TransactionLimits {
  readonly entries: number;
  /** Of the resources' JSON. */
  readonly bytes: number;
}

const tooLong = (text: string): FhirError => new FhirError(413, [issue('too-long', text)]);

const bytesOf = (write: Write): number => ('resource' in write ? textLength(write.resource) : 0);

/** Throws a FhirError 413 with the limit's name. */
export const checkCommit = (writes: readonly Write[], { entries, bytes }: TransactionLimits): void => {
  if (writes.length <= 1) return;
  if (writes.length > entries)
    throw tooLong(
      `A transaction of ${writes.length} writes is over the limit of ${entries} (CONSILIUM_TRANSACTION_ENTRIES)`,
    );
  const size = writes.reduce((sum, write) => sum + bytesOf(write), 0);
  if (size > bytes)
    throw tooLong(`A transaction of ${size} bytes is over the limit of ${bytes} (CONSILIUM_TRANSACTION_MEGABYTES)`);
};

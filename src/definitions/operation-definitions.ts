/**
 * The server's own OperationDefinitions: what each of its operations takes and answers. They lie in `profiles/`.
 *
 * @see https://hl7.org/fhir/R4/operationdefinition.html
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OperationDefinition } from '@medplum/fhirtypes';

const FOLDER = join(import.meta.dirname, '..', '..', 'profiles');

/** By the names of operations, without the dollar sign. */
export type OperationDefinitions = ReadonlyMap<string, OperationDefinition & { readonly id: string }>;

/** Reads the definitions of these operations. Throws an Error if one has none. */
export const loadOperationDefinitions = (names: readonly string[]): OperationDefinitions =>
  new Map(
    names.map((name) => {
      const text = readFileSync(join(FOLDER, `OperationDefinition-${name}.json`), 'utf8');
      return [name, JSON.parse(text) as OperationDefinition & { id: string }];
    }),
  );

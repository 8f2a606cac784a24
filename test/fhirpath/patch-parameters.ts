/** FHIRPath Patches, as tests write them. */
import { loadStructures } from '../../src/definitions/structures.ts';
import { FhirError } from '../../src/fhir/fhir-error.ts';
import { createFhirPathPatch } from '../../src/fhirpath/patch.ts';

export const patched = createFhirPathPatch(loadStructures(), { patchOperations: 100, patchSteps: 5_000_000 });

export type Part = Readonly<Record<string, unknown>>;

/** An operation of a patch; `value` are the members of its part, such as `{ valueCode: 'male' }`. */
export const operation = (
  type: string,
  path: string,
  parts: Readonly<Record<string, string | number | Part>> = {},
): Part => ({
  name: 'operation',
  part: [
    { name: 'type', valueCode: type },
    { name: 'path', valueString: path },
    ...Object.entries(parts).map(([name, part]) => ({
      name,
      ...(typeof part === 'string' ? { valueString: part } : typeof part === 'number' ? { valueInteger: part } : part),
    })),
  ],
});

export const parametersOf = (...parameter: readonly Part[]): string =>
  JSON.stringify({ resourceType: 'Parameters', ...(parameter.length === 0 ? {} : { parameter }) });

export const resultOf = (resource: object, ...operations: readonly Part[]): unknown =>
  JSON.parse(patched(JSON.stringify(resource), parametersOf(...operations)));

export const refusal = (action: () => unknown): { status: number; text: string } | undefined => {
  try {
    action();
    return undefined;
  } catch (error) {
    if (!(error instanceof FhirError)) throw error;
    return { status: error.status, text: error.message };
  }
};

export const patient = (elements: object = {}): object => ({ resourceType: 'Patient', id: 'p', ...elements });

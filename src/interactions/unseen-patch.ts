/**
 * Patches of who may change a resource and not read it, as SMART has it with the scope `u` alone: they must not tell of
 * what is there, neither by what they ask of it nor by why they fail.
 *
 * @see https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html#scopes-for-requesting-fhir-resources
 */
import { FhirError, forbidden, unprocessable } from '../fhir/fhir-error.ts';

/** What only writes. `test` asks, and `copy` and `move` bring what is there to where it may show. */
const WRITING = new Set(['add', 'replace', 'remove', 'insert', 'delete']);
/** Elements and positions; a function could ask. */
const PLAIN_PATH = /^[A-Za-z]\w*(?:\.[A-Za-z]\w*|\[\d+\])*$/;

interface Part {
  readonly name?: unknown;
  readonly valueString?: unknown;
  readonly valueCode?: unknown;
}

const isPlainPart = ({ name, valueString, valueCode }: Part): boolean => {
  if (name === 'type') return WRITING.has(String(valueCode));
  return name !== 'path' || PLAIN_PATH.test(String(valueString));
};

const asksNothing = (patch: unknown): boolean => {
  if (Array.isArray(patch)) return patch.every((operation) => WRITING.has(String((operation as { op?: unknown })?.op)));
  const { parameter = [] } = patch as { parameter?: readonly { readonly part?: readonly Part[] }[] };
  return parameter.every(({ part = [] }) => part.every(isPlainPart));
};

/** Throws a FhirError 403 for a patch, as JSON, that asks what is there. */
export const checkUnseenPatch = (text: string): void => {
  if (!asksNothing(JSON.parse(text)))
    throw forbidden(
      'A patch that asks what is there (test, copy, move, or a path with a function) needs the scope of reading (r), too',
    );
};

/** Does the work, and tells of its failure only that it failed. */
export const withoutReasons = <T>(work: () => T): T => {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof FhirError)) throw error;
    throw unprocessable(
      'The patch cannot be applied, or what it makes of the resource is not valid; who may read the resource is told why',
    );
  }
};

/**
 * The gate that every resource passes: AJV with the R4 JSON schema, one compiled function a type, made on first use.
 * Data types are compiled once and shared by the resource types that have them.
 *
 * It stops at the first fault: an AJV that collects all of them lets a hostile body fill the memory with errors, and
 * the faults and their sentences are the walker's (see check-resource.ts).
 *
 * @see https://hl7.org/fhir/R4/json.html#schema
 */
import { Ajv, type ValidateFunction } from 'ajv';
import type { JsonSchemas } from '../definitions/json-schema.ts';
import type { Structure } from '../definitions/structures.ts';

/** A fault of shape: `pointer` is a JSON pointer below the resource, `text` says what should be there. */
export interface ShapeFault {
  readonly pointer: string;
  readonly text: string;
}

export type SchemaGate = (resource: object, structure: Structure) => ShapeFault | undefined;

// Optimized code is hardly faster, and compiling it takes twice as long.
const OPTIONS = {
  strict: false,
  validateSchema: false,
  validateFormats: false,
  meta: false,
  logger: false,
  code: { optimize: false },
} as const;

export const createSchemaGate = (schemas: JsonSchemas): SchemaGate => {
  const ajv = new Ajv(OPTIONS);
  const added = new Set<Structure>();
  const compiled = new Map<Structure, ValidateFunction>();

  const compile = (structure: Structure): ValidateFunction => {
    for (const each of schemas.referred(structure)) {
      if (!added.has(each)) ajv.addSchema(schemas.schema(each));
      added.add(each);
    }
    const validate = ajv.getSchema(structure.path);
    if (validate === undefined) throw new Error(`No JSON schema was compiled for ${structure.path}`);
    compiled.set(structure, validate);
    return validate;
  };
  return (resource, structure) => {
    const validate = compiled.get(structure) ?? compile(structure);
    if (validate(resource)) return undefined;
    const [error] = validate.errors ?? [];
    return { pointer: error?.instancePath ?? '', text: error?.message ?? 'does not match the JSON schema of R4' };
  };
};

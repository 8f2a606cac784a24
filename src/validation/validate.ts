/**
 * Is this a valid R4 resource? Two independent readers must agree: AJV with the JSON schema, and a walker over the
 * StructureDefinitions, which checks also what a schema cannot say and words every fault: among it the required bindings,
 * and that narratives are safe. Profiles and FHIRPath invariants are not checked here.
 *
 * @see https://hl7.org/fhir/R4/validation.html
 */
import { loadJsonSchemas } from '../definitions/json-schema.ts';
import type { Structure, Structures } from '../definitions/structures.ts';
import { loadTerminology, type Terminology } from '../definitions/terminology.ts';
import { type Issue, issue } from '../fhir/fhir-error.ts';
import { checkObject } from './check-object.ts';
import { closestName } from './closest-name.ts';
import { createPlans } from './plan.ts';
import { shown } from './primitives.ts';
import { createSchemaGate, type ShapeFault } from './schema-gate.ts';
import { expressionOf, isObject, type JsonObject, type Step, type Walk } from './walk.ts';

interface Facts {
  /** The type that the url names. */
  readonly expectedType?: string;
  /**
   * JSON paths (`Observation.component[0].valueInteger`) of whole numbers that were written with a fraction or exponent
   * (`1.0`, `1e3`): parsed JSON does not show it, and integers must not be written so.
   */
  readonly integralDecimals: ReadonlySet<string>;
}

/** At most 20 faults (`MAXIMUM_ISSUES`); none if the resource is valid. */
export type Validator = (resource: unknown, facts: Facts) => readonly Issue[];

/** The structure of the outermost resource, or what is wrong with its type. */
const rootStructure = (
  resource: JsonObject,
  structures: Structures,
  expectedType: string | undefined,
): Structure | Issue => {
  const { resourceType: type } = resource;
  const expression = `${expectedType ?? 'Resource'}.resourceType`;
  const fault = (code: 'required' | 'value', text: string): Issue => issue(code, `${expression}: ${text}`, expression);
  if (type === undefined) return fault('required', 'required, and missing');
  if (typeof type !== 'string') return fault('value', `must be a string, not ${shown(type)}`);
  const structure = structures.isResourceType(type) ? structures.structure(type) : undefined;
  if (structure === undefined) {
    const meant = closestName(type, structures.resourceTypes);
    const hint = meant === undefined ? '' : ` (did you mean '${meant}'?)`;
    return fault('value', `R4 has no resource type ${shown(type)}${hint}`);
  }
  if (expectedType === undefined || type === expectedType) return structure;
  return fault('value', `the resource is of type ${type}, and ${expectedType} is expected`);
};

/** A fault that only the schema sees. Its pointer `/name/0/given` becomes `.name[0].given`. */
const shapeIssue = (root: string, steps: readonly Step[], { pointer, text }: ShapeFault): Issue => {
  const below = pointer
    .split('/')
    .slice(1)
    .map((step) => (/^\d+$/.test(step) ? `[${step}]` : `.${step}`));
  const expression = expressionOf(root, steps) + below.join('');
  return issue('structure', `${expression}: ${text}`, expression);
};

/**
 * Returns a validator. Types are compiled on first use: the first costs some 0.1 s, the next much less.
 *
 * @example
 * validate({ resourceType: 'Patient', birthDate: '1980-13-01' }, { integralDecimals: new Set() });
 * // [{ severity: 'error', code: 'value', expression: 'Patient.birthDate',
 * //    diagnostics: "Patient.birthDate: '1980-13-01' is not a date" }]
 */
export const createValidator = (structures: Structures, terminology: Terminology = loadTerminology()): Validator => {
  const schemas = loadJsonSchemas(structures);
  const plans = createPlans(structures, schemas);
  const shapeFault = createSchemaGate(schemas);

  return (resource, { expectedType, integralDecimals }) => {
    if (!isObject(resource)) return [issue('structure', `A resource must be a JSON object, not ${shown(resource)}`)];
    const structure = rootStructure(resource, structures, expectedType);
    if ('severity' in structure) return [structure];
    const walk: Walk = {
      structures,
      plans,
      terminology,
      root: structure.path,
      integralDecimals,
      issues: [],
      steps: [],
      nested: [{ resource, structure, steps: [] }],
      container: resource,
      typesContained: undefined,
      isContained: false,
    };
    checkObject(walk, resource, plans.plan(structure));
    // The walker finds all that the schema finds, and says it better; the schema has the last word.
    if (walk.issues.length > 0) return walk.issues;
    for (const nested of walk.nested) {
      const shape = shapeFault(nested.resource, nested.structure);
      if (shape !== undefined) return [shapeIssue(structure.path, nested.steps, shape)];
    }
    return [];
  };
};

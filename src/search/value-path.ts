/**
 * Where the values of a search parameter are in a resource: a plan made once, walked for every resource that is
 * written. It costs one property access a step and allocates nothing.
 */
import type { Structure } from '../definitions/structures.ts';

/** A parsed JSON object of a resource or of one of its elements. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** True, false or, where FHIRPath's result is empty, undefined. */
export type Truth = (node: unknown, resource: JsonObject) => boolean | undefined;

export interface Step {
  /** The JSON property: `valueQuantity`. */
  readonly key: string;
  readonly isArray: boolean;
  /** Only this one of the array's values. */
  readonly index: number | undefined;
  /** Only values of which this is true. */
  readonly keeps: Truth | undefined;
}

/** What is known of a value from the definitions alone. */
export interface ValueType {
  /** A FHIR type: `CodeableConcept`, `dateTime`, `BackboneElement`, `Patient`; `Resource` for any resource. */
  readonly type: string;
  readonly structure: Structure | undefined;
  /** The value set of a required binding of the element. */
  readonly requiredValueSet?: string | undefined;
}

export interface ValuePath extends ValueType {
  /** Whether the steps start at the element that the expression is applied to, or at the whole resource. */
  readonly from: 'context' | 'resource';
  readonly steps: readonly Step[];
}

const walk = <Target>(
  start: unknown,
  steps: readonly Step[],
  from: number,
  resource: JsonObject,
  visit: (value: unknown, target: Target) => void,
  target: Target,
): void => {
  let node = start;
  for (let at = from; at < steps.length; at++) {
    const step = steps[at]!;
    node = (node as JsonObject)[step.key];
    if (Array.isArray(node)) {
      if (step.index === undefined) {
        for (let index = 0; index < node.length; index++) {
          const item: unknown = node[index];
          if (item === null || item === undefined) continue;
          if (step.keeps === undefined || step.keeps(item, resource) === true) {
            walk(item, steps, at + 1, resource, visit, target);
          }
        }
        return;
      }
      node = node[step.index];
    }
    if (node === undefined || node === null) return;
    if (step.keeps !== undefined && step.keeps(node, resource) !== true) return;
  }
  visit(node, target);
};

/** Calls `visit` for each value at `path`, in document order. Nulls in arrays (they hold the place of a `_x` twin) are passed over. */
export const visitValues = <Target>(
  path: ValuePath,
  context: JsonObject,
  resource: JsonObject,
  visit: (value: unknown, target: Target) => void,
  target: Target,
): void => walk(path.from === 'context' ? context : resource, path.steps, 0, resource, visit, target);

const push = (value: unknown, values: unknown[]): void => {
  values.push(value);
};

/** All values at the paths, in the order of the paths. */
export const valuesAt = (paths: readonly ValuePath[], context: JsonObject, resource: JsonObject): unknown[] => {
  const values: unknown[] = [];
  for (const path of paths) visitValues(path, context, resource, push, values);
  return values;
};

/**
 * Where a validation is, and what it has found. Paths are written out only for faults.
 */
import type { Structure, Structures } from '../definitions/structures.ts';
import type { Terminology } from '../definitions/terminology.ts';
import { type Issue, type IssueCode, issue } from '../fhir/fhir-error.ts';
import type { Plans, PropertyCheck } from './plan.ts';

/** The most issues that are reported of one resource. */
export const MAXIMUM_ISSUES = 20;

export type JsonObject = Readonly<Record<string, unknown>>;

/** A resource inside another, with its place. */
interface NestedResource {
  readonly resource: JsonObject;
  readonly structure: Structure;
  readonly steps: readonly Step[];
}

/** A property, or an index of an array. */
export type Step = PropertyCheck | number;

export interface Walk {
  readonly structures: Structures;
  readonly plans: Plans;
  readonly terminology: Terminology;
  /** The type of the outermost resource, where all paths begin. */
  readonly root: string;
  readonly integralDecimals: ReadonlySet<string>;
  readonly issues: Issue[];
  readonly steps: Step[];
  readonly nested: NestedResource[];
  /** The resource in which `#` references are looked up. */
  container: JsonObject;
  /** The types of its contained resources by id, once one was looked up. */
  typesContained: ReadonlyMap<unknown, unknown> | undefined;
  /** Whether the walk is inside a contained resource. */
  isContained: boolean;
}

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** FHIRPath of a place: `Observation.component[0].value`. */
export const expressionOf = (root: string, steps: readonly Step[]): string => {
  let path = root;
  for (const step of steps) path += typeof step === 'number' ? `[${step}]` : `.${step.rule.name}`;
  return path;
};

/** The same in JSON's properties: `Observation.component[0].valueQuantity`. */
export const jsonPathOf = ({ root, steps }: Walk): string => {
  let path = root;
  for (const step of steps) path += typeof step === 'number' ? `[${step}]` : `.${step.key}`;
  return path;
};

export const isFull = (walk: Walk): boolean => walk.issues.length >= MAXIMUM_ISSUES;

/** Reports a fault of the current place, or of `below` it, for example `.status`. */
export const report = (walk: Walk, code: IssueCode, text: string, below = ''): void => {
  if (isFull(walk)) return;
  const expression = expressionOf(walk.root, walk.steps) + below;
  walk.issues.push(issue(code, `${expression}: ${text}`, expression));
};

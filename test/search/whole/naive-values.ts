/**
 * The values of a resource for a search parameter: R4's own expression, interpreted by the `fhirpath` package over the
 * JSON. Nothing of the server's extraction is used.
 */
import { loadSearchParameters, type SearchParameter } from '../../../src/definitions/search-parameters.ts';
import { loadStructures } from '../../../src/definitions/structures.ts';
import { loadTerminology } from '../../../src/definitions/terminology.ts';
import { compileFhirPath, type TypedValue } from '../../../src/fhirpath/evaluate.ts';

// biome-ignore lint/suspicious/noExplicitAny: any JSON; each reader knows what it looks for
export type Json = Record<string, any>;

export interface Resource extends Json {
  readonly resourceType: string;
  readonly id: string;
}

/** A value with what else the comparison needs to know. */
export interface Value extends TypedValue {
  /** Of an element of type `code`: the code systems of the value set that its binding requires. */
  readonly systems: readonly string[];
}

const parameters = loadSearchParameters();
const structures = loadStructures();
const terminology = loadTerminology();

export const RESOURCE_TYPES = structures.resourceTypes;

export const parameterOf = (type: string, code: string): SearchParameter | undefined => parameters.of(type).get(code);
export const parameterByUrl = (url: string): SearchParameter | undefined => parameters.byUrl(url);
export const parametersOf = (type: string): SearchParameter[] => [...parameters.of(type).values()];

const typeOfReference = (reference: object, resource: object): string | undefined => {
  const { reference: text = '', type } = reference as { reference?: string; type?: string };
  if (text.startsWith('#')) {
    const { contained = [] } = resource as { contained?: { id: string; resourceType: string }[] };
    return contained.find(({ id }) => `#${id}` === text)?.resourceType;
  }
  return /(?:^|\/)([A-Z][A-Za-z]+)\/[A-Za-z0-9.-]+(?:\/_history\/[^/]+)?$/.exec(text)?.[1] ?? type;
};

type Evaluate = (node: object, resource: object) => TypedValue[];
const compiled = new Map<string, Evaluate>();

const evaluated = (expression: string, context: string, node: object, resource: object): TypedValue[] => {
  const key = `${context} ${expression}`;
  const evaluate = compiled.get(key) ?? compileFhirPath(expression, context, typeOfReference);
  compiled.set(key, evaluate);
  try {
    return evaluate(node, resource);
  } catch {
    // Such as a function for one value that gets two: the expression has no value.
    return [];
  }
};

/** The outer branches of `A.b | C.d`; R4 has no `|` in parentheses but around the whole of a branch. */
const branchesOf = (expression: string): string[] => {
  const branches = [''];
  let depth = 0;
  for (const sign of expression) {
    depth += sign === '(' ? 1 : sign === ')' ? -1 : 0;
    if (sign === '|' && depth === 0) branches.push('');
    else branches.push(branches.pop() + sign);
  }
  return branches.map((branch) => branch.trim());
};

/** Of a plain path such as `Observation.status`, or relative to `context`. */
const systemsAt = (path: string, context: string): readonly string[] => {
  if (!/^[A-Za-z.]+$/.test(path)) return [];
  const steps = path.split('.');
  const isAbsolute = /^[A-Z]/.test(path);
  let structure = structures.structure(isAbsolute ? (steps[0] ?? '') : context);
  let valueSet: string | undefined;
  for (const step of isAbsolute ? steps.slice(1) : steps) {
    const element = structure?.elements.get(step);
    valueSet = element?.type === 'code' ? element.requiredValueSet : undefined;
    structure = element?.structure;
  }
  const codes = valueSet === undefined ? [] : (terminology.expansion(valueSet) ?? []);
  return [...new Set(codes.map(({ system }) => system))];
};

const known = new Map<string, readonly string[]>();

const systemsOf = (branch: string, context: string): readonly string[] => {
  const key = `${context} ${branch}`;
  const systems = known.get(key) ?? systemsAt(branch, context);
  known.set(key, systems);
  return systems;
};

const valuesAt = (expression: string, context: string, node: object, resource: Resource): Value[] =>
  branchesOf(expression).flatMap((branch) => {
    // The branches of other types are not even evaluated, as nothing of them can be there.
    const first = /^\(*([A-Z]\w+)/.exec(branch)?.[1];
    if (first !== undefined && structures.isResourceType(first) && first !== resource.resourceType) return [];
    return evaluated(branch, context, node, resource).map((value) => ({
      ...value,
      systems: value.type === 'code' ? systemsOf(branch, context) : [],
    }));
  });

const remembered = new WeakMap<Resource, Map<string, readonly Value[]>>();

/** The values of a resource, whose type has the parameter. */
export const valuesOf = (resource: Resource, { expression, code }: SearchParameter): readonly Value[] => {
  const ofResource = remembered.get(resource) ?? new Map<string, readonly Value[]>();
  remembered.set(resource, ofResource);
  const before = ofResource.get(code);
  if (before !== undefined) return before;
  const values = expression === '' ? [] : valuesAt(expression, resource.resourceType, resource, resource);
  ofResource.set(code, values);
  return values;
};

/** For each element of a composite parameter the values of its components. */
export const elementsOf = (resource: Resource, { expression, components }: SearchParameter): Value[][][] =>
  branchesOf(expression).flatMap((path) => {
    if (path.split('.')[0] !== resource.resourceType) return [];
    return evaluated(path, resource.resourceType, resource, resource).map(({ value }) =>
      components.map((component) => valuesAt(component.expression, path, value as object, resource)),
    );
  });

/**
 * Compiles a search parameter's FHIRPath expression for one resource type. Where the values are, and of which types,
 * follows from the definitions alone, so the result is a list of paths, one a JSON property of each choice.
 *
 * @see https://hl7.org/fhir/R4/searchparameter-definitions.html#SearchParameter.expression
 */
import type { Reference } from '@medplum/fhirtypes';
import type { Structures } from '../definitions/structures.ts';
import { type Expression, parseExpression } from '../fhirpath/syntax.ts';
import { referencedType } from './referenced-type.ts';
import { type JsonObject, type Step, type Truth, type ValuePath, type ValueType, valuesAt } from './value-path.ts';

export type CompiledExpression =
  | { readonly kind: 'paths'; readonly paths: readonly ValuePath[] }
  /** The expression states something of the resource, as `Patient.deceased` does: its value is a boolean. */
  | { readonly kind: 'truth'; readonly truth: Truth };

interface Scope {
  readonly structures: Structures;
  /** What names without a source start from. */
  readonly context: ValuePath;
  /** Undefined within a criterion: for each element the whole resource would be searched, and so on if they are nested. */
  readonly resource: ValuePath | undefined;
}

/** The most paths that an expression leads to: `extension.value` has 50, one a type, and each of these as many again. */
const PATHS_LIMIT = 2000;

class Unsupported extends Error {}

/** @see https://hl7.org/fhir/R4/datatypes.html, the types that specialize another one */
const PARENT = new Map([
  ...['Age', 'Count', 'Distance', 'Duration'].map((type) => [type, 'Quantity'] as const),
  ...['url', 'canonical', 'uuid', 'oid'].map((type) => [type, 'uri'] as const),
  ...['code', 'id', 'markdown'].map((type) => [type, 'string'] as const),
  ...['positiveInt', 'unsignedInt'].map((type) => [type, 'integer'] as const),
]);

const isCapitalized = (name: string): boolean => name >= 'A' && name < '[';

const both =
  (first: Truth | undefined, second: Truth): Truth =>
  (node, resource) =>
    first === undefined || first(node, resource) === true ? second(node, resource) : false;

const withLastStep = (path: ValuePath, change: Partial<Step>): ValuePath => {
  const last = path.steps.at(-1);
  if (last === undefined) throw new Unsupported();
  return { ...path, steps: [...path.steps.slice(0, -1), { ...last, ...change }] };
};

const filtered = (path: ValuePath, keeps: Truth): ValuePath =>
  withLastStep(path, { keeps: both(path.steps.at(-1)?.keeps, keeps) });

/** A path that starts with a type applies to that type only: in `Patient.name | Person.name` a Person has no first half. */
const pathOfType = (name: string, { context }: Scope): ValuePath[] => {
  const isResource = context.structure?.kind === 'resource';
  if (name === context.type || (name === 'Resource' && isResource)) return [context];
  const isDomainResource = isResource && context.structure?.elements.has('contained');
  return name === 'DomainResource' && isDomainResource ? [context] : [];
};

const memberPaths = (sources: readonly ValuePath[], name: string): ValuePath[] => {
  const paths = sources.flatMap((source) =>
    [...(source.structure?.elements.values() ?? [])]
      .filter((element) => element.name === name)
      .map(({ key, isArray, type, structure, requiredValueSet }) => ({
        from: source.from,
        steps: [...source.steps, { key, isArray, index: undefined, keeps: undefined }],
        type,
        structure,
        requiredValueSet,
      })),
  );
  if ((paths.length === 0 && sources.length > 0) || paths.length > PATHS_LIMIT) throw new Unsupported();
  return paths;
};

const pathsOfType = (sources: readonly ValuePath[], type: string, { structures }: Scope): ValuePath[] =>
  sources.flatMap((source) => {
    if (source.type === type || PARENT.get(source.type) === type) return [source];
    if (source.type !== 'Resource' || !structures.isResourceType(type)) return [];
    const ofType = filtered(source, (node) => (node as JsonObject)['resourceType'] === type);
    return [{ ...ofType, type, structure: structures.structure(type) }];
  });

/** `[0]` counts in the whole collection, so that it can be a step only if the collection is this one array. */
const indexedPaths = (sources: readonly ValuePath[], index: number): ValuePath[] => {
  if (sources.length === 0) return [];
  const [path, another] = sources;
  const last = path?.steps.at(-1);
  const isOneArray = path?.steps.slice(0, -1).every((step) => !step.isArray || step.index !== undefined);
  const isPlain = last?.isArray && last.index === undefined && last.keeps === undefined;
  if (path === undefined || another !== undefined || !isOneArray || !isPlain) throw new Unsupported();
  return [withLastStep(path, { index })];
};

const filteredPaths = (sources: readonly ValuePath[], criteria: Expression, scope: Scope): ValuePath[] =>
  sources.map((source) => {
    const context: ValuePath = { ...source, from: 'context', steps: [] };
    return filtered(source, truthOf(criteria, { ...scope, context, resource: undefined }));
  });

const onlyParameter = ({ parameters }: Expression & { kind: 'call' }): Expression => {
  const [parameter, another] = parameters;
  if (parameter === undefined || another !== undefined) throw new Unsupported();
  return parameter;
};

const callPaths = (call: Expression & { kind: 'call' }, scope: Scope): ValuePath[] => {
  const sources = call.source === undefined ? [scope.context] : pathsOf(call.source, scope);
  const parameter = onlyParameter(call);
  switch (call.name) {
    case 'ofType':
    case 'as':
      if (parameter.kind !== 'member') throw new Unsupported();
      return pathsOfType(sources, parameter.name, scope);
    case 'where':
      return filteredPaths(sources, parameter, scope);
    case 'extension':
      if (parameter.kind !== 'literal') throw new Unsupported();
      return memberPaths(sources, 'extension').map((path) =>
        filtered(path, (node) => (node as JsonObject)['url'] === parameter.value),
      );
    default:
      throw new Unsupported();
  }
};

const pathsOf = (expression: Expression, scope: Scope): ValuePath[] => {
  switch (expression.kind) {
    case 'member':
      if (expression.source !== undefined) return memberPaths(pathsOf(expression.source, scope), expression.name);
      if (isCapitalized(expression.name)) return pathOfType(expression.name, scope);
      return memberPaths([scope.context], expression.name);
    case 'resource':
      if (scope.resource === undefined) throw new Unsupported();
      return [scope.resource];
    case 'index':
      return indexedPaths(pathsOf(expression.source, scope), expression.index);
    case 'call':
      return callPaths(expression, scope);
    case 'type':
      if (expression.operator !== 'as') throw new Unsupported();
      return pathsOfType(pathsOf(expression.source, scope), expression.type, scope);
    case 'binary':
      if (expression.operator !== '|') throw new Unsupported();
      return [...pathsOf(expression.left, scope), ...pathsOf(expression.right, scope)];
    default:
      throw new Unsupported();
  }
};

const equalityTruth = (left: Expression, right: Expression, isEqual: boolean, scope: Scope): Truth => {
  if (right.kind !== 'literal') throw new Unsupported();
  const paths = pathsOf(left, scope);
  return (node, resource) => {
    const values = valuesAt(paths, node as JsonObject, resource);
    if (values.length === 0) return undefined;
    return (values.length === 1 && values[0] === right.value) === isEqual;
  };
};

/** Only `resolve() is X` of the element itself. */
const resolvedTypeTruth = (source: Expression, type: string, { context, structures }: Scope): Truth => {
  const isResolve = source.kind === 'call' && source.name === 'resolve' && source.source === undefined;
  if (!isResolve || context.type !== 'Reference' || !structures.isResourceType(type)) throw new Unsupported();
  return (node, resource) => {
    const found = referencedType(node as Reference, resource, structures.isResourceType);
    return found === undefined ? undefined : found === type;
  };
};

const existsTruth = (call: Expression & { kind: 'call' }, scope: Scope): Truth => {
  const sources = call.source === undefined ? [scope.context] : pathsOf(call.source, scope);
  const paths = call.parameters.length === 0 ? sources : filteredPaths(sources, onlyParameter(call), scope);
  return (node, resource) => valuesAt(paths, node as JsonObject, resource).length > 0;
};

/** FHIRPath's three-valued logic. @see https://hl7.org/fhirpath/N1/#boolean-logic */
const logicTruth = (left: Truth, right: Truth, decisive: boolean): Truth => {
  return (node, resource) => {
    const first = left(node, resource);
    if (first === decisive) return decisive;
    const second = right(node, resource);
    if (second === decisive) return decisive;
    return first === undefined || second === undefined ? undefined : !decisive;
  };
};

const truthOf = (expression: Expression, scope: Scope): Truth => {
  if (expression.kind === 'binary') {
    const { operator, left, right } = expression;
    if (operator === 'and') return logicTruth(truthOf(left, scope), truthOf(right, scope), false);
    if (operator === 'or') return logicTruth(truthOf(left, scope), truthOf(right, scope), true);
    if (operator !== '|') return equalityTruth(left, right, operator === '=', scope);
  }
  if (expression.kind === 'type' && expression.operator === 'is') {
    return resolvedTypeTruth(expression.source, expression.type, scope);
  }
  if (expression.kind === 'call' && expression.name === 'exists') return existsTruth(expression, scope);
  throw new Unsupported();
};

const isTruth = (expression: Expression): boolean =>
  (expression.kind === 'binary' && expression.operator !== '|') ||
  (expression.kind === 'type' && expression.operator === 'is') ||
  (expression.kind === 'call' && expression.name === 'exists');

/**
 * Compiles `text` for elements of the type `context` in resources of the type `resource` (both the same, except for
 * the components of a composite parameter). Undefined if it uses more of FHIRPath than is covered here.
 */
export const compileExpression = (
  text: string,
  context: ValueType,
  resource: ValueType,
  structures: Structures,
): CompiledExpression | undefined => {
  const expression = parseExpression(text);
  if (expression === undefined) return undefined;
  const scope: Scope = {
    structures,
    context: { type: context.type, structure: context.structure, from: 'context', steps: [] },
    resource: { type: resource.type, structure: resource.structure, from: 'resource', steps: [] },
  };
  try {
    if (isTruth(expression)) return { kind: 'truth', truth: truthOf(expression, scope) };
    return { kind: 'paths', paths: pathsOf(expression, scope) };
  } catch (error) {
    if (error instanceof Unsupported) return undefined;
    throw error;
  }
};

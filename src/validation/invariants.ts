/**
 * The invariants of R4, for `$validate`: every constraint of the StructureDefinitions, for each element that it is
 * about. Nearly all are FHIRPath expressions, which cost some microseconds to a millisecond each, too much for every
 * write; what can be checked fast there, `validate.ts` checks by other means.
 *
 * @see https://hl7.org/fhir/R4/conformance-rules.html#constraints
 */
import type { Constraint, ElementRule, Structure, Structures } from '../definitions/structures.ts';
import type { Issue } from '../fhir/fhir-error.ts';
import { isEmptyNarrative, narrativeFault } from './narrative.ts';
import { isObject, type JsonObject, MAXIMUM_ISSUES } from './walk.ts';

/** Compiles an expression for nodes of a type; what it returns throws where it cannot be evaluated. */
export type CompileInvariant = (
  expression: string,
  context: string,
) => (node: unknown, resource: object, rootResource: object) => boolean;

/** The constraint of all elements. @see https://hl7.org/fhir/R4/element.html#ele-1 */
const ELE_1: Constraint = {
  key: 'ele-1',
  severity: 'error',
  human: 'All FHIR elements must have a @value or children',
  expression: 'hasValue() or (children().count() > id.count())',
};

/** All strings in a value that begin with #: the references to contained resources are among them. */
const fragmentsIn = (value: unknown, found: Set<string> = new Set()): ReadonlySet<string> => {
  if (typeof value === 'string') {
    if (value.startsWith('#')) found.add(value);
  } else if (typeof value === 'object' && value !== null) {
    for (const each of Object.values(value)) fragmentsIn(each, found);
  }
  return found;
};

/** Whether each contained resource is referred to, or refers to its container. */
const hasNoStrayContained = (resource: JsonObject): boolean => {
  const { contained } = resource;
  if (!Array.isArray(contained)) return true;
  const fragments = fragmentsIn(resource);
  return contained.filter(isObject).every((each) => fragments.has(`#${each['id']}`) || fragmentsIn(each).has('#'));
};

const UCUM = 'http://unitsofmeasure.org';

const isPercentage = (value: unknown): boolean =>
  !isObject(value) || (value['code'] === '%' && value['system'] === UCUM);

/** Whether the ends of a Range are in order, or undefined where their units differ. */
const isOrdered = (range: unknown): boolean | undefined => {
  if (!isObject(range) || !isObject(range['low']) || !isObject(range['high'])) return undefined;
  const { low, high } = range;
  const isSameUnit = ['system', 'code', 'unit'].every((key) => low[key] === high[key]);
  return isSameUnit && low['value'] !== undefined && high['value'] !== undefined
    ? Number(low['value']) <= Number(high['value'])
    : undefined;
};

/**
 * Constraints whose expression the `fhirpath` package does not evaluate as it is meant, or that are no expression.
 * Each function says whether the constraint holds; where it returns undefined, the expression does.
 */
const NATIVE: ReadonlyMap<string, (node: unknown) => boolean | undefined> = new Map([
  // `descendants().as(canonical)`: the package refuses `as` on several items.
  ['dom-3', (node: unknown) => !isObject(node) || hasNoStrayContained(node)],
  // The package compares no quantities without a unit.
  ['rng-2', isOrdered],
  // The element may be a decimal, of which the package cannot make a node.
  ['ras-1', (node: unknown) => !isObject(node) || (isPercentage(node['low']) && isPercentage(node['high']))],
  // `htmlChecks()` is a function of HL7's validator, which means two rules by the same name.
  ['txt-1', (node: unknown) => typeof node !== 'string' || narrativeFault(node) === undefined],
  ['txt-2', (node: unknown) => typeof node !== 'string' || !isEmptyNarrative(node)],
]);

/** Expressions of R4 that say something else than the text beside them. */
const CORRECTED: ReadonlyMap<string, string> = new Map([
  // `Boolean` is FHIRPath's own type, which no FHIR element has; the answer is a FHIR boolean.
  ['que-7', "operator = 'exists' implies (answer is boolean)"],
]);

/** One check of a resource: what it needs, and what it has found. */
interface Check {
  readonly structures: Structures;
  readonly compile: CompileInvariant;
  readonly errors: Issue[];
  readonly others: Issue[];
}

/** Where the check is. */
interface Place {
  readonly path: string;
  readonly resource: JsonObject;
  readonly rootResource: JsonObject;
}

const add = ({ errors, others }: Check, found: Issue): void => {
  const list = found.severity === 'error' ? errors : others;
  if (list.length < MAXIMUM_ISSUES) list.push(found);
};

const addViolation = (check: Check, { key, severity, human }: Constraint, { path }: Place): void =>
  add(check, { severity, code: 'invariant', diagnostics: `${path}: ${human} (${key})`, expression: path });

const holds = (
  check: Check,
  { key, expression }: Constraint,
  context: string,
  node: unknown,
  place: Place,
): boolean => {
  const native = NATIVE.get(key)?.(node);
  if (native !== undefined) return native;
  return check.compile(CORRECTED.get(key) ?? expression, context)(node, place.resource, place.rootResource);
};

const checkConstraint = (check: Check, constraint: Constraint, context: string, node: unknown, place: Place): void => {
  try {
    if (!holds(check, constraint, context, node, place)) addViolation(check, constraint, place);
  } catch (error) {
    const { path: expression } = place;
    const diagnostics = `${expression}: ${constraint.key} could not be evaluated: ${(error as Error).message}`;
    add(check, { severity: 'information', code: 'not-supported', diagnostics, expression });
  }
};

const checkNode = (
  check: Check,
  node: unknown,
  structure: Structure,
  own: readonly Constraint[],
  place: Place,
): void => {
  // A constraint that stands at the element and at its type is one.
  const constraints = new Map([...structure.constraints, ...own].map((each) => [each.key, each]));
  for (const each of constraints.values()) checkConstraint(check, each, structure.path, node, place);
  if (!isObject(node)) return;
  for (const [key, value] of Object.entries(node)) checkProperty(check, key, value, structure, place);
};

const checkResource = (check: Check, resource: JsonObject, path: string, rootResource: JsonObject): void => {
  const { resourceType: type } = resource;
  const isKnown = typeof type === 'string' && check.structures.isResourceType(type);
  const structure = isKnown ? check.structures.structure(type) : undefined;
  if (structure !== undefined) checkNode(check, resource, structure, [], { path, resource, rootResource });
};

const checkValue = (check: Check, value: unknown, rule: ElementRule, place: Place): void => {
  if (rule.type === 'Resource') {
    const isContained = rule.name === 'contained';
    if (isObject(value)) checkResource(check, value, place.path, isContained ? place.rootResource : value);
    return;
  }
  if (isObject(value) && Object.keys(value).every((key) => key === 'id')) addViolation(check, ELE_1, place);
  checkNode(check, value, rule.structure, rule.constraints, place);
};

/** A property, or its twin with the extensions of a primitive. */
const checkProperty = (check: Check, key: string, value: unknown, owner: Structure, place: Place): void => {
  const isTwin = key.startsWith('_');
  const rule = owner.elements.get(isTwin ? key.slice(1) : key);
  const element = check.structures.structure('Element');
  if (rule === undefined || element === undefined) return;
  for (const [index, each] of (Array.isArray(value) ? value : [value]).entries()) {
    if (each === null || each === undefined) continue;
    const path = `${place.path}.${rule.name}${rule.isArray ? `[${index}]` : ''}`;
    if (isTwin) checkNode(check, each, element, [], { ...place, path });
    else checkValue(check, each, rule, { ...place, path });
  }
};

/**
 * Returns a check of the constraints of a resource and all in it, which should be valid R4 otherwise. It returns at
 * most 20 errors, then at most 20 others, each with the constraint's text and key, and the place of the element. A
 * constraint that cannot be evaluated there is an issue of severity information.
 *
 * @example
 * const check = createInvariantCheck(structures, createInvariantCompiler(terminology));
 * check({ resourceType: 'Patient', contact: [{ gender: 'female' }] });
 * // [{ severity: 'error', code: 'invariant', expression: 'Patient.contact[0]', diagnostics: 'Patient.contact[0]:
 * //    SHALL at least contain a contact\'s details or a reference to an organization (pat-1)' }, ...]
 */
export const createInvariantCheck =
  (structures: Structures, compile: CompileInvariant) =>
  (resource: JsonObject): readonly Issue[] => {
    const check: Check = { structures, compile, errors: [], others: [] };
    checkResource(check, resource, String(resource['resourceType']), resource);
    return [...check.errors, ...check.others];
  };

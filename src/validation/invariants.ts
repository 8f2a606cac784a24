/**
 * The invariants of R4, for `$validate`: every constraint of the StructureDefinitions, for each element that it is
 * about. Nearly all are FHIRPath expressions, which cost some microseconds to a millisecond each, too much for every
 * write; what can be checked fast there, `validate.ts` checks by other means. A large resource takes seconds, in which
 * other requests get their turns.
 *
 * @see https://hl7.org/fhir/R4/conformance-rules.html#constraints
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { Constraint, ElementRule, Structure, Structures } from '../definitions/structures.ts';
import { type Issue, tooCostly } from '../fhir/fhir-error.ts';
import { NATIVE_INVARIANTS } from './native-invariants.ts';
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

/** Expressions of R4 that say something else than the text beside them. */
const CORRECTED: ReadonlyMap<string, string> = new Map([
  // `Boolean` is FHIRPath's own type, which no FHIR element has; the answer is a FHIR boolean.
  ['que-7', "operator = 'exists' implies (answer is boolean)"],
]);

/** After so many milliseconds, requests get a turn. */
const SLICE_MILLISECONDS = 20;

/** One check of a resource: what it needs, and what it has found. */
interface Check {
  readonly structures: Structures;
  readonly compile: CompileInvariant;
  readonly errors: Issue[];
  readonly others: Issue[];
}

/** Where the check is. Paths are written out only for what is found. */
interface Place {
  readonly parent: Place | undefined;
  /** The type of the outermost resource, or an element of the parent. */
  readonly name: string;
  readonly index: number | undefined;
  readonly resource: JsonObject;
  readonly rootResource: JsonObject;
}

/** FHIRPath of a place: `Observation.component[0].value`. */
const pathOf = ({ parent, name, index }: Place): string => {
  const step = index === undefined ? name : `${name}[${index}]`;
  return parent === undefined ? step : `${pathOf(parent)}.${step}`;
};

const add = ({ errors, others }: Check, found: Issue): void => {
  const list = found.severity === 'error' ? errors : others;
  if (list.length < MAXIMUM_ISSUES) list.push(found);
};

const isFull = ({ errors, others }: Check): boolean =>
  errors.length >= MAXIMUM_ISSUES && others.length >= MAXIMUM_ISSUES;

const addViolation = (check: Check, { key, severity, human }: Constraint, place: Place): void => {
  const path = pathOf(place);
  add(check, { severity, code: 'invariant', diagnostics: `${path}: ${human} (${key})`, expression: path });
};

const holds = (
  { structures, compile }: Check,
  { key, expression }: Constraint,
  context: string,
  node: unknown,
  { resource, rootResource }: Place,
): boolean =>
  NATIVE_INVARIANTS.get(key)?.(node, { resource, rootResource, structures }) ??
  compile(CORRECTED.get(key) ?? expression, context)(node, resource, rootResource);

const checkConstraint = (check: Check, constraint: Constraint, context: string, node: unknown, place: Place): void => {
  try {
    if (!holds(check, constraint, context, node, place)) addViolation(check, constraint, place);
  } catch (error) {
    const expression = pathOf(place);
    const diagnostics = `${expression}: ${constraint.key} could not be evaluated: ${(error as Error).message}`;
    add(check, { severity: 'information', code: 'not-supported', diagnostics, expression });
  }
};

/** The steps of a check: it can rest after each. */
type Steps = Generator<undefined, void, undefined>;

/** A constraint that stands at the element and at its type is one. */
const distinct = (ofType: readonly Constraint[], own: readonly Constraint[]): Iterable<Constraint> =>
  own.length === 0 ? ofType : new Map([...ofType, ...own].map((each) => [each.key, each])).values();

function* checkNode(
  check: Check,
  node: unknown,
  structure: Structure,
  own: readonly Constraint[],
  place: Place,
): Steps {
  for (const each of distinct(structure.constraints, own)) {
    checkConstraint(check, each, structure.path, node, place);
    yield;
  }
  if (!isObject(node)) return;
  for (const key in node) yield* checkProperty(check, key, node[key], structure, place);
}

function* checkResource(check: Check, resource: JsonObject, place: Place): Steps {
  const { resourceType: type } = resource;
  const isKnown = typeof type === 'string' && check.structures.isResourceType(type);
  const structure = isKnown ? check.structures.structure(type) : undefined;
  if (structure !== undefined) yield* checkNode(check, resource, structure, [], place);
}

function* checkValue(check: Check, value: unknown, rule: ElementRule, place: Place): Steps {
  if (rule.type === 'Resource') {
    if (!isObject(value)) return;
    const rootResource = rule.name === 'contained' ? place.rootResource : value;
    yield* checkResource(check, value, { ...place, resource: value, rootResource });
    return;
  }
  if (isObject(value) && Object.keys(value).every((key) => key === 'id')) addViolation(check, ELE_1, place);
  yield* checkNode(check, value, rule.structure, rule.constraints, place);
}

/** Most values are primitives, of which there is nothing to check here. */
const isFree = (value: unknown, { structure, constraints }: ElementRule): boolean =>
  value === null ||
  value === undefined ||
  (typeof value !== 'object' && constraints.length === 0 && structure.constraints.length === 0);

/** A property, or its twin with the extensions of a primitive. */
function* checkProperty(check: Check, key: string, value: unknown, owner: Structure, parent: Place): Steps {
  const isTwin = key.startsWith('_');
  const rule = owner.elements.get(isTwin ? key.slice(1) : key);
  const element = check.structures.structure('Element');
  if (rule === undefined || element === undefined) return;
  const { resource, rootResource } = parent;
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  for (let at = 0; at < values.length; at++) {
    const each = values[at];
    if (isFree(each, rule)) continue;
    const place = { parent, name: rule.name, index: rule.isArray ? at : undefined, resource, rootResource };
    if (isTwin) yield* checkNode(check, each, element, [], place);
    else yield* checkValue(check, each, rule, place);
  }
}

/** Says whether the constraints of a resource hold; see `createInvariantCheck`. */
type InvariantCheck = (resource: JsonObject) => Promise<readonly Issue[]>;

/**
 * Returns a check of the constraints of a resource and all in it, which should be valid R4 otherwise. It gives at
 * most 20 errors, then at most 20 others, each with the constraint's text and key, and the place of the element. A
 * constraint that cannot be evaluated there is an issue of severity information. Of several checks that run at the same
 * time, one works at a time. Fails with a FhirError 422 if a check works for more than `limitMilliseconds`; what other
 * requests take meanwhile does not count.
 *
 * @example
 * const check = createInvariantCheck(structures, createInvariantCompiler(terminology), 10_000);
 * await check({ resourceType: 'Patient', contact: [{ gender: 'female' }] });
 * // [{ severity: 'error', code: 'invariant', expression: 'Patient.contact[0]', diagnostics: 'Patient.contact[0]:
 * //    SHALL at least contain a contact\'s details or a reference to an organization (pat-1)' }, ...]
 */
export const createInvariantCheck = (
  structures: Structures,
  compile: CompileInvariant,
  limitMilliseconds: number,
): InvariantCheck => {
  let lastTurn: Promise<unknown> = Promise.resolve();
  /** Waits for a turn of the event loop that no other check has. */
  const nextTurn = (): Promise<unknown> => {
    lastTurn = lastTurn.then(() => turn());
    return lastTurn;
  };

  return async (resource) => {
    const check: Check = { structures, compile, errors: [], others: [] };
    const name = String(resource['resourceType']);
    const place: Place = { parent: undefined, name, index: undefined, resource, rootResource: resource };
    let worked = 0;
    let began = performance.now();
    for (const _ of checkResource(check, resource, place)) {
      if (isFull(check)) break;
      const slice = performance.now() - began;
      if (slice < SLICE_MILLISECONDS) continue;
      worked += slice;
      if (worked > limitMilliseconds)
        throw tooCostly(
          `The invariants of this resource take longer than ${limitMilliseconds / 1000} s to check, the limit of this server (CONSILIUM_VALIDATE_SECONDS)`,
        );
      await nextTurn();
      began = performance.now();
    }
    return [...check.errors, ...check.others];
  };
};

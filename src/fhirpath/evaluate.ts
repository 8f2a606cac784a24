/**
 * FHIRPath by the `fhirpath` package. It interprets, and loading it takes a noticeable part of a second, so it is
 * loaded with the first expression that needs it.
 *
 * @see https://hl7.org/fhirpath/N1/
 */
import { createRequire } from 'node:module';
import type { compile, Model, types } from 'fhirpath';
import { boundedWeight } from './bounded-syntax.ts';

/** A value that an expression yields, with its FHIR type: `CodeableConcept`, `dateTime`, `Patient`. */
export interface TypedValue {
  readonly type: string;
  readonly value: unknown;
}

/** The resource type that a Reference in `resource` points to, or undefined where nothing tells. */
export type TypeOfReference = (reference: object, resource: object) => string | undefined;

interface Package {
  readonly compile: typeof compile;
  readonly types: typeof types;
}

/** A number or time as the package calculates with it, which JSON is made of. */
interface Calculated {
  toJSON(): unknown;
}

/** A value as the package keeps it: FHIR data in a node with `data`, results of functions as they are. */
type PackageValue = { readonly data: unknown } | Calculated | string | number | boolean;

const require = createRequire(import.meta.url);

let loaded: { readonly fhirpath: Package; readonly model: Model } | undefined;

const load = (): NonNullable<typeof loaded> => {
  loaded ??= { fhirpath: require('fhirpath'), model: require('fhirpath/fhir-context/r4') };
  return loaded;
};

/** The package would look the reference up over HTTP; what it points to is told by `refersTo` instead. */
const withoutLookup = (expression: string): string =>
  expression.replace(/\bresolve\(\)\s+is\s+(?:FHIR\.)?(\w+)/g, "refersTo('$1')");

const TOKEN = /'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`|[^'`]/gs;

/**
 * The branches of a union, outside of any parentheses. They are evaluated one by one: the package compares all values
 * of a union with each other, and throws where one is a Quantity with a comparator.
 */
const branchesOf = (expression: string): string[] => {
  const branches = [''];
  let depth = 0;
  for (const [token] of expression.matchAll(TOKEN)) {
    if (token === '(' || token === '[') depth++;
    if (token === ')' || token === ']') depth--;
    if (token === '|' && depth === 0) branches.push('');
    else branches.push(`${branches.pop()}${token}`);
  }
  return branches;
};

/**
 * Throws an Error, whose message ends a sentence about the expression, if `compileFhirPath` of it could take much longer on
 * a resource than its size explains, or for ever. Returns the number of its nodes.
 */
export const boundedFhirPathWeight = (expression: string, purpose: string): number =>
  branchesOf(withoutLookup(expression)).reduce(
    (weight, branch) => weight + boundedWeight(branch, { purpose, isResourceAllowed: true }),
    0,
  );

const isCalculated = (data: unknown): data is Calculated =>
  typeof data === 'object' && data !== null && typeof (data as Partial<Calculated>).toJSON === 'function';

/** The value as it is in JSON: numbers, for one, are objects of the package's own. */
const dataOf = (value: PackageValue): unknown => {
  const data = typeof value === 'object' && 'data' in value ? value.data : value;
  return isCalculated(data) ? data.toJSON() : data;
};

/** `boolean` of `FHIR.boolean` and of `System.Boolean`. */
const fhirType = (name: string): string => {
  if (name.startsWith('FHIR.')) return name.slice('FHIR.'.length);
  const local = name.slice(name.indexOf('.') + 1);
  return local === 'DateTime' ? 'dateTime' : local.toLowerCase();
};

/**
 * Compiles an expression for nodes of the type `context` (`Observation`, `Observation.component`) of a resource.
 * A value that several branches of a union have is there several times. The only use of `resolve()` that works is
 * `resolve() is X`. Throws the package's Error if the expression is wrong;
 * the function that it returns throws where the expression cannot be applied.
 */
export const compileFhirPath = (
  expression: string,
  context: string,
  typeOfReference: TypeOfReference,
): ((node: object, resource: object) => TypedValue[]) => {
  const { fhirpath, model } = load();
  let current: object = {};
  const refersTo = {
    fn: ([reference]: object[], type: string) =>
      reference === undefined ? [] : typeOfReference(reference, current) === type,
    arity: { 1: ['String' as const] },
  };
  const options = { resolveInternalTypes: false, async: false, userInvocationTable: { refersTo } } as const;
  const evaluators = branchesOf(withoutLookup(expression)).map((branch) =>
    fhirpath.compile({ base: context, expression: branch }, model, options),
  );
  return (node, resource) => {
    current = resource;
    const values: PackageValue[] = evaluators.flatMap((evaluate) => evaluate(node, { resource }));
    const types = fhirpath.types(values);
    return values
      .map((value, index) => ({ type: fhirType(types[index] ?? ''), value: dataOf(value) }))
      .filter(({ value }) => value !== undefined && value !== null);
  };
};

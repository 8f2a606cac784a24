/**
 * The paths of a FHIRPath Patch: from an expression to the places of the elements that it selects.
 *
 * @see https://hl7.org/fhir/R4/fhirpatch.html
 */
import { createRequire } from 'node:module';
import type { compile, Model } from 'fhirpath';
import { boundedWeight } from './bounded-syntax.ts';

/** A step from an object to an element: its name in FHIRPath, and where it stands in a list. */
interface Step {
  readonly name: string;
  readonly index: number | undefined;
}

/** The way from the resource to an element; none for the resource itself. */
export type Steps = readonly Step[];

export interface PatchPath {
  /** How many steps the expression has: with the size of the resource, what its evaluation costs. */
  readonly weight: number;
  /** The places of the selected elements. Throws an Error with a sentence if it fails, or yields what is no element. */
  places(resource: object): Steps[];
}

/** An element as the package keeps it; values that an expression computes have no parent. */
interface ElementNode {
  readonly parentResNode: ElementNode | null;
  readonly propName: string | null;
  readonly index: number | null;
}

/** The longest expression, in characters. */
const EXPRESSION_LIMIT = 1000;

const USE = { purpose: 'a patch', isResourceAllowed: false } as const;

const require = createRequire(import.meta.url);

let loaded: { readonly compile: typeof compile; readonly model: Model } | undefined;

const load = (): NonNullable<typeof loaded> => {
  loaded ??= { ...require('fhirpath'), model: require('fhirpath/fhir-context/r4') };
  return loaded as NonNullable<typeof loaded>;
};

/** `div` is an operator of FHIRPath, and an element of every narrative. */
const withQuotedKeywords = (expression: string): string =>
  expression.replace(/'(?:[^'\\]|\\.)*'|\.\s*div\b/gs, (token) => (token.startsWith('.') ? '.`div`' : token));

const stepsOf = (element: ElementNode): Steps => {
  const steps: Step[] = [];
  for (let at = element; at.parentResNode !== null; at = at.parentResNode)
    steps.unshift({ name: at.propName ?? '', index: at.index ?? undefined });
  return steps;
};

const isElement = (value: unknown): value is ElementNode =>
  typeof value === 'object' && value !== null && 'parentResNode' in value;

/** Compiles a path. Throws an Error, whose message ends a sentence about the path, if it is no FHIRPath or not allowed. */
export const compilePatchPath = (expression: string): PatchPath => {
  if (expression.length > EXPRESSION_LIMIT)
    throw new Error(`it is longer than ${EXPRESSION_LIMIT} characters, the limit of this server`);
  const quoted = withQuotedKeywords(expression);
  const weight = boundedWeight(quoted, USE);
  const { compile, model } = load();
  const evaluate = compile(quoted, model, { resolveInternalTypes: false, async: false });
  return {
    weight,
    places: (resource) =>
      evaluate(resource).map((value: unknown) => {
        if (!isElement(value)) throw new Error('it computes a value, and does not lead to an element');
        return stepsOf(value);
      }),
  };
};

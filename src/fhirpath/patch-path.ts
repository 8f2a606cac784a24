/**
 * The paths of a FHIRPath Patch: from an expression to the places of the elements that it selects.
 *
 * @see https://hl7.org/fhir/R4/fhirpatch.html
 */
import { createRequire } from 'node:module';
import type { compile, Model, parse } from 'fhirpath';

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

/** What the package parses an expression into. */
interface SyntaxNode {
  readonly type: string;
  readonly text?: string;
  readonly children?: readonly SyntaxNode[];
}

/** An element as the package keeps it; values that an expression computes have no parent. */
interface ElementNode {
  readonly parentResNode: ElementNode | null;
  readonly propName: string | null;
  readonly index: number | null;
}

/** The longest expression, in characters. */
const EXPRESSION_LIMIT = 1000;

/**
 * Functions that select among elements or test them, each in time that is linear in the resource. Left out is what
 * searches everywhere (`descendants`, `repeat`), leaves the resource (`resolve`, `memberOf`), writes to the log (`trace`) or
 * can take for ever (`matches`).
 */
const FUNCTIONS: ReadonlySet<string> = new Set(
  (
    'where select extension ofType as is first last tail skip take single all exists empty not count hasValue getValue ' +
    'startsWith endsWith contains lower upper length toString'
  ).split(' '),
);

/** Variables would lead back to the whole resource from within a criterion; selectors make values of their own. */
const REFUSED_SYNTAX: ReadonlyMap<string, string> = new Map([
  ['ExternalConstantTerm', 'variables such as %resource'],
  ['InstanceSelectorTerm', 'values in braces'],
]);

const require = createRequire(import.meta.url);

let loaded: { readonly compile: typeof compile; readonly parse: typeof parse; readonly model: Model } | undefined;

const load = (): NonNullable<typeof loaded> => {
  loaded ??= { ...require('fhirpath'), model: require('fhirpath/fhir-context/r4') };
  return loaded as NonNullable<typeof loaded>;
};

/** Counts the nodes, and refuses those that a patch has no use for. */
const checkedWeight = ({ type, children = [] }: SyntaxNode): number => {
  const refused = REFUSED_SYNTAX.get(type);
  if (refused !== undefined) throw new Error(`${refused} cannot be used in a patch`);
  const name = type === 'Functn' ? children[0]?.text : undefined;
  if (name !== undefined && !FUNCTIONS.has(name)) throw new Error(`the function ${name}() cannot be used in a patch`);
  return children.reduce((weight, child) => weight + checkedWeight(child), 1);
};

const parsed = (expression: string): SyntaxNode => {
  try {
    return load().parse(expression) as SyntaxNode;
  } catch (error) {
    // The parser goes on to list all that it would have taken.
    const [, reason] = /message: (.*?)(?: expecting |$)/m.exec((error as Error).message) ?? [];
    throw new Error(reason === undefined ? 'it is no FHIRPath' : `it is no FHIRPath: ${reason}`);
  }
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
  const weight = checkedWeight(parsed(quoted));
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

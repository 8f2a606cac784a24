/**
 * FHIRPath that a client may hand in to be evaluated on any resource, now or at every write: what takes time with the
 * size of the resource, times the size of the expression, and no more.
 *
 * @see https://hl7.org/fhirpath/N1/#functions
 */
import { createRequire } from 'node:module';
import type { parse } from 'fhirpath';

/** What the package parses an expression into. */
interface SyntaxNode {
  readonly type: string;
  readonly text?: string;
  readonly children?: readonly SyntaxNode[];
}

/**
 * Functions that select among elements or test them, each in time that is linear in the resource. Left out is what
 * searches everywhere (`descendants`, `repeat`), leaves the resource (`resolve`, `memberOf`), writes to the log (`trace`), can
 * take for ever (`matches`), compares each with each (`distinct`), or makes of one value several, or a longer one
 * (`select`, `combine`, `replace`, and the operators + and & of texts): nested, these grow beyond all bounds.
 */
const FUNCTIONS: ReadonlySet<string> = new Set(
  (
    'where extension ofType as is first last tail skip take single all exists empty not count hasValue getValue ' +
    'startsWith endsWith contains lower upper length toString refersTo'
  ).split(' '),
);

interface BoundedUse {
  /** What the expression is for, as in "cannot be used in a patch". */
  readonly purpose: string;
  /** Whether it may begin at `%resource`. Within a criterion that would lead back to the whole resource for each element. */
  readonly isResourceAllowed: boolean;
}

const require = createRequire(import.meta.url);

const parsed = (expression: string): SyntaxNode => {
  try {
    return (require('fhirpath') as { parse: typeof parse }).parse(expression) as SyntaxNode;
  } catch (error) {
    // The parser goes on to list all that it would have taken.
    const [, reason] = /message: (.*?)(?: expecting |$)/m.exec((error as Error).message) ?? [];
    throw new Error(reason === undefined ? 'it is no FHIRPath' : `it is no FHIRPath: ${reason}`);
  }
};

const isLiteral = ({ type, children = [] }: SyntaxNode): boolean =>
  type === 'LiteralTerm' || ((type === 'TermExpression' || type === 'UnionExpression') && children.every(isLiteral));

/** What of the syntax is refused, as the subject of a sentence; undefined for what is allowed. */
const refusedSyntax = (node: SyntaxNode, isResourceAllowed: boolean): string | undefined => {
  const { type, text = '', children = [] } = node;
  switch (type) {
    case 'ExternalConstantTerm':
      return text === 'resource' && isResourceAllowed ? undefined : 'variables such as %resource';
    case 'InstanceSelectorTerm':
      return 'values in braces';
    case 'UnionExpression':
      // The package compares each value with each.
      return isLiteral(node) ? undefined : 'the union of elements, |,';
    case 'AdditiveExpression':
      return text === '-' ? undefined : `the operator ${text}`;
    case 'EqualityExpression':
      return text.includes('~') ? `the operator ${text}` : undefined;
    case 'Functn': {
      const name = children[0]?.text ?? '';
      return FUNCTIONS.has(name) ? undefined : `the function ${name}()`;
    }
    default:
      return undefined;
  }
};

/**
 * How many nodes an expression has: with the size of the resource, what its evaluation costs. Throws an Error, whose message
 * ends a sentence about the expression, if it is no FHIRPath or uses what is not bounded.
 */
export const boundedWeight = (expression: string, { purpose, isResourceAllowed }: BoundedUse): number => {
  const weigh = (node: SyntaxNode, isWithin: boolean): number => {
    const refused = refusedSyntax(node, isResourceAllowed && !isWithin);
    if (refused !== undefined) throw new Error(`${refused} cannot be used in ${purpose}`);
    const { type, children = [] } = node;
    return children.reduce((weight, child) => weight + weigh(child, isWithin || type === 'ParamList'), 1);
  };
  return weigh(parsed(expression), false);
};

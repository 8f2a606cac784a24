/**
 * Whether two expressions say the same of a resource type, however they are written: guides define R4's parameters anew,
 * each for one type, `Condition.onset.as(Period)` for `(Condition.onset as Period)`.
 */
import { type Expression, parseExpression } from '../fhirpath/syntax.ts';

const isCapitalized = (name: string): boolean => /^[A-Z]/.test(name);

const ABSTRACT = ['Resource', 'DomainResource'];

/** What stands for the resource itself. */
const WHOLE: Expression = { kind: 'resource' };

class OtherType extends Error {}

/** The tree in one form for all ways to write it. Throws OtherType for a branch about another type. */
const normalized = (expression: Expression, type: string): Expression => {
  const inner = (part: Expression): Expression => normalized(part, type);
  switch (expression.kind) {
    case 'member':
      if (expression.source !== undefined) return { ...expression, source: inner(expression.source) };
      if (expression.name === type || ABSTRACT.includes(expression.name)) return WHOLE;
      if (isCapitalized(expression.name)) throw new OtherType();
      return expression;
    case 'call': {
      const source = expression.source === undefined ? undefined : inner(expression.source);
      const [first] = expression.parameters;
      const isCast = expression.name === 'as' || expression.name === 'ofType';
      if (isCast && source !== undefined && first?.kind === 'member')
        return { kind: 'type', operator: 'as', source, type: first.name };
      return { ...expression, source, parameters: expression.parameters.map(inner) };
    }
    case 'index':
    case 'type':
      return { ...expression, source: inner(expression.source) };
    case 'binary':
      return { ...expression, left: inner(expression.left), right: inner(expression.right) };
    default:
      return expression;
  }
};

const branchesOf = (expression: Expression): Expression[] =>
  expression.kind === 'binary' && expression.operator === '|'
    ? [...branchesOf(expression.left), ...branchesOf(expression.right)]
    : [expression];

/** The branches about a type, each in one form; undefined if the expression is beyond the grammar of the compiler. */
const branchTexts = (text: string, type: string): string[] | undefined => {
  const expression = parseExpression(text);
  if (expression === undefined) return undefined;
  const texts = branchesOf(expression).flatMap((branch) => {
    try {
      return [JSON.stringify(normalized(branch, type))];
    } catch (error) {
      if (error instanceof OtherType) return [];
      throw error;
    }
  });
  return [...new Set(texts)].sort();
};

export const isSameExpression = (one: string, other: string, type: string): boolean => {
  if (one.trim() === other.trim()) return true;
  const [first, second] = [branchTexts(one, type), branchTexts(other, type)];
  return first !== undefined && JSON.stringify(first) === JSON.stringify(second);
};

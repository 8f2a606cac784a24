/** The FHIR types of the elements that search parameters look at. */
import type { SearchParameter } from '../definitions/search-parameters.ts';
import type { Structures } from '../definitions/structures.ts';
import { compileExpression } from './compile-expression.ts';

export type ElementTypes = (type: string, parameter: SearchParameter) => ReadonlySet<string>;

/** Works them out when a parameter is first asked for. */
export const createElementTypes = (structures: Structures): ElementTypes => {
  const known = new Map<string, ReadonlySet<string>>();
  const typesOf = (type: string, expression: string): ReadonlySet<string> => {
    const whole = { type, structure: structures.structure(type) };
    const compiled = expression === '' ? undefined : compileExpression(expression, whole, whole, structures);
    if (compiled === undefined) return new Set();
    return new Set(compiled.kind === 'paths' ? compiled.paths.map((path) => path.type) : ['boolean']);
  };
  return (type, { expression }) => {
    const key = `${type} ${expression}`;
    const types = known.get(key) ?? typesOf(type, expression);
    known.set(key, types);
    return types;
  };
};

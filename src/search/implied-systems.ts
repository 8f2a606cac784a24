/**
 * The code systems of elements of type `code`, which have none of their own: that of the value set which binds them. So
 * `gender=http://hl7.org/fhir/administrative-gender|male` finds what `gender=male` finds.
 *
 * @see https://hl7.org/fhir/R4/search.html#token
 */
import type { SearchParameter } from '../definitions/search-parameters.ts';
import type { Structures } from '../definitions/structures.ts';
import { compileExpression } from './compile-expression.ts';
import type { CodeLookup } from './search-context.ts';

export type ImpliedSystems = (type: string, parameter: SearchParameter) => ReadonlySet<string>;

const NONE: ReadonlySet<string> = new Set();

/** Looks them up when a parameter is first searched with a system. */
export const createImpliedSystems = (structures: Structures, codes: CodeLookup): ImpliedSystems => {
  const known = new Map<string, ReadonlySet<string>>();
  const systemsOf = (type: string, { expression }: SearchParameter): ReadonlySet<string> => {
    const whole = { type, structure: structures.structure(type) };
    const compiled = expression === '' ? undefined : compileExpression(expression, whole, whole, structures);
    if (compiled?.kind !== 'paths') return NONE;
    const valueSets = compiled.paths
      .filter((path) => path.type === 'code')
      .map(({ requiredValueSet }) => requiredValueSet);
    const bound = valueSets.flatMap((url) => (url === undefined ? [] : (codes.expansion(url) ?? [])));
    return new Set(bound.map(({ system }) => system));
  };
  return (type, parameter) => {
    // Not by the code: an own parameter may get another expression.
    const key = `${type} ${parameter.expression}`;
    const systems = known.get(key) ?? systemsOf(type, parameter);
    known.set(key, systems);
    return systems;
  };
};

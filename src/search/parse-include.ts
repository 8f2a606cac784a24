/**
 * `_include` and `_revinclude`: `[type]:[parameter]`, `[type]:[parameter]:[target]`, `[type]:*` or `*`.
 *
 * @see https://hl7.org/fhir/R4/search.html#include
 */
import { invalid, notSupported } from '../fhir/fhir-error.ts';
import { checkReady, parameterOf, type SearchContext } from './search-context.ts';
import type { Include } from './search-query.ts';

/** A wildcard follows every reference parameter of these types. Throws a FhirError 503 if one is not ready. */
const checkAllReady = (types: readonly string[], { parameters }: SearchContext): void => {
  for (const type of types)
    for (const parameter of parameters.of(type).values())
      if (parameter.type === 'reference') checkReady(type, parameter);
};

/** Throws a FhirError 400 for an unknown type, parameter or modifier, 503 for a parameter that is not ready. */
export const parseInclude = (
  name: '_include' | '_revinclude',
  modifiers: readonly string[],
  value: string,
  types: readonly string[],
  context: SearchContext,
): Include => {
  const direction = name === '_include' ? 'forward' : 'reverse';
  const [modifier] = modifiers;
  if (modifiers.length > 1 || (modifier !== undefined && modifier !== 'iterate' && modifier !== 'recurse'))
    throw notSupported(`${name}: the modifier ':${modifiers.join(':')}' is not possible; possible: iterate`);
  const iterates = modifier !== undefined;
  if (value === '*') {
    checkAllReady(direction === 'forward' && !iterates ? types : context.resourceTypes, context);
    const type = direction === 'forward' && types.length === 1 && !iterates ? types[0] : undefined;
    return { direction, type, param: undefined, target: undefined, iterates };
  }
  const [type = '', param, target, ...more] = value.split(':');
  if (!context.resourceTypes.includes(type) || param === undefined || more.length > 0)
    throw invalid(`${name}: '${value}' is not [type]:[parameter] or [type]:[parameter]:[target type]`);
  if (target !== undefined && !context.resourceTypes.includes(target))
    throw invalid(`${name}: R4 has no resource type '${target}'`);
  if (param === '*') checkAllReady([type], context);
  if (param === '*') return { direction, type, param: undefined, target, iterates };
  if (parameterOf(type, param, context).type !== 'reference')
    throw invalid(`${name}: the parameter '${param}' of ${type} is no reference`);
  return { direction, type, param, target, iterates };
};

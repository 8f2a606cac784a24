/**
 * Reference parameters.
 *
 * @see https://hl7.org/fhir/R4/search.html#reference
 */
import type { SearchParameters } from '../definitions/search-parameters.ts';
import { notSupported } from '../fhir/fhir-error.ts';
import type { Reference } from '../fhir/reference.ts';
import { type Asked, anyClause, noSuchModifier, textClause } from './asked.ts';
import { modifiedParam } from './index-entry.ts';
import { parseReferenceValue, parseToken } from './parse-value.ts';
import type { SearchContext } from './search-context.ts';
import type { Clause } from './search-query.ts';
import { splitCanonical } from './split-canonical.ts';
import { unescaped } from './split-value.ts';

const possibleTargets = ({ parameter: { targets } }: Asked, { resourceTypes }: SearchContext): readonly string[] =>
  targets.length === 0 ? resourceTypes : targets;

const referenceClauseTo = (asked: Asked, type: string | undefined, context: SearchContext): Clause => {
  const { parameter, name, values } = asked;
  const of = {
    baseUrl: context.baseUrl,
    targets: type === undefined ? possibleTargets(asked, context) : [type],
    ...(type === undefined ? {} : { type }),
  };
  return {
    kind: 'reference',
    param: parameter.code,
    values: values.flatMap((value) => parseReferenceValue(value, name, of)),
  };
};

/**
 * The parameter by which resources of a type are in a strict hierarchy: what they are part of is always of the same type,
 * as `Location.partOf` and `Encounter.partOf`.
 *
 * @see https://hl7.org/fhir/R4/references.html#circular
 */
const parentParam = (type: string, parameters: SearchParameters): string | undefined =>
  [...parameters.of(type).values()].find(
    ({ expression, targets }) => expression === `${type}.partOf` && targets.length === 1 && targets[0] === type,
  )?.code;

/** All resources above or below others of their type. @see https://hl7.org/fhir/R4/search.html#recursive */
const hierarchyClauses = (references: readonly Reference[], asked: Asked, context: SearchContext): Clause[] => {
  const { parameter, modifier, name } = asked;
  const types = [...new Set(references.map(({ type }) => type))];
  const clauses = types.flatMap((type): Clause[] => {
    const parent = parentParam(type, context.parameters);
    const values = references.filter((reference) => reference.type === type);
    const direction = modifier === 'above' ? 'above' : 'below';
    return parent === undefined ? [] : [{ kind: 'hierarchy', param: parameter.code, type, parent, direction, values }];
  });
  if (clauses.length === 0 && references.length > 0)
    throw notSupported(
      `${name}: ${types.length === 1 ? types[0] : 'nothing that this parameter points to'} has no hierarchy for ':${modifier}'`,
    );
  return clauses;
};

/** What the version of a canonical begins with; without a version every one. @see https://hl7.org/fhir/R4/search.html#versions */
const canonicalBelow = (
  value: string,
  references: readonly Reference[],
  { parameter: { code: param } }: Asked,
): Clause => {
  const { url, version } = splitCanonical(value);
  if (version === undefined) return { kind: 'reference', param, values: references };
  return { kind: 'token', param: modifiedParam(param, 'below'), values: [{ system: url, code: version }] };
};

const relativesClause = (asked: Asked, context: SearchContext): Clause => {
  const { type, parameter, modifier, name, values } = asked;
  const isCanonical = context.elementTypes(type, parameter).has('canonical');
  const of = { baseUrl: context.baseUrl, targets: possibleTargets(asked, context) };
  const parsed = values.map((value) => ({ value, references: parseReferenceValue(value, name, of) }));
  const urls = parsed.filter(({ references }) => isCanonical || references.some((each) => each.type === ''));
  if (urls.length > 0 && !isCanonical)
    throw notSupported(`${name}: '${urls[0]?.value}' is not on this server, so what is ${modifier} it is not known`);
  if (urls.length > 0 && modifier === 'above')
    throw notSupported(`${name}: ':above' is not possible for canonical references`);
  const locals = parsed.filter((each) => !urls.includes(each)).flatMap(({ references }) => references);
  return anyClause([
    ...hierarchyClauses(locals, asked, context),
    ...urls.map(({ value, references }) => canonicalBelow(unescaped(value), references, asked)),
  ]);
};

export const referenceClause = (asked: Asked, context: SearchContext): Clause => {
  const { parameter, modifier, name, values } = asked;
  const { code: param, targets } = parameter;
  switch (modifier) {
    case '':
      return referenceClauseTo(asked, undefined, context);
    case 'identifier':
      return {
        kind: 'token',
        param: modifiedParam(param, 'identifier'),
        values: values.map((value) => parseToken(value, name)),
      };
    case 'text':
      return textClause(asked);
    case 'above':
    case 'below':
      return relativesClause(asked, context);
    default:
  }
  if (!context.resourceTypes.includes(modifier)) throw noSuchModifier(asked);
  if (targets.length > 0 && !targets.includes(modifier))
    throw notSupported(`${name}: this parameter never points to a ${modifier}; possible: ${targets.join(', ')}`);
  return referenceClauseTo(asked, modifier, context);
};

/**
 * Token parameters.
 *
 * @see https://hl7.org/fhir/R4/search.html#token
 */
import { invalid, notSupported } from '../fhir/fhir-error.ts';
import { type Asked, anyClause, noSuchModifier, textClause } from './asked.ts';
import { typedIdentifier } from './entries/identifier.ts';
import { CASELESS_TYPES } from './entries/token.ts';
import { foldCase, modifiedParam } from './index-entry.ts';
import { parseToken } from './parse-value.ts';
import type { SearchContext } from './search-context.ts';
import type { Clause, TokenValue } from './search-query.ts';
import { splitEscaped, unescaped } from './split-value.ts';

const typedToken = (value: string, name: string): TokenValue => {
  const [system = '', code = '', ...rest] = splitEscaped(value, '|').map(unescaped);
  if (rest.length !== 1) throw invalid(`${name}: '${value}' is not [system]|[code]|[value]`);
  return { system, code: typedIdentifier(code, rest[0] ?? '') };
};

const valueSetTokens = (value: string, { name }: Asked, context: SearchContext): readonly TokenValue[] => {
  const codes = context.codes.expansion(unescaped(value));
  if (codes === undefined)
    throw notSupported(`${name}: the value set '${value}' is not known to this server, or cannot be expanded`);
  return codes;
};

const relatedTokens = (value: string, asked: Asked, context: SearchContext): TokenValue[] => {
  const { system, code } = parseToken(value, asked.name);
  if (!system || code === undefined) throw invalid(`${asked.name}: '${value}' is not [system]|[code]`);
  const { codes } = context;
  const related = asked.modifier === 'below' ? codes.descendants(system, code) : codes.ancestors(system, code);
  if (related === undefined)
    throw notSupported(`${asked.name}: the code system '${system}' is not known to this server`);
  return related.map((relative) => ({ system, code: relative }));
};

/** An element of type `code` has no system of its own: asked for with the one that its binding implies, it is found without. */
const withImplied = (
  found: readonly TokenValue[],
  { type, parameter }: Asked,
  context: SearchContext,
): readonly TokenValue[] => {
  if (!found.some(({ system }) => system)) return found;
  const implied = context.impliedSystems(type, parameter);
  return found.flatMap((value) =>
    value.system && implied.has(value.system) ? [value, { ...value, system: '' }] : [value],
  );
};

/** Strings and contact points, which have no system, are in the index without case. */
const withoutCase = (
  found: readonly TokenValue[],
  { type, parameter }: Asked,
  context: SearchContext,
): readonly TokenValue[] => {
  const types = context.elementTypes(type, parameter);
  if (!CASELESS_TYPES.some((caseless) => types.has(caseless))) return found;
  const isMixed = [...types].some((each) => !CASELESS_TYPES.includes(each));
  return found.flatMap((value) => {
    const { system, code } = value;
    if (system || code === undefined || foldCase(code) === code) return [value];
    const folded = { ...value, code: foldCase(code) };
    return isMixed ? [value, folded] : [folded];
  });
};

/** `contenttype:below=text/xml` also finds `text/xml; charset=utf-8`. @see https://hl7.org/fhir/R4/search.html#mimetype */
const MIME_TYPE = /^[\w.+-]+\/[\w.+-]+$/;

const mimeTypeClause = ({ parameter: { code: param }, values }: Asked): Clause => {
  const tokens = values.map((code): TokenValue => ({ code }));
  return anyClause([
    { kind: 'token', param, values: tokens },
    { kind: 'token', param: modifiedParam(param, 'below'), values: tokens },
  ]);
};

export const tokenClause = (asked: Asked, context: SearchContext): Clause => {
  const { type, parameter, modifier, name, values } = asked;
  const { code: param } = parameter;
  const tokens = (found: readonly TokenValue[]): Clause => ({
    kind: 'token',
    param,
    values: withoutCase(withImplied(found, asked, context), asked, context),
  });
  switch (modifier) {
    case '':
      return tokens(values.map((value) => parseToken(value, name)));
    case 'not':
      return { kind: 'not', clause: tokens(values.map((value) => parseToken(value, name))) };
    case 'text':
      return textClause(asked);
    case 'of-type':
      return {
        kind: 'token',
        param: modifiedParam(param, 'of-type'),
        values: values.map((value) => typedToken(value, name)),
      };
    case 'in':
      return tokens(values.flatMap((value) => valueSetTokens(value, asked, context)));
    case 'not-in':
      return { kind: 'not', clause: tokens(values.flatMap((value) => valueSetTokens(value, asked, context))) };
    case 'above':
    case 'below': {
      const isMimeTypes = values.every((value) => MIME_TYPE.test(value));
      if (modifier === 'below' && isMimeTypes && context.elementTypes(type, parameter).has('code'))
        return mimeTypeClause(asked);
      return tokens(values.flatMap((value) => relatedTokens(value, asked, context)));
    }
    default:
      throw noSuchModifier(asked);
  }
};

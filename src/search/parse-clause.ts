/**
 * One parameter of a query string as a clause: its name with modifiers, chains and `_has`, and its values.
 *
 * @see https://hl7.org/fhir/R4/search.html#modifiers
 * @see https://hl7.org/fhir/R4/search.html#chaining
 */
import type { SearchParameter } from '../definitions/search-parameters.ts';
import { FhirError, invalid, notSupported } from '../fhir/fhir-error.ts';
import { typedIdentifier } from './entries/identifier.ts';
import { componentParam, foldString, modifiedParam, STRING_LIMIT } from './index-entry.ts';
import { parseDate, parseNear, parseNumber, parseQuantity, parseReferenceValue, parseToken } from './parse-value.ts';
import { parameterOf, type SearchContext } from './search-context.ts';
import type { Clause, StringMatch, TokenValue, ValueClause } from './search-query.ts';
import { splitEscaped, unescaped } from './split-value.ts';

const STRING_MODIFIERS: Readonly<Record<string, StringMatch>> = { '': 'starts', exact: 'exact', contains: 'contains' };

/** One parameter under way: `name` is as the client wrote it, for messages. */
interface Asked {
  /** The resource type that is searched. */
  readonly type: string;
  readonly parameter: SearchParameter;
  readonly modifier: string;
  readonly name: string;
  readonly values: readonly string[];
}

const noSuchModifier = ({ modifier, name }: Asked): FhirError =>
  notSupported(`${name}: the modifier ':${modifier}' is not possible for this parameter`);

/** Parameters whose values are compared one by one, as they have no index of points. */
const COMPARED = new Set(['string', 'date', 'number', 'quantity']);

const valuesOf = (
  text: string,
  name: string,
  kind: string,
  modifier: string,
  { maximumValues, maximumComparedValues }: SearchContext,
): string[] => {
  const values = splitEscaped(text, ',');
  const isCompared = COMPARED.has(kind) || modifier === 'text';
  const most = isCompared ? maximumComparedValues : maximumValues;
  const variable = isCompared ? 'CONSILIUM_SEARCH_COMPARED_VALUES' : 'CONSILIUM_SEARCH_VALUES';
  if (values.some((value) => value.trim() === '')) throw invalid(`${name}: a value is empty`);
  if (values.length > most)
    throw invalid(`${name}: ${values.length} values; at most ${most} are possible in one such parameter (${variable})`);
  return values;
};

const anyClause = (clauses: readonly Clause[]): Clause =>
  clauses.length === 1 ? (clauses[0] as Clause) : { kind: 'any', clauses };

const foldedValues = (values: readonly string[], name: string): string[] => {
  const folded = values.map(unescaped).map(foldString);
  // A lone accent folds to nothing, and everything begins with nothing.
  if (folded.includes('')) throw invalid(`${name}: a value has no character to search for`);
  return folded;
};

const textClause = ({ parameter, values, name }: Asked): Clause => ({
  kind: 'string',
  param: modifiedParam(parameter.code, 'text'),
  match: 'starts',
  values: foldedValues(values, name),
});

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

const tokenClause = (asked: Asked, context: SearchContext): Clause => {
  const { parameter, modifier, name, values } = asked;
  const { code: param } = parameter;
  const tokens = (found: readonly TokenValue[]): Clause => ({
    kind: 'token',
    param,
    values: withImplied(found, asked, context),
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
    case 'below':
      return tokens(values.flatMap((value) => relatedTokens(value, asked, context)));
    default:
      throw noSuchModifier(asked);
  }
};

const stringClause = (asked: Asked): ValueClause => {
  const match = Object.hasOwn(STRING_MODIFIERS, asked.modifier) ? STRING_MODIFIERS[asked.modifier] : undefined;
  if (match === undefined) throw noSuchModifier(asked);
  const folded = foldedValues(asked.values, asked.name);
  const exact = asked.values.map((value) => unescaped(value).slice(0, STRING_LIMIT));
  const values = match === 'exact' ? exact : folded;
  return { kind: 'string', param: asked.parameter.code, match, values };
};

const referenceClause = (asked: Asked, context: SearchContext): Clause => {
  const { parameter, modifier, name, values } = asked;
  const { code: param, targets } = parameter;
  if (modifier === 'identifier')
    return {
      kind: 'token',
      param: modifiedParam(param, 'identifier'),
      values: values.map((value) => parseToken(value, name)),
    };
  if (modifier === 'text') return textClause(asked);
  const isType = context.resourceTypes.includes(modifier);
  if (modifier !== '' && !isType) throw noSuchModifier(asked);
  if (isType && targets.length > 0 && !targets.includes(modifier))
    throw invalid(`${name}: this parameter never points to a ${modifier}; possible: ${targets.join(', ')}`);
  const possible = targets.length === 0 ? context.resourceTypes : targets;
  const types = isType ? [modifier] : possible;
  const references = values.flatMap((value) =>
    parseReferenceValue(value, name, {
      baseUrl: context.baseUrl,
      targets: types,
      ...(isType ? { type: modifier } : {}),
    }),
  );
  return { kind: 'reference', param, values: references };
};

/** `http://a/b/c` and all that it is below: `http://a/b`, `http://a`. */
const urisAbove = (uri: string): string[] => {
  const above = [uri];
  for (let end = uri.lastIndexOf('/'); end > uri.indexOf('//') + 1; end = uri.lastIndexOf('/', end - 1))
    above.push(uri.slice(0, end));
  return above;
};

const uriClause = (asked: Asked): ValueClause => {
  const { parameter, modifier } = asked;
  const values = asked.values.map(unescaped);
  const clause = { kind: 'uri', param: parameter.code } as const;
  if (modifier === '') return { ...clause, match: 'exact', values };
  if (modifier === 'below') return { ...clause, match: 'below', values };
  if (modifier === 'above') return { ...clause, match: 'exact', values: values.flatMap(urisAbove) };
  throw noSuchModifier(asked);
};

const compositeClause = (asked: Asked, context: SearchContext): Clause => {
  const { parameter, modifier, name, values } = asked;
  if (modifier !== '') throw noSuchModifier(asked);
  const components = parameter.components.map(({ url }) => context.parameters.byUrl(url));
  const elements = values.map((value) => {
    const parts = splitEscaped(value, '$');
    if (parts.length !== components.length)
      throw invalid(
        `${name}: '${value}' has ${parts.length} components; this parameter takes ${components.length}, joined by $`,
      );
    return parts.map((part, position) => {
      const component = components[position];
      if (component === undefined) throw notSupported(`${name}: a component of this parameter is not known`);
      const code = componentParam(parameter.code, position);
      const inner = { type: asked.type, parameter: { ...component, code }, modifier: '', name, values: [part] };
      return valueClause(inner, context) as ValueClause;
    });
  });
  return { kind: 'composite', values: elements };
};

const valueClause = (asked: Asked, context: SearchContext): Clause => {
  const { parameter, modifier, name, values } = asked;
  const { code: param, type } = parameter;
  switch (type) {
    case 'token':
      return tokenClause(asked, context);
    case 'string':
      return stringClause(asked);
    case 'reference':
      return referenceClause(asked, context);
    case 'uri':
      return uriClause(asked);
    case 'composite':
      return compositeClause(asked, context);
    default:
  }
  if (modifier !== '') throw noSuchModifier(asked);
  switch (type) {
    case 'date':
      return { kind: 'date', param, values: values.map((value) => parseDate(value, name, context)) };
    case 'number':
      return {
        kind: 'number',
        param,
        values: values.map((value) => parseNumber(value, name, context.approximateShare)),
      };
    case 'quantity':
      return {
        kind: 'quantity',
        param,
        values: values.map((value) => parseQuantity(value, name, context.approximateShare)),
      };
    default:
      return { kind: 'near', param, values: values.map((value) => parseNear(value, name)) };
  }
};

/** Parameters that every type has and that are no values of the resource. */
const OWN = new Set(['_id', '_lastUpdated', '_list', '_text', '_content']);

/** Whether there is a value, counting what only modifiers search, such as a concept of which only the text is given. */
const missingClause = ({ parameter, name, values, modifier }: Asked): Clause => {
  const { type, code } = parameter;
  const [value] = values;
  if (values.length !== 1 || (value !== 'true' && value !== 'false'))
    throw invalid(`${name}: '${values.join(',')}' is neither true nor false`);
  if (type === 'composite' || type === 'special' || OWN.has(code))
    throw notSupported(`${name}: the modifier ':${modifier}' is not possible for this parameter`);
  const isMissing = value === 'true';
  const names: Clause[] = [{ kind: 'missing', param: code, entries: type, isMissing: false }];
  if (type === 'token' || type === 'reference')
    names.push({ kind: 'missing', param: modifiedParam(code, 'text'), entries: 'string', isMissing: false });
  if (type === 'reference')
    names.push({ kind: 'missing', param: modifiedParam(code, 'identifier'), entries: 'token', isMissing: false });
  const present = anyClause(names);
  return isMissing ? { kind: 'not', clause: present } : present;
};

const ownClause = (asked: Asked, context: SearchContext): Clause | undefined => {
  const { parameter, modifier, name, values } = asked;
  const { code } = parameter;
  if (!OWN.has(code)) return undefined;
  if (modifier !== '') throw noSuchModifier(asked);
  if (code === '_id') return { kind: 'id', values: values.map(unescaped) };
  if (code === '_lastUpdated')
    return { kind: 'lastUpdated', values: values.map((value) => parseDate(value, name, context)) };
  if (code === '_list')
    return { kind: 'has', type: 'List', param: 'item', clause: { kind: 'id', values: values.map(unescaped) } };
  return { kind: 'text', param: code as '_text' | '_content', values: values.map(unescaped) };
};

const selection = (type: string, label: string, name: string, text: string, context: SearchContext): Clause => {
  const [code = '', modifier = '', ...more] = label.split(':');
  const parameter = parameterOf(type, code, context);
  if (more.length > 0 || code === '_has' || code === '_type')
    throw notSupported(`${name}: this is no search parameter`);
  const asked = { type, parameter, modifier, name, values: valuesOf(text, name, parameter.type, modifier, context) };
  if (modifier === 'missing') return missingClause(asked);
  return ownClause(asked, context) ?? valueClause(asked, context);
};

const isUnknown = (error: unknown): error is FhirError =>
  error instanceof FhirError && error.issues[0]?.code === 'not-supported';

/** `subject:Patient.name`: all types are tried that the reference may lead to and that know the rest. */
const chain = (
  type: string,
  label: string,
  name: string,
  text: string,
  context: SearchContext,
  depth: number,
): Clause => {
  const dot = label.indexOf('.');
  const [code = '', modifier = ''] = label.slice(0, dot).split(':');
  const parameter = parameterOf(type, code, context);
  if (parameter.type !== 'reference')
    throw notSupported(`${name}: '${code}' is no reference, so nothing can be chained to it`);
  const { targets } = parameter;
  if (modifier !== '' && targets.length > 0 && !targets.includes(modifier))
    throw invalid(`${name}: '${code}' never points to a '${modifier}'; possible: ${targets.join(', ')}`);
  if (modifier !== '' && !context.resourceTypes.includes(modifier))
    throw invalid(`${name}: R4 has no resource type '${modifier}'`);
  const possible = modifier !== '' ? [modifier] : targets.length > 0 ? targets : context.resourceTypes;
  const clauses: Clause[] = [];
  let failure: unknown;
  for (const target of possible)
    try {
      const clause = clauseAt(target, label.slice(dot + 1), name, text, context, depth + 1);
      clauses.push({ kind: 'chain', param: code, type: target, clause });
    } catch (error) {
      if (!isUnknown(error)) throw error;
      failure = error;
    }
  if (clauses.length === 0) throw failure;
  return anyClause(clauses);
};

const has = (label: string, name: string, text: string, context: SearchContext, depth: number): Clause => {
  const [, type = '', param = '', ...rest] = label.split(':');
  if (!context.resourceTypes.includes(type) || rest.length === 0)
    throw invalid(`${name}: _has takes the form _has:[type]:[reference parameter]:[parameter]`);
  const { type: kind } = parameterOf(type, param, context);
  if (kind !== 'reference') throw invalid(`${name}: '${param}' is no reference`);
  return { kind: 'has', type, param, clause: clauseAt(type, rest.join(':'), name, text, context, depth + 1) };
};

const clauseAt = (
  type: string,
  label: string,
  name: string,
  text: string,
  context: SearchContext,
  depth: number,
): Clause => {
  if (depth > context.maximumChain)
    throw invalid(`${name}: more than ${context.maximumChain} steps, the limit of a chain (CONSILIUM_SEARCH_CHAIN)`);
  if (label.startsWith('_has:')) return has(label, name, text, context, depth);
  if (label.includes('.')) return chain(type, label, name, text, context, depth);
  return selection(type, label, name, text, context);
};

/** Parses one parameter of a search for `type`. Throws a FhirError 400. */
export const parseClause = (type: string, name: string, text: string, context: SearchContext): Clause =>
  clauseAt(type, name, name, text, context, 0);

/**
 * One parameter of a query string as a clause: its name with modifiers, chains and `_has`, and its values.
 *
 * @see https://hl7.org/fhir/R4/search.html#modifiers
 * @see https://hl7.org/fhir/R4/search.html#chaining
 */
import { FhirError, invalid, notSupported } from '../fhir/fhir-error.ts';
import { type Asked, anyClause, foldedValues, noSuchModifier } from './asked.ts';
import { componentParam, STRING_LIMIT } from './index-entry.ts';
import { missingClause } from './parse-missing-clause.ts';
import { quantityClause } from './parse-quantity-clause.ts';
import { referenceClause } from './parse-reference-clause.ts';
import { tokenClause } from './parse-token-clause.ts';
import { uriClause } from './parse-uri-clause.ts';
import { parseDate, parseNear, parseNumber } from './parse-value.ts';
import { parameterOf, type SearchContext } from './search-context.ts';
import type { Clause, StringMatch, ValueClause } from './search-query.ts';
import { splitEscaped, unescaped } from './split-value.ts';

const STRING_MODIFIERS: Readonly<Record<string, StringMatch>> = { '': 'starts', exact: 'exact', contains: 'contains' };

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

const stringClause = (asked: Asked): ValueClause => {
  const match = Object.hasOwn(STRING_MODIFIERS, asked.modifier) ? STRING_MODIFIERS[asked.modifier] : undefined;
  if (match === undefined) throw noSuchModifier(asked);
  const folded = foldedValues(asked.values, asked.name);
  const exact = asked.values.map((value) => unescaped(value).slice(0, STRING_LIMIT));
  const values = match === 'exact' ? exact : folded;
  return { kind: 'string', param: asked.parameter.code, match, values };
};

/** Each way to take one clause of each component. */
const combined = (components: readonly (readonly ValueClause[])[]): ValueClause[][] =>
  components.reduce<ValueClause[][]>(
    (chosen, clauses) => chosen.flatMap((before) => clauses.map((clause) => [...before, clause])),
    [[]],
  );

const compositeClause = (asked: Asked, context: SearchContext): Clause => {
  const { parameter, modifier, name, values } = asked;
  if (modifier !== '') throw noSuchModifier(asked);
  const components = parameter.components.map(({ url }) => context.parameters.byUrl(url));
  const elements = values.flatMap((value) => {
    const parts = splitEscaped(value, '$');
    if (parts.length !== components.length)
      throw invalid(
        `${name}: '${value}' has ${parts.length} components; this parameter takes ${components.length}, joined by $`,
      );
    const clauses = parts.map((part, position): readonly ValueClause[] => {
      const component = components[position];
      if (component === undefined) throw notSupported(`${name}: a component of this parameter is not known`);
      const code = componentParam(parameter.code, position);
      const inner = { type: asked.type, parameter: { ...component, code }, modifier: '', name, values: [part] };
      const clause = valueClause(inner, context);
      return (clause.kind === 'any' ? clause.clauses : [clause]) as ValueClause[];
    });
    return combined(clauses);
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
    case 'quantity':
      return quantityClause(asked, context);
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
    default:
      return { kind: 'near', param, values: values.map((value) => parseNear(value, name)) };
  }
};

/** Parameters that every type has and that are no values of the resource. */
const OWN = new Set(['_id', '_lastUpdated', '_list', '_text', '_content']);

/** @see https://hl7.org/fhir/R4/search.html#list */
const listClause = ({ name, values }: Asked): Clause => {
  const ids = values.map(unescaped);
  const functional = ids.find((id) => id.startsWith('$'));
  if (functional !== undefined)
    throw notSupported(`${name}: functional lists such as '${functional}' are not supported; give the id of a List`);
  return { kind: 'has', type: 'List', param: 'item', clause: { kind: 'id', values: ids } };
};

const ownClause = (asked: Asked, context: SearchContext): Clause | undefined => {
  const { parameter, modifier, name, values } = asked;
  const { code } = parameter;
  if (!OWN.has(code)) return undefined;
  if (modifier !== '') throw noSuchModifier(asked);
  if (code === '_id') return { kind: 'id', values: values.map(unescaped) };
  if (code === '_lastUpdated')
    return { kind: 'lastUpdated', values: values.map((value) => parseDate(value, name, context)) };
  if (code === '_list') return listClause(asked);
  return { kind: 'text', param: code as '_text' | '_content', values: values.map(unescaped) };
};

const selection = (type: string, label: string, name: string, text: string, context: SearchContext): Clause => {
  const [code = '', modifier = '', ...more] = label.split(':');
  const parameter = parameterOf(type, code, context);
  if (more.length > 0 || code === '_has' || code === '_type')
    throw notSupported(`${name}: this is no search parameter`);
  const asked = { type, parameter, modifier, name, values: valuesOf(text, name, parameter.type, modifier, context) };
  if (modifier === 'missing') return missingClause(asked, context);
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
    throw notSupported(`${name}: '${code}' never points to a '${modifier}'; possible: ${targets.join(', ')}`);
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

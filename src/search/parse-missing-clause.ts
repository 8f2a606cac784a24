/**
 * `:missing`: whether a resource has a value for a parameter.
 *
 * @see https://hl7.org/fhir/R4/search.html#modifiers
 */
import { invalid, notSupported } from '../fhir/fhir-error.ts';
import { type Asked, anyClause } from './asked.ts';
import { componentParam, type IndexEntry, modifiedParam } from './index-entry.ts';
import type { SearchContext } from './search-context.ts';
import type { Clause } from './search-query.ts';

const presence = (param: string, entries: IndexEntry['kind']): Clause => ({
  kind: 'missing',
  param,
  entries,
  isMissing: false,
});

const NOTHING: Clause = { kind: 'id', values: [] };
const EVERYTHING: Clause = { kind: 'not', clause: NOTHING };

/** Parameters that every type has and that are no values of the resource. */
const ownPresence = (code: string): Clause | undefined => {
  switch (code) {
    case '_id':
    case '_lastUpdated':
    case '_content':
      return EVERYTHING;
    case '_text':
      return presence(modifiedParam('_text', 'present'), 'token');
    case '_list':
      return { kind: 'has', type: 'List', param: 'item', clause: EVERYTHING };
    default:
      return undefined;
  }
};

/** A composite has a value if one element has all components: only then has the element entries. */
const compositePresence = ({ parameter, name }: Asked, { parameters }: SearchContext): Clause => {
  const first = parameters.byUrl(parameter.components[0]?.url ?? '');
  if (first === undefined || first.type === 'composite' || first.type === 'special')
    throw notSupported(`${name}: a component of this parameter is not known`);
  return presence(componentParam(parameter.code, 0), first.type);
};

/** A value is also what only modifiers search, such as a concept of which only the text is given. */
const presenceOf = (asked: Asked, context: SearchContext): Clause => {
  const { code, type } = asked.parameter;
  const own = ownPresence(code);
  if (own !== undefined) return own;
  switch (type) {
    case 'composite':
      return compositePresence(asked, context);
    case 'special':
      return presence(componentParam(code, 0), 'number');
    case 'token':
      return anyClause([presence(code, type), presence(modifiedParam(code, 'text'), 'string')]);
    case 'reference':
      return anyClause([
        presence(code, type),
        presence(modifiedParam(code, 'text'), 'string'),
        presence(modifiedParam(code, 'identifier'), 'token'),
      ]);
    default:
      return presence(code, type);
  }
};

export const missingClause = (asked: Asked, context: SearchContext): Clause => {
  const { name, values } = asked;
  const [value] = values;
  if (values.length !== 1 || (value !== 'true' && value !== 'false'))
    throw invalid(`${name}: '${values.join(',')}' is neither true nor false`);
  const present = presenceOf(asked, context);
  if (value === 'false') return present;
  return present.kind === 'not' ? present.clause : { kind: 'not', clause: present };
};

/**
 * Which resources the text of a query finds: parsed here, plainly, and asked of every resource in turn. No index, and
 * nothing of `src/search`.
 *
 * @see https://hl7.org/fhir/R4/search.html
 */
import type { SearchParameter } from '../../../src/definitions/search-parameters.ts';
import { loadTerminology } from '../../../src/definitions/terminology.ts';
import {
  datesOf,
  folded,
  foldedWhole,
  hidden,
  isDate,
  isNumber,
  isOfType,
  isQuantity,
  isReference,
  isString,
  isToken,
  isUri,
  numbersOf,
  plain,
  quantitiesOf,
  type ReferenceAtom,
  referencesOf,
  type Setting,
  stringsOf,
  textsOf,
  tokensOf,
  urisOf,
} from './naive-atoms.ts';
import {
  elementsOf,
  type Json,
  parameterByUrl,
  parameterOf,
  parametersOf,
  RESOURCE_TYPES,
  type Resource,
  type Value,
  valuesOf,
} from './naive-values.ts';

export interface World extends Setting {
  /** All resources, as stored, in the order of their creation. */
  readonly resources: readonly Resource[];
}

const terminology = loadTerminology();

export const nameOf = ({ resourceType, id }: Resource): string => `${resourceType}/${id}`;

const wordsOf = (text: string): string[] => foldedWhole(text).match(/[\p{L}\p{N}]+/gu) ?? [];

/** Parameters without an expression that can be asked for. */
const WITHOUT_EXPRESSION = ['_text', '_list'];

/** Whether R4 has this parameter for the type. */
const knownParameter = (type: string, code: string): SearchParameter | undefined => {
  const parameter = parameterOf(type, code);
  const isKnown = parameter !== undefined && (parameter.expression !== '' || WITHOUT_EXPRESSION.includes(code));
  return isKnown ? parameter : undefined;
};

const MODIFIERS: Readonly<Record<string, readonly string[]>> = {
  token: ['not', 'text', 'of-type', 'in', 'not-in', 'above', 'below'],
  string: ['exact', 'contains'],
  reference: ['identifier', 'text', 'above', 'below', ...RESOURCE_TYPES],
  uri: ['above', 'below'],
};

export const targetsOf = ({ targets }: SearchParameter): readonly string[] =>
  targets.length === 0 ? RESOURCE_TYPES : targets;

/** Whether a type has what stands behind the dot of a chain; the types that do not are left out of it. */
const isKnown = (type: string, label: string): boolean => {
  if (label.startsWith('_has:')) return true;
  const [step = '', ...rest] = label.split('.');
  const [code = '', modifier = ''] = step.split(':');
  const parameter = knownParameter(type, code);
  if (parameter === undefined) return false;
  if (rest.length === 0)
    return ['', 'missing'].includes(modifier) || (MODIFIERS[parameter.type] ?? []).includes(modifier);
  const targets = modifier === '' ? targetsOf(parameter) : [modifier];
  return parameter.type === 'reference' && targets.some((target) => isKnown(target, rest.join('.')));
};

const isLocal = (atom: ReferenceAtom, { resourceType, id }: Resource): boolean =>
  'type' in atom && atom.type === resourceType && atom.id === id;

const atomsOf = (resource: Resource, parameter: SearchParameter, world: World): ReferenceAtom[] =>
  valuesOf(resource, parameter).flatMap((value) => referencesOf(value, targetsOf(parameter), world));

/** The resources that a reference of this one leads to. */
export const targetsFrom = (resource: Resource, parameter: SearchParameter, world: World): Resource[] => {
  const atoms = atomsOf(resource, parameter, world);
  return world.resources.filter((target) => atoms.some((atom) => isLocal(atom, target)));
};

/** What a resource is part of, as `Location/1`, and what that is part of. It need not be there to be referred to. */
const wholesOf = (name: string, world: World, found: readonly string[] = []): string[] => {
  const resource = world.resources.find((each) => nameOf(each) === name);
  const [type = ''] = name.split('/');
  const parameter = parameterOf(type, 'partof') ?? parameterOf(type, 'part-of');
  if (resource === undefined || parameter === undefined || found.includes(name)) return [];
  return atomsOf(resource, parameter, world).flatMap((atom) => {
    const whole = 'type' in atom ? `${atom.type}/${atom.id}` : '';
    return whole === '' ? [] : [whole, ...wholesOf(whole, world, [...found, name])];
  });
};

/** What is above or below a resource of this server, or below a version of a canonical. */
const isRelative = (modifier: string, asked: string, value: Value, parameter: SearchParameter, world: World): boolean =>
  referencesOf(value, targetsOf(parameter), world).some((atom) => {
    if ('url' in atom) {
      const [[url, version], [given, ofValue = '']] = [plain(asked).split('|'), atom.url.split('|')];
      return url === given && (version === undefined || ofValue === version || ofValue.startsWith(`${version}.`));
    }
    const [name, top] = [`${atom.type}/${atom.id}`, plain(asked)];
    const [part, whole] = modifier === 'below' ? [name, top] : [top, name];
    return part === whole || wholesOf(part, world).includes(whole);
  });

/** `a/b` also means `a/b; charset=x`. */
const isMimeType = (asked: string, { type, value }: Value): boolean =>
  type === 'code' && String(value).split(';')[0]?.trim() === asked;

const matchesToken = (modifier: string, asked: string, value: Value): boolean => {
  const isAny = (codes: readonly string[]): boolean =>
    tokensOf(value).some((atom) => codes.some((code) => isToken(code, atom)));
  switch (modifier) {
    case 'text':
      return textsOf(value).some((text) => isString('', asked, text));
    case 'of-type':
      return isOfType(asked, value);
    case 'in':
      return isAny((terminology.expansion(plain(asked)) ?? []).map(({ system, code }) => `${system}|${code}`));
    case 'above':
    case 'below': {
      const [system = '', code] = asked.split('|');
      if (code === undefined) return isMimeType(asked, value);
      const related = modifier === 'below' ? terminology.descendants : terminology.ancestors;
      return isAny([...(related(system, plain(code)) ?? [])].map((each) => `${system}|${each}`));
    }
    default:
      return isAny([asked]);
  }
};

const matchesReference = (
  modifier: string,
  asked: string,
  value: Value,
  parameter: SearchParameter,
  world: World,
): boolean => {
  switch (modifier) {
    case 'identifier': {
      const { system, value: number } = ((value.value as Json)['identifier'] ?? {}) as Json;
      return (
        value.type === 'Reference' &&
        (system ?? number) !== undefined &&
        isToken(asked, { system, implied: [], code: number, isCaseless: false })
      );
    }
    case 'text':
      return textsOf(value).some((text) => isString('', asked, text));
    case 'above':
    case 'below':
      return isRelative(modifier, asked, value, parameter, world);
    default: {
      const targets = modifier === '' ? targetsOf(parameter) : [modifier];
      return referencesOf(value, targetsOf(parameter), world).some((atom) => isReference(asked, atom, targets, world));
    }
  }
};

const EARTH_KILOMETRES = 6371;

/** The haversine. */
const kilometresBetween = (one: readonly number[], other: readonly number[]): number => {
  const [a = 0, b = 0, c = 0, d = 0] = [...one, ...other].map((degrees) => (degrees * Math.PI) / 180);
  const half = Math.sin((a - c) / 2) ** 2 + Math.cos(a) * Math.cos(c) * Math.sin((b - d) / 2) ** 2;
  return 2 * EARTH_KILOMETRES * Math.asin(Math.sqrt(half));
};

const isNear = (asked: string, { value }: Value): boolean => {
  const [latitude = 0, longitude = 0, kilometres = 0] = asked.split('|').map(Number);
  const { latitude: north, longitude: east } = value as Json;
  if (north === undefined || east === undefined) return false;
  return kilometresBetween([latitude, longitude], [north, east]) <= kilometres;
};

/** Whether one value matches one searched value. */
const matchesValue = (
  parameter: SearchParameter,
  modifier: string,
  asked: string,
  value: Value,
  world: World,
): boolean => {
  switch (parameter.type) {
    case 'token':
      return matchesToken(modifier, asked, value);
    case 'string':
      return stringsOf(value).some((text) => isString(modifier, asked, text));
    case 'date':
      return datesOf(value, world.zone).some((range) => isDate(asked, range, world));
    case 'number':
      return numbersOf(value).some((range) => isNumber(asked, range, world));
    case 'quantity':
      return quantitiesOf(value).some((atom) => isQuantity(asked, atom, world));
    case 'reference':
      return matchesReference(modifier, asked, value, parameter, world);
    case 'uri':
      return urisOf(value).some((uri) => isUri(modifier, asked, uri));
    default:
      return isNear(asked, value);
  }
};

/** Whether there is anything of a value that can be asked for; in a composite modifiers cannot ask. */
const hasValue = (parameter: SearchParameter, value: Value, world: World, isComponent = false): boolean => {
  switch (parameter.type) {
    case 'token':
      return (
        tokensOf(value).some(({ system, code }) => (system ?? code) !== undefined) ||
        (!isComponent && textsOf(value).some((text) => folded(text) !== ''))
      );
    case 'string':
      return stringsOf(value).length > 0;
    case 'date':
      return datesOf(value, world.zone).length > 0;
    case 'number':
      return numbersOf(value).length > 0;
    case 'quantity':
      return quantitiesOf(value).length > 0;
    case 'reference': {
      const { system, value: number } = ((value.value as Json)['identifier'] ?? {}) as Json;
      const isNamed = textsOf(value).some((text) => folded(text) !== '') || (system ?? number) !== undefined;
      return (isNamed && !isComponent) || referencesOf(value, targetsOf(parameter), world).length > 0;
    }
    case 'uri':
      return urisOf(value).length > 0;
    default:
      return (value.value as Json)['latitude'] !== undefined && (value.value as Json)['longitude'] !== undefined;
  }
};

/** The components of a composite, in the same element. */
const matchesElement = (parameter: SearchParameter, asked: string, element: Value[][], world: World): boolean =>
  asked.split('$').every((part, at) => {
    const component = parameterByUrl(parameter.components[at]?.url ?? '');
    return component !== undefined && element[at]?.some((value) => matchesValue(component, '', part, value, world));
  });

const hasElement = (resource: Resource, parameter: SearchParameter, world: World): boolean =>
  elementsOf(resource, parameter).some((element) =>
    element.every((values, at) => {
      const component = parameterByUrl(parameter.components[at]?.url ?? '');
      return component !== undefined && values.some((value) => hasValue(component, value, world, true));
    }),
  );

const narrativeOf = (resource: Resource): string => (resource['text']?.div ?? '').replace(/<[^>]*>/g, ' ');

/** Parameters that are not about the values of an expression. */
const OWN: Readonly<Record<string, (resource: Resource, asked: string, world: World) => boolean>> = {
  _id: ({ id }, asked) => id === plain(asked),
  _lastUpdated: ({ meta }, asked, world) => {
    const instant = Date.parse(meta.lastUpdated);
    return isDate(asked, { lo: instant, hi: instant + 1, hasLo: true, hasHi: false }, world);
  },
  _text: (resource, asked) => {
    const words = wordsOf(narrativeOf(resource));
    return wordsOf(plain(asked)).every((word) => words.includes(word));
  },
  _list: (resource, asked, world) =>
    world.resources.some(
      (list) =>
        list.resourceType === 'List' &&
        list.id === plain(asked) &&
        targetsFrom(list, parameterOf('List', 'item') as SearchParameter, world).includes(resource),
    ),
};

const isMissing = (resource: Resource, parameter: SearchParameter, world: World): boolean => {
  if (parameter.code === '_text') return resource['text']?.div === undefined;
  if (parameter.code === '_id' || parameter.code === '_lastUpdated') return false;
  if (parameter.type === 'composite') return !hasElement(resource, parameter, world);
  return !valuesOf(resource, parameter).some((value) => hasValue(parameter, value, world));
};

const NEGATIONS: Readonly<Record<string, string>> = { not: '', 'not-in': 'in' };

const matchesParameter = (resource: Resource, step: string, text: string, world: World): boolean => {
  const [code = '', modifier = ''] = step.split(':');
  const parameter = parameterOf(resource.resourceType, code);
  if (parameter === undefined) throw new Error(`${resource.resourceType} has no ${code}`);
  if (modifier === 'missing') return isMissing(resource, parameter, world) === (text === 'true');
  const asked = hidden(text).split(',');
  const own = OWN[code];
  if (own !== undefined) return asked.some((each) => own(resource, each, world));
  if (parameter.type === 'composite')
    return elementsOf(resource, parameter).some((element) =>
      asked.some((each) => matchesElement(parameter, each, element, world)),
    );
  const values = valuesOf(resource, parameter);
  const positive = NEGATIONS[modifier] ?? modifier;
  const isFound =
    values.some((value) => asked.some((each) => matchesValue(parameter, positive, each, value, world))) ||
    (code === 'url' &&
      modifier === '' &&
      asked.some((each) => plain(each) === `${resource['url']}|${resource['version']}`));
  return isFound !== modifier in NEGATIONS;
};

/** Whether a resource matches one parameter, with its chains and reverse chains. */
export const matches = (resource: Resource, label: string, text: string, world: World): boolean => {
  if (label.startsWith('_has:')) {
    const [, type = '', code = '', ...rest] = label.split(':');
    const parameter = parameterOf(type, code) as SearchParameter;
    const sources = world.resources.filter((source) => source.resourceType === type);
    return sources.some(
      (source) =>
        targetsFrom(source, parameter, world).includes(resource) && matches(source, rest.join(':'), text, world),
    );
  }
  const dot = label.indexOf('.');
  if (dot < 0) return matchesParameter(resource, label, text, world);
  const [code = '', type] = label.slice(0, dot).split(':');
  const rest = label.slice(dot + 1);
  const parameter = parameterOf(resource.resourceType, code) as SearchParameter;
  return targetsFrom(resource, parameter, world).some(
    (target) =>
      (type === undefined ? targetsOf(parameter).includes(target.resourceType) : type === target.resourceType) &&
      isKnown(target.resourceType, rest) &&
      matches(target, rest, text, world),
  );
};

/** Of all types that can be asked for `code`. */
export const searchableParameters = (type: string): SearchParameter[] =>
  parametersOf(type).filter(({ code }) => knownParameter(type, code) !== undefined);

/** Random queries about the values that the resources have, or about values near them, so that most find something. */
import type { SearchParameter } from '../../../src/definitions/search-parameters.ts';
import { loadTerminology } from '../../../src/definitions/terminology.ts';
import type { Choices } from './choices.ts';
import {
  datesOf,
  folded,
  numbersOf,
  quantitiesOf,
  referencesOf,
  stringsOf,
  textsOf,
  tokensOf,
  urisOf,
} from './naive-atoms.ts';
import { nameOf, searchableParameters, targetsFrom, targetsOf, type World } from './naive-matcher.ts';
import {
  elementsOf,
  type Json,
  parameterByUrl,
  parameterOf,
  type Resource,
  type Value,
  valuesOf,
} from './naive-values.ts';
import { CODES, SYSTEMS, UCUM, UNITS } from './random-resources.ts';

export interface RandomQuery {
  /** The types that are searched, as the path or `_type` has them. */
  readonly types: readonly string[];
  readonly path: string;
  /** Percent-encoded. */
  readonly text: string;
}

const terminology = loadTerminology();
const PREFIXES = ['', '', 'eq', 'ne', 'gt', 'lt', 'ge', 'le', 'sa', 'eb', 'ap'];
const HIERARCHIES = ['CarePlan', 'Encounter', 'Location', 'Organization', 'ResearchStudy', 'Task'];
const VALUE_SETS = [
  'observation-status',
  'administrative-gender',
  'condition-clinical',
  'request-status',
  'task-status',
];

const escaped = (text: string): string => text.replace(/[\\,|$]/g, '\\$&');

/** A value with the modifier it is asked with. */
interface Asked {
  readonly modifier: string;
  readonly text: string;
}

const otherCase = (text: string, choices: Choices): string =>
  choices.of([text, text, text, text.toUpperCase(), text.toLowerCase()]);

const askedToken = (value: Value, isPlain: boolean, choices: Choices): Asked[] => {
  const texts = textsOf(value).filter((text) => folded(text) !== '');
  if (!isPlain && texts.length > 0 && choices.isOneIn(6))
    return [{ modifier: 'text', text: escaped(askedString(choices.of(texts), choices)) }];
  const { value: number, type } = value.value as Json;
  const codings: Json[] = type?.coding ?? [];
  if (!isPlain && value.type === 'Identifier' && number !== undefined && codings.length > 0 && choices.isOneIn(2)) {
    const { system = '', code = '' } = choices.of(codings);
    return [{ modifier: 'of-type', text: [system, code, number].map(escaped).join('|') }];
  }
  const atoms = tokensOf(value);
  if (atoms.length === 0) return [];
  const { system: own, implied, code: exact = '' } = choices.of(atoms);
  const system = own ?? (implied.length > 0 ? choices.of(implied) : '');
  if (!isPlain && choices.isOneIn(4) && exact !== '' && terminology.descendants(system, exact) !== undefined)
    return [{ modifier: choices.of(['above', 'below']), text: `${escaped(system)}|${escaped(exact)}` }];
  if (!isPlain && value.type === 'code' && choices.isOneIn(6))
    return [
      choices.isOneIn(2)
        ? { modifier: choices.of(['in', 'not-in']), text: `http://hl7.org/fhir/ValueSet/${choices.of(VALUE_SETS)}` }
        : { modifier: 'not', text: escaped(exact) },
    ];
  const code = choices.isOneIn(10) ? choices.of(CODES) : otherCase(exact, choices);
  const otherSystem = choices.isOneIn(10) ? choices.of(SYSTEMS) : system;
  const forms = [`${escaped(otherSystem)}|${escaped(code)}`];
  if (code !== '') forms.push(escaped(code), escaped(code), `|${escaped(code)}`);
  if (otherSystem !== '') forms.push(`${escaped(otherSystem)}|`);
  const text = choices.of(forms);
  return text === '|' ? [] : [{ modifier: isPlain || !choices.isOneIn(6) ? '' : 'not', text }];
};

/** The beginning of a text, or all of it. */
const askedString = (text: string, choices: Choices): string => {
  const characters = [...text];
  const part = choices.isOneIn(3)
    ? text
    : characters.slice(0, 1 + choices.upTo(Math.min(characters.length, 8))).join('');
  const changed = choices.of([part, part, part.toUpperCase(), part.normalize('NFD'), folded(part)]);
  return folded(changed) === '' ? 'x' : changed;
};

const askedText = (text: string, choices: Choices): Asked => {
  const modifier = choices.of(['', '', 'exact', 'contains']);
  const from = modifier === 'contains' ? choices.upTo(Math.min(text.length, 5)) : 0;
  const isWhole = modifier === 'exact' && !choices.isOneIn(4);
  const part = isWhole ? text : askedString([...text].slice(from).join(''), choices);
  return part.trim() === '' ? { modifier: '', text: 'x' } : { modifier, text: escaped(part) };
};

const DAY_MS = 86_400_000;

const askedDate = (instant: number, choices: Choices): string => {
  const near = choices.of([0, 0, 0, 0, 1, -1, 1000, 60_000, DAY_MS, -DAY_MS, 31 * DAY_MS]);
  const [text, zone] = [
    new Date(instant + near).toISOString(),
    choices.of(['Z', 'Z', '', '+01:00', '-05:00', '+14:00']),
  ];
  const forms = [text.slice(0, 4), text.slice(0, 7), text.slice(0, 10), text.slice(0, 10)];
  const times = [text.slice(0, 16), text.slice(0, 19), text.slice(0, 19), text.slice(0, 21), text.slice(0, 23)];
  return choices.of(PREFIXES) + choices.of([...forms, ...times.map((time) => time + zone)]);
};

const askedNumber = (value: number, choices: Choices): string => {
  const near = choices.of([0, 0, 0, 0, 0.5, -0.5, 0.05, -0.05, 0.1, 1, -1]);
  const number = Number((value + near).toPrecision(10));
  const forms = [String(number), String(number), number.toFixed(2), number.toFixed(0), number.toExponential(2)];
  const text = choices.of(forms.filter((form) => /^-?\d+(\.\d+)?(e[+-]?\d+)?$/.test(form)));
  return choices.of(PREFIXES) + text;
};

const finite = (lo: number, hi: number, choices: Choices): number =>
  choices.of([lo, hi].filter(Number.isFinite).concat(Number.isFinite(lo) || Number.isFinite(hi) ? [] : [0]));

const askedQuantity = (value: Value, choices: Choices): Asked[] =>
  quantitiesOf(value).map(({ range, system = '', code = '', unit = '' }) => {
    const number = askedNumber(finite(range.lo, range.hi, choices), choices);
    const other = choices.of(UNITS);
    const written = `${number}|${escaped(system)}|${escaped(code)}`;
    const forms = [number, written, written, `${number}|${UCUM}|${other}`];
    if (code !== '') forms.push(`${number}||${escaped(code)}`);
    if (unit !== '') forms.push(`${number}||${escaped(unit)}`);
    if (system !== '') forms.push(`${number}|${system}|`);
    const text = choices.of(forms);
    return { modifier: '', text: text.endsWith('||') ? number : text };
  });

const askedReference = (value: Value, parameter: SearchParameter, world: World, choices: Choices): Asked[] => {
  const { identifier, display } = value.value as Json;
  if (identifier !== undefined && choices.isOneIn(3)) {
    const { system = '', value: number = '' } = identifier;
    const forms = [`${escaped(system)}|${escaped(number)}`, ...(number === '' ? [] : [escaped(number)])];
    const text = choices.of(forms);
    return text === '|' ? [] : [{ modifier: 'identifier', text }];
  }
  if (typeof display === 'string' && choices.isOneIn(4))
    return [{ modifier: 'text', text: escaped(askedString(display, choices)) }];
  const atoms = referencesOf(value, targetsOf(parameter), world);
  if (atoms.length === 0) return [];
  const atom = choices.of(atoms);
  if ('url' in atom) {
    if (!atom.url.includes(':')) return [];
    const isBelow = value.type === 'canonical' && choices.isOneIn(3);
    return [{ modifier: isBelow ? 'below' : '', text: escaped(atom.url).replace('\\|', choices.of(['|', '\\|'])) }];
  }
  const { type, id } = atom;
  const local = `${type}/${id}`;
  const isTarget = targetsOf(parameter).includes(type);
  if (isTarget && value.type !== 'canonical' && HIERARCHIES.includes(type) && choices.isOneIn(2)) {
    const sameType = world.resources.filter(({ resourceType }) => resourceType === type).map(nameOf);
    return [{ modifier: choices.of(['above', 'below']), text: choices.of([local, ...sameType]) }];
  }
  if (isTarget && choices.isOneIn(4)) return [{ modifier: type, text: choices.of([id, local]) }];
  const forms = [local, local, `${world.baseUrl}/${local}`, `${local}/_history/1`, id];
  return [{ modifier: '', text: choices.of(forms) }];
};

const askedUri = (uri: string, choices: Choices): Asked => {
  const cut = uri.lastIndexOf('/');
  const forms = [uri, uri, uri.slice(0, cut), uri.slice(0, cut + 1), `${uri}/c`, uri.toUpperCase()];
  return {
    modifier: choices.of(['', '', 'below', 'above']),
    text: escaped(choices.of(forms.filter((form) => form.length > 8).concat(uri))),
  };
};

/** Texts that ask for a value of the kind of the parameter; none if it has nothing of this kind. */
const askedOf = (
  parameter: SearchParameter,
  value: Value,
  isPlain: boolean,
  world: World,
  choices: Choices,
): Asked[] => {
  switch (parameter.type) {
    case 'token':
      return askedToken(value, isPlain, choices);
    case 'string':
      return stringsOf(value)
        .filter((text) => folded(text) !== '')
        .map((text) => askedText(text, choices));
    case 'date':
      return datesOf(value, world.zone).map(({ lo, hi }) => ({
        modifier: '',
        text: askedDate(finite(lo, hi, choices), choices),
      }));
    case 'number':
      return numbersOf(value).map(({ lo, hi }) => ({
        modifier: '',
        text: askedNumber(finite(lo, hi, choices), choices),
      }));
    case 'quantity':
      return askedQuantity(value, choices);
    case 'reference':
      return askedReference(value, parameter, world, choices);
    case 'uri':
      return urisOf(value).map((uri) => askedUri(uri, choices));
    default: {
      const { latitude, longitude } = value.value as Json;
      const isPlace = Math.abs(latitude) <= 88 && Math.abs(longitude) <= 180;
      return !isPlace
        ? []
        : [{ modifier: '', text: `${latitude + choices.upTo(2)}|${longitude}|${choices.of([50, 200, 500])}|km` }];
    }
  }
};

const askedComposite = (resource: Resource, parameter: SearchParameter, world: World, choices: Choices): Asked[] =>
  elementsOf(resource, parameter).flatMap((element, _, elements) => {
    const parts = element.map((own, at) => {
      // Parts of several elements find nothing.
      const values = choices.isOneIn(3) ? (choices.of(elements)[at] ?? []) : own;
      const component = parameterByUrl(parameter.components[at]?.url ?? '');
      const asked =
        component === undefined ? [] : values.flatMap((value) => askedOf(component, value, true, world, choices));
      const plain = asked.filter(({ modifier, text }) => modifier === '' && text !== '');
      return plain.length === 0 ? undefined : choices.of(plain).text;
    });
    return parts.includes(undefined) ? [] : [{ modifier: '', text: parts.join('$') }];
  });

const words = (resource: Resource): string[] =>
  (resource['text']?.div ?? '').replace(/<[^>]*>|&[^;]*;/g, ' ').match(/[A-Za-z]{3,}/g) ?? [];

const askedOwn = (code: string, resource: Resource, world: World, choices: Choices): Asked[] => {
  const isOther = choices.isOneIn(3);
  const text = isOther ? choices.of(world.resources).id : resource.id;
  if (code === '_id') return [{ modifier: '', text }];
  if (code === '_lastUpdated')
    return [{ modifier: '', text: askedDate(Date.parse(resource['meta'].lastUpdated), choices) }];
  if (code === '_text')
    return words(resource).length === 0 ? [] : [{ modifier: '', text: choices.of(words(resource)) }];
  const lists = world.resources.filter(({ resourceType }) => resourceType === 'List').map(({ id }) => id);
  return lists.length === 0 ? [] : [{ modifier: '', text: choices.of(lists) }];
};

const OWN = ['_id', '_lastUpdated', '_text', '_list'];

/** What is asked of a resource for one parameter, several values with one modifier. */
const askedFor = (
  resource: Resource,
  parameter: SearchParameter,
  world: World,
  choices: Choices,
): Asked | undefined => {
  const { code, type } = parameter;
  if (choices.isOneIn(12) && code !== '_list') return { modifier: 'missing', text: choices.of(['true', 'false']) };
  const all = OWN.includes(code)
    ? askedOwn(code, resource, world, choices)
    : type === 'composite'
      ? askedComposite(resource, parameter, world, choices)
      : valuesOf(resource, parameter).flatMap((value) => askedOf(parameter, value, false, world, choices));
  const asked = all.filter(({ text }) => text.trim() !== '');
  if (asked.length === 0) return undefined;
  const { modifier, text } = choices.of(asked);
  const others = asked.filter((other) => other.modifier === modifier && other.text !== text);
  const isSeveral = others.length > 0 && choices.isOneIn(2);
  return { modifier, text: isSeveral ? `${text},${choices.of(others).text}` : text };
};

type Pair = readonly [name: string, text: string];

const withPrefix = (prefix: string, pair: Pair | undefined): Pair | undefined =>
  pair === undefined ? undefined : [`${prefix}${pair[0]}`, pair[1]];

/** Whether a chain needs no type: what follows is of one kind in all types that have it. */
const isClear = (resource: Resource, code: string, rest: string): boolean => {
  const parameter = parameterOf(resource.resourceType, code);
  const [next = ''] = rest.split(/[.:]/);
  const types = parameter === undefined ? [] : targetsOf(parameter);
  return new Set(types.flatMap((type) => parameterOf(type, next)?.type ?? [])).size <= 1;
};

/** `subject:Patient.` and what is asked of a Patient that this resource refers to. */
const chainFrom = (resource: Resource, depth: number, world: World, choices: Choices): Pair | undefined => {
  const links = searchableParameters(resource.resourceType).flatMap((parameter) =>
    parameter.type !== 'reference'
      ? []
      : targetsFrom(resource, parameter, world)
          .filter(({ resourceType }) => targetsOf(parameter).includes(resourceType))
          .map((target) => ({ code: parameter.code, target })),
  );
  if (links.length === 0) return undefined;
  const { code, target } = choices.of(links);
  const pair = randomPair(target, depth - 1, world, choices);
  const isTyped = choices.isOneIn(2) || !isClear(resource, code, pair?.[0] ?? '');
  return withPrefix(`${code}${isTyped ? `:${target.resourceType}` : ''}.`, pair);
};

/** `_has:Observation:patient:` and what is asked of an Observation that refers to this resource. */
const hasFrom = (resource: Resource, depth: number, world: World, choices: Choices): Pair | undefined => {
  const links = world.resources.flatMap((source) =>
    searchableParameters(source.resourceType).flatMap((parameter) =>
      parameter.type === 'reference' && targetsFrom(source, parameter, world).includes(resource)
        ? [{ code: parameter.code, source }]
        : [],
    ),
  );
  if (links.length === 0) return undefined;
  const { code, source } = choices.of(links);
  return withPrefix(`_has:${source.resourceType}:${code}:`, randomPair(source, depth - 1, world, choices));
};

/** A parameter that the resource matches, or nearly. */
const randomPair = (resource: Resource, depth: number, world: World, choices: Choices): Pair | undefined => {
  if (depth > 0 && choices.isOneIn(2))
    return (choices.isOneIn(2) ? chainFrom : hasFrom)(resource, depth, world, choices);
  const parameters = searchableParameters(resource.resourceType);
  const having = parameters.filter(
    (parameter) => (OWN.includes(parameter.code) && choices.isOneIn(3)) || valuesOf(resource, parameter).length > 0,
  );
  const rare = having.filter(({ type }) =>
    ['composite', 'quantity', 'number', 'uri', 'special', 'string'].includes(type),
  );
  const pool =
    choices.isOneIn(15) || having.length === 0 ? parameters : rare.length > 0 && choices.isOneIn(3) ? rare : having;
  const parameter = choices.of(pool);
  const asked = askedFor(resource, parameter, world, choices);
  if (asked === undefined) return undefined;
  return [asked.modifier === '' ? parameter.code : `${parameter.code}:${asked.modifier}`, asked.text];
};

const randomSort = (type: string, resource: Resource, choices: Choices): Pair[] => {
  if (choices.isOneIn(2)) return [];
  const sortable = searchableParameters(type).filter(
    (parameter) =>
      !['composite', 'special'].includes(parameter.type) &&
      !['_text', '_list'].includes(parameter.code) &&
      (choices.isOneIn(6) || parameter.code.startsWith('_') || valuesOf(resource, parameter).length > 0),
  );
  const keys = Array.from({ length: 1 + choices.upTo(1) }, () => choices.of(sortable).code);
  return [['_sort', keys.map((key) => (choices.isOneIn(2) ? `-${key}` : key)).join()]];
};

const queryText = (pairs: readonly Pair[]): string =>
  new URLSearchParams(pairs.map(([name, text]): [string, string] => [name, text])).toString();

/** Parameters that may be asked of all types at once. */
const OF_ALL = ['_id', '_lastUpdated', '_tag', '_security', '_profile', '_source'];

const ofAllTypes = (name: string): boolean => OF_ALL.includes(name.split(':')[0] ?? '');

/** What is chosen may have nothing that can be asked for. */
const TRIES = 20;

export const randomQuery = (world: World, choices: Choices): RandomQuery => {
  const resource = choices.of(world.resources);
  const type = resource.resourceType;
  const count = choices.of([0, 1, 1, 1, 1, 1, 2, 2, 2, 3]);
  const pairs: Pair[] = [];
  for (let tries = 0; pairs.length < count && tries < TRIES; tries++) {
    const pair = randomPair(resource, 2, world, choices);
    if (pair !== undefined) pairs.push(pair);
  }
  const isSystem = pairs.every(([name]) => ofAllTypes(name)) && choices.isOneIn(2);
  const size: Pair = ['_count', String(choices.of([1, 2, 3, 7, 50]))];
  if (!isSystem)
    return { types: [type], path: type, text: queryText([...pairs, ...randomSort(type, resource, choices), size]) };
  const types = [...new Set([type, choices.of(world.resources).resourceType])];
  const sort = randomSort('Resource', resource, choices);
  return { types, path: '', text: queryText([...pairs, ...sort, size, ['_type', types.join()]]) };
};

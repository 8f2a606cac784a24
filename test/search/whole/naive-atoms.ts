/**
 * What R4 compares of a FHIR value, by the kind of the search parameter, and whether one searched value matches it.
 *
 * @see https://hl7.org/fhir/R4/search.html#ptypes
 */
import { createRequire } from 'node:module';
import { compares, dateRange, point, prefixed, type Range, searchedDates, searchedNumbers } from './naive-ranges.ts';
import { type Json, RESOURCE_TYPES, type Value } from './naive-values.ts';

/** What the answers depend on beside the resources and the query. */
export interface Setting {
  /** The FHIR base, without a final slash. */
  readonly baseUrl: string;
  /** The server's zone, as `Z` or `+05:30`. */
  readonly zone: string;
  /** How far `ap` reaches, as a share. */
  readonly approximateShare: number;
}

const present = <T>(values: readonly (T | undefined | null)[]): T[] =>
  values.filter((value): value is T => value !== undefined && value !== null);

const ESCAPES = ['\\', ',', '|', '$'];
/** Of Unicode's private use, so in no query. */
const STAND_INS = ['\uE000', '\uE001', '\uE002', '\uE003'];

/** Splits at signs that are not escaped. What is escaped stays so, by a stand-in, until `plain`. */
export const hidden = (text: string): string =>
  text.replace(/\\([\\,|$])/g, (_, sign: string) => STAND_INS[ESCAPES.indexOf(sign)] ?? '');
export const plain = (text: string): string =>
  text.replace(/[\uE000-\uE003]/g, (sign) => ESCAPES[STAND_INS.indexOf(sign)] ?? '');

/** The most characters that are compared: docs/search.md. */
const LONGEST = 512;

/** Letters that docs/search.md takes for others, as marks do not come off. */
const LETTERS: readonly (readonly [string, string])[] = [
  ...([
    ['ß', 'ss'],
    ['æ', 'ae'],
    ['œ', 'oe'],
    ['þ', 'th'],
    ['ø', 'o'],
    ['ł', 'l'],
    ['đ', 'd'],
    ['ð', 'd'],
  ] as const),
  ...([
    ['ħ', 'h'],
    ['ı', 'i'],
    ['ŋ', 'n'],
    ['ŧ', 't'],
    ['ς', 'σ'],
  ] as const),
];

/** Without case, marks, and white space that is too much. */
export const foldedWhole = (text: string): string => {
  const withoutMarks = text.normalize('NFKD').replace(/\p{M}/gu, '');
  const letters = LETTERS.reduce((before, [from, to]) => before.replaceAll(from, to), withoutMarks.toLowerCase());
  return letters.split(/\s+/u).join(' ').trim();
};

export const folded = (text: string): string => foldedWhole(text).slice(0, LONGEST);

export interface TokenAtom {
  readonly system?: string | undefined;
  /** Systems that an element of type code may be asked for with. */
  readonly implied: readonly string[];
  readonly code?: string | undefined;
  /** "If the underlying data type is string then the search is not case sensitive." */
  readonly isCaseless: boolean;
}

export const tokensOf = ({ type, value, systems }: Value): TokenAtom[] => {
  const json = value as Json;
  const coded = { implied: [], isCaseless: false };
  switch (type) {
    case 'CodeableConcept':
      return present<Json>(json['coding'] ?? []).map(({ system, code }) => ({ ...coded, system, code }));
    case 'Coding':
      return [{ ...coded, system: json['system'], code: json['code'] }];
    case 'Identifier':
      return [{ ...coded, system: json['system'], code: json['value'] }];
    case 'ContactPoint':
      return [{ implied: [], isCaseless: true, code: json['value'] }];
    case 'string':
      return [{ implied: [], isCaseless: true, code: String(value) }];
    case 'code':
    case 'id':
    case 'uri':
    case 'boolean':
      return [{ implied: systems, isCaseless: false, code: String(value) }];
    default:
      return [];
  }
};

/** `code`, `system|code`, `|code` or `system|`; hidden. */
export const isToken = (asked: string, { system, implied, code, isCaseless }: TokenAtom): boolean => {
  const [first = '', ...rest] = asked.split('|');
  const wanted = plain(rest.length === 0 ? first : rest.join('|'));
  const isCode = isCaseless ? code?.toLowerCase() === wanted.toLowerCase() : code === wanted;
  if (rest.length === 0) return isCode;
  if (first === '') return system === undefined && isCode;
  const isSystem = system === plain(first) || implied.includes(plain(first));
  return isSystem && (wanted === '' || isCode);
};

/** `system|code|value`; hidden. */
export const isOfType = (asked: string, { type, value }: Value): boolean => {
  if (type !== 'Identifier') return false;
  const [system = '', code = '', number = ''] = asked.split('|').map(plain);
  const codings = present<Json>((value as Json)['type']?.coding ?? []);
  return (
    (value as Json)['value'] === number &&
    codings.some((coding) => (coding['system'] ?? '') === system && (coding['code'] ?? '') === code)
  );
};

/** What `:text` looks at. */
export const textsOf = ({ type, value }: Value): string[] => {
  const json = value as Json;
  switch (type) {
    case 'CodeableConcept':
      return present([json['text'], ...present<Json>(json['coding'] ?? []).map(({ display }) => display)]);
    case 'Coding':
    case 'Reference':
      return present([json['display']]);
    case 'Identifier':
      return present([json['type']?.text]);
    default:
      return [];
  }
};

export const stringsOf = ({ type, value }: Value): string[] => {
  const { family, given = [], prefix = [], suffix = [], text, line = [], ...address } = value as Json;
  switch (type) {
    case 'string':
    case 'markdown':
      return [value as string];
    case 'HumanName':
      return present<string>([family, ...given, ...prefix, ...suffix, text]);
    case 'Address': {
      const { city, district, state, country, postalCode } = address;
      return present<string>([...line, city, district, state, country, postalCode, text]);
    }
    default:
      return [];
  }
};

export const isString = (modifier: string, asked: string, text: string): boolean => {
  if (modifier === 'exact') return text.slice(0, LONGEST) === plain(asked).slice(0, LONGEST);
  const wanted = folded(plain(asked));
  return modifier === 'contains' ? folded(text).includes(wanted) : folded(text).startsWith(wanted);
};

const joined = (ranges: readonly Range[]): Range[] =>
  ranges.length === 0
    ? []
    : [
        {
          lo: Math.min(...ranges.map(({ lo }) => lo)),
          hi: Math.max(...ranges.map(({ hi }) => hi)),
          hasLo: true,
          hasHi: false,
        },
      ];

const periodsOf = ({ start, end }: Json, zone: string): Range[] => {
  if (start === undefined && end === undefined) return [];
  const lo = start === undefined ? -Infinity : (dateRange(start, zone)?.lo ?? Number.NaN);
  const hi = end === undefined ? Infinity : (dateRange(end, zone)?.hi ?? Number.NaN);
  return lo < hi ? [{ lo, hi, hasLo: true, hasHi: false }] : [];
};

export const datesOf = ({ type, value }: Value, zone: string): Range[] => {
  const json = value as Json;
  switch (type) {
    case 'date':
    case 'dateTime':
    case 'instant':
      return present([dateRange(String(value), zone)]);
    case 'Period':
      return periodsOf(json, zone);
    case 'Timing': {
      const events = present<string>(json['event'] ?? []).map((event) => dateRange(event, zone));
      return joined([...present(events), ...periodsOf(json['repeat']?.boundsPeriod ?? {}, zone)]);
    }
    default:
      return [];
  }
};

export const isDate = (asked: string, range: Range, { zone, approximateShare }: Setting): boolean => {
  const searched = prefixed(plain(asked));
  return compares(searched.prefix, searchedDates(searched, zone, approximateShare), range);
};

const limits = ({ low, high }: Json): Range[] => {
  if (low?.value === undefined && high?.value === undefined) return [];
  const [lo, hi] = [low?.value ?? -Infinity, high?.value ?? Infinity];
  return lo <= hi ? [{ lo, hi, hasLo: true, hasHi: true }] : [];
};

export const numbersOf = ({ type, value }: Value): Range[] => {
  if (type === 'Range') return limits(value as Json);
  return ['integer', 'positiveInt', 'unsignedInt', 'decimal'].includes(type) ? [point(value as number)] : [];
};

export const isNumber = (asked: string, range: Range, { approximateShare }: Setting): boolean => {
  const searched = prefixed(asked);
  return compares(searched.prefix, searchedNumbers(searched, approximateShare), range);
};

export interface QuantityAtom {
  readonly range: Range;
  readonly system?: string | undefined;
  readonly code?: string | undefined;
  readonly unit?: string | undefined;
}

const measured = ({ value, comparator }: Json): Range[] => {
  if (value === undefined) return [];
  if (comparator === '<' || comparator === '<=')
    return [{ ...point(value), lo: -Infinity, hasHi: comparator === '<=' }];
  if (comparator === '>' || comparator === '>=') return [{ ...point(value), hi: Infinity, hasLo: comparator === '>=' }];
  return [point(value)];
};

const QUANTITIES = ['Quantity', 'SimpleQuantity', 'Age', 'Count', 'Distance', 'Duration'];

export const quantitiesOf = ({ type, value }: Value): QuantityAtom[] => {
  const json = value as Json;
  if (type === 'Money') {
    const currency = { system: 'urn:iso:std:iso:4217', code: json['currency'] };
    return json['value'] === undefined ? [] : [{ range: point(json['value']), ...(json['currency'] ? currency : {}) }];
  }
  const { system, code, unit }: Json = type === 'Range' ? (json['low'] ?? json['high'] ?? {}) : json;
  const ranges = type === 'Range' ? limits(json) : QUANTITIES.includes(type) ? measured(json) : [];
  return ranges.map((range) => ({ range, system, code, unit }));
};

const UCUM = 'http://unitsofmeasure.org';

interface Conversions {
  convertUnitTo(from: string, value: number, to: string): { readonly status: string; readonly toVal: number | null };
}

const units = createRequire(import.meta.url)('@lhncbc/ucum-lhc').UcumLhcUtils.getInstance() as Conversions;

/** Units that say nothing of any other: arbitrary ones, and logarithms. */
const isAlone = (unit: string): boolean => /\[(?:iU|IU|pH|arb'U|CFU)\]/.test(unit);

/** A number in another unit; undefined if that makes no sense. What floating point adds behind 12 digits is cut. */
const convertedTo = (to: string, value: number, from: string): number | undefined => {
  if (from === to || !Number.isFinite(value)) return value;
  // The package takes a mole for a number; the server does not.
  if (isAlone(from) || isAlone(to) || from.includes('mol') !== to.includes('mol')) return undefined;
  const { status, toVal } = units.convertUnitTo(from, value, to);
  return status === 'succeeded' && toVal !== null ? Number(toVal.toPrecision(12)) : undefined;
};

const isUnit = (code: string): boolean => !/\s/.test(code) && units.convertUnitTo(code, 1, code).status === 'succeeded';

/** `number`, `number|system|code` or `number||code`. */
export const isQuantity = (asked: string, atom: QuantityAtom, setting: Setting): boolean => {
  const [number = '', system = '', code = ''] = asked.split('|').map(plain);
  if (system === UCUM && code !== '' && isUnit(code)) {
    if (atom.system !== UCUM || atom.code === undefined || !isUnit(atom.code)) return false;
    const [lo, hi] = [atom.range.lo, atom.range.hi].map((end) => convertedTo(code, end, atom.code ?? ''));
    // An open end says nothing of its unit, and the other end does.
    if (lo === undefined || hi === undefined) return false;
    return isNumber(number, { ...atom.range, lo, hi }, setting);
  }
  if (!isNumber(number, atom.range, setting)) return false;
  if (system !== '') return atom.system === system && (code === '' || atom.code === code);
  return code === '' || atom.code === code || atom.unit === code;
};

/** A resource of this server, or anything else by its url. */
export type ReferenceAtom = { readonly type: string; readonly id: string } | { readonly url: string };

const LOCAL = /^([A-Z][A-Za-z]+)\/([A-Za-z0-9\-.]{1,64})$/;

const referenceAtom = (text: string, baseUrl: string): ReferenceAtom | undefined => {
  const own = text.startsWith(`${baseUrl}/`) ? text.slice(baseUrl.length + 1) : text;
  const withoutVersion = own.replace(/\/_history\/.*$/, '');
  const [, type = '', id = ''] = LOCAL.exec(withoutVersion) ?? [];
  if (RESOURCE_TYPES.includes(type)) return { type, id };
  return withoutVersion.includes(':') ? { url: withoutVersion } : undefined;
};

const canonicalAtoms = (text: string, baseUrl: string): ReferenceAtom[] => {
  if (text.startsWith('#')) return [];
  const [url = ''] = text.split('|');
  const local = referenceAtom(url, baseUrl);
  return [{ url: text }, { url }, ...(local !== undefined && 'type' in local ? [local] : [])];
};

export const referencesOf = (
  { type, value }: Value,
  targets: readonly string[],
  { baseUrl }: Setting,
): ReferenceAtom[] => {
  const json = value as Json;
  if (type === 'canonical') return canonicalAtoms(value as string, baseUrl);
  if (type === 'uri') return [{ url: value as string }];
  if (type === 'Reference')
    return json['reference'] === undefined ? [] : present([referenceAtom(json['reference'], baseUrl)]);
  const { resourceType, id } = json;
  return targets.includes(resourceType) && id !== undefined ? [{ type: resourceType, id }] : [];
};

/** Whether `asked` means the atom; an id alone is of any type in `targets`. */
export const isReference = (
  asked: string,
  atom: ReferenceAtom,
  targets: readonly string[],
  { baseUrl }: Setting,
): boolean => {
  const text = plain(asked);
  if (/^[A-Za-z0-9\-.]{1,64}$/.test(text)) return 'type' in atom && atom.id === text && targets.includes(atom.type);
  const wanted = referenceAtom(text, baseUrl);
  if (wanted === undefined) return false;
  if ('url' in wanted) return 'url' in atom && atom.url === wanted.url;
  return 'type' in atom && atom.type === wanted.type && atom.id === wanted.id;
};

export const urisOf = ({ type, value }: Value): string[] => {
  if (type === 'canonical') return [value as string, (value as string).split('|')[0] ?? ''];
  return ['uri', 'url', 'oid', 'uuid'].includes(type) ? [value as string] : [];
};

const isBelow = (uri: string, top: string): boolean => uri.startsWith(top.endsWith('/') ? top : `${top}/`);

export const isUri = (modifier: string, asked: string, uri: string): boolean => {
  const wanted = plain(asked);
  return (
    uri === wanted || (modifier === 'below' && isBelow(uri, wanted)) || (modifier === 'above' && isBelow(wanted, uri))
  );
};

/** What the searched elements of a resource contain, and what a search for it must find, by the words of R4 alone. */
import type { Resource } from '@medplum/fhirtypes';

export type Value =
  | { readonly kind: 'token'; readonly system?: string; readonly code: string }
  /** From the first millisecond to behind the last; `day` is the first one's. */
  | {
      readonly kind: 'date';
      readonly lo: number;
      readonly hi: number;
      readonly text: string;
      readonly isPeriod: boolean;
    }
  | { readonly kind: 'reference'; readonly target: string }
  | { readonly kind: 'string'; readonly text: string };

/** One or more values to search for, as they stand in a query, before they are percent-encoded. */
export interface Asked {
  readonly text: string;
  matches(value: Value): boolean;
}

type Json = Readonly<Record<string, unknown>>;

const DATES: readonly string[] = [
  ...['date', 'period', 'authored', 'authoredon', 'birthdate', 'death-date', 'target-date'],
  ...['onset-date', 'abatement-date', 'asserted-date', 'recorded-date'],
];
const REFERENCES: readonly string[] = ['patient', 'encounter', 'location', 'practitioner', 'questionnaire'];
const STRINGS: readonly string[] = ['name', 'family', 'address'];

const ASSERTED = 'http://hl7.org/fhir/StructureDefinition/condition-assertedDate';

/** Where the parameters are whose names do not tell. */
const PATHS: Readonly<Record<string, readonly string[]>> = {
  _id: ['id'],
  patient: ['subject', 'patient', 'beneficiary'],
  authoredon: ['authoredOn'],
  birthdate: ['birthDate'],
  family: ['name.family'],
  'death-date': ['deceasedDateTime'],
  'onset-date': ['onsetDateTime', 'onsetPeriod'],
  'abatement-date': ['abatementDateTime', 'abatementPeriod'],
  'recorded-date': ['recordedDate'],
  'asserted-date': [`extension(${ASSERTED}).valueDateTime`],
  'target-date': ['target.dueDate'],
  role: ['participant.role'],
  location: ['location.location'],
  'discharge-disposition': ['hospitalization.dischargeDisposition'],
  period: ['context.period'],
  'Observation.date': ['effectiveDateTime', 'effectivePeriod', 'effectiveInstant'],
  'DiagnosticReport.date': ['effectiveDateTime', 'effectivePeriod'],
  'CarePlan.date': ['period'],
  'Encounter.date': ['period'],
  'Immunization.date': ['occurrenceDateTime'],
  'Procedure.date': ['performedDateTime', 'performedPeriod'],
  'ServiceRequest.authored': ['authoredOn'],
};

const camelCase = (name: string): string => name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());

const pathsOf = (type: string, parameter: string): readonly string[] =>
  PATHS[`${type}.${parameter}`] ?? PATHS[parameter] ?? [camelCase(parameter)];

const childrenOf = (item: unknown, step: string): unknown[] => {
  const url = /^extension\((.*)\)$/.exec(step)?.[1];
  const child = (item as Json)[url === undefined ? step : 'extension'];
  const children = child === undefined ? [] : [child].flat();
  return url === undefined ? children : children.filter((each) => (each as Json)['url'] === url);
};

const elementsAt = (resource: Resource, path: string): unknown[] =>
  (path.match(/extension\([^)]*\)|[^.]+/g) ?? []).reduce<unknown[]>(
    (items, step) => items.flatMap((item) => childrenOf(item, step)),
    [resource],
  );

const token = (code: unknown, system?: unknown): Value[] => {
  if (typeof code !== 'string') return [];
  return [{ kind: 'token', code, ...(typeof system === 'string' ? { system } : {}) }];
};

const tokensOf = (element: unknown): Value[] => {
  if (typeof element !== 'object') return token(element);
  const { coding, code, system, value, text } = element as Json;
  if (Array.isArray(coding)) return coding.flatMap((each: Json) => token(each['code'], each['system']));
  // A text alone is no code.
  return text === undefined ? token(code ?? value, system) : [];
};

const DAY = 86_400_000;

/** From the first to behind the last millisecond of the written precision; without a zone it is UTC. */
const spanOf = (text: string): { lo: number; hi: number } => {
  const lo = Date.parse(text.length === 16 ? `${text}Z` : text);
  const start = new Date(lo);
  if (text.length === 4) return { lo, hi: Date.UTC(start.getUTCFullYear() + 1) };
  if (text.length === 7) return { lo, hi: Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + 1) };
  if (text.length === 10) return { lo, hi: lo + DAY };
  return { lo, hi: lo + (text.includes('.') ? 1 : 1000) };
};

const datesOf = (element: unknown): Value[] => {
  if (typeof element === 'string') return [{ kind: 'date', ...spanOf(element), text: element, isPeriod: false }];
  const { start, end } = element as { start?: string; end?: string };
  if (start === undefined) return [];
  const hi = end === undefined ? Number.POSITIVE_INFINITY : spanOf(end).hi;
  return [{ kind: 'date', lo: spanOf(start).lo, hi, text: start, isPeriod: true }];
};

const referencesOf = (element: unknown): Value[] => {
  const target = typeof element === 'string' ? element : (element as { reference?: string }).reference;
  return target === undefined ? [] : [{ kind: 'reference', target }];
};

const NAME_PARTS = ['family', 'given', 'text', 'prefix', 'suffix'];
const ADDRESS_PARTS = ['city', 'line', 'postalCode', 'state', 'text', 'district', 'country'];

const stringsOf = (element: unknown): Value[] => {
  const parts = typeof element === 'string' ? [element] : [...NAME_PARTS, ...ADDRESS_PARTS];
  const texts = typeof element === 'string' ? parts : parts.flatMap((part) => childrenOf(element, part));
  return texts.map((text) => ({ kind: 'string', text: text as string }));
};

/** What a parameter says of a resource. */
export const valuesOf = (resource: Resource, parameter: string): Value[] => {
  const elements = pathsOf(resource.resourceType, parameter).flatMap((path) => elementsAt(resource, path));
  if (DATES.includes(parameter)) return elements.flatMap(datesOf);
  if (REFERENCES.includes(parameter)) return elements.flatMap(referencesOf);
  return elements.flatMap(STRINGS.includes(parameter) ? stringsOf : tokensOf);
};

const escaped = (text: string): string => text.replace(/[\\,$|]/g, '\\$&');

export const askedCode = (code: string, system?: string): Asked => ({
  text: system === undefined ? escaped(code) : `${escaped(system)}|${escaped(code)}`,
  matches: (value) =>
    value.kind === 'token' && value.code === code && (system === undefined || value.system === system),
});

/** @see https://hl7.org/fhir/R4/search.html#prefix */
const askedDate = (prefix: '' | 'gt' | 'ge' | 'lt' | 'le', text: string): Asked => {
  const asked = spanOf(text);
  return {
    text: `${prefix}${text}`,
    matches: (value) => {
      if (value.kind !== 'date') return false;
      const isContained = asked.lo <= value.lo && value.hi <= asked.hi;
      if (prefix === '') return isContained;
      if (prefix.startsWith('g')) return value.hi > asked.hi || (prefix === 'ge' && isContained);
      return value.lo < asked.lo || (prefix === 'le' && isContained);
    },
  };
};

const askedTarget = (text: string, target: string): Asked => ({
  text: escaped(text),
  matches: (value) => value.kind === 'reference' && value.target === target,
});

const askedText = (text: string): Asked => ({
  text: escaped(text),
  matches: (value) => value.kind === 'string' && value.text.toLowerCase().startsWith(text.toLowerCase()),
});

const dayOf = (instant: number): string => new Date(instant).toISOString().slice(0, 10);

/** The ways to ask for a value, all of which find it; `base` is the FHIR base. */
export const askedFor = (value: Value, base: string): Asked[] => {
  switch (value.kind) {
    case 'token':
      return [...(value.system === undefined ? [] : [askedCode(value.code, value.system)]), askedCode(value.code)];
    case 'date': {
      const [before, after] = [dayOf(value.lo - DAY), dayOf(value.lo + DAY)];
      const near = [askedDate('gt', before), askedDate('lt', after)];
      return value.isPeriod
        ? [askedDate('ge', before), askedDate('le', after), ...near]
        : [askedDate('', value.text), askedDate('ge', value.text), askedDate('le', value.text), ...near];
    }
    case 'reference': {
      const { target } = value;
      const isRelative = /^[A-Z][A-Za-z]+\/[^/]+$/.test(target);
      const others = isRelative ? [target.replace(/^.*\//, ''), `${base}/${target}`] : [];
      return [askedTarget(target, target), ...others.map((text) => askedTarget(text, target))];
    }
    case 'string':
      return [askedText(value.text), askedText(value.text.slice(0, 3).toUpperCase())];
  }
};

/** What no resource has. */
export const askedForNothing = (parameter: string): Asked => {
  if (DATES.includes(parameter)) return askedDate('', '1850-01-01');
  if (REFERENCES.includes(parameter)) return askedTarget('Patient/none', 'Patient/none');
  return STRINGS.includes(parameter) ? askedText('Nobody') : askedCode('none', 'http://example.org/none');
};

/** `a,b`: any of them. */
export const anyOf = (all: readonly Asked[]): Asked => ({
  text: all.map(({ text }) => text).join(','),
  matches: (value) => all.some((asked) => asked.matches(value)),
});

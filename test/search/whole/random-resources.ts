/**
 * Resources built from real ones: where values matter for searches they are changed at random, as long as the result is
 * valid R4. All randomness is drawn from `Choices`, so that a seed repeats it.
 */
import type { Choices } from './choices.ts';
import type { Json, Resource } from './naive-values.ts';

interface Site {
  readonly parent: Json;
  readonly key: string;
  readonly value: unknown;
}

/** Names and the like; array items have numbers for keys. */
const TEXT_KEYS = /^(\d+|family|text|display|city|country|name|title|description)$/;

const sitesOf = (parent: Json, found: Site[] = []): Site[] => {
  for (const [key, value] of Object.entries(parent)) {
    if (['resourceType', 'id', 'div', 'contained', 'extension', 'data'].includes(key) || value === null) continue;
    found.push({ parent, key, value });
    if (typeof value === 'object') sitesOf(value as Json, found);
  }
  return found;
};

export const UCUM = 'http://unitsofmeasure.org';
/** Of few dimensions, so that quantities meet others of theirs. */
export const UNITS = [
  ...['mg', 'g', 'kg', '[lb_av]', 'mg/dL', 'g/L', 'mg{creat}/dL', 'mmol/L', 'umol/L', 'cm', 'm', '[in_i]', 'Cel'],
  ...[
    '[degF]',
    'K',
    'mm[Hg]',
    'kPa',
    '%',
    '1',
    '/min',
    '10*3/uL',
    '10*9/L',
    '[iU]/L',
    '[pH]',
    'U/L',
    'no-unit',
    'a',
    'd',
  ],
];
const NUMBERS = [0, 1, 5, 5.4, 5.35, 5.45, 6.3, 36.5, 37, 70, 98.6, 100, 107, 120, 0.5, 0.054, -3, 185, 2500, 1e6];
export const SYSTEMS = ['http://loinc.org', 'http://snomed.info/sct', 'urn:oid:1.2.3', 'http://example.org/A', UCUM];
export const CODES = ['active', 'Active', 'a|b', 'c,d', 'e$f', '8480-6', '29463-7', 'back\\slash', 'straße', 'x y'];
const TEXTS = [
  ...['Müller', 'MULLER', 'mueller', 'Łódź', 'Peter', "O'Neil", 'van der  Berg', 'Σίσυφος', 'Strauß', 'ﬁne', 'a,b|c$d'],
  ...['100%', 'under_score', 'Ångström', 'é', 'naïve café', '日本', 'I', 'İstanbul', 'back\\slash', 'x'.repeat(600)],
];
const DATES = [
  ...['2013', '2012', '2013-04', '2013-12', '2012-02-29', '2013-04-02', '2013-04-03', '2012-12-31', '2013-01-01'],
  ...['2013-04-02T09:30:10Z', '2013-04-02T09:30:10.500Z', '2013-04-02T09:30:10+01:00', '2013-04-02T23:30:00-05:00'],
  ...['2013-04-02T09:30:10.123456Z', '2013-12-31T23:59:59Z', '2013-04-03T00:00:00+14:00', '2024-02-29', '1974-12-25'],
];
const URLS = [
  ...[
    'http://example.org/fhir',
    'http://example.org/fhir/',
    'http://example.org/fhir/A',
    'http://example.org/fhir/A/b',
  ],
  ...['http://example.org/FHIR/a', 'urn:oid:1.2.3', 'http://example.org/fhirs', 'http://example.org/fhir/A|1.2'],
  ...['http://example.org/fhir/A|1.2.3', 'http://example.org/fhir/A|10'],
];

const DATE = /^\d{4}(-\d\d(-\d\d(T.*)?)?)?$/;

const randomDate = (choices: Choices): string => choices.of(DATES);

const randomCoding = (choices: Choices): Json => ({
  ...(choices.isOneIn(4) ? {} : { system: choices.of(SYSTEMS) }),
  ...(choices.isOneIn(8) ? {} : { code: choices.of(CODES) }),
  ...(choices.isOneIn(2) ? {} : { display: choices.of(TEXTS) }),
});

const randomConcept = (choices: Choices): Json => ({
  coding: Array.from({ length: 1 + choices.upTo(1) }, () => randomCoding(choices)),
  ...(choices.isOneIn(2) ? { text: choices.of(TEXTS) } : {}),
});

const randomQuantity = (choices: Choices): Json => {
  const code = choices.of(UNITS);
  const unit = choices.of([
    { system: UCUM, code, unit: code },
    { system: UCUM, code, unit: code },
    { system: UCUM, code },
    { system: 'http://example.org/units', code },
    { unit: code },
    {},
  ]);
  const comparator = choices.isOneIn(5) ? { comparator: choices.of(['<', '<=', '>', '>=']) } : {};
  return { value: choices.of(NUMBERS), ...comparator, ...unit };
};

const randomPeriod = (choices: Choices): Json => {
  const ends = [randomDate(choices), randomDate(choices)].sort();
  return choices.of<Json>([
    { start: ends[0], end: ends[1] },
    { start: ends[0] },
    { end: ends[1] },
    { start: ends[0], end: ends[0] },
  ]);
};

const randomRange = (choices: Choices): Json => {
  const code = choices.of(UNITS);
  const unit = choices.isOneIn(3) ? {} : { system: UCUM, code };
  const [low = 0, high = 0] = [choices.of(NUMBERS), choices.of(NUMBERS)].sort((a, b) => a - b);
  return choices.of<Json>([
    { low: { value: low, ...unit }, high: { value: high, ...unit } },
    { low: { value: low, ...unit } },
    { high: { value: high, ...unit } },
  ]);
};

const randomTiming = (choices: Choices): Json =>
  choices.of<Json>([
    { event: [randomDate(choices), randomDate(choices)] },
    { repeat: { boundsPeriod: randomPeriod(choices) } },
    { event: [randomDate(choices)], repeat: { boundsPeriod: randomPeriod(choices) } },
    { repeat: { frequency: 1, period: 1, periodUnit: 'd' } },
  ]);

const randomIdentifier = (choices: Choices): Json => ({
  ...(choices.isOneIn(3) ? {} : { system: choices.of(SYSTEMS) }),
  ...(choices.isOneIn(6) ? {} : { value: choices.of(CODES) }),
  ...(choices.isOneIn(2) ? { type: randomConcept(choices) } : {}),
});

/** To one of `others` (as `Patient/1`), of the type that it has now if there is one, or to somewhere else. */
const randomReference = (now: Json, others: readonly string[], baseUrl: string, choices: Choices): Json => {
  const [type = 'Patient'] = /[A-Z][A-Za-z]+(?=\/[^/]+$)/.exec(String(now['reference'])) ?? [];
  const ofType = others.filter((other) => other.startsWith(`${type}/`));
  const pool = ofType.length > 0 && !choices.isOneIn(5) ? ofType : others;
  const target = pool.length === 0 ? `${type}/absent` : choices.of(pool);
  const literal = choices.of([
    ...[target, target, target, target, `${baseUrl}/${target}`, `${target}/_history/2`, `${type}/absent`],
    ...[`http://other.example/fhir/${target}`, `http://other.example/fhir/${target}/_history/1`, 'urn:uuid:1-2-3'],
  ]);
  return {
    ...(choices.isOneIn(8) ? {} : { reference: literal }),
    ...(choices.isOneIn(4) ? { identifier: randomIdentifier(choices) } : {}),
    ...(choices.isOneIn(4) ? { display: choices.of(TEXTS) } : {}),
    ...(choices.isOneIn(10) ? { type } : {}),
  };
};

/** What an element with several types may become; the validator refuses what R4 does not allow there. */
const CHOICES: Readonly<Record<string, (choices: Choices) => unknown>> = {
  Quantity: randomQuantity,
  Age: (choices) => ({ value: choices.of([1, 5, 70]), system: UCUM, code: choices.of(['a', 'd']) }),
  CodeableConcept: randomConcept,
  String: (choices) => choices.of(TEXTS),
  Range: randomRange,
  DateTime: randomDate,
  Date: randomDate,
  Instant: randomDate,
  Period: randomPeriod,
  Timing: randomTiming,
  Boolean: (choices) => choices.isOneIn(2),
  Integer: (choices) => choices.upTo(9),
};

const CHOICE = new RegExp(`^([a-z][A-Za-z]*?)(${Object.keys(CHOICES).join('|')})$`);

const changedString = (text: string, key: string, choices: Choices): unknown => {
  if (DATE.test(text)) return randomDate(choices);
  if (key === 'system') return choices.of(SYSTEMS);
  if (/^(https?:|urn:)/.test(text)) return choices.of(URLS);
  // R4 has canonicals in absolute form; other forms mean what they do for a reference.
  if (/^[A-Z][A-Za-z]+\//.test(text)) return undefined;
  if (key === 'code' || key === 'value') return choices.of(CODES);
  return choices.of([choices.of(TEXTS), text.toUpperCase(), text.toLowerCase(), `${text} ${choices.of(TEXTS)}`]);
};

const changedObject = (value: Json, others: readonly string[], baseUrl: string, choices: Choices): unknown => {
  if ('reference' in value || 'display' in value) return randomReference(value, others, baseUrl, choices);
  if ('coding' in value || ('text' in value && Object.keys(value).length === 1)) return randomConcept(choices);
  if ('start' in value || 'end' in value) return randomPeriod(choices);
  if ('low' in value || 'high' in value) return randomRange(choices);
  if ('repeat' in value || 'event' in value) return randomTiming(choices);
  if (typeof value['value'] === 'number') return randomQuantity(choices);
  if (typeof value['value'] === 'string') return randomIdentifier(choices);
  return 'code' in value || 'system' in value ? randomCoding(choices) : undefined;
};

/** Changes one place; nothing happens where it does not know how. */
const changeSite = (
  { parent, key, value }: Site,
  others: readonly string[],
  baseUrl: string,
  choices: Choices,
): void => {
  const change = (changed: unknown): void => {
    if (changed === undefined) delete parent[key];
    else parent[key] = changed;
  };
  const choice = CHOICE.exec(key);
  if (choice !== null && choices.isOneIn(2)) {
    const type = choices.of(Object.keys(CHOICES));
    delete parent[key];
    parent[`${choice[1]}${type}`] = CHOICES[type]?.(choices);
    return;
  }
  if (Array.isArray(value)) {
    if (value.length > 1 && choices.isOneIn(3)) value.splice(choices.upTo(value.length - 1), 1);
    else value.push(structuredClone(choices.of(value)));
    return;
  }
  if (!Array.isArray(parent) && choices.isOneIn(8)) change(undefined);
  else if (typeof value === 'string') change(changedString(value, key, choices));
  else if (typeof value === 'number') change(choices.of(NUMBERS));
  else if (typeof value === 'boolean') change(!value);
  else if (typeof value === 'object' && value !== null && !Array.isArray(parent))
    change(changedObject(value as Json, others, baseUrl, choices));
  else if (typeof value === 'object' && value !== null) {
    const changed = changedObject(value as Json, others, baseUrl, choices);
    if (changed !== undefined) parent[key] = changed;
  }
};

const randomMeta = (choices: Choices): Json => ({
  ...(choices.isOneIn(2) ? { tag: [randomCoding(choices)] } : {}),
  ...(choices.isOneIn(2) ? { security: [randomCoding(choices)] } : {}),
  ...(choices.isOneIn(2) ? { profile: [choices.of(URLS)] } : {}),
  ...(choices.isOneIn(2) ? { source: choices.of(URLS) } : {}),
});

export interface Surroundings {
  /** What references may lead to, as `Patient/1`. */
  readonly others: readonly string[];
  readonly baseUrl: string;
  isValid(resource: Resource): boolean;
}

/** A changed copy of a valid resource, valid again. */
export const changedResource = (original: Resource, surroundings: Surroundings, choices: Choices): Resource => {
  const { others, baseUrl, isValid } = surroundings;
  const { meta: _, ...rest } = original;
  let resource: Resource = choices.isOneIn(2)
    ? { ...rest, resourceType: original.resourceType, id: original.id, meta: randomMeta(choices) }
    : (rest as Resource);
  for (let change = choices.upTo(12); change > 0; change--) {
    const copy = structuredClone(resource);
    const references = sitesOf(copy).filter(({ value }) => typeof value === 'object' && 'reference' in (value as Json));
    const texts = sitesOf(copy).filter(({ value, key }) => typeof value === 'string' && TEXT_KEYS.test(key));
    const preferred = choices.of([references, references, texts, []]);
    const sites = preferred.length > 0 ? preferred : sitesOf(copy);
    if (sites.length === 0) break;
    changeSite(choices.of(sites), others, baseUrl, choices);
    if (isValid(copy)) resource = copy;
  }
  return resource;
};

/** Literal references to resources that are still to come would give those a number out of turn. */
export const withoutReferencesTo = (resource: Resource, names: ReadonlySet<string>): Resource => {
  const copy = structuredClone(resource);
  for (const { parent, key, value } of sitesOf(copy)) {
    const text = typeof value === 'string' ? /[A-Z][A-Za-z]+\/[A-Za-z0-9\-.]+/g.exec(value)?.[0] : undefined;
    if (text !== undefined && names.has(text)) parent[key] = `${text.split('/')[0]}/absent`;
  }
  return copy;
};

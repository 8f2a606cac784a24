/** As many different patients as are asked for, made of the records of a few: other ids, names, numbers and days. */
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Record {
  /** A transaction Bundle. */
  readonly text: string;
  readonly resources: number;
  readonly family: string;
  /** Of the JSON of its resources. */
  readonly jsonBytes: number;
}

interface Template {
  readonly text: string;
  readonly resources: number;
  readonly family: string;
  readonly jsonBytes: number;
}

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const DAY = /"(\d{4})-(\d\d)-(\d\d)(?=[T"])/g;
const DAYS = 364;
const DAY_MILLISECONDS = 86_400_000;

/** The shapes of a resource's JSON that are read here. */
interface NamedResource {
  readonly resourceType: string;
  readonly name?: readonly { readonly family?: string }[];
}

const templateOf = (text: string): Template => {
  const { entry } = JSON.parse(text) as { entry: { resource: NamedResource }[] };
  const patient = entry.find(({ resource }) => resource.resourceType === 'Patient')?.resource;
  return {
    text,
    resources: entry.length,
    family: patient?.name?.[0]?.family ?? '',
    jsonBytes: entry.reduce((sum, { resource }) => sum + Buffer.byteLength(JSON.stringify(resource)), 0),
  };
};

const CONSONANTS = 'bdfghklmnprstvz';
const VOWELS = 'aeiou';

/** A name that few others share the first letters of: the digits of a number as syllables. */
const familyOf = (number: number): string => {
  let rest = number * 7919 + 5000;
  let name = '';
  while (rest > 0) {
    name += CONSONANTS.charAt(rest % CONSONANTS.length);
    rest = Math.floor(rest / CONSONANTS.length);
    name += VOWELS.charAt(rest % VOWELS.length);
    rest = Math.floor(rest / VOWELS.length);
  }
  return name.charAt(0).toUpperCase() + name.slice(1);
};

/** The Bundles of a folder, each a patient's record. Throws if there are none. */
export const openRecords = (folder: string): ((number: number) => Record) => {
  const templates = readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => templateOf(readFileSync(join(folder, name), 'utf8')));
  if (templates.length === 0) throw new Error(`${folder} has no .json files`);
  return (number) => {
    const template = templates[number % templates.length] as Template;
    const ids = new Map<string, string>();
    const family = familyOf(number);
    const shift = ((number * 31) % DAYS) * DAY_MILLISECONDS;
    const text = template.text
      .replace(UUID, (id) => {
        const known = ids.get(id) ?? randomUUID();
        ids.set(id, known);
        return known;
      })
      .replace(DAY, (_, year, month, day) => {
        const moved = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)) + shift);
        return `"${moved.toISOString().slice(0, 10)}`;
      })
      .replaceAll(`"family":"${template.family}"`, `"family":"${family}"`)
      .replaceAll(`"family": "${template.family}"`, `"family": "${family}"`)
      .replace(/999-\d\d-\d{4}/g, `999-${String(number).padStart(6, '0').replace(/^(..)/, '$1-')}`);
    const { resources, jsonBytes } = template;
    return { text, resources, family, jsonBytes };
  };
};

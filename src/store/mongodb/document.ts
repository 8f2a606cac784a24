/**
 * The documents: a resource's current version with all keys by which it is found, and a superseded version, which has
 * none. The text is kept as it is sent.
 */
import type { ObjectId } from 'mongodb';
import type { Reference } from '../../fhir/reference.ts';
import { foldText, type IndexEntry } from '../../search/index-entry.ts';
import type { Form } from '../range-forms.ts';
import type { Action } from '../store.ts';
import {
  anyReferenceKey,
  anySystemKey,
  clinicalDateParam,
  exactKey,
  keyName,
  PATIENT_PARAMS,
  referenceKey,
  resourceKey,
  SEVERAL_PATIENTS,
  sourceKey,
  stringKey,
  tokenKey,
  uriKey,
  wordKey,
  wordsOf,
} from './keys.ts';
import { withForms } from './range-forms.ts';

/** What a current and a superseded version have in common. */
export interface StoredVersion {
  readonly rid: number;
  readonly type: string;
  readonly id: string;
  readonly version: number;
  /** `lastUpdated`, in milliseconds since 1970 UTC. */
  readonly updated: number;
  /** False for a deletion. */
  readonly live: boolean;
  readonly action: Action;
  /** The resource's JSON; '' for a deletion. Absent if it lies among the large bodies. */
  readonly body?: string;
  /** The large body. */
  readonly attachment?: ObjectId;
  /** The length of the JSON in bytes. */
  readonly size: number;
  /** On whose behalf the resource had been pushed when the version was made, like `Organization/abc`. */
  readonly source?: string;
  /** Of the commit that made the version: by it a writer that lost the answer sees whether it has written. */
  readonly mark: ObjectId;
}

/** What a find must bring to make a Version of a document. */
export const VERSION_FIELDS = {
  rid: 1,
  type: 1,
  id: 1,
  version: 1,
  updated: 1,
  live: 1,
  action: 1,
  body: 1,
  attachment: 1,
  size: 1,
  source: 1,
  mark: 1,
} as const satisfies Readonly<Record<keyof StoredVersion, 1>>;

/** A superseded version. `_id`: `Patient/1/3`. */
export interface HistoryDocument extends StoredVersion {
  readonly _id: string;
}

/** A date of the parameter `p`, in milliseconds since 1970 UTC; the most remote instants stand for open ends. */
export interface DateRange {
  readonly p: string;
  readonly lo: number;
  readonly hi: number;
  /** Not of ranges in elements. */
  readonly f?: Form;
}

/** A number or quantity: system, code and unit as written ('' where absent); the largest numbers stand for open ends. */
interface NumberRange extends DateRange {
  readonly s: string;
  readonly c: string;
  readonly u: string;
}

/** The keys of a resource, or of one element of it. Each `p` and each key begins with `keyName` of the parameter. */
interface Keys {
  /** Tokens, references and uris. */
  readonly k: readonly string[];
  /** Strings, folded (`=`) and as written (`!`). */
  readonly s: readonly string[];
  readonly d: readonly DateRange[];
  readonly n: readonly NumberRange[];
}

/** One element of the composite parameter `p`: the keys of its components, under `code-value-quantity#0` and so on. */
interface ElementKeys extends Keys {
  readonly p: string;
}

/** By `keyName` of the parameter: its smallest value and its largest, as they are sorted by. */
type SortValues = Readonly<Record<string, { readonly a: string | number; readonly z: string | number }>>;

export interface IndexFields extends Keys {
  readonly e: readonly ElementKeys[];
  /** Words of the text, folded: `c:` of all text, `n:` of the narrative. */
  readonly w: readonly string[];
  /** `keyName` of the parameters with a value. */
  readonly present: readonly string[];
  readonly o: SortValues;
  /** `Patient/1` if the resource is about one patient alone, `*` if about several, null if about none. */
  readonly patient: string | null;
  /** The largest value of the type's `clinicalDateParam`; null if there is none. */
  readonly clinicalDate: number | null;
}

/** A current version. `_id`: `Patient/1`. A deletion has no keys. */
export interface ResourceDocument extends StoredVersion, IndexFields {
  readonly _id: string;
}

export const NO_KEYS: IndexFields = {
  k: [],
  s: [],
  d: [],
  n: [],
  e: [],
  w: [],
  present: [],
  o: {},
  patient: null,
  clinicalDate: null,
};

/** The most remote instants that JavaScript knows stand for open ends. */
const OPEN_INSTANT = 8_640_000_000_000_000;

const storedInstant = (instant: number): number => Math.min(OPEN_INSTANT, Math.max(-OPEN_INSTANT, instant));

const storedNumber = (number: number): number => Math.min(Number.MAX_VALUE, Math.max(-Number.MAX_VALUE, number));

interface KeySets {
  readonly k: Set<string>;
  readonly s: Set<string>;
  readonly d: Map<string, DateRange>;
  readonly n: Map<string, NumberRange>;
}

type ValueEntry = Exclude<IndexEntry, { kind: 'text' }>;

const noSets = (): KeySets => ({ k: new Set(), s: new Set(), d: new Map(), n: new Map() });

const addPoint = (entry: Extract<ValueEntry, { kind: 'token' | 'reference' | 'uri' }>, k: Set<string>): void => {
  const { param } = entry;
  if (entry.kind === 'reference') k.add(referenceKey(param, entry));
  else if (entry.kind === 'uri') k.add(uriKey(param, entry.value));
  else k.add(tokenKey(param, entry.system, entry.code)).add(anySystemKey(param, entry.code));
};

const addTo = (sets: KeySets, entry: ValueEntry): void => {
  const p = keyName(entry.param);
  switch (entry.kind) {
    case 'string':
      sets.s.add(stringKey(entry.param, entry.value)).add(exactKey(entry.param, entry.exact));
      break;
    case 'date': {
      const range = { p, lo: storedInstant(entry.lo), hi: storedInstant(entry.hi) };
      sets.d.set(JSON.stringify(range), range);
      break;
    }
    case 'number':
    case 'quantity': {
      const { system: s, code: c, unit: u } = entry.kind === 'quantity' ? entry : { system: '', code: '', unit: '' };
      const range = { p, lo: storedNumber(entry.lo), hi: storedNumber(entry.hi), s, c, u };
      sets.n.set(JSON.stringify(range), range);
      break;
    }
    default:
      addPoint(entry, sets.k);
  }
};

const keysOf = ({ k, s, d, n }: KeySets): Keys => ({ k: [...k], s: [...s], d: [...d.values()], n: [...n.values()] });

const sortValueOf = (entry: ValueEntry): string | number => {
  switch (entry.kind) {
    case 'token':
      return entry.code;
    case 'string':
    case 'uri':
      return entry.value;
    case 'reference':
      return entry.id;
    case 'date':
      return storedInstant(entry.lo);
    case 'number':
    case 'quantity':
      return storedNumber(entry.lo);
  }
};

/** In the order of the database, which compares the bytes of UTF-8. */
const isBefore = (a: string | number, b: string | number): boolean =>
  typeof a === 'string' && typeof b === 'string' ? Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0 : a < b;

const sortValuesOf = (entries: readonly ValueEntry[]): SortValues => {
  const values = new Map<string, { a: string | number; z: string | number }>();
  for (const entry of entries) {
    // Only what is named by its code alone can be sorted by.
    if (entry.element !== undefined || /[:#]/.test(entry.param)) continue;
    const value = sortValueOf(entry);
    const name = keyName(entry.param);
    const known = values.get(name);
    if (known === undefined) values.set(name, { a: value, z: value });
    else if (isBefore(value, known.a)) known.a = value;
    else if (isBefore(known.z, value)) known.z = value;
  }
  return Object.fromEntries(values);
};

const wordKeysOf = (entries: readonly IndexEntry[]): string[] => {
  const words = new Set<string>();
  for (const entry of entries)
    if (entry.kind === 'text')
      for (const word of wordsOf(foldText(entry.text)))
        words.add(wordKey(entry.param === '_content' ? '_content' : '_text', word));
  return [...words];
};

const patientOf = (entries: readonly ValueEntry[]): string | null => {
  const patients = new Set(
    entries.flatMap((entry) =>
      entry.kind === 'reference' && entry.type === 'Patient' && PATIENT_PARAMS.includes(entry.param)
        ? [resourceKey(entry)]
        : [],
    ),
  );
  const [patient = null] = patients;
  return patients.size > 1 ? SEVERAL_PATIENTS : patient;
};

/** The composite parameter of a component: `near` of `near#1`. */
const compositeOf = (param: string): string => param.replace(/#\d+(:.*)?$/, '');

/** What a resource of `type` is found by. */
export const indexFields = (
  type: Reference['type'],
  entries: readonly IndexEntry[],
  source: string | undefined,
): IndexFields => {
  const own = noSets();
  if (source !== undefined) own.k.add(sourceKey(source));
  const elements = new Map<string, { readonly p: string; readonly sets: KeySets }>();
  const values = entries.filter((entry) => entry.kind !== 'text');
  for (const entry of values) {
    const { param, element } = entry;
    if (element === undefined) {
      addTo(own, entry);
      if (entry.kind === 'reference') own.k.add(anyReferenceKey(entry));
      continue;
    }
    const p = keyName(compositeOf(param));
    const name = `${p} ${element}`;
    const known = elements.get(name) ?? { p, sets: noSets() };
    elements.set(name, known);
    addTo(known.sets, entry);
    // So that the index of point keys narrows a composite, too.
    if (entry.kind === 'token' || entry.kind === 'reference' || entry.kind === 'uri') addPoint(entry, own.k);
  }
  const o = sortValuesOf(values);
  const keys = keysOf(own);
  return {
    ...keys,
    d: withForms('d', keys.d),
    n: withForms('n', keys.n),
    e: [...elements.values()].map(({ p, sets }) => ({ p, ...keysOf(sets) })),
    w: wordKeysOf(entries),
    present: [...new Set(values.map(({ param }) => keyName(param)))],
    o,
    patient: patientOf(values),
    clinicalDate: (o[keyName(clinicalDateParam(type))]?.z as number | undefined) ?? null,
  };
};

/**
 * What a store keeps of a resource in order to find it: one entry a value of a search parameter. Neutral: each store
 * decides how to keep it.
 */

/** What all entries have. */
interface Entry {
  /**
   * The code of the search parameter. Beside its main values a parameter may have others under a name of their own:
   * `subject:identifier`, `identifier:of-type`, `code:text`, `value-quantity:canonical` (in UCUM base units),
   * `instantiates-canonical:below` and `contenttype:below` (what a more exact value is below of), `url:version` (with
   * `|version`), `_text:present`, and `code-value-quantity#1` for a component of a composite.
   */
  readonly param: string;
  /** For components: which element of the resource the value is from, counted from 0. */
  readonly element?: number;
}

/** A coded value: `system` is '' where the element has none, `code` is '' where only a system is given. */
export interface TokenEntry extends Entry {
  readonly kind: 'token';
  readonly system: string;
  readonly code: string;
}

/** `value` is folded (see `foldString`), `exact` is as written; both are cut at `STRING_LIMIT` characters. */
interface StringEntry extends Entry {
  readonly kind: 'string';
  readonly value: string;
  readonly exact: string;
}

/** Milliseconds since 1970 UTC, `lo` included, `hi` excluded; an open end is -Infinity or Infinity. */
interface DateEntry extends Entry {
  readonly kind: 'date';
  readonly lo: number;
  readonly hi: number;
}

/** A point (`lo` = `hi`), or the interval of a Range or comparator with an open end as -Infinity or Infinity. */
interface NumberEntry extends Entry {
  readonly kind: 'number';
  readonly lo: number;
  readonly hi: number;
}

/** As a number, with the unit as written: `system`, `code` and `unit` are '' where absent. */
interface QuantityEntry extends Entry {
  readonly kind: 'quantity';
  readonly lo: number;
  readonly hi: number;
  readonly system: string;
  readonly code: string;
  readonly unit: string;
}

/** A resource of this server (`type` and `id`), or, with `type` '', another url as `id` (also canonical and `urn:`). */
interface ReferenceEntry extends Entry {
  readonly kind: 'reference';
  readonly type: string;
  readonly id: string;
}

interface UriEntry extends Entry {
  readonly kind: 'uri';
  readonly value: string;
}

/** All text of a resource (`_content`) or of its narrative (`_text`), for the search of words. */
interface TextEntry extends Entry {
  readonly kind: 'text';
  readonly text: string;
}

export type IndexEntry =
  | TokenEntry
  | StringEntry
  | DateEntry
  | NumberEntry
  | QuantityEntry
  | ReferenceEntry
  | UriEntry
  | TextEntry;

/** The longest string, in characters, that is indexed and compared. */
export const STRING_LIMIT = 512;

/** The longest text, in characters, whose words are indexed. */
export const TEXT_LIMIT = 100_000;

/** The most elements of one resource that a composite parameter can tell apart. */
export const ELEMENT_LIMIT = 4096;

/** The name of the entries of a composite's component; `position` counts from 0. */
export const componentParam = (code: string, position: number): string => `${code}#${position}`;

type OtherValues = 'text' | 'identifier' | 'of-type' | 'canonical' | 'below' | 'version' | 'present';

/** The name of the entries that a parameter has beside its main values, such as those that `:text` searches. */
export const modifiedParam = (code: string, other: OtherValues): string => `${code}:${other}`;

/** Folds the case of a token that is compared without it. */
export const foldCase = (text: string): string => text.toLowerCase().replace(/ς/g, 'σ');

/** Letters that stand for others where those cannot be typed, and that Unicode does not take apart. */
const LETTERS: Readonly<Record<string, string>> = Object.fromEntries(
  ['ßss', 'æae', 'œoe', 'þth', 'øo', 'łl', 'đd', 'ðd', 'ħh', 'ıi', 'ŋn', 'ŧt', 'ςσ'].map((pair) => [
    pair[0],
    pair.slice(1),
  ]),
);
const LETTER = new RegExp(`[${Object.keys(LETTERS).join('')}]`, 'g');

const foldLetters = (text: string): string =>
  text
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(LETTER, (letter) => LETTERS[letter] ?? letter);

/**
 * Folds a text of any length: without case (ß as ss, a final sigma included), marks (ø as o, ł as l) and surrounding or
 * repeated white space.
 */
export const foldText = (text: string): string =>
  (/^[ -~]*$/.test(text) ? text.toLowerCase() : foldLetters(text)).replace(/\s+/gu, ' ').trim();

/** Folds a string for comparison. */
export const foldString = (text: string): string => foldText(text).slice(0, STRING_LIMIT);

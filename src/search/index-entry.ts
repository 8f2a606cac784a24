/**
 * What a store keeps of a resource in order to find it: one entry a value of a search parameter. Neutral: each store
 * decides how to keep it.
 */

/** A coded value: `system` is '' where the element has none, `code` is '' where only a system is given. */
export interface TokenEntry {
  readonly kind: 'token';
  readonly param: string;
  readonly system: string;
  readonly code: string;
}

/** `value` is folded (see `foldString`), `exact` is as written; both are cut at `STRING_LIMIT` characters. */
interface StringEntry {
  readonly kind: 'string';
  readonly param: string;
  readonly value: string;
  readonly exact: string;
}

/** Milliseconds since 1970 UTC, `lo` included, `hi` excluded; an open end is -Infinity or Infinity. */
interface DateEntry {
  readonly kind: 'date';
  readonly param: string;
  readonly lo: number;
  readonly hi: number;
}

/** A point (`lo` = `hi`), or the interval of a Range or comparator with an open end as -Infinity or Infinity. */
interface NumberEntry {
  readonly kind: 'number';
  readonly param: string;
  readonly lo: number;
  readonly hi: number;
}

/** As a number, with the unit as written: `system`, `code` and `unit` are '' where absent. */
interface QuantityEntry {
  readonly kind: 'quantity';
  readonly param: string;
  readonly lo: number;
  readonly hi: number;
  readonly system: string;
  readonly code: string;
  readonly unit: string;
}

/** A resource of this server (`type` and `id`), or, with `type` '', another url as `id` (also canonical and `urn:`). */
interface ReferenceEntry {
  readonly kind: 'reference';
  readonly param: string;
  readonly type: string;
  readonly id: string;
}

interface UriEntry {
  readonly kind: 'uri';
  readonly param: string;
  readonly value: string;
}

export type IndexEntry = TokenEntry | StringEntry | DateEntry | NumberEntry | QuantityEntry | ReferenceEntry | UriEntry;

/** The longest string, in characters, that is indexed and compared. */
export const STRING_LIMIT = 512;

/** Folds a string for comparison: without case (a final sigma included), marks and surrounding or repeated white space. */
export const foldString = (text: string): string =>
  text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase().replace(/\s+/gu, ' ').trim().slice(0, STRING_LIMIT);

/**
 * A search in a form that knows no HTTP and no database: what the query string is parsed to, and what each store
 * compiles. Clauses are joined by AND, the values of a clause by OR.
 *
 * @see https://hl7.org/fhir/R4/search.html
 */
import type { Reference } from '../fhir/reference.ts';

/** @see https://hl7.org/fhir/R4/search.html#prefix */
export const PREFIXES = ['eq', 'ne', 'gt', 'lt', 'ge', 'le', 'sa', 'eb', 'ap'] as const;
export type Prefix = (typeof PREFIXES)[number];

/**
 * A searched date, number or quantity. It matches a stored range by its prefix: `eq` if [lo, hi) contains it, `gt` if
 * something of it lies above the searched value, and so on. Dates in milliseconds since 1970 UTC.
 */
export interface RangeValue {
  readonly prefix: Prefix;
  readonly lo: number;
  readonly hi: number;
}

/** Undefined `system` is any, '' is none; undefined `code` is any. */
export interface TokenValue {
  readonly system?: string;
  readonly code?: string;
}

/** Undefined `system` is any; without `code` any unit. `code` also matches the unit as written if `system` is ''. */
export interface QuantityValue extends RangeValue {
  readonly system?: string;
  readonly code?: string;
}

export type StringMatch = 'starts' | 'contains' | 'exact';

export type Clause =
  | { readonly kind: 'token'; readonly param: string; readonly values: readonly TokenValue[] }
  | { readonly kind: 'string'; readonly param: string; readonly match: StringMatch; readonly values: readonly string[] }
  | { readonly kind: 'date'; readonly param: string; readonly values: readonly RangeValue[] }
  | { readonly kind: 'number'; readonly param: string; readonly values: readonly RangeValue[] }
  | { readonly kind: 'quantity'; readonly param: string; readonly values: readonly QuantityValue[] }
  /** As in the index: a resource of this server, or, with `type` '', another url. */
  | { readonly kind: 'reference'; readonly param: string; readonly values: readonly Reference[] }
  | { readonly kind: 'uri'; readonly param: string; readonly values: readonly string[] }
  | { readonly kind: 'id'; readonly values: readonly string[] }
  | { readonly kind: 'lastUpdated'; readonly values: readonly RangeValue[] };

export interface Sort {
  readonly by: 'lastUpdated' | 'id';
  readonly descending: boolean;
}

export interface SearchQuery {
  readonly type: string;
  readonly clauses: readonly Clause[];
  /** Undefined: the order of whatever index leads, the same on every page. */
  readonly sort?: Sort;
  /** The most matches of one page; 0 asks for the total alone. */
  readonly count: number;
  /** Where the page before ended: a store's own sort key, given back as it came. */
  readonly after?: PageKey;
}

/** Opaque outside of the store that made it. */
export type PageKey = readonly (string | number)[];

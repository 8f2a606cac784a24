/**
 * A search in a form that knows no HTTP and no database: what the query string is parsed to, and what each store
 * compiles. Clauses are joined by AND, the values of a clause by OR.
 *
 * @see https://hl7.org/fhir/R4/search.html
 */
import type { Reference } from '../fhir/reference.ts';
import type { IndexEntry } from './index-entry.ts';

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

/** How a `uri` matches: exactly, or also what is below it (`http://a/b` is below `http://a`). */
export type UriMatch = 'exact' | 'below';

/** Degrees and kilometres. */
export interface NearValue {
  readonly latitude: number;
  readonly longitude: number;
  readonly kilometres: number;
}

/** Clauses that look at the values of one parameter; these may also stand for the components of a composite. */
export type ValueClause =
  | { readonly kind: 'token'; readonly param: string; readonly values: readonly TokenValue[] }
  | { readonly kind: 'string'; readonly param: string; readonly match: StringMatch; readonly values: readonly string[] }
  | { readonly kind: 'date'; readonly param: string; readonly values: readonly RangeValue[] }
  | { readonly kind: 'number'; readonly param: string; readonly values: readonly RangeValue[] }
  | { readonly kind: 'quantity'; readonly param: string; readonly values: readonly QuantityValue[] }
  /** As in the index: a resource of this server, or, with `type` '', another url. */
  | { readonly kind: 'reference'; readonly param: string; readonly values: readonly Reference[] }
  | { readonly kind: 'uri'; readonly param: string; readonly match: UriMatch; readonly values: readonly string[] };

export type Clause =
  | ValueClause
  | { readonly kind: 'id'; readonly values: readonly string[] }
  | { readonly kind: 'lastUpdated'; readonly values: readonly RangeValue[] }
  /** Pushed by one of these, like `Organization/abc`: no parameter, but what the server itself limits a search to. */
  | { readonly kind: 'source'; readonly values: readonly string[] }
  /** Whether the resource has a value for the parameter, which is indexed as entries of `entries`. */
  | {
      readonly kind: 'missing';
      readonly param: string;
      readonly entries: IndexEntry['kind'];
      readonly isMissing: boolean;
    }
  /** One of `values` holds: all of its component clauses in the same element. */
  | { readonly kind: 'composite'; readonly values: readonly (readonly ValueClause[])[] }
  /** Words, all of which the text must have; of the whole resource or of its narrative. */
  | { readonly kind: 'text'; readonly param: '_content' | '_text'; readonly values: readonly string[] }
  | { readonly kind: 'near'; readonly param: string; readonly values: readonly NearValue[] }
  | { readonly kind: 'not'; readonly clause: Clause }
  | { readonly kind: 'any'; readonly clauses: readonly Clause[] }
  /** All of them hold of the same resource: within an `any`, or of what a chain leads to. */
  | { readonly kind: 'all'; readonly clauses: readonly Clause[] }
  /** A reference of the resource leads to a resource of `type` that matches. */
  | { readonly kind: 'chain'; readonly param: string; readonly type: string; readonly clause: Clause }
  /**
   * A reference of the resource leads to one of `values`, which are of `type`, or to one above or below them: their
   * parents by the reference `parent`, and the parents of those, or their children, and the children of those.
   */
  | {
      readonly kind: 'hierarchy';
      readonly param: string;
      readonly type: string;
      readonly parent: string;
      readonly direction: 'above' | 'below';
      readonly values: readonly Reference[];
    }
  /** A resource of `type` that matches has a reference to the resource. */
  | { readonly kind: 'has'; readonly param: string; readonly type: string; readonly clause: Clause };

export type SortKey =
  | { readonly by: 'lastUpdated' | 'id'; readonly isDescending: boolean }
  /** By the parameter's smallest value, or, descending, its largest; resources without a value come last. */
  | {
      readonly by: 'param';
      readonly param: string;
      readonly entries: 'token' | 'string' | 'date' | 'number' | 'quantity' | 'reference' | 'uri';
      readonly isDescending: boolean;
    };

/** What is asked of one type. */
export interface TypeSearch {
  readonly type: string;
  readonly clauses: readonly Clause[];
}

export interface SearchQuery {
  /** Several for a search over types: their matches one type behind the other, or, with a sort, together. */
  readonly searches: readonly TypeSearch[];
  /** Empty: the order of whatever index leads, the same on every page. */
  readonly sort: readonly SortKey[];
  /** The most matches of one page; 0 asks for the total alone. */
  readonly count: number;
  /** The most bytes of JSON of one page, which ends early for it, but not before its first match. No limit if undefined. */
  readonly bytes?: number;
  /** Where the page before ended: a store's own sort key, given back as it came. */
  readonly after?: PageKey;
}

/** What is to be shown beside the matches: `_include` follows references, `_revinclude` follows them backwards. */
export interface Include {
  readonly direction: 'forward' | 'reverse';
  /** The type that has the reference; undefined for `*`, any. */
  readonly type: string | undefined;
  /** The reference parameter; undefined for `*`, all. */
  readonly param: string | undefined;
  /** The type that is pointed to, if only that is wanted. */
  readonly target: string | undefined;
  /** Whether it applies to included resources, too. */
  readonly iterates: boolean;
}

/** Opaque outside of the store that made it. */
export type PageKey = readonly (string | number | null)[];

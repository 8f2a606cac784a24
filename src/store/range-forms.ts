/**
 * How the dates and numbers of a resource are parted, so that an index that is ordered by where they begin bounds a
 * search from both sides: what is no longer than a known length also bounds where it ends, and two conditions on the only
 * date of a resource are conditions on one range.
 */
import type { RangeValue } from '../search/search-query.ts';

/** The only one of its parameter; one of several; long, whether alone or not. */
export const FORMS = { sole: 0, several: 1, long: 2 } as const;

export type Form = (typeof FORMS)[keyof typeof FORMS];

/** Dates are long from here on, in milliseconds: 32 days hold every month. Numbers are long if they are no points. */
const LONGEST = { date: 32 * 86_400_000, number: 0 } as const;

type RangeKind = keyof typeof LONGEST;

/** The form of a range of this length. */
export const formOf = (kind: RangeKind, length: number, isSole: boolean): Form => {
  if (length > LONGEST[kind]) return FORMS.long;
  return isSole ? FORMS.sole : FORMS.several;
};

/** How long a range of a form can be. */
export const longestOf = (kind: RangeKind, form: Form): number =>
  form === FORMS.long ? Number.POSITIVE_INFINITY : LONGEST[kind];

/**
 * Between which values of `lo`, both included, a stored range of at most `length` can match. A bound on `lo` is what the
 * index is read by, as its keys are ordered by it; infinite is none.
 */
export const loBounds = ({ prefix, lo, hi }: RangeValue, length: number): readonly [number, number] => {
  const none = Number.POSITIVE_INFINITY;
  switch (prefix) {
    case 'eq':
      return [lo, hi];
    case 'ne':
      return [-none, none];
    case 'gt':
      return [hi - length, none];
    case 'ge':
      return [Math.min(lo, hi - length), none];
    case 'lt':
      return [-none, lo];
    case 'le':
      return [-none, hi];
    case 'sa':
      return [hi, none];
    case 'eb':
      return [-none, lo];
    case 'ap':
      return [lo - length, hi];
  }
};

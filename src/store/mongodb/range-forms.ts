/**
 * How the dates and numbers of a resource are parted, so that an index that is ordered by where they begin bounds a
 * search from both sides: what is no longer than a known length also bounds where it ends, and two conditions on the only
 * date of a resource are conditions on one range.
 */
import type { DateRange } from './document.ts';

/** The only one of its parameter; one of several; long, whether alone or not. */
export const FORMS = { sole: 0, several: 1, long: 2 } as const;

export type Form = (typeof FORMS)[keyof typeof FORMS];

/** Dates are long from here on, in milliseconds: 32 days hold every month. Numbers are long if they are no points. */
export const LONGEST = { d: 32 * 86_400_000, n: 0 } as const;

/** The ranges of a resource, each with its form. */
export const withForms = <Range extends DateRange>(field: 'd' | 'n', ranges: readonly Range[]): Range[] => {
  const counts = new Map<string, number>();
  for (const { p } of ranges) counts.set(p, (counts.get(p) ?? 0) + 1);
  return ranges.map((range) => {
    const form = counts.get(range.p) === 1 ? FORMS.sole : FORMS.several;
    return { ...range, f: range.hi - range.lo > LONGEST[field] ? FORMS.long : form };
  });
};

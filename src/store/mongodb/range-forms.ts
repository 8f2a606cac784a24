/** The forms of a document's dates and numbers. */
import { type Form, formOf } from '../range-forms.ts';
import type { DateRange } from './document.ts';

/** What the fields hold. */
export const RANGE_KINDS = { d: 'date', n: 'number' } as const;

/** The ranges of a resource, each with its form. */
export const withForms = <Range extends DateRange>(
  field: keyof typeof RANGE_KINDS,
  ranges: readonly Range[],
): (Range & { readonly f: Form })[] => {
  const counts = new Map<string, number>();
  for (const { p } of ranges) counts.set(p, (counts.get(p) ?? 0) + 1);
  return ranges.map((range) => ({
    ...range,
    f: formOf(RANGE_KINDS[field], range.hi - range.lo, counts.get(range.p) === 1),
  }));
};

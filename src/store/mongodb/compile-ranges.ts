/**
 * Prefixed comparisons as conditions on the fields `lo` and `hi` of a stored range.
 *
 * @see https://hl7.org/fhir/R4/search.html#prefix
 */
import type { Document } from 'mongodb';
import type { RangeValue } from '../../search/search-query.ts';
import { FORMS, type Form, loBounds, longestOf } from '../range-forms.ts';
import { RANGE_KINDS } from './range-forms.ts';

/** Stored dates are [lo, hi): the end is not included. None has `hi` at or before `lo`. */
export const dateCondition = ({ prefix, lo, hi }: RangeValue): Document => {
  switch (prefix) {
    case 'eq':
      return { lo: { $gte: lo }, hi: { $lte: hi } };
    case 'ne':
      return { $or: [{ lo: { $lt: lo } }, { hi: { $gt: hi } }] };
    case 'gt':
      return { hi: { $gt: hi } };
    case 'lt':
      return { lo: { $lt: lo } };
    // What ends after the searched range, or lies within it, ends after it or begins in it.
    case 'ge':
      return { $or: [{ lo: { $gte: lo } }, { hi: { $gt: hi } }] };
    case 'le':
      return { $or: [{ lo: { $lt: lo } }, { hi: { $lte: hi } }] };
    case 'sa':
      return { lo: { $gte: hi } };
    case 'eb':
      return { hi: { $lte: lo } };
    case 'ap':
      return { lo: { $lt: hi }, hi: { $gt: lo } };
  }
};

/** Stored numbers are [lo, hi] and mostly points; the searched [lo, hi) is a point for `gt`, `lt`, `ge`, `le`, `sa`, `eb`. */
export const numberCondition = ({ prefix, lo, hi }: RangeValue): Document => {
  switch (prefix) {
    case 'eq':
      return { lo: { $gte: lo }, hi: { $lt: hi } };
    case 'ne':
      return { $or: [{ lo: { $lt: lo } }, { hi: { $gte: hi } }] };
    case 'gt':
      return { hi: { $gt: hi } };
    case 'lt':
      return { lo: { $lt: lo } };
    case 'ge':
      return { hi: { $gte: lo } };
    case 'le':
      return { lo: { $lte: hi } };
    case 'sa':
      return { lo: { $gt: hi } };
    case 'eb':
      return { hi: { $lt: lo } };
    case 'ap':
      return { lo: { $lt: hi }, hi: { $gte: lo } };
  }
};

/** A resource's `lastUpdated` is a point. */
export const instantCondition = ({ prefix, lo, hi }: RangeValue): Document => {
  switch (prefix) {
    case 'eq':
    case 'ap':
      return { updated: { $gte: lo, $lt: hi } };
    case 'ne':
      return { $or: [{ updated: { $lt: lo } }, { updated: { $gte: hi } }] };
    case 'gt':
    case 'sa':
      return { updated: { $gte: hi } };
    case 'lt':
    case 'eb':
      return { updated: { $lt: lo } };
    case 'ge':
      return { updated: { $gte: lo } };
    case 'le':
      return { updated: { $lt: hi } };
  }
};

/** A condition on one stored range of a parameter, and the values that it was made of. */
export interface RangeCondition {
  readonly field: 'd' | 'n';
  /** `keyName` of the parameter. */
  readonly p: string;
  readonly values: readonly RangeValue[];
  readonly matches: Document;
}

/** Whether one range fulfils all the conditions, which are about the same parameter. */
const rangeOf = (conditions: readonly RangeCondition[], form: Form): Document => {
  const [{ field, p } = { field: 'd', p: '' } as const] = conditions;
  const length = longestOf(RANGE_KINDS[field], form);
  // One of the values of each condition holds: the widest of a condition, the narrowest of all conditions.
  const bounds = conditions.map(({ values }) => values.map((value) => loBounds(value, length)));
  const least = Math.max(...bounds.map((each) => Math.min(...each.map(([from]) => from))));
  const most = Math.min(...bounds.map((each) => Math.max(...each.map(([, to]) => to))));
  const lo = {
    ...(Number.isFinite(least) ? { $gte: least } : {}),
    ...(Number.isFinite(most) ? { $lte: most } : {}),
  };
  return {
    [field]: {
      $elemMatch: {
        p,
        f: form,
        ...(Object.keys(lo).length === 0 ? {} : { lo }),
        $and: conditions.map(({ matches }) => matches),
      },
    },
  };
};

/**
 * A filter of the resources that fulfil all the conditions, which are about the same parameter: for each form of ranges
 * one scan of the index. All conditions are asked of a range that is the only one; each of any of several.
 */
export const rangesFilter = (conditions: readonly RangeCondition[]): Document => {
  const apart = [FORMS.several, FORMS.long];
  const [first, ...others] = conditions;
  const rest = others.map((condition) => ({ $or: apart.map((form) => rangeOf([condition], form)) }));
  const legs = first === undefined ? [] : apart.map((form) => rangeOf([first], form));
  return {
    $or: [rangeOf(conditions, FORMS.sole), ...legs.map((leg) => (rest.length === 0 ? leg : { ...leg, $and: rest }))],
  };
};

/**
 * The answer to the text of a whole query: which resources, and in what order.
 *
 * @see https://hl7.org/fhir/R4/search.html#sort
 */
import { datesOf, folded, numbersOf, quantitiesOf, referencesOf, stringsOf, tokensOf, urisOf } from './naive-atoms.ts';
import { matches, targetsOf, type World } from './naive-matcher.ts';
import { parameterOf, type Resource, valuesOf } from './naive-values.ts';

/** Parameters about the answer, which select nothing. */
const SHAPING = new Set(['_sort', '_count', '_total', '_type']);

type SortValue = string | number;

/** Strings by their characters, one after the other, whatever their number in UTF-16. */
const comparedValues = (one: SortValue, other: SortValue): number => {
  if (typeof one === 'string' && typeof other === 'string') return Buffer.compare(Buffer.from(one), Buffer.from(other));
  return one < other ? -1 : one > other ? 1 : 0;
};

/** What a parameter sorts by: codes, folded strings, the beginnings of ranges, ids. */
const sortValues = (resource: Resource, code: string, world: World): SortValue[] => {
  if (code === '_id') return [resource.id];
  if (code === '_lastUpdated') return [Date.parse(resource['meta'].lastUpdated)];
  const parameter = parameterOf(resource.resourceType, code);
  if (parameter === undefined) throw new Error(`${resource.resourceType} has no ${code}`);
  return valuesOf(resource, parameter).flatMap((value): SortValue[] => {
    switch (parameter.type) {
      case 'token':
        return tokensOf(value)
          .filter((token) => (token.system ?? token.code) !== undefined)
          .map((token) => (token.isCaseless ? (token.code ?? '').toLowerCase() : (token.code ?? '')));
      case 'string':
        return stringsOf(value).map(folded);
      case 'date':
        return datesOf(value, world.zone).map(({ lo }) => lo);
      case 'number':
        return numbersOf(value).map(({ lo }) => lo);
      case 'quantity':
        // All that is more than 5 comes behind 5.
        return quantitiesOf(value).map(({ range: { lo, hasLo } }) => (hasLo ? lo : lo + (Math.abs(lo) || 1) * 1e-15));
      case 'reference':
        return referencesOf(value, targetsOf(parameter), world).map((atom) => ('url' in atom ? atom.url : atom.id));
      default:
        return urisOf(value);
    }
  });
};

/** "the smallest value" if ascending, else the largest; what has none comes last. */
const comparedBy = (key: string, one: Resource, other: Resource, world: World): number => {
  const isDescending = key.startsWith('-');
  const [a, b] = [one, other].map((resource) => {
    const values = sortValues(resource, isDescending ? key.slice(1) : key, world).sort(comparedValues);
    return isDescending ? values.at(-1) : values[0];
  });
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined);
  return isDescending ? comparedValues(b, a) : comparedValues(a, b);
};

/** The matches of `types`, in the order of creation or, if the query has a `_sort`, in its order. */
export const answerOf = (types: readonly string[], query: string, world: World): Resource[] => {
  const pairs = [...new URLSearchParams(query)];
  const selecting = pairs.filter(([name]) => !SHAPING.has(name));
  const found = world.resources.filter(
    (resource) =>
      types.includes(resource.resourceType) && selecting.every(([name, text]) => matches(resource, name, text, world)),
  );
  const keys = pairs.find(([name]) => name === '_sort')?.[1].split(',') ?? [];
  if (keys.length === 0) return found;
  // Equals are in the order of creation, or against it if the first key is.
  const equals = keys[0]?.startsWith('-') ? found.toReversed() : found;
  return equals.toSorted((one, other) => keys.reduce((order, key) => order || comparedBy(key, one, other, world), 0));
};

/**
 * Quantity parameters. A value in a unit of UCUM is compared in its base units, so that `180 cm` finds `1.8 m`; any other
 * as it is written.
 *
 * @see https://hl7.org/fhir/R4/search.html#quantity
 */
import { type Asked, anyClause, noSuchModifier } from './asked.ts';
import { modifiedParam } from './index-entry.ts';
import { parseQuantity } from './parse-value.ts';
import type { SearchContext } from './search-context.ts';
import type { Clause, QuantityValue, ValueClause } from './search-query.ts';
import { canonicalQuantity, UCUM } from './ucum.ts';

/** Undefined for a value without a unit of UCUM. */
const canonicalValue = ({ prefix, lo, hi, system, code }: QuantityValue): QuantityValue | undefined => {
  if (system !== UCUM || code === undefined) return undefined;
  const [from, to] = [canonicalQuantity(lo, code), canonicalQuantity(hi, code)];
  if (from === undefined || to === undefined) return undefined;
  return { prefix, lo: from.value, hi: to.value, system: '', code: from.code };
};

/** Every stored quantity with a unit of UCUM has an entry in base units, so each value is asked of one name alone. */
const quantityClauses = (asked: Asked, { approximateShare }: SearchContext): ValueClause[] => {
  const { parameter, modifier, name, values } = asked;
  if (modifier !== '') throw noSuchModifier(asked);
  const written: QuantityValue[] = [];
  const canonical: QuantityValue[] = [];
  for (const text of values) {
    const value = parseQuantity(text, name, approximateShare);
    const converted = canonicalValue(value);
    if (converted === undefined) written.push(value);
    else canonical.push(converted);
  }
  const clause = (param: string, found: readonly QuantityValue[]): ValueClause[] =>
    found.length === 0 ? [] : [{ kind: 'quantity', param, values: found }];
  return [...clause(parameter.code, written), ...clause(modifiedParam(parameter.code, 'canonical'), canonical)];
};

export const quantityClause = (asked: Asked, context: SearchContext): Clause =>
  anyClause(quantityClauses(asked, context));

/**
 * Quantities in the base units of UCUM, so that `110 mg/dL` and `1.1 g/L` are found as the same. The package with the
 * units is loaded with the first unit that is asked for (about 25 ms); each unit is looked up once.
 *
 * @see https://hl7.org/fhir/R4/search.html#quantity
 * @see https://ucum.org/ucum
 */
import { createRequire } from 'node:module';

/** The code system of UCUM's units. */
export const UCUM = 'http://unitsofmeasure.org';

export interface CanonicalQuantity {
  readonly value: number;
  /** `g.m-3`, `K`, `1` for a plain number, or the given code where that has no base units. */
  readonly code: string;
}

/** A value in base units is `value * factor + offset`. */
interface Conversion {
  readonly code: string;
  readonly factor: number;
  readonly offset: number;
}

/** What the package knows of a unit: its size in base units, and the exponent of each base unit. */
interface Unit {
  readonly magnitude_: number;
  readonly dim_: { readonly dimVec_: readonly number[] | null } | null;
  /** The exponents of mole and of equivalent, which UCUM has as plain numbers. */
  readonly moleExp_: number;
  readonly equivalentExp_: number;
  readonly isArbitrary_: boolean;
  /** The name of the function of a unit that is not proportional, such as `Cel` or `lg`. */
  readonly cnv_: string | null;
}

interface Units {
  getSpecifiedUnit(code: string, mode: 'validate'): { readonly status: string; readonly unit: Unit | null };
}

/** The most units that are remembered, valid or not: codes come from clients. */
const MEMORY_LIMIT = 5_000;
/**
 * Codes are of printable ASCII without spaces, and the longest in use have about 30 characters. The package would look past
 * spaces at the ends, and write what has others to the console.
 */
const CODE = /^[!-~]{1,100}$/;

/** The base units of UCUM as they are written here, each with its index in the package's vectors of exponents. */
const BASE_UNITS = [
  ['g', 2],
  ['m', 0],
  ['s', 1],
  ['rad', 3],
  ['K', 4],
  ['C', 5],
  ['cd', 6],
] as const;

/** Particles in a mole, as in UCUM and the package: a mole is a base unit of its own here. */
const MOLE = 6.0221367e23;

/** Decimal digits of a double that are the same however it was calculated. */
const SURE_DIGITS = 15;

/** The temperatures; all other units with functions are logarithms and the like, and stay themselves. */
const TEMPERATURES = new Map<string, Conversion>([
  ['Cel', { code: 'K', factor: 1, offset: 273.15 }],
  ['[degF]', { code: 'K', factor: 5 / 9, offset: (459.67 * 5) / 9 }],
  ['[degRe]', { code: 'K', factor: 1.25, offset: 273.15 }],
]);

const require = createRequire(import.meta.url);

let loaded: Units | undefined;

const load = (): Units => {
  loaded ??= require('@lhncbc/ucum-lhc').UcumLhcUtils.getInstance() as Units;
  return loaded;
};

/** `999999999999.9999` is 10^12: products of the package's factors are off by some of the last bits. */
const mended = (magnitude: number): number => {
  const [digits = '', exponent = '0'] = magnitude.toExponential(13).split('e');
  // Where few digits are left, they are exact; others, such as 1/60, are kept with all their bits.
  return digits.replace(/0+$/, '').length <= 12 ? Number(`${digits}e${exponent}`) : magnitude;
};

const power = (unit: string, exponent: number): string[] =>
  exponent === 0 ? [] : [exponent === 1 ? unit : `${unit}${exponent}`];

const conversionOf = (code: string): Conversion | undefined => {
  const temperature = TEMPERATURES.get(code);
  if (temperature !== undefined) return temperature;
  const { status, unit } = load().getSpecifiedUnit(code, 'validate');
  // The package takes names of Object's prototype, such as `constructor`, for units.
  if (status !== 'valid' || unit === null || typeof unit.magnitude_ !== 'number') return undefined;
  const { magnitude_: magnitude, moleExp_: moles, equivalentExp_: equivalents } = unit;
  // One arbitrary unit cannot be compared with another.
  if (unit.isArbitrary_ || unit.cnv_ !== null) return { code, factor: 1, offset: 0 };
  const exponents = unit.dim_?.dimVec_ ?? [];
  const bases = BASE_UNITS.flatMap(([base, index]) => power(base, exponents[index] ?? 0));
  const canonical = [...power('mol', moles), ...power('eq', equivalents), ...bases].join('.');
  const factor = mended(magnitude / MOLE ** (moles + equivalents));
  if (!Number.isFinite(factor) || factor <= 0) return undefined;
  return { code: canonical === '' ? '1' : canonical, factor, offset: 0 };
};

const conversions = new Map<string, Conversion | undefined>();

const conversion = (code: string): Conversion | undefined => {
  const known = conversions.get(code);
  if (known !== undefined || conversions.has(code)) return known;
  const made = CODE.test(code) ? conversionOf(code) : undefined;
  if (conversions.size >= MEMORY_LIMIT) conversions.delete(conversions.keys().next().value ?? '');
  conversions.set(code, made);
  return made;
};

/**
 * A value with a UCUM unit in base units (of UCUM: m, s, g, rad, K, C, cd; and mol and eq, so that an amount of
 * substance is not compared with a count), or undefined if UCUM has no such unit. Arbitrary units (`[IU]/L`) and
 * logarithmic ones (`[pH]`) stay as they are: equal only to the same code. Annotations have no meaning: `mg{creat}` is
 * `mg`.
 *
 * The result has 15 significant digits, which is what a double carries for sure: quantities that are equal in decimal
 * arithmetic with that many digits give the same number. The order of values is kept: an interval may be converted by
 * its ends, also infinite ones.
 *
 * @example
 * canonicalQuantity(110, 'mg/dL'); // { value: 1100, code: 'g.m-3' }
 * canonicalQuantity(98.6, '[degF]'); // { value: 310.15, code: 'K' }
 */
export const canonicalQuantity = (value: number, code: string): CanonicalQuantity | undefined => {
  const known = conversion(code);
  if (known === undefined) return undefined;
  const { factor, offset } = known;
  if (factor === 1 && offset === 0) return { value, code: known.code };
  return { value: Number((value * factor + offset).toPrecision(SURE_DIGITS)), code: known.code };
};

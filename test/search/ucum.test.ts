import fc from 'fast-check';
import { test } from 'tap';
import { canonicalQuantity } from '../../src/search/ucum.ts';

/** Quantities that are equal by definition: by UCUM's tables, or by those of SI. */
const EQUALITIES: readonly (readonly (readonly [number, string])[])[] = [
  [
    [110, 'mg/dL'],
    [1.1, 'g/L'],
    [1100, 'mg/L'],
    [1100, 'ug/mL'],
    [1.1, 'kg/m3'],
    [0.11, 'g%'],
  ],
  [
    [0.1, 'mg'],
    [100, 'ug'],
    [1e-4, 'g'],
    [1e-7, 'kg'],
    [100_000, 'ng{creat}'],
  ],
  [
    [98.6, '[degF]'],
    [37, 'Cel'],
    [310.15, 'K'],
    [29.6, '[degRe]'],
  ],
  [
    [-40, 'Cel'],
    [-40, '[degF]'],
    [233.15, 'K'],
  ],
  [
    [1, 'h'],
    [60, 'min'],
    [3600, 's'],
  ],
  [
    [1, 'd'],
    [24, 'h'],
  ],
  [
    [1, 'a'],
    [12, 'mo'],
    [365.25, 'd'],
  ],
  [
    [72, '/min'],
    [72, '{beats}/min'],
    [1.2, 'Hz'],
  ],
  [
    [5, '10*3/uL'],
    [5, '10*9/L'],
    [5000, '/uL'],
    [5_000_000, '/mL'],
  ],
  [
    [25, '%'],
    [0.25, '1'],
    [0.25, '{ratio}'],
    [250_000, '[ppm]'],
  ],
  [
    [1, '[in_i]'],
    [2.54, 'cm'],
    [25.4, 'mm'],
  ],
  [
    [5, '[ft_i]'],
    [60, '[in_i]'],
    [1.524, 'm'],
  ],
  [
    [1, '[lb_av]'],
    [453.59237, 'g'],
    [16, '[oz_av]'],
  ],
  [
    [1, 'mm[Hg]'],
    [133.322, 'Pa'],
  ],
  [
    [16, 'kPa'],
    [16_000, 'N/m2'],
  ],
  [
    [1, 'kcal'],
    [4.184, 'kJ'],
  ],
  [
    [5.5, 'mmol/L'],
    [5.5, 'mol/m3'],
    [5500, 'umol/L'],
  ],
  [
    [60, 'U/L'],
    [1, 'umol/s/L'],
    [1, 'ukat/L'],
  ],
  [
    [1, 'L'],
    [1, 'l'],
    [10, 'dL'],
    [1000, 'cm3'],
  ],
  [
    [23.4, 'kg/m2'],
    [2.34, 'g/cm2'],
  ],
];

test('equal quantities are the same number of the same unit', async (t) => {
  for (const [first, ...others] of EQUALITIES) {
    const [value, code] = first ?? [0, ''];
    const expected = canonicalQuantity(value, code);
    t.type(expected, Object, code);
    for (const [otherValue, otherCode] of others)
      t.strictSame(canonicalQuantity(otherValue, otherCode), expected, `${otherValue} ${otherCode} = ${value} ${code}`);
  }
});

test('the canonical unit is written in base units', async (t) => {
  const codes = ['mg/dL', 'Cel', '%', '{score}', 'mmol/L', 'meq/L', 'mm[Hg]', '/min', 'U/L', 'deg', 'kg/m2', 'g/mol'];
  t.strictSame(
    codes.map((code) => canonicalQuantity(1, code)?.code),
    ['g.m-3', 'K', '1', '1', 'mol.m-3', 'eq.m-3', 'g.m-1.s-2', 's-1', 'mol.m-3.s-1', 'rad', 'g.m-2', 'mol-1.g'],
  );
});

test('an amount of substance is compared neither with a count nor with equivalents', async (t) => {
  const codes = ['mmol/L', '10*9/L', 'meq/L'].map((code) => canonicalQuantity(1, code)?.code);
  t.equal(new Set(codes).size, 3);
});

test('arbitrary and logarithmic units stay as they are', async (t) => {
  for (const code of ['[IU]', '[IU]/mL', 'm[IU]/L', "[arb'U]", '[CFU]/mL', '[pH]', 'dB', 'B[SPL]', '[diop]'])
    t.strictSame(canonicalQuantity(7.35, code), { value: 7.35, code });
});

test('what is no unit of UCUM has no canonical form', async (t) => {
  for (const code of ['', 'foo', 'mgs', 'MG/DL', 'degF', 'mg//', 'mg/', '°C', 'constructor', '__proto__', 'toString'])
    t.equal(canonicalQuantity(1, code), undefined, code);
  t.equal(canonicalQuantity(1, 'm.'.repeat(1000)), undefined, 'too long to be a unit');
  t.equal(canonicalQuantity(1, 'kg999'), undefined, 'larger than a number can be');
});

test('any number of unknown codes is answered, and known ones afterwards too', async (t) => {
  const answers = Array.from({ length: 12_000 }, (_, index) => canonicalQuantity(1, `nonsense${index}`));
  t.ok(answers.every((answer) => answer === undefined));
  t.strictSame(canonicalQuantity(2, 'mg'), { value: 0.002, code: 'g' });
});

test('the ends of an interval may be infinite', async (t) => {
  t.strictSame(canonicalQuantity(Infinity, 'mg'), { value: Infinity, code: 'g' });
  t.strictSame(canonicalQuantity(-Infinity, 'Cel'), { value: -Infinity, code: 'K' });
});

test('values keep their order, and decimals of 12 digits their value, whatever the prefix', async (t) => {
  const decimal = fc.tuple(fc.integer({ min: -999_999_999_999, max: 999_999_999_999 }), fc.integer({ min: 0, max: 6 }));
  fc.assert(
    fc.property(decimal, ([digits, scale]) => {
      const milligrams = Number(`${digits}e-${scale}`);
      const expected = Number(`${digits}e-${scale + 3}`);
      const micrograms = Number(`${digits}e-${scale - 3}`.replace('e--', 'e'));
      t.equal(canonicalQuantity(milligrams, 'mg')?.value, expected);
      t.equal(canonicalQuantity(micrograms, 'ug')?.value, expected);
    }),
  );
  fc.assert(
    fc.property(fc.float({ noNaN: true }), fc.float({ noNaN: true }), (one, other) => {
      const [low, high] = [one, other].sort((left, right) => left - right) as [number, number];
      for (const code of ['mg/dL', '[degF]', '/min', '[lb_av]'])
        t.ok((canonicalQuantity(low, code)?.value ?? 0) <= (canonicalQuantity(high, code)?.value ?? 0));
    }),
  );
});

test('a code with spaces or signs beyond ASCII is no unit, and nothing is written about it', (t) => {
  const written = t.capture(console, 'log');
  for (const code of [' mg', 'mg ', 'x y', 'mg\n{"level":60}', 'µg', 'mg\u00a0'])
    t.equal(canonicalQuantity(1, code), undefined, JSON.stringify(code));
  t.same(written(), []);
  t.end();
});

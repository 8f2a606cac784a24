import { existsSync, readFileSync } from 'node:fs';
import { test } from 'tap';
import { loadStructures } from '../../src/definitions/structures.ts';
import { createValidator } from '../../src/validation/validate.ts';

const FILE = new URL('../../../shared/data/primitives.json', import.meta.url);

const validate = createValidator(loadStructures());

/** A number literal such as `1.0`, which as a JavaScript number would be 1. */
interface Lexeme {
  readonly lexeme: string;
}

interface Values {
  readonly valid: readonly unknown[];
  readonly invalid: readonly unknown[];
}

const isLexeme = (value: unknown): value is Lexeme => typeof value === 'object' && value !== null && 'lexeme' in value;

/** TypeScript's library does not have the third argument yet. @see https://tc39.es/proposal-json-parse-with-source/ */
const reviver = (_key: string, value: unknown, ...context: readonly { source?: string }[]): unknown => {
  const lexeme = context[0]?.source ?? '';
  return typeof value === 'number' && /[.eE]/.test(lexeme) && Number.isInteger(value) ? { lexeme } : value;
};

const property = (type: string): string => `value${type.charAt(0).toUpperCase()}${type.slice(1)}`;

const EXTENSION = { url: 'http://example.org/reason', valueString: 'unknown' };

/** A resource that holds the value in an element of its type. */
const holder = (type: string, value: unknown): object => {
  const resource = { resourceType: 'Basic', code: { text: 'holder' } };
  if (type === 'xhtml') return { ...resource, text: { status: 'generated', div: value } };
  // An element without a value is one that has extensions in its place.
  const element = value === null ? { [`_${property(type)}`]: { extension: [EXTENSION] } } : { [property(type)]: value };
  const contained = JSON.stringify(value)?.includes('"#') ? { contained: [{ resourceType: 'Patient', id: 'p1' }] } : {};
  return { ...resource, ...contained, extension: [{ url: 'http://example.org/value', ...element }] };
};

const faults = (type: string, value: unknown): readonly string[] => {
  const integralDecimals = new Set(isLexeme(value) ? [`Basic.extension[0].${property(type)}`] : []);
  const plain = isLexeme(value) ? Number(value.lexeme) : value;
  return validate(holder(type, plain), { integralDecimals }).map(({ diagnostics }) => diagnostics);
};

/**
 * Where the file is not followed: it says that an empty xhtml is valid. R4's JSON format has no empty strings ("Just as
 * in XML, JSON properties can never be empty"), and a narrative needs content (txt-2).
 */
const DEVIATIONS = new Set(['xhtml valid ""']);

test('the primitive values of the shared list', { skip: existsSync(FILE) ? false : 'no ../shared/data' }, async (t) => {
  const { types } = JSON.parse(readFileSync(FILE, 'utf8'), reviver) as { types: Record<string, Values> };
  for (const [type, { valid, invalid }] of Object.entries(types)) {
    for (const value of valid) {
      const label = `${type} valid ${JSON.stringify(value)}`;
      if (DEVIATIONS.has(label)) t.not(faults(type, value).length, 0, label);
      else t.strictSame(faults(type, value), [], label);
    }
    for (const value of invalid) {
      // JSON text that does not parse never becomes a value: it is the reader's to refuse.
      if (typeof value === 'object' && value !== null && 'unparseable' in value) continue;
      t.equal(faults(type, value).length, 1, `${type} invalid ${JSON.stringify(value)}`);
    }
  }
});

const ACCEPTED: Readonly<Record<string, readonly unknown[]>> = {
  base64Binary: ['QUJD', 'QUI=', 'QQ==', 'QUJD\r\nQUJD', ' QUJD '],
  canonical: ['#contained', 'http://example.org/a|1#b'],
  code: ['a', 'a b', '<='],
  date: ['2024', '2024-02', '2024-02-29', '0001'],
  dateTime: ['2024-02-29T23:59:60Z', '2024-02-29T10:00:00.123456789+14:00', '2024-02-29T10:00:00-12:00'],
  decimal: [0, -0.5, 1e-7, 1.1],
  id: ['a', 'A-1.b', 'x'.repeat(64)],
  instant: ['2015-02-07T13:28:17.239+02:00'],
  integer: [0, -1, 2147483647, -2147483648],
  markdown: ['# A\n\n* b', ' '],
  oid: ['urn:oid:0.1', 'urn:oid:2.16.840'],
  positiveInt: [1, 2147483647],
  string: ['a\u00a0b', ' a ', '\ud83d\ude00', 'x'.repeat(1_048_576)],
  time: ['00:00:00', '23:59:60', '10:00:00.5'],
  unsignedInt: [0, 2147483647],
  uri: ['urn:x', 'a/b', 'mailto:a@b'],
  uuid: ['urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7'],
  xhtml: ['<div>a</div>', '<div xmlns="http://www.w3.org/1999/xhtml"><p>a</p></div>'],
};

const REFUSED: Readonly<Record<string, readonly unknown[]>> = {
  base64Binary: ['QUJ', 'QU=D', 'Q===', 'QUJDQ', 'QU JD', '=QUJ', 'QUI=QUI=', ' '],
  boolean: ['TRUE', null],
  canonical: ['', 'a b'],
  code: ['', ' ', 'a  b', 'a\tb', 'a\n'],
  date: ['2023-02-29', '1980-13-01', '2024-2-1', '24', '0000', '2024-02-29T10:00:00Z', '2024-04-31', '2024-00'],
  dateTime: ['2024-02-30', '2024-02-29T10:00Z', '2024-02-29T24:00:00Z', '2024-02-29T10:00:00', '2024-02-29 10:00:00Z'],
  decimal: [Number.POSITIVE_INFINITY, '1.0'],
  id: ['', 'a_b', 'a/b'],
  instant: ['2024-02-30T10:00:00Z', '2024-02-29T10:00Z', '2024-02-29T10:00:00+15:00'],
  integer: [1.5, 2147483648, -2147483649, -0, '1'],
  markdown: ['', 'a\u0000'],
  oid: ['urn:oid:3.1', 'urn:oid:1.02', '1.2.3', 'urn:oid:1'],
  positiveInt: [0, 2147483648],
  string: ['a\u0000', '\u000b', '\u001b[0m', 'x'.repeat(1_048_577)],
  time: ['10:60:00', '10:00:00Z', '1:00:00'],
  unsignedInt: [-1, 2147483648, -0],
  uri: ['', ' a', 'a b', 'a\u00a0b'],
  url: ['', 'a b'],
  uuid: ['urn:uuid:53FEFA32-fcbb-4ff8-8a92-55ee120877b7', 'urn:uuid:53fefa32'],
  xhtml: ['', ' ', '<p>a</p>', '<div>a', 'a<div>b</div>', '<divan>a</div>'],
};

test('accepts what the regular expressions of R4 allow', async (t) => {
  for (const [type, values] of Object.entries(ACCEPTED)) {
    for (const value of values) t.strictSame(faults(type, value), [], `${type} ${JSON.stringify(value).slice(0, 80)}`);
  }
});

test('refuses what is no value of its type, with one issue', async (t) => {
  for (const [type, values] of Object.entries(REFUSED)) {
    for (const value of values.filter((each) => each !== null)) {
      t.equal(faults(type, value).length, 1, `${type} ${JSON.stringify(value).slice(0, 80)}`);
    }
  }
});

test('a whole number with fraction or exponent is a decimal, and no integer', async (t) => {
  for (const type of ['integer', 'positiveInt', 'unsignedInt']) {
    t.match(faults(type, { lexeme: '1e3' }), [/must be written without fraction and exponent/]);
    t.strictSame(faults(type, 1000), []);
  }
  t.strictSame(faults('decimal', { lexeme: '1.0' }), []);
});

test('values of many megabytes neither take long nor overflow the stack', async (t) => {
  const data = 'QUJD'.repeat(2_000_000);
  t.strictSame(faults('base64Binary', data), []);
  t.equal(faults('base64Binary', `${data}!`).length, 1);
  t.equal(faults('base64Binary', `${'QUJD '.repeat(1_000_000)}!`).length, 1);
  t.strictSame(faults('code', `a${' a'.repeat(4_000_000)}`), []);
  t.strictSame(faults('oid', `urn:oid:1${'.1'.repeat(4_000_000)}`), []);
  t.equal(faults('date', '1'.repeat(8_000_000)).length, 1);
});

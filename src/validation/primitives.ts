/**
 * The primitive types of R4: which JSON type they have, and which values.
 *
 * @see https://hl7.org/fhir/R4/datatypes.html#primitive
 */
import { instantRange } from '../fhir/date-time.ts';
import type { IssueCode } from '../fhir/fhir-error.ts';
import { narrativeFault } from './narrative.ts';

/** What is wrong with a value: the rest of a sentence that begins with its path. */
interface Complaint {
  readonly code: IssueCode;
  readonly text: string;
}

/** Returns undefined if the value is valid. */
export type PrimitiveCheck = (value: unknown) => Complaint | undefined;

/** The most characters of a value that a message repeats: enough to find it, too few for a clinical text. */
const QUOTED_LENGTH = 60;
/** The longest string, in characters. @see https://hl7.org/fhir/R4/datatypes.html#string */
const STRING_LENGTH = 1_048_576;
const INTEGER_MAXIMUM = 2 ** 31 - 1;
const INTEGER_MINIMUM = -(2 ** 31);

export const quoted = (text: string): string =>
  text.length > QUOTED_LENGTH ? `'${text.slice(0, QUOTED_LENGTH)}...'` : `'${text}'`;

/** A JSON value as a message shows it: `'abc'`, `5`, `an array`. */
export const shown = (value: unknown): string => {
  if (typeof value === 'string') return quoted(value);
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
};

const wrong = (text: string): Complaint => ({ code: 'value', text });

const CONTROL_CHARACTER = /[\u0000-\u0008\u000b\u000c\u000e-\u001f]/;

/** A check of a type that JSON has as a string; `isValid` is asked only about strings that are not empty. */
const ofString = (type: string, isValid: (text: string) => boolean, hint = ''): PrimitiveCheck => {
  const article = /^[aeio]|^xhtml/.test(type) ? 'an' : 'a';
  return (value) => {
    if (typeof value !== 'string')
      return { code: 'structure', text: `must be a string (${type}), not ${shown(value)}` };
    if (value.length === 0) return wrong('must not be an empty string; leave the element out');
    if (isValid(value)) return undefined;
    return wrong(`${quoted(value)} is not ${article} ${type}${hint}`);
  };
};

const matching = (pattern: RegExp) => (text: string) => pattern.test(text);

const ofText = (type: string): PrimitiveCheck => {
  const check = ofString(type, () => true);
  return (value) => {
    const complaint = check(value);
    if (complaint !== undefined || typeof value !== 'string') return complaint;
    if (CONTROL_CHARACTER.test(value)) return wrong('holds a control character other than tab, CR and LF');
    return value.length > STRING_LENGTH ? wrong(`is longer than ${STRING_LENGTH} characters`) : undefined;
  };
};

const URI = ofString('uri', matching(/^[^\s\u0000-\u001f]+$/), ': it must have no white space');

const uriNamed = (type: string): PrimitiveCheck =>
  ofString(type, (text) => URI(text) === undefined, ': it must have no white space');

// Repeated groups would do, but overflow the stack on texts of many megabytes.
const isCode = (text: string): boolean => !/[^\S ]|[\u0000-\u001f]|^ | {2}| $/.test(text);
const isOid = (text: string): boolean => /^urn:oid:[0-2]\.[0-9.]*[0-9]$/.test(text) && !/\.(?:\.|0[0-9])/.test(text);

/** Linear in the length, also for a document of many megabytes: no group is repeated. */
const isBase64Piece = (piece: string, isLast: boolean): boolean => {
  if (piece.length % 4 !== 0) return false;
  const end = piece.search(/[^A-Za-z0-9+/]/);
  return end < 0 || (isLast && end >= piece.length - 2 && piece.slice(end) === '='.repeat(piece.length - end));
};

const isBase64 = (text: string): boolean => {
  if (!/\s/.test(text)) return isBase64Piece(text, true);
  const pieces = text.trim().split(/\s+/);
  return pieces.every((piece, index) => piece.length > 0 && isBase64Piece(piece, index === pieces.length - 1));
};

const DATE = /^\d{4}(?:-\d\d(?:-\d\d)?)?$/;
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;
const TIME = /^(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?$/;

const isDate = (text: string): boolean => DATE.test(text) && instantRange(text) !== undefined;
const isInstant = (text: string): boolean => INSTANT.test(text) && instantRange(text) !== undefined;

const ofDateTime: PrimitiveCheck = (value) => {
  const complaint = DATE_TIME(value);
  if (complaint === undefined || typeof value !== 'string' || !value.includes('T')) return complaint;
  if (INSTANT.test(value)) return complaint;
  return wrong(`${complaint.text}: a time needs seconds and a time zone, as in 2024-02-29T10:00:00Z`);
};
const DATE_TIME = ofString('dateTime', (text) => isDate(text) || isInstant(text));

const ofInteger = (type: string, minimum: number): PrimitiveCheck => {
  const text = `must be a whole number from ${minimum} to ${INTEGER_MAXIMUM} (${type}), not`;
  return (value) => {
    if (typeof value !== 'number')
      return { code: 'structure', text: `must be a number (${type}), not ${shown(value)}` };
    if (Number.isInteger(value) && value >= minimum && value <= INTEGER_MAXIMUM && !Object.is(value, -0))
      return undefined;
    return wrong(`${text} ${Object.is(value, -0) ? '-0' : value}`);
  };
};

const ofDecimal: PrimitiveCheck = (value) => {
  if (typeof value !== 'number') return { code: 'structure', text: `must be a number (decimal), not ${shown(value)}` };
  return Number.isFinite(value) ? undefined : wrong('is a number out of the range that can be handled');
};

const ofBoolean: PrimitiveCheck = (value) =>
  typeof value === 'boolean' ? undefined : { code: 'structure', text: `must be true or false, not ${shown(value)}` };

const isDiv = (text: string): boolean => /^\s*<div[\s>]/.test(text) && text.trimEnd().endsWith('</div>');

const ofXhtml: PrimitiveCheck = (value) => {
  const complaint = DIV(value);
  if (complaint !== undefined || typeof value !== 'string') return complaint;
  const fault = narrativeFault(value);
  return fault === undefined ? undefined : { code: 'invariant', text: fault };
};
const DIV = ofString('xhtml', isDiv, ': it must be a <div> element, from its start tag to its end tag');

const UUID = /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

const CHECKS: ReadonlyMap<string, PrimitiveCheck> = new Map([
  [
    'base64Binary',
    ofString('base64Binary', isBase64, ': it must be groups of four of A-Z, a-z, 0-9, + and /, padded with ='),
  ],
  ['boolean', ofBoolean],
  ['canonical', uriNamed('canonical')],
  ['code', ofString('code', isCode, ': it must have no white space but single spaces inside')],
  ['date', ofString('date', isDate)],
  ['dateTime', ofDateTime],
  ['decimal', ofDecimal],
  ['id', ofString('id', matching(/^[A-Za-z0-9\-.]{1,64}$/), ': it must be 1 to 64 of A-Z, a-z, 0-9, - and .')],
  [
    'instant',
    ofString('instant', isInstant, ': it needs date, time with seconds and time zone, as in 2024-02-29T10:00:00Z'),
  ],
  ['integer', ofInteger('integer', INTEGER_MINIMUM)],
  ['markdown', ofText('markdown')],
  ['oid', ofString('oid', isOid, ', as in urn:oid:1.2.3')],
  ['positiveInt', ofInteger('positiveInt', 1)],
  ['string', ofText('string')],
  ['time', ofString('time', matching(TIME), ', as in 14:05:00')],
  ['unsignedInt', ofInteger('unsignedInt', 0)],
  ['uri', URI],
  ['url', uriNamed('url')],
  ['uuid', ofString('uuid', matching(UUID), ': it must be urn:uuid: and a UUID in lower case')],
  ['xhtml', ofXhtml],
]);

/** The check of a primitive type, for example `date`. */
export const primitiveCheck = (type: string): PrimitiveCheck => {
  const check = CHECKS.get(type);
  if (check === undefined) throw new Error(`R4 has no primitive type ${type}`);
  return check;
};

/** The id of an element inside a resource, which is not of type id. @see https://hl7.org/fhir/R4/element.html#id */
export const checkElementId: PrimitiveCheck = ofString(
  'id of an element',
  (text) => !/\s/.test(text),
  ': it must have no white space',
);

/** The types whose JSON numbers have neither fraction nor exponent. */
export const INTEGER_TYPES: ReadonlySet<string> = new Set(['integer', 'positiveInt', 'unsignedInt']);

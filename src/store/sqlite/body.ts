/**
 * How the text of a resource lies in the database: deflated against a dictionary of what FHIR resources have in common
 * (a small resource has little that it could repeat by itself), or as it is where that would gain nothing.
 *
 * @see https://www.rfc-editor.org/rfc/rfc1951
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateRawSync, inflateRawSync } from 'node:zlib';

/**
 * The first byte of a deflated body names its dictionary; a body that begins otherwise is the text itself, which begins
 * with `{`. A dictionary never changes: a better one gets a file and a number of its own.
 */
const DICTIONARY = 1;
const dictionary = readFileSync(join(import.meta.dirname, 'body-dictionary.txt'));
const MARK = Buffer.of(DICTIONARY);

/** Texts from this size on are left as they are: they are documents in base64, and would hold up the writer. */
export const LARGE = 1_000_000;
const LEVEL = 6;

/** What is stored of a resource's text; nothing for the empty text of a deletion. */
export const packedBody = (text: Buffer): Buffer => {
  if (text.length === 0 || text.length >= LARGE) return text;
  const packed = deflateRawSync(text, { dictionary, level: LEVEL });
  return packed.length + 1 < text.length ? Buffer.concat([MARK, packed]) : text;
};

/** Packed bodies below this size are taken to fit in one small chunk, which costs less to make than zlib's own. */
const SMALL = 1500;
const SMALL_OPTIONS = { dictionary, chunkSize: 8192 };

/** The text again, in memory of its own: the message to another thread copies all that a view is part of. */
export const unpackedBody = (body: Buffer): Buffer => {
  if (body[0] !== DICTIONARY) return body;
  const text = inflateRawSync(body.subarray(1), body.length < SMALL ? SMALL_OPTIONS : { dictionary });
  return Buffer.from(new Uint8Array(text).buffer);
};

/**
 * A large string, such as the base64 of a document, taken out of JSON: the rest is small, and is read like any other
 * JSON, while the string itself stays the bytes that it is.
 */
import type { Span } from './json-members.ts';

/** JSON with a stand-in in the place of its large string. */
export interface CutJson {
  /** With `"${STAND_IN}"` in place of the large string. */
  readonly text: string;
  /** Where the large string is in the bytes, without its quotes. It has no escapes. */
  readonly large: Span;
}

/** Base64, so that it is valid where base64 is. */
export const STAND_IN = 'bGFyZ2Ugc3RyaW5nIG9mIENvbnNpbGl1bSB0YWtlbiBvdXQ/';

/** Strings from this size on, in bytes, are large. */
export const LARGE_STRING = 256 * 1024;

/** Where more strings than these come before the large one, the JSON is no wrapping around one document. */
const MOST_STRINGS = 500;

const QUOTE = 34;
const BACKSLASH = 92;

/** The index of the quote that closes the string whose first byte is at `start`; -1 if there is none. */
const closingQuote = (json: Buffer, start: number): number => {
  let end = json.indexOf(QUOTE, start);
  for (; end >= 0; end = json.indexOf(QUOTE, end + 1)) {
    let backslashes = 0;
    while (json[end - 1 - backslashes] === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) break;
  }
  return end;
};

/** The first large string, if there is one, and without escapes. Of what is no JSON at all, the text is no JSON either. */
export const cutLargeString = (json: Buffer): CutJson | undefined => {
  if (json.length < LARGE_STRING) return undefined;
  let from = 0;
  for (let count = 0; count < MOST_STRINGS; count++) {
    const opening = json.indexOf(QUOTE, from);
    const end = opening < 0 ? -1 : closingQuote(json, opening + 1);
    if (end < 0) return undefined;
    const large = { start: opening + 1, end };
    from = end + 1;
    if (end - opening <= LARGE_STRING) continue;
    if (json.subarray(large.start, large.end).includes(BACKSLASH)) return undefined;
    const [before, after] = [json.toString('utf8', 0, large.start), json.toString('utf8', large.end)];
    return before.includes(STAND_IN) || after.includes(STAND_IN)
      ? undefined
      : { text: `${before}${STAND_IN}${after}`, large };
  }
  return undefined;
};

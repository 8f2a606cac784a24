/** Finds and edits the parts of compact JSON text (as `parseJson` returns it) without parsing them. */
import { stringEnd } from './json-text.ts';

/** The parts of a text between two indexes, the first included. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface Member {
  readonly key: string;
  /** From the key's opening quote to the end of the value. */
  readonly whole: Span;
  readonly value: Span;
}

/** The index after the value that begins at `start`. */
const valueEnd = (text: string, start: number): number => {
  const first = text.charCodeAt(start);
  if (first === 34) return stringEnd(text, start);
  let depth = 0;
  for (let at = start; ; ) {
    const code = text.charCodeAt(at);
    if (code === 34) {
      at = stringEnd(text, at);
    } else if (code === 123 || code === 91) {
      depth++;
      at++;
    } else if (code === 125 || code === 93) {
      if (depth === 0) return at;
      depth--;
      at++;
      if (depth === 0) return at;
    } else if ((code === 44 && depth === 0) || at >= text.length) {
      return at;
    } else {
      at++;
    }
  }
};

/** The members of the object that begins at `start`. */
export const membersOf = (text: string, start = 0): Member[] => {
  const members: Member[] = [];
  let at = start + 1;
  while (text.charCodeAt(at) !== 125) {
    const keyEnd = stringEnd(text, at);
    const value = { start: keyEnd + 1, end: valueEnd(text, keyEnd + 1) };
    members.push({ key: JSON.parse(text.slice(at, keyEnd)), whole: { start: at, end: value.end }, value });
    at = text.charCodeAt(value.end) === 44 ? value.end + 1 : value.end;
  }
  return members;
};

/** The elements of the array that begins at `start`. */
export const elementsOf = (text: string, start: number): Span[] => {
  const elements: Span[] = [];
  let at = start + 1;
  while (text.charCodeAt(at) !== 93) {
    const end = valueEnd(text, at);
    elements.push({ start: at, end });
    at = text.charCodeAt(end) === 44 ? end + 1 : end;
  }
  return elements;
};

/** `reference` is a literal reference; `uri` an element of type uri, url, oid or uuid, or a link in a narrative. */
export type LinkKind = 'reference' | 'uri';

/** A key with a link as its value, or, where that is missing, a link in the XHTML of a string. */
const LINK =
  /"(reference|url|uri|valueUri|valueUrl|valueUuid|valueOid|definitionUri|derivedFromUri|sourceUri|targetUri|eventUri|moduleUri|source|address)":"|\b(?:href|src)=(?:\\"|')([^"'\\]*)/g;

/** The text with its links, at any depth, replaced where `replacement` returns another value. */
export const withReplacedLinks = (
  text: string,
  replacement: (value: string, kind: LinkKind) => string | undefined,
): string => {
  let result = '';
  let from = 0;
  // Inside of a string the quotes of such a match would be escaped, so each match is a key.
  for (const match of text.matchAll(LINK)) {
    const [whole, key, address] = match;
    const matchEnd = match.index + whole.length;
    const start = address === undefined ? matchEnd - 1 : matchEnd - address.length;
    const end = address === undefined ? stringEnd(text, start) : matchEnd;
    const value = address ?? (JSON.parse(text.slice(start, end)) as string);
    const replaced = replacement(value, key === 'reference' ? 'reference' : 'uri');
    if (replaced === undefined) continue;
    const quoted = JSON.stringify(replaced);
    result += text.slice(from, start) + (address === undefined ? quoted : quoted.slice(1, -1));
    from = end;
  }
  return from === 0 ? text : result + text.slice(from);
};

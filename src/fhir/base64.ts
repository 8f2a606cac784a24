/**
 * Base64 of documents of many megabytes, read and written in steps, so that neither a second copy nor a long pause is
 * needed.
 *
 * @see https://hl7.org/fhir/R4/datatypes.html#base64Binary
 */
import { isAscii } from 'node:buffer';

/** How many characters one step takes: 768 kB of content. */
const STEP_CHARACTERS = 1024 * 1024;

const SPACE = 32;
const PADDING = 61;

/** The length of the content; undefined if there is white space or anything else between the groups of four. */
export const decodedLength = (base64: Buffer): number | undefined => {
  if (base64.length % 4 !== 0 || base64.includes(SPACE) || !isAscii(base64)) return undefined;
  const padding = base64.at(-1) !== PADDING ? 0 : base64.at(-2) !== PADDING ? 1 : 2;
  return (base64.length / 4) * 3 - padding;
};

/** The content from `start` to before `end`, in bytes, in pieces that are decoded when they are asked for. */
export const decodedPieces = function* (base64: Buffer, start: number, end: number): Generator<Buffer> {
  const last = Math.ceil(end / 3) * 4;
  let at = Math.floor(start / 3) * 4;
  for (let position = Math.floor(start / 3) * 3; at < last; ) {
    const next = Math.min(at + STEP_CHARACTERS, last);
    const piece = Buffer.from(base64.toString('latin1', at, next), 'base64');
    yield piece.subarray(Math.max(0, start - position), end - position);
    position += piece.length;
    at = next;
  }
};

const isGroups = (base64: Buffer): boolean => {
  const text = base64.toString('latin1');
  return !text.includes('=') && Buffer.from(text, 'base64').toString('base64') === text;
};

/** The last group may have bits beyond its content, which are not written again. */
const isLastGroup = (group: string): boolean =>
  /^(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)$/.test(group);

/** Whether this is base64 without white space. What is read and written again must be the same. */
export const isBase64Groups = (base64: Buffer): boolean => {
  const last = base64.length - 4;
  if (base64.length === 0 || base64.length % 4 !== 0 || !isLastGroup(base64.toString('latin1', last))) return false;
  for (let at = 0; at < last; at += STEP_CHARACTERS)
    if (!isGroups(base64.subarray(at, Math.min(at + STEP_CHARACTERS, last)))) return false;
  return true;
};

/** Makes base64 of content as it comes. */
export interface Base64Encoder {
  add(bytes: Buffer): void;
  /** The base64 of all that was added, each part in memory of its own. */
  end(): readonly Uint8Array[];
}

/** `expectedLength` of the content, in bytes, if it is known, saves memory for a small one. */
export const createBase64Encoder = (expectedLength = Number.POSITIVE_INFINITY): Base64Encoder => {
  const pieces: Buffer[] = [];
  let length = 0;
  // What is left over by groups of three bytes.
  let rest: Buffer = Buffer.alloc(0);
  let piece: Buffer = Buffer.alloc(0);
  let at = 0;
  const write = (bytes: Buffer): void => {
    for (let from = 0; from < bytes.length; ) {
      if (at === piece.length) {
        const characters = Math.ceil((expectedLength - length) / 3) * 4;
        piece = Buffer.allocUnsafeSlow(characters > 0 ? Math.min(characters, STEP_CHARACTERS) : STEP_CHARACTERS);
        pieces.push(piece);
        at = 0;
      }
      const to = Math.min(bytes.length, from + ((piece.length - at) / 4) * 3);
      at += piece.write(bytes.toString('base64', from, to), at, 'latin1');
      length += to - from;
      from = to;
    }
  };
  return {
    add: (bytes) => {
      const all = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
      const whole = all.length - (all.length % 3);
      write(all.subarray(0, whole));
      rest = Buffer.from(all.subarray(whole));
    },
    end: () => {
      write(rest);
      return pieces.map((each) => (each === piece ? each.subarray(0, at) : each));
    },
  };
};

/**
 * Reads JSON with the care that FHIR asks for. `JSON.parse` finds the faults of syntax; one scan of the text finds what
 * it lets pass (duplicate keys, NUL, lone surrogates, depth) and takes out the insignificant white space, so that the
 * text itself, with every digit as written, is what is stored.
 *
 * @see https://hl7.org/fhir/R4/json.html
 */
import { invalid } from './fhir-error.ts';

export interface JsonText {
  /** The same JSON without insignificant white space. */
  readonly text: string;
  readonly value: unknown;
  /** Paths such as `Patient.multipleBirthInteger` of whole numbers that were written with a fraction or exponent. */
  readonly integralDecimals: ReadonlySet<string>;
}

/** What the scan knows of an object or array that is still open. */
interface Frame {
  readonly isObject: boolean;
  /** The keys so far; a Set from the 17th on, so that a hostile object costs no quadratic time. */
  keys: string[] | Set<string>;
  key: string;
  index: number;
}

const KEYS_IN_ARRAY = 16;

const isWhiteSpace = (code: number): boolean => code === 32 || code === 10 || code === 13 || code === 9;

/** The index after the closing quote of the string that opens at `start`. */
export const stringEnd = (text: string, start: number): number => {
  let end = text.indexOf('"', start + 1);
  for (;;) {
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === 92) backslashes++;
    if (backslashes % 2 === 0) return end + 1;
    end = text.indexOf('"', end + 1);
  }
};

const pathOf = (root: string, frames: readonly Frame[]): string => {
  let path = root;
  for (const { isObject, key, index } of frames) path += isObject ? `.${key}` : `[${index}]`;
  return path;
};

const rootName = (value: unknown): string => {
  const name = (value as { resourceType?: unknown } | null)?.resourceType;
  return typeof name === 'string' ? name : '$';
};

const parsed = (source: string): unknown => {
  try {
    return JSON.parse(source);
  } catch (error) {
    throw invalid(`The body is not JSON: ${(error as Error).message}`);
  }
};

/** One scan over text that `JSON.parse` has accepted. */
class Scan {
  readonly #source: string;
  readonly #root: string;
  readonly #maximumDepth: number;
  readonly #frames: Frame[] = [];
  readonly integralDecimals = new Set<string>();

  constructor(source: string, root: string, maximumDepth: number) {
    this.#source = source;
    this.#root = root;
    this.#maximumDepth = maximumDepth;
  }

  #fail(reason: string): never {
    const path = pathOf(this.#root, this.#frames);
    throw invalid(`${path}: ${reason}`, path);
  }

  #open(isObject: boolean): void {
    if (this.#frames.length >= this.#maximumDepth)
      this.#fail(`nested deeper than ${this.#maximumDepth} levels, the limit of this server (CONSILIUM_JSON_DEPTH)`);
    this.#frames.push({ isObject, keys: [], key: '', index: 0 });
  }

  #addKey(key: string): void {
    const frame = this.#frames.at(-1) as Frame;
    frame.key = key;
    const { keys } = frame;
    if (Array.isArray(keys)) {
      if (keys.includes(key)) this.#fail('this key stands twice in one object');
      keys.push(key);
      if (keys.length > KEYS_IN_ARRAY) frame.keys = new Set(keys);
    } else {
      if (keys.has(key)) this.#fail('this key stands twice in one object');
      keys.add(key);
    }
  }

  /** Checks the string between `start` and `end` (quotes included); returns what it means if it is a key. */
  #string(start: number, end: number): void {
    const raw = this.#source.slice(start + 1, end - 1);
    const isKey = this.#isKey(end);
    if (!raw.includes('\\')) {
      if (isKey) this.#addKey(raw);
      return;
    }
    const value = JSON.parse(this.#source.slice(start, end)) as string;
    if (isKey) this.#addKey(value);
    if (value.includes('\0')) this.#fail('a string must not contain the character NUL');
    if (!value.isWellFormed()) this.#fail('a string has half of a surrogate pair, which is no character');
  }

  #isKey(end: number): boolean {
    let next = end;
    while (isWhiteSpace(this.#source.charCodeAt(next))) next++;
    return this.#source.charCodeAt(next) === 58;
  }

  /** Notes a number or literal that begins at `start`; returns the index after it. */
  #scalar(start: number): number {
    let end = start;
    let isDecimal = false;
    for (; end < this.#source.length; end++) {
      const code = this.#source.charCodeAt(end);
      if (code === 44 || code === 125 || code === 93 || isWhiteSpace(code)) break;
      if (code === 46 || code === 69 || code === 101) isDecimal = true;
    }
    const first = this.#source.charCodeAt(start);
    const isNumber = first === 45 || (first >= 48 && first <= 57);
    if (!isNumber) return end;
    const value = Number(this.#source.slice(start, end));
    if (!Number.isFinite(value)) this.#fail('this number is too large');
    if (isDecimal && Number.isInteger(value)) this.integralDecimals.add(pathOf(this.#root, this.#frames));
    return end;
  }

  /** Returns the text without white space between its tokens. */
  compacted(): string {
    const source = this.#source;
    let text = '';
    let from = 0;
    for (let at = 0; at < source.length; ) {
      const code = source.charCodeAt(at);
      if (code === 34) {
        const end = stringEnd(source, at);
        this.#string(at, end);
        at = end;
      } else if (isWhiteSpace(code)) {
        text += source.slice(from, at);
        while (isWhiteSpace(source.charCodeAt(at))) at++;
        from = at;
      } else if (code === 123 || code === 91) {
        this.#open(code === 123);
        at++;
      } else if (code === 125 || code === 93) {
        this.#frames.pop();
        at++;
      } else if (code === 44) {
        const frame = this.#frames.at(-1) as Frame;
        if (!frame.isObject) frame.index++;
        at++;
      } else if (code === 58) {
        at++;
      } else {
        at = this.#scalar(at);
      }
    }
    return from === 0 ? source : text + source.slice(from);
  }
}

/**
 * Parses `source`. Throws a FhirError 400 that says where it is no JSON, has a key twice, NUL, half a surrogate pair,
 * a number beyond a double's range, or more than `maximumDepth` levels.
 */
export const parseJson = (source: string, maximumDepth: number): JsonText => {
  if (source.trim() === '') throw invalid('The body is empty');
  const value = parsed(source);
  const scan = new Scan(source, rootName(value), maximumDepth);
  return { text: scan.compacted(), value, integralDecimals: scan.integralDecimals };
};

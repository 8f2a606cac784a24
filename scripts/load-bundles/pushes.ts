/** From files to requests: what each file, or each line of an ndjson file, is to be sent as. */
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { readProblem, type SourceFile } from './source-files.ts';

/** Where a body comes from; lines of ndjson files count from 1, other files have none. */
export interface Source {
  readonly file: string;
  readonly line: number | null;
  /** What the progress advances by when this is done. */
  readonly bytes: number;
}

/** How a report names a resource; `entry` is its index in the Bundle, null for a resource of its own. */
export interface EntryName {
  readonly entry: number | null;
  readonly fullUrl: string | null;
  readonly type: string | null;
  readonly id: string | null;
}

/** One request. */
export interface Push {
  readonly source: Source;
  readonly kind: 'transaction' | 'batch' | 'resource';
  readonly method: 'POST' | 'PUT';
  /** Relative to the FHIR base, percent-encoded: empty for a transaction or batch, else `Patient` or `Patient/1`. */
  readonly path: string;
  /** The file's own bytes: writing the JSON anew would lose digits of decimals. */
  readonly body: Buffer;
  readonly entries: readonly EntryName[];
}

/** What cannot be sent, with a sentence on why. */
export interface Unpushable {
  readonly source: Source;
  readonly problem: string;
}

type JsonObject = Readonly<Record<string, unknown>>;

const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);
const LINE_FEED = 0x0a;
const RESOURCE_TYPE = /^[A-Z][A-Za-z]*$/;

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const textOrNull = (value: unknown): string | null => (typeof value === 'string' ? value : null);

const entryName = (entry: unknown, index: number): EntryName => {
  const { fullUrl, resource } = isObject(entry) ? entry : {};
  const { resourceType, id } = isObject(resource) ? resource : {};
  return { entry: index, fullUrl: textOrNull(fullUrl), type: textOrNull(resourceType), id: textOrNull(id) };
};

const bundlePush = (source: Source, kind: 'transaction' | 'batch', bundle: JsonObject, body: Buffer): Push => {
  const entries = Array.isArray(bundle['entry']) ? bundle['entry'].map(entryName) : [];
  return { source, kind, method: 'POST', path: '', body, entries };
};

const parsed = (body: Buffer): { readonly value: unknown } | { readonly problem: string } => {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(body);
    return text.trim() === '' ? { problem: 'It is empty' } : { value: JSON.parse(text) };
  } catch (error) {
    if (error instanceof SyntaxError) return { problem: `It is not JSON: ${error.message}` };
    if ((error as NodeJS.ErrnoException).code === 'ERR_ENCODING_INVALID_ENCODED_DATA')
      return { problem: 'It is not text in UTF-8' };
    return { problem: readProblem(error) };
  }
};

/**
 * The request that stores the resource in `bytes`: a Bundle of type transaction or batch is processed, every other
 * resource (also another Bundle) is created, or updated if it has an id.
 *
 * @see https://hl7.org/fhir/R4/http.html#transaction
 */
const pushOf = (source: Source, bytes: Buffer): Push | Unpushable => {
  // Some exports begin with a mark that is not part of the JSON text; RFC 8259 section 8.1 forbids to send it.
  const body = bytes.subarray(0, 3).equals(BYTE_ORDER_MARK) ? bytes.subarray(3) : bytes;
  const result = parsed(body);
  if ('problem' in result) return { source, problem: result.problem };
  if (!isObject(result.value)) return { source, problem: 'It is not FHIR: the JSON is not an object' };
  const { resourceType, id, type } = result.value;
  if (resourceType === undefined) return { source, problem: 'It is not FHIR: there is no resourceType' };
  if (typeof resourceType !== 'string' || !RESOURCE_TYPE.test(resourceType))
    return { source, problem: `It is not FHIR: ${JSON.stringify(resourceType)} is no resourceType` };
  if (resourceType === 'Bundle' && (type === 'transaction' || type === 'batch'))
    return bundlePush(source, type, result.value, body);
  if (id !== undefined && (typeof id !== 'string' || id === ''))
    return { source, problem: `${resourceType}.id: ${JSON.stringify(id)} is not an id` };
  const entries = [{ entry: null, fullUrl: null, type: resourceType, id: id ?? null }];
  if (id === undefined) return { source, kind: 'resource', method: 'POST', path: resourceType, body, entries };
  const path = `${resourceType}/${encodeURIComponent(id)}`;
  return { source, kind: 'resource', method: 'PUT', path, body, entries };
};

/** The lines of a file as their bytes, without the line feeds; only one line and one chunk are held at a time. */
async function* fileLines(path: string): AsyncGenerator<Buffer> {
  let pieces: Buffer[] = [];
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
      pieces.push(chunk.subarray(start, end));
      yield Buffer.concat(pieces);
      pieces = [];
      start = end + 1;
    }
    pieces.push(chunk.subarray(start));
  }
  yield Buffer.concat(pieces);
}

const isBlank = (line: Buffer): boolean => line.every((byte) => byte <= 0x20);

async function* linePushes(path: string): AsyncGenerator<Push | Unpushable> {
  let line = 0;
  for await (const bytes of fileLines(path)) {
    line += 1;
    if (!isBlank(bytes)) yield pushOf({ file: path, line, bytes: bytes.length + 1 }, bytes);
  }
}

async function* filePushes({ path, bytes, problem }: SourceFile): AsyncGenerator<Push | Unpushable> {
  const source = { file: path, line: null, bytes };
  if (problem !== undefined) {
    yield { source, problem };
    return;
  }
  try {
    if (path.toLowerCase().endsWith('.ndjson')) yield* linePushes(path);
    else yield pushOf(source, await readFile(path));
  } catch (error) {
    yield { source: { ...source, bytes: 0 }, problem: readProblem(error) };
  }
}

/**
 * What is to be sent, one at a time: each file is read when it is asked for. `onLast` is called before the last of a
 * file is handed out, so that whoever stops asking knows which files have been handed out completely.
 */
export async function* pushesOf(
  files: readonly SourceFile[],
  onLast: (file: string) => void,
): AsyncGenerator<Push | Unpushable> {
  for (const file of files) {
    let next: Push | Unpushable | undefined;
    for await (const push of filePushes(file)) {
      if (next !== undefined) yield next;
      next = push;
    }
    onLast(file.path);
    if (next !== undefined) yield next;
  }
}

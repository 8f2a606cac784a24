/**
 * The content of a Binary as it is: uploaded and downloaded without the JSON around it.
 *
 * @see https://hl7.org/fhir/R4/binary.html#rest
 */
import { decodedLength, decodedPieces } from '../fhir/base64.ts';
import { FhirError, invalid, issue } from '../fhir/fhir-error.ts';
import { cutLargeString, STAND_IN } from '../fhir/large-string.ts';
import { parseReference } from '../fhir/reference.ts';
import { joinedText, type LargeText, type ResourceText } from '../fhir/resource-text.ts';
import type { Version } from '../store/store.ts';
import type { FhirRequest, FhirResponse, FhirServer } from './fhir-request.ts';
import type { PreparedResource } from './prepare-write.ts';

/** What a browser would run if it showed it. */
const ACTIVE = /^(?:text\/(?:html|xml|javascript|xsl)|(?:application|image)\/.*(?:xml|html|javascript|ecmascript|pdf))/;

/** The reference of an `X-Security-Context` header. Throws a FhirError 400 if it is none. */
const securityContext = (server: FhirServer, header: string | undefined): { securityContext?: object } => {
  if (header === undefined) return {};
  const { kind } = parseReference(header, server.baseUrl) ?? {};
  if (kind !== 'local' && kind !== 'absolute')
    throw invalid(`X-Security-Context: '${header}' is not a reference such as Patient/1`);
  return { securityContext: { reference: header } };
};

/** The Binary that uploaded content becomes. Its JSON is never parsed: it is put together around the base64. */
export const binaryOfContent = (
  server: FhirServer,
  { base64, contentType }: NonNullable<FhirRequest['content']>,
  headers: FhirRequest['headers'],
): ((id: string) => PreparedResource) => {
  const members = { contentType, ...securityContext(server, headers['x-security-context']) };
  const value = { resourceType: 'Binary', ...members };
  const issues = server.validate(value, { expectedType: 'Binary', integralDecimals: new Set() });
  if (issues.length > 0) throw new FhirError(400, issues);
  const entries = server.indexEntries(value);
  const requires = server.refusesDanglingReferences ? referenced(server, headers['x-security-context']) : [];
  const tail = joinedText([`},${JSON.stringify(members).slice(1, -1)},"data":"`, ...base64, '"}']);
  return (id) => {
    const head = `{"resourceType":"Binary","id":${JSON.stringify(id)},"meta":{`;
    return { resource: { type: 'Binary', id, head, tail }, entries, requires };
  };
};

/** The text of a Binary with its data, for which `STAND_IN` stands, once. */
export const withData = ({ head, tail, ...reference }: ResourceText, data: LargeText): ResourceText => {
  const [before = '', after] = String(tail).split(STAND_IN);
  // A client may write its `meta` last.
  if (after === undefined)
    return { ...reference, tail, head: head.replace(STAND_IN, () => Buffer.concat(data.parts).toString('latin1')) };
  return { ...reference, head, tail: textAround(before, data, after) };
};

/** Large as well, of the same memory: that may go elsewhere and come back in between. */
const textAround = (before: string, data: LargeText, after: string): LargeText => ({
  get parts() {
    return [Buffer.from(before), ...data.parts, Buffer.from(after)];
  },
  set parts(parts) {
    data.parts = parts.slice(1, -1);
  },
});

const referenced = (server: FhirServer, header: string | undefined) => {
  const parsed = header === undefined ? undefined : parseReference(header, server.baseUrl);
  return parsed?.kind === 'local' ? [{ type: parsed.type, id: parsed.id }] : [];
};

interface StoredContent {
  readonly contentType: string;
  readonly securityContext?: string;
  /** In bytes. */
  readonly length: number;
  /** From `start` to before `end`. */
  pieces(start: number, end: number): Iterable<Buffer>;
}

type ContentBytes = Pick<StoredContent, 'length' | 'pieces'>;

const inMemory = (bytes: Buffer): ContentBytes => ({
  length: bytes.length,
  pieces: (start, end) => [bytes.subarray(start, end)],
});

/** Decoded step by step if it can be; white space within it comes from elsewhere, and shifts the groups. */
const inSteps = (base64: Buffer): ContentBytes => {
  const length = decodedLength(base64);
  if (length === undefined) return inMemory(Buffer.from(base64.toString('latin1'), 'base64'));
  return { length, pieces: (start, end) => decodedPieces(base64, start, end) };
};

interface BinaryValue {
  readonly contentType?: string;
  readonly securityContext?: { readonly reference?: string };
  readonly data?: string;
}

const contentOf = ({ text }: Version): StoredContent => {
  const cut = cutLargeString(text);
  const value = JSON.parse(cut?.text ?? text.toString()) as BinaryValue;
  const isCut = cut !== undefined && value.data === STAND_IN;
  // Escapes are possible, but rare; so is a large string elsewhere.
  const { data = '' } = cut === undefined || isCut ? value : (JSON.parse(text.toString()) as BinaryValue);
  const { reference } = value.securityContext ?? {};
  return {
    contentType: value.contentType ?? 'application/octet-stream',
    ...(isCut ? inSteps(text.subarray(cut.large.start, cut.large.end)) : inMemory(Buffer.from(data, 'base64'))),
    ...(reference === undefined ? {} : { securityContext: reference }),
  };
};

/** Characters that a header can have. */
const headerText = (text: string): string => text.replace(/[^\x20-\x7e]/g, '');

/**
 * The part that a `Range` header asks for, from `start` to `end`, both included; undefined for all, as with several
 * ranges or another unit.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-14.2
 */
const askedRange = (
  header: string | undefined,
  length: number,
): { start: number; end: number } | 'unsatisfiable' | undefined => {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '');
  if (match === null) return undefined;
  const [, first = '', last = ''] = match;
  if (first === '' && last === '') return undefined;
  if (first === '') {
    const count = Math.min(Number(last), length);
    return count === 0 ? 'unsatisfiable' : { start: length - count, end: length - 1 };
  }
  const start = Number(first);
  if (last !== '' && Number(last) < start) return undefined;
  if (start >= length) return 'unsatisfiable';
  return { start, end: last === '' ? length - 1 : Math.min(Number(last), length - 1) };
};

/**
 * The content of a Binary, or the part of it that is asked for; undefined if the client wants its JSON. `whole` is the
 * answer with that JSON. Throws a FhirError 416 for a range beyond the end.
 */
export const contentResponse = (
  { wantsContent, headers, method }: FhirRequest,
  version: Version,
  whole: FhirResponse,
): FhirResponse | undefined => {
  if (wantsContent === undefined || version.type !== 'Binary') return undefined;
  const { contentType, length, pieces, securityContext: context } = contentOf(version);
  if (!wantsContent(contentType)) return undefined;
  // Versions are weak validators, and `If-Range` wants a strong one: with it, the whole is the right answer.
  const isPart = method === 'GET' && headers['if-range'] === undefined;
  const range = isPart ? askedRange(headers['range'], length) : undefined;
  if (range === 'unsatisfiable') {
    const text = `Range: '${headers['range']}' is beyond the ${length} bytes of this content`;
    throw new FhirError(416, [issue('value', text)], { 'content-range': `bytes */${length}` });
  }
  const { body: _json, ...rest } = whole;
  const { start, end } = range ?? { start: 0, end: length - 1 };
  return {
    ...rest,
    status: range === undefined ? 200 : 206,
    headers: {
      ...rest.headers,
      'accept-ranges': 'bytes',
      vary: 'accept',
      // Content comes from elsewhere: a browser must neither guess what it is nor run it as a page of this server.
      'x-content-type-options': 'nosniff',
      'content-security-policy': "sandbox; default-src 'none'",
      ...(ACTIVE.test(contentType.toLowerCase()) ? { 'content-disposition': 'attachment' } : {}),
      ...(context === undefined ? {} : { 'x-security-context': headerText(context) }),
      ...(range === undefined ? {} : { 'content-range': `bytes ${range.start}-${range.end}/${length}` }),
    },
    content: {
      contentType: headerText(contentType) || 'application/octet-stream',
      length: end + 1 - start,
      pieces: () => pieces(start, end + 1),
    },
  };
};

/**
 * The content of a Binary as it is: uploaded and downloaded without the JSON around it.
 *
 * @see https://hl7.org/fhir/R4/binary.html#rest
 */
import { FhirError, invalid, issue } from '../fhir/fhir-error.ts';
import { membersOf } from '../fhir/json-members.ts';
import { parseReference } from '../fhir/reference.ts';
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
  { bytes, contentType }: NonNullable<FhirRequest['content']>,
  headers: FhirRequest['headers'],
): ((id: string) => PreparedResource) => {
  const members = { contentType, ...securityContext(server, headers['x-security-context']) };
  const value = { resourceType: 'Binary', ...members };
  const issues = server.validate(value, { expectedType: 'Binary', integralDecimals: new Set() });
  if (issues.length > 0) throw new FhirError(400, issues);
  const entries = server.indexEntries(value);
  const requires = server.refusesDanglingReferences ? referenced(server, headers['x-security-context']) : [];
  const data = bytes.toString('base64');
  const tail = `},${JSON.stringify(members).slice(1, -1)},"data":"${data}"}`;
  return (id) => {
    const head = `{"resourceType":"Binary","id":${JSON.stringify(id)},"meta":{`;
    return { resource: { type: 'Binary', id, head, tail }, entries, requires };
  };
};

const referenced = (server: FhirServer, header: string | undefined) => {
  const parsed = header === undefined ? undefined : parseReference(header, server.baseUrl);
  return parsed?.kind === 'local' ? [{ type: parsed.type, id: parsed.id }] : [];
};

interface Content {
  readonly contentType: string;
  readonly bytes: Buffer;
  readonly securityContext?: string;
}

const contentOf = (version: Version): Content => {
  const text = version.text.toString();
  const members = new Map(membersOf(text).map(({ key, value }) => [key, value]));
  const raw = (key: string): string | undefined => {
    const span = members.get(key);
    return span === undefined ? undefined : text.slice(span.start, span.end);
  };
  const { reference } = JSON.parse(raw('securityContext') ?? '{}') as { reference?: string };
  const quoted = raw('data') ?? '""';
  // Escapes are possible and rare; without them the long text need not be parsed.
  const data = quoted.includes('\\') ? (JSON.parse(quoted) as string) : quoted.slice(1, -1);
  return {
    contentType: JSON.parse(raw('contentType') ?? '"application/octet-stream"') as string,
    bytes: Buffer.from(data, 'base64'),
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
  const { contentType, bytes, securityContext: context } = contentOf(version);
  if (!wantsContent(contentType)) return undefined;
  // Versions are weak validators, and `If-Range` wants a strong one: with it, the whole is the right answer.
  const isPart = method === 'GET' && headers['if-range'] === undefined;
  const range = isPart ? askedRange(headers['range'], bytes.length) : undefined;
  if (range === 'unsatisfiable') {
    const text = `Range: '${headers['range']}' is beyond the ${bytes.length} bytes of this content`;
    throw new FhirError(416, [issue('value', text)], { 'content-range': `bytes */${bytes.length}` });
  }
  return {
    ...whole,
    status: range === undefined ? 200 : 206,
    headers: {
      ...whole.headers,
      'accept-ranges': 'bytes',
      vary: 'accept',
      // Content comes from elsewhere: a browser must neither guess what it is nor run it as a page of this server.
      'x-content-type-options': 'nosniff',
      'content-security-policy': "sandbox; default-src 'none'",
      ...(ACTIVE.test(contentType.toLowerCase()) ? { 'content-disposition': 'attachment' } : {}),
      ...(context === undefined ? {} : { 'x-security-context': headerText(context) }),
      ...(range === undefined ? {} : { 'content-range': `bytes ${range.start}-${range.end}/${bytes.length}` }),
    },
    contentType: headerText(contentType) || 'application/octet-stream',
    body: range === undefined ? bytes : bytes.subarray(range.start, range.end + 1),
  };
};

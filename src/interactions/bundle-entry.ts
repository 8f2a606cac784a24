/** One request of a batch or transaction, and how its answer stands in the response Bundle. */
import { STATUS_CODES } from 'node:http';
import type { BundleEntryRequest, OperationOutcome } from '@medplum/fhirtypes';
import { instantText } from '../fhir/date-time.ts';
import { FhirError, type Issue } from '../fhir/fhir-error.ts';
import { operationOutcome } from '../fhir/operation-outcome.ts';
import type { BundleEntry } from './bundle-text.ts';
import type { FhirRequest, FhirResponse, FhirServer } from './fhir-request.ts';
import { patchOfEntry } from './patch.ts';

export interface RequestEntry {
  readonly index: number;
  readonly fullUrl: string | undefined;
  readonly request: BundleEntryRequest;
  /** JSON of the resource. */
  readonly text: string | undefined;
}

/** `201 Created`. */
const statusText = (status: number): string => `${status} ${STATUS_CODES[status] ?? ''}`.trim();

/** The url of an entry below the FHIR base, without a slash at its beginning. */
export const urlBelowBase = (url: string, baseUrl: string): string =>
  url.startsWith(`${baseUrl}/`) ? url.slice(baseUrl.length + 1) : url.replace(/^\//, '');

/** Headers of the whole Bundle that count for each entry of a batch. */
export const passedHeaders = ({ headers }: FhirRequest): FhirRequest['headers'] => ({
  prefer: headers['prefer'],
  'x-provenance': headers['x-provenance'],
});

/** The entry as a request of its own; `passed` are headers of the whole Bundle. */
export const requestOf = (
  { request, text }: RequestEntry,
  baseUrl: string,
  passed: FhirRequest['headers'] = {},
): FhirRequest => {
  const [path = '', ...query] = urlBelowBase(request.url ?? '', baseUrl).split('?');
  const sent =
    request.method === 'PATCH' && text !== undefined ? patchOfEntry(text) : { contentType: undefined, body: text };
  return {
    method: request.method ?? '',
    path: path.replace(/\/$/, ''),
    query: query.join('?'),
    headers: {
      ...(sent.contentType === undefined ? {} : { 'content-type': sent.contentType }),
      'if-match': request.ifMatch,
      'if-none-match': request.ifNoneMatch,
      'if-none-exist': request.ifNoneExist,
      'if-modified-since': request.ifModifiedSince,
      ...passed,
    },
    ...(sent.body === undefined ? {} : { body: sent.body }),
  };
};

export const withoutBody = ({ body: _body, ...rest }: FhirResponse): FhirResponse => rest;

/** A response as an entry; its body is a resource. Its location is relative, as in R4's examples. */
export const responseEntry = (
  { baseUrl }: FhirServer,
  { status, headers, lastUpdated, body, outcome }: FhirResponse,
): BundleEntry => ({
  ...(body === undefined ? {} : { resource: body.toString() }),
  response: {
    status: statusText(status),
    ...(headers['location'] === undefined ? {} : { location: urlBelowBase(headers['location'], baseUrl) }),
    ...(headers['etag'] === undefined ? {} : { etag: headers['etag'] }),
    ...(lastUpdated === undefined ? {} : { lastModified: instantText(lastUpdated) }),
    ...(outcome === undefined ? {} : { outcome: JSON.parse(outcome) as OperationOutcome }),
  },
});

/** What went wrong with one entry. `visibleError` makes of an unexpected error what the client may see of it. */
export const errorEntry = (error: unknown, visibleError: FhirRequest['visibleError']): BundleEntry => {
  const visible = error instanceof FhirError ? error : visibleError?.(error);
  if (visible === undefined) throw error;
  const { status, issues } = visible;
  return { response: { status: statusText(status), outcome: operationOutcome(issues) } };
};

/** Issues of one entry as issues of the Bundle: they say which entry, and where in it. */
export const entryIssues = ({ index, request }: RequestEntry, issues: readonly Issue[]): Issue[] =>
  issues.map(({ diagnostics, expression, ...rest }) => ({
    ...rest,
    diagnostics: `Entry ${index} (${request.method} ${request.url}): ${diagnostics}`,
    expression:
      expression === undefined
        ? `Bundle.entry[${index}]`
        : expression.replace(/^[A-Za-z]+/, `Bundle.entry[${index}].resource`),
  }));

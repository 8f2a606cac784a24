/**
 * The one error that a client is meant to see: an HTTP status and the issues of its OperationOutcome.
 * Anything else that is thrown is a fault of ours and is answered as a bare 500.
 *
 * @see https://hl7.org/fhir/R4/operationoutcome.html
 */

/** Codes of http://hl7.org/fhir/issue-type that the server uses. */
export type IssueCode =
  | 'invalid'
  | 'structure'
  | 'required'
  | 'value'
  | 'invariant'
  | 'processing'
  | 'not-supported'
  | 'duplicate'
  | 'multiple-matches'
  | 'login'
  | 'forbidden'
  | 'not-found'
  | 'deleted'
  | 'too-long'
  | 'conflict'
  | 'too-costly'
  | 'business-rule'
  | 'exception'
  | 'timeout'
  | 'throttled'
  | 'no-store'
  | 'transient'
  | 'informational';

/** One OperationOutcome.issue. `diagnostics` is a sentence that a person can act on. */
export interface Issue {
  readonly severity: 'error' | 'warning' | 'information';
  readonly code: IssueCode;
  readonly diagnostics: string;
  /** FHIRPath of the element at fault, such as `Patient.contact[0].gender`. */
  readonly expression?: string;
}

/** An answer of 4xx or 5xx with its reasons. */
export class FhirError extends Error {
  override readonly name = 'FhirError';
  readonly status: number;
  readonly issues: readonly Issue[];
  /** Extra response headers, such as `allow` or `retry-after`; names in lower case. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, issues: readonly Issue[], headers: Readonly<Record<string, string>> = {}) {
    super(issues[0]?.diagnostics ?? `HTTP status ${status}`);
    this.status = status;
    this.issues = issues;
    this.headers = headers;
  }
}

/** An issue of severity error. */
export const issue = (code: IssueCode, diagnostics: string, expression?: string): Issue =>
  expression === undefined
    ? { severity: 'error', code, diagnostics }
    : { severity: 'error', code, diagnostics, expression };

const single = (status: number, code: IssueCode) => (diagnostics: string, expression?: string) =>
  new FhirError(status, [issue(code, diagnostics, expression)]);

/** 400: the request itself is wrong: not JSON, a malformed parameter, an element that R4 does not have. */
export const invalid = single(400, 'invalid');
/** 400: the server knows no such parameter, modifier or feature. */
export const notSupported = single(400, 'not-supported');
/** 403: the request is understood, and refused whoever asks. */
export const forbidden = single(403, 'forbidden');
/** 404: there is no such resource, type or path. */
export const notFound = single(404, 'not-found');
/** 406: no format that the client accepts. */
export const notAcceptable = single(406, 'not-supported');
/** 409: two writes got in each other's way, or the write contradicts what is stored. */
export const conflict = single(409, 'conflict');
/** 410: the resource was there and is deleted. */
export const gone = single(410, 'deleted');
/** 412: `If-Match` or another precondition does not hold. */
export const preconditionFailed = single(412, 'conflict');
/** 412: the criteria of a conditional interaction match several resources. */
export const multipleMatches = single(412, 'multiple-matches');
/** 413: the request is larger than a configured limit. */
export const tooLarge = single(413, 'too-long');
/** 415: a content type that the server does not read. */
export const unsupportedMediaType = single(415, 'not-supported');
/** 422: the request is well formed and yet breaks a rule, such as the integrity of references. */
export const unprocessable = single(422, 'business-rule');

/** 422: a search would cost more than a configured limit. */
export const tooCostly = single(422, 'too-costly');

/** 405 with the methods that the path does have. */
export const methodNotAllowed = (method: string, allow: readonly string[]) =>
  new FhirError(405, [issue('not-supported', `${method} is not possible here; possible: ${allow.join(', ')}`)], {
    allow: allow.join(', '),
  });

/** 503 with the seconds after which a retry has a chance. */
export const unavailable = (diagnostics: string, retryAfterSeconds: number) =>
  new FhirError(503, [issue('transient', diagnostics)], { 'retry-after': String(retryAfterSeconds) });

/** Errors as OperationOutcomes, in one place. What is no FhirError is logged under an id, and the client gets the id. */
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { FhirError, issue, tooLarge, unsupportedMediaType } from '../fhir/fhir-error.ts';
import { operationOutcome } from '../fhir/operation-outcome.ts';

export const ERROR_CONTENT_TYPE = 'application/fhir+json; charset=utf-8';

/** The body of an error's answer. */
export const errorText = ({ issues }: FhirError): string => JSON.stringify(operationOutcome(issues));

export const BODY_TOO_LARGE = 'FST_ERR_CTP_BODY_TOO_LARGE';

interface WebServerError {
  readonly code?: string;
  readonly message?: string;
  readonly statusCode?: number;
  readonly stack?: string;
}

/**
 * The error that the client gets to see. `newId` makes the id of an unexpected one; `bodyBytes` is the limit where a route
 * has none of its own.
 */
export const visibleError = (
  error: unknown,
  request: Pick<FastifyRequest, 'log' | 'routeOptions'>,
  newId: () => string,
  bodyBytes: number,
): FhirError => {
  if (error instanceof FhirError) {
    // A disk that is full is the operator's to mend.
    if (error.status === 507) request.log.error(error.message);
    return error;
  }
  const { code = '', message = '', statusCode = 500, stack } = error as WebServerError;
  if (code === BODY_TOO_LARGE) {
    const { bodyLimit } = request.routeOptions;
    const whose = bodyLimit === bodyBytes ? 'of this server (CONSILIUM_BODY_MEGABYTES)' : 'of this endpoint';
    return tooLarge(`The body is larger than ${bodyLimit} bytes, the limit ${whose}`);
  }
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE')
    return unsupportedMediaType('The Content-Type is not a media type such as application/fhir+json');
  // The web server gives a status of 4xx to what the client has caused, such as ending in the middle of a body.
  if (statusCode >= 400 && statusCode < 500) return new FhirError(statusCode, [issue('invalid', message)]);
  const id = newId();
  request.log.error({ errorId: id, code, stack }, 'A request failed unexpectedly');
  return new FhirError(500, [issue('exception', `The server failed; its log has more under the id ${id}`)]);
};

const unreadable = (code: string | undefined): FhirError => {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new FhirError(408, [
        issue('timeout', 'The request did not arrive in time; the limit is CONSILIUM_REQUEST_SECONDS'),
      ]);
    case 'HPE_HEADER_OVERFLOW':
      return new FhirError(431, [
        issue('too-long', 'The url and the headers are too long; a long search can be sent by POST to [type]/_search'),
      ]);
    default:
      return new FhirError(400, [
        issue('invalid', 'This is not HTTP/1.1: the url, a header or the method is malformed'),
      ]);
  }
};

/** Answers what could not be read as HTTP, and ends the connection. */
export const refuseConnection = (error: Error & { readonly code?: string }, socket: Socket): void => {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const visible = unreadable(error.code);
  const text = errorText(visible);
  const head = [
    `HTTP/1.1 ${visible.status} ${STATUS_CODES[visible.status]}`,
    `content-type: ${ERROR_CONTENT_TYPE}`,
    'cache-control: no-store',
    `content-length: ${Buffer.byteLength(text)}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${text}`);
};

/** Errors as OperationOutcomes, in one place. What is no FhirError is logged under an id, and the client gets the id. */
import type { FastifyBaseLogger } from 'fastify';
import { FhirError, invalid, issue, tooLarge, unsupportedMediaType } from '../fhir/fhir-error.ts';

/** Errors of the web server itself that the client has caused, by code. */
const CLIENT_ERRORS: Readonly<Record<string, (message: string) => FhirError>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: unsupportedMediaType,
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: invalid,
  FST_ERR_CTP_EMPTY_JSON_BODY: invalid,
  FST_ERR_BAD_URL: invalid,
};

/** The error that the client gets to see. `newId` makes the id of an unexpected one. */
export const visibleError = (
  error: unknown,
  log: FastifyBaseLogger,
  newId: () => string,
  bodyBytes: number,
): FhirError => {
  if (error instanceof FhirError) return error;
  const { code = '', message = '', stack } = error as { code?: string; message?: string; stack?: string };
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return tooLarge(`The body is larger than ${bodyBytes} bytes, the limit of this server (CONSILIUM_BODY_MEGABYTES)`);
  const known = CLIENT_ERRORS[code];
  if (known !== undefined) return known(message);
  const id = newId();
  log.error({ errorId: id, code, stack }, 'A request failed unexpectedly');
  return new FhirError(500, [issue('exception', `The server failed; its log has more under the id ${id}`)]);
};

/**
 * What MongoDB's failures mean: whether another attempt may go well, and what a client is told.
 *
 * @see https://www.mongodb.com/docs/manual/reference/error-codes/
 */
import { MongoBulkWriteError, MongoError, MongoNetworkError, MongoServerSelectionError } from 'mongodb';
import { FhirError, issue, tooCostly, tooLarge, unavailable } from '../../fhir/fhir-error.ts';
import { StaleExpectation } from '../store.ts';
import { backOff, type Deadline, RETRY_AFTER_SECONDS } from './deadline.ts';

const DUPLICATE_KEY = 11_000;
const TIME_LIMIT_EXCEEDED = 50;
const DISK_FULL = 14_031;
/** BSONObjectTooLarge, and two older forms of it. */
const DOCUMENT_TOO_LARGE = new Set([10_334, 17_419, 17_420]);
/** TransactionTooLarge and, since 6.2, TransactionTooLargeForCache. */
const TRANSACTION_TOO_LARGE = new Set([257, 313]);
const BAD_VALUE = 2;

/** The server steps down, shuts down, cannot be reached by another one, or has lost its majority or a cursor. */
const TRANSIENT_CODES = new Set([
  6, 7, 43, 64, 89, 91, 112, 133, 134, 189, 246, 251, 262, 317, 9001, 10_107, 11_600, 11_602, 13_435, 13_436, 18_214,
]);

const codeOf = (error: unknown): number => Number((error as { code?: unknown } | undefined)?.code ?? 0);

export const hasLabel = (error: unknown, label: string): boolean =>
  error instanceof MongoError && error.hasErrorLabel(label);

export const isDuplicateKey = (error: unknown): boolean => codeOf(error) === DUPLICATE_KEY;

/** Another writer was faster; nothing of this attempt was stored. */
export class WriteConflict extends Error {
  override readonly name = 'WriteConflict';
}

/** A bulk write wraps whatever has happened to its command. */
const unwrapped = (error: unknown): unknown => {
  const inner = error instanceof MongoBulkWriteError ? (error.errorResponse as unknown) : undefined;
  return inner instanceof Error ? inner : error;
};

/** Whether the same attempt may go well in a moment. What it has written until then may or may not be stored. */
export const isTransient = (thrown: unknown): boolean => isTransientError(unwrapped(thrown));

const isTransientError = (error: unknown): boolean =>
  error instanceof MongoNetworkError ||
  error instanceof MongoServerSelectionError ||
  hasLabel(error, 'RetryableWriteError') ||
  hasLabel(error, 'TransientTransactionError') ||
  (error as Error | undefined)?.name === 'MongoWaitQueueTimeoutError' ||
  (error instanceof MongoError && TRANSIENT_CODES.has(codeOf(error)));

/** The error that a request is answered with. */
export const answerOf = (error: unknown): unknown => {
  if (error instanceof FhirError || error instanceof StaleExpectation || !(error instanceof MongoError)) return error;
  const code = codeOf(error);
  if (code === TIME_LIMIT_EXCEEDED) return tooCostly('The search takes longer than the server allows; narrow it down');
  if (code === DISK_FULL)
    return new FhirError(507, [issue('no-store', 'The disk of the database is full; nothing was stored')]);
  if (DOCUMENT_TOO_LARGE.has(code) || /larger than the maximum size/.test(error.message))
    return tooLarge('The resource has more to be indexed than fits in a document of the database (16 MB)');
  if (TRANSACTION_TOO_LARGE.has(code))
    return tooLarge('The transaction is larger than the memory of the database takes');
  if (isTransient(error))
    return unavailable(`The database cannot be used just now (${error.name} ${code})`, RETRY_AFTER_SECONDS);
  if (code === BAD_VALUE && /hint/i.test(error.message))
    return unavailable('An index of the database is missing; it is made when the server starts', RETRY_AFTER_SECONDS);
  // A message of the database may quote what was stored.
  return new Error(`The database failed: ${error.name} ${code} ${(error as { codeName?: string }).codeName ?? ''}`);
};

/** Attempts `action` until it goes well, fails for good, or there is no time left. */
export const repeated = async <T>(deadline: Deadline, action: () => Promise<T>): Promise<T> => {
  for (let attempt = 0; ; attempt++)
    try {
      return await action();
    } catch (error) {
      if (!isTransient(error)) throw error;
      await backOff(attempt, deadline);
    }
};

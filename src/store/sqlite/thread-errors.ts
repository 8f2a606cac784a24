/** Errors as data, as their classes do not survive the way between threads. */
import { FhirError, type Issue, issue, tooCostly, unavailable } from '../../fhir/fhir-error.ts';
import { RefusedWrite, StaleExpectation } from '../store.ts';

export type ErrorData =
  | {
      readonly kind: 'fhir';
      readonly status: number;
      readonly issues: readonly Issue[];
      readonly headers: Readonly<Record<string, string>>;
      /** Of a refused write. */
      readonly position: number | undefined;
    }
  | { readonly kind: 'stale' }
  | { readonly kind: 'costly'; readonly reason: string }
  | { readonly kind: 'not quick' }
  | { readonly kind: 'other'; readonly message: string; readonly code: string };

/** A search went over one of its limits. */
export class TooCostly extends Error {
  override readonly name = 'TooCostly';
}

/** A search has used up the time of those that are quick; it is to be run again by a thread for those that are not. */
export class NotQuick extends Error {
  override readonly name = 'NotQuick';
}

const RETRY_AFTER_SECONDS = 5;

export const errorData = (error: unknown): ErrorData => {
  if (error instanceof StaleExpectation) return { kind: 'stale' };
  if (error instanceof TooCostly) return { kind: 'costly', reason: error.message };
  if (error instanceof NotQuick) return { kind: 'not quick' };
  if (error instanceof FhirError) {
    const { status, issues, headers } = error;
    return {
      kind: 'fhir',
      status,
      issues,
      headers,
      position: error instanceof RefusedWrite ? error.position : undefined,
    };
  }
  const { message, code } = error as { message?: string; code?: string };
  return { kind: 'other', message: message ?? String(error), code: code ?? '' };
};

export const errorFrom = (data: ErrorData): Error => {
  switch (data.kind) {
    case 'stale':
      return new StaleExpectation('A condition does not hold any more');
    case 'costly':
      return tooCostly(data.reason);
    case 'not quick':
      return new NotQuick();
    case 'fhir': {
      const error = new FhirError(data.status, data.issues, data.headers);
      return data.position === undefined ? error : new RefusedWrite(error, data.position);
    }
    case 'other':
      if (data.code === 'SQLITE_FULL')
        return new FhirError(507, [issue('no-store', 'The disk of the store is full; nothing was stored')]);
      if (/^SQLITE_(BUSY|IOERR|READONLY)/.test(data.code))
        return unavailable(`The store cannot be used just now (${data.code})`, RETRY_AFTER_SECONDS);
      return new Error(`The store failed: ${data.message} ${data.code}`);
  }
};

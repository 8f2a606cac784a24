/** Tries again what has a chance, and never what might then be stored twice. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer, Failure, FhirClient } from './fhir-client.ts';
import type { Push } from './pushes.ts';

/** What came of a push; `abandoned`: no attempt succeeded before `signal`, and it may be pushed again without harm. */
export type Sent = { readonly kind: 'abandoned' } | ((Answer | Failure) & { readonly attempts: number });

export interface RetryOptions {
  readonly attempts: number;
  /** Ends the waiting between attempts. */
  readonly signal: AbortSignal;
  /** Told before each wait, with a sentence. */
  readonly onWait: (push: Push, reason: string) => void;
}

const FIRST_BACKOFF_MS = 250;
const LONGEST_BACKOFF_MS = 30_000;
const LONGEST_RETRY_AFTER_MS = 3_600_000;

/** Errors that pass: a server that restarts, a network that comes back. A wrong certificate does not. */
const PASSING = new Set([
  'BUSY',
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
]);

/** Twice as long after each attempt (counted from 1), less a random part so that not all come back at once. */
const backoffMs = (attempt: number): number =>
  Math.min(FIRST_BACKOFF_MS * 2 ** (attempt - 1), LONGEST_BACKOFF_MS) * (0.5 + Math.random() / 2);

/**
 * The milliseconds that a Retry-After header asks for, in seconds or as an HTTP date; undefined if it says neither.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
 */
export const retryAfterMs = (header: string | undefined, nowMs: number): number | undefined => {
  if (header === undefined) return undefined;
  const asked = /^\s*\d+\s*$/.test(header) ? Number(header) * 1000 : Date.parse(header) - nowMs;
  return Number.isNaN(asked) ? undefined : Math.min(Math.max(asked, 0), LONGEST_RETRY_AFTER_MS);
};

/** Why `result` deserves another attempt, or undefined if it is final. */
const retryReason = (push: Push, result: Answer | Failure): string | undefined => {
  // The body of a PUT may arrive twice and leaves the same content; that of a POST would be stored twice.
  const isRepeatable = push.method === 'PUT';
  if (result.kind === 'answer') {
    const { status } = result;
    if (status === 429 || status === 503) return `the server is busy (${status})`;
    // A gateway says this when it lost the server, which may have done the work.
    if (status === 502 || status === 504) return isRepeatable ? `a gateway lost the server (${status})` : undefined;
    return undefined;
  }
  if (!PASSING.has(result.code)) return undefined;
  if (result.stage === 'sent' && !isRepeatable) return undefined;
  if (result.stage === 'without token') return `there is no token yet (${result.code})`;
  return result.stage === 'unconnected' ? `no connection (${result.code})` : `the connection broke (${result.code})`;
};

/** Sends until the result is final, the attempts are used up, or `signal` ends the waiting. */
export const sendWithRetries = async (client: FhirClient, push: Push, options: RetryOptions): Promise<Sent> => {
  for (let attempt = 1; ; attempt += 1) {
    const result = await client.send(push);
    const reason = retryReason(push, result);
    if (reason === undefined || attempt >= options.attempts) return { ...result, attempts: attempt };
    const header = result.kind === 'answer' ? result.headers['retry-after'] : undefined;
    const waitMs = retryAfterMs(header, Date.now()) ?? backoffMs(attempt);
    const seconds = (waitMs / 1000).toFixed(1);
    options.onWait(push, `${reason}; again in ${seconds} s (attempt ${attempt + 1} of ${options.attempts})`);
    try {
      await sleep(waitMs, undefined, { signal: options.signal });
    } catch {
      return { kind: 'abandoned' };
    }
  }
};

/**
 * What the answer to a batch or transaction may cost: the bytes of its resources, and the time of its reads. What writes
 * is carried out at any cost; but where its resource does not fit into the answer, it is left out there.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { tooCostly } from '../fhir/fhir-error.ts';
import { operationOutcome } from '../fhir/operation-outcome.ts';
import { answerLimit } from './answer-bytes.ts';
import type { FhirResponse, Limits } from './fhir-request.ts';

/** How many reads are under way at once: each may bring as much as an answer may have. */
const READS_AT_ONCE = 2;
/** So many answers' worth of bytes are read to see what fits; then nothing more is tried. */
const ANSWERS_TRIED = 2;
/** Other requests get their turn after so many milliseconds. */
const TURN_MILLISECONDS = 10;

/** An operation may write, so that it cannot be refused once it has been carried out. */
export type Cost = 'read' | 'operation' | 'write';

export interface BundleBudget {
  /**
   * Answers one entry. Fails with a FhirError 422 if a read or operation is not to begin any more, or if the answer to a
   * read does not fit.
   */
  answer(cost: Cost, action: () => Promise<FhirResponse>): Promise<FhirResponse>;
  /** The answer to what was carried out, without its resource if that does not fit. */
  fitted(answer: FhirResponse): FhirResponse;
  /** To be awaited between entries, so that other requests get their turn. */
  turn(): Promise<void>;
}

/** Whether the time is over that began when this was first asked. */
export const readingTime = (milliseconds: number): (() => boolean) => {
  let end: number | undefined;
  return () => {
    end ??= performance.now() + milliseconds;
    return performance.now() > end;
  };
};

/** Runs at most so many actions at once, in the order in which they come. */
const atMost = (most: number) => {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async <T>(action: () => Promise<T>): Promise<T> => {
    if (running < most) running++;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await action();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  };
};

const outcomeText = (diagnostics: string): string =>
  JSON.stringify(operationOutcome([{ severity: 'warning', code: 'too-costly', diagnostics }]));

const bytesOf = ({ body = '' }: FhirResponse): number =>
  typeof body === 'string' ? Buffer.byteLength(body) : body.length;

export const createBundleBudget = (
  limits: Limits,
  isTimeOver = readingTime(limits.bundleMilliseconds),
): BundleBudget => {
  const { answerBytes, bundleMilliseconds } = limits;
  const inSlot = atMost(READS_AT_ONCE);
  let taken = 0;
  let tried = 0;
  let lastTurn = performance.now();
  let turn: Promise<void> | undefined;

  const fits = (answer: FhirResponse): boolean => {
    const bytes = bytesOf(answer);
    tried += bytes;
    if (taken + bytes > answerBytes) return false;
    taken += bytes;
    return true;
  };
  const overBytes = () =>
    tooCostly(
      `The answer to this Bundle has no room for this beside the others: its resources may have ${answerLimit(limits)} together`,
    );

  const fitted = (answer: FhirResponse): FhirResponse => {
    if (fits(answer)) return answer;
    const { body: _body, ...rest } = answer;
    return {
      ...rest,
      outcome: outcomeText(
        `This was carried out. The resource is left out, as the answer to the Bundle has no room for it: ${answerLimit(limits)}`,
      ),
    };
  };

  return {
    fitted,
    answer: async (cost, action) => {
      if (cost === 'write') return fitted(await action());
      return inSlot(async () => {
        if (isTimeOver())
          throw tooCostly(
            `The reads and searches of this Bundle take longer than ${bundleMilliseconds / 1000} s (CONSILIUM_BUNDLE_SECONDS); send fewer at once`,
          );
        if (tried >= ANSWERS_TRIED * answerBytes) throw overBytes();
        const answer = await action();
        if (cost === 'operation') return fitted(answer);
        if (!fits(answer)) throw overBytes();
        return answer;
      });
    },
    turn: async () => {
      if (performance.now() - lastTurn < TURN_MILLISECONDS) return;
      // All who answer entries wait for the same turn: one that went on alone would take it from the others.
      turn ??= nextTurn().then(() => {
        lastTurn = performance.now();
        turn = undefined;
      });
      await turn;
    },
  };
};

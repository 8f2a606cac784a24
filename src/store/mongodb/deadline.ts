/** The time that a request has in the store, with all its attempts and waits. */
import { performance } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { unavailable } from '../../fhir/fhir-error.ts';

export const RETRY_AFTER_SECONDS = 5;

export interface Deadline {
  /** Milliseconds; 0 if it has passed. */
  left(): number;
}

export const deadlineIn = (milliseconds: number): Deadline => {
  const end = performance.now() + milliseconds;
  return { left: () => Math.max(0, end - performance.now()) };
};

export const deadlinePassed = () =>
  unavailable('The database did not answer in time; whether the request took effect is not known', RETRY_AFTER_SECONDS);

/** What `work` answers, or, if that takes longer than there is time, FhirError 503. */
export const within = async <T>(deadline: Deadline, work: Promise<T>): Promise<T> => {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(deadlinePassed()), deadline.left());
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
};

const FIRST_PAUSE = 5;
const LONGEST_PAUSE = 500;

/** Waits before another attempt, longer each time, and never equally long. Throws FhirError 503 if no time is left. */
export const backOff = async (attempt: number, deadline: Deadline): Promise<void> => {
  const longest = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** Math.min(attempt, 10));
  const milliseconds = longest * (0.5 + Math.random() / 2);
  if (milliseconds >= deadline.left()) throw deadlinePassed();
  await pause(milliseconds);
};

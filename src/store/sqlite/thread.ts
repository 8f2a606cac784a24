/** A worker thread that is asked questions and answers them in any order. */
import { type MessagePort, Worker } from 'node:worker_threads';
import { unavailable } from '../../fhir/fhir-error.ts';
import type { LargeText } from '../../fhir/resource-text.ts';
import { lentMemory } from './lent-texts.ts';
import { type ErrorData, errorFrom } from './thread-errors.ts';

export interface Question<Request> {
  readonly sequence: number;
  readonly request: Request;
}

export type Answer<Result> = {
  readonly sequence: number;
  /** The texts that were lent with the question. */
  readonly returned?: readonly LargeText[];
} & ({ readonly result: Result } | { readonly error: ErrorData });

export interface Thread<Request, Result> {
  /** Whether it answers no more. */
  hasEnded(): boolean;
  /** The parts of `lent`, which are in the request, come back with the answer. */
  ask(request: Request, lent?: readonly LargeText[]): Promise<Result>;
  /** Answers what was asked, then ends. */
  end(): Promise<void>;
  /** Ends at once; what is not answered fails with `reason`. */
  kill(reason: Error): void;
}

/** What the worker posts when it can take questions; later it posts lists of answers. */
const READY = 'ready';
/** What the worker is sent in order to end. */
export const END = 'end';

export type ToThread<Request> = Question<Request> | typeof END;

/** Starts the module `url` as a worker; resolves when it is ready, fails if it cannot start. */
export const startThread = async <Request, Result>(url: URL, workerData: unknown): Promise<Thread<Request, Result>> => {
  // Flags of the process, such as a test runner's loaders, would make each thread start slowly.
  const worker = new Worker(url, { workerData, execArgv: [] });
  const questions = new Map<number, PromiseWithResolvers<Result> & { readonly lent: readonly LargeText[] }>();
  let sequence = 0;
  let failure: Error | undefined;
  const fail = (error: Error): void => {
    failure ??= error;
    for (const { reject } of questions.values()) reject(failure);
    questions.clear();
  };
  const ready = Promise.withResolvers<void>();
  worker.on('message', (message: typeof READY | readonly Answer<Result>[]) => {
    if (message === READY) {
      ready.resolve();
      return;
    }
    for (const answer of message) {
      const question = questions.get(answer.sequence);
      questions.delete(answer.sequence);
      question?.lent.forEach((text, at) => {
        text.parts = answer.returned?.[at]?.parts ?? [];
      });
      if ('error' in answer) question?.reject(errorFrom(answer.error));
      else question?.resolve(answer.result);
    }
  });
  worker.on('error', (error) => {
    ready.reject(error);
    fail(error as Error);
  });
  const ended = new Promise<void>((resolve) => {
    worker.on('exit', () => {
      fail(unavailable('The store is being closed', 1));
      resolve();
    });
  });
  await ready.promise;
  return {
    hasEnded: () => failure !== undefined,
    ask: (request, lent = []) => {
      if (failure !== undefined) return Promise.reject(failure);
      const question = { ...Promise.withResolvers<Result>(), lent };
      questions.set(++sequence, question);
      worker.postMessage({ sequence, request } satisfies Question<Request>, lentMemory(lent));
      return question.promise;
    },
    end: () => {
      if (failure === undefined) worker.postMessage(END);
      return ended;
    },
    kill: (reason) => {
      fail(reason);
      void worker.terminate();
    },
  };
};

/** For the worker: says that it is ready. */
export const announceReady = (port: MessagePort): void => port.postMessage(READY);

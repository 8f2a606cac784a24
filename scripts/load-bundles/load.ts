/** The load itself: several workers take pushes from one queue, until it is empty or someone says stop. */
import { answeredResults, unansweredResults, unpushableResult } from './entry-results.ts';
import type { Failure, FhirClient } from './fhir-client.ts';
import { type Push, pushesOf, type Unpushable } from './pushes.ts';
import { counted, type Report } from './report.ts';
import { sendWithRetries } from './send-with-retries.ts';
import type { SourceFile } from './source-files.ts';

export interface LoadOptions {
  readonly files: readonly SourceFile[];
  readonly client: FhirClient;
  readonly concurrency: number;
  readonly attempts: number;
  /** Stops new sending and the waiting before another attempt; requests under way are finished. */
  readonly stop: AbortSignal;
  readonly report: Report;
  readonly print: (line: string) => void;
  readonly onBytes: (bytes: number) => void;
}

export interface LoadEnd {
  /** Files that were not sent, or not to their end. */
  readonly unsentFiles: number;
  /** The sentence on why nothing more was sent, if the server could not be reached. */
  readonly unreachable: string | undefined;
}

const place = ({ source: { file, line } }: Push): string => (line === null ? file : `${file} line ${line}`);

/** Whether no attempt reached the server, or the user ended it before it was sent: then it is neither stored nor refused. */
const isNeverSent = ({ stage, code }: Failure): boolean =>
  stage === 'without token' || stage === 'unconnected' || (stage === 'unsent' && code === 'ABORT_ERR');

/** Pushes `files`, each read when its turn comes. */
export const load = async (options: LoadOptions): Promise<LoadEnd> => {
  const { files, client, concurrency, attempts, report, print, onBytes } = options;
  const unsent = new Set(files.map(({ path }) => path));
  const pushes = pushesOf(files, (file) => unsent.delete(file));
  const unreachable = new AbortController();
  let unreachableReason: string | undefined;
  const stop = AbortSignal.any([options.stop, unreachable.signal]);
  const onWait = (push: Push, reason: string): void => print(`${place(push)}: ${reason}`);

  const giveUp = (failure: Failure, count: number): void => {
    const what = failure.stage === 'without token' ? 'There is no token' : 'The server cannot be reached';
    unreachableReason ??= `${what}: ${failure.message || failure.code} (${counted(count, 'attempt', 'attempts')})`;
    unreachable.abort();
  };

  const sendOne = async (push: Push): Promise<void> => {
    const sent = await sendWithRetries(client, push, { attempts, signal: stop, onWait });
    if (sent.kind === 'answer') {
      report.add(push.source, answeredResults(push, sent));
    } else if (sent.kind === 'failure' && !isNeverSent(sent)) {
      report.add(push.source, unansweredResults(push, sent, sent.attempts));
    } else {
      unsent.add(push.source.file);
      if (sent.kind === 'failure' && sent.code !== 'ABORT_ERR') giveUp(sent, sent.attempts);
    }
  };

  const take = async (next: Push | Unpushable): Promise<void> => {
    if ('problem' in next) report.add(next.source, [unpushableResult(next)]);
    else if (stop.aborted) unsent.add(next.source.file);
    else await sendOne(next);
    onBytes(next.source.bytes);
  };

  const work = async (): Promise<void> => {
    while (!stop.aborted) {
      const next = await pushes.next();
      if (next.done) return;
      await take(next.value);
    }
  };

  await Promise.all(Array.from({ length: concurrency }, work));
  await pushes.return(undefined);
  return { unsentFiles: unsent.size, unreachable: unreachableReason };
};

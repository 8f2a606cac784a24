/** A thread for searches, so that a slow one stops neither writes nor reads nor the searches of other threads. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import type { SearchLimits } from './budget.ts';
import { openConnection } from './database.ts';
import { createReader, type ReadRequest, type ReadResult } from './reader.ts';
import { type Answer, announceReady, END, type ToThread } from './thread.ts';
import { errorData, NotQuick } from './thread-errors.ts';

/** What a thread is told at its start. */
export interface ReaderThreadData {
  readonly path: string;
  readonly key: Uint8Array;
  /** A search that reaches the limit of time is too costly; or it is only not quick, and to be run elsewhere. */
  readonly timeIsUp: 'too costly' | 'not quick';
  readonly limits: SearchLimits;
}

const serve = (port: MessagePort): void => {
  const { path, key, timeIsUp, limits } = workerData as ReaderThreadData;
  const connection = openConnection({ path, key: Buffer.from(key) }, 'read');
  const read = createReader(connection, limits, timeIsUp === 'not quick' ? () => new NotQuick() : undefined);
  port.on('message', (message: ToThread<ReadRequest>) => {
    if (message === END) {
      connection.close();
      port.close();
      return;
    }
    const { sequence, request } = message;
    let answer: Answer<ReadResult>;
    try {
      answer = { sequence, result: read(request) };
    } catch (error) {
      answer = { sequence, error: errorData(error) };
    }
    port.postMessage([answer]);
  });
  announceReady(port);
};

if (parentPort === null) throw new Error('This file runs in a worker thread');
serve(parentPort);

/** A thread for searches, so that a slow one stops neither writes nor reads nor the searches of other threads. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import type { SearchLimits } from './budget.ts';
import { openConnection } from './database.ts';
import { createReader, type ReadRequest, type ReadResult } from './reader.ts';
import { type Answer, announceReady, END, type ToThread } from './thread.ts';
import { errorData } from './thread-errors.ts';

const serve = (port: MessagePort): void => {
  const { path, key, limits } = workerData as { path: string; key: Uint8Array; limits: SearchLimits };
  const connection = openConnection({ path, key: Buffer.from(key) }, 'read');
  const read = createReader(connection, limits);
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

/**
 * A thread that reads large texts: one of 50 MB takes a tenth of a second to decipher, in which the main thread could
 * answer nobody. What it has read is handed over, not copied.
 */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { unpackedBody } from './body.ts';
import { openConnection } from './database.ts';
import type { TextRequest } from './large-texts.ts';
import { type Answer, announceReady, END, type ToThread } from './thread.ts';
import { errorData } from './thread-errors.ts';

/** What is read once, and whole, would only fill the cache. */
const CACHE_KIBIBYTES = 1024;

const serve = (port: MessagePort): void => {
  const { path, key } = workerData as { path: string; key: Uint8Array };
  const connection = openConnection({ path, key: Buffer.from(key) }, 'read');
  connection.pragma(`cache_size = -${CACHE_KIBIBYTES}`);
  const bodies = connection
    .prepare<TextRequest, Buffer>(
      `SELECT body FROM resource WHERE rid = @rid AND version = @version
      UNION ALL SELECT body FROM history WHERE rid = @rid AND version = @version`,
    )
    .pluck();

  const answerTo = ({ sequence, request }: { sequence: number; request: TextRequest }): Answer<Uint8Array> => {
    try {
      const body = bodies.get(request);
      if (body === undefined) throw new Error(`There is no version ${request.version} of number ${request.rid}`);
      return { sequence, result: unpackedBody(body as Buffer) };
    } catch (error) {
      return { sequence, error: errorData(error) };
    }
  };

  port.on('message', (message: ToThread<TextRequest>) => {
    if (message === END) {
      connection.close();
      port.close();
      return;
    }
    const answer = answerTo(message);
    port.postMessage([answer], 'result' in answer ? [answer.result.buffer as ArrayBuffer] : []);
  });
  announceReady(port);
};

if (parentPort === null) throw new Error('This file runs in a worker thread');
serve(parentPort);

/**
 * The thread of the one writer. Commits that arrive while the disk is busy are committed together: each is answered
 * when the whole group is durable (group commit), and none waits for more than one other group.
 */
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { Written } from '../store.ts';
import { openConnection } from './database.ts';
import { type Answer, announceReady, END, type Question, type ToThread } from './thread.ts';
import { errorData } from './thread-errors.ts';
import { type Commit, createWriter } from './writer.ts';

/** The most writes that one group holds, so that a flood of small commits is answered in steps. */
const GROUP_WRITES = 512;

type Committed = Answer<readonly Written[]>;

const serve = (port: MessagePort): void => {
  const { path, key } = workerData as { path: string; key: Uint8Array };
  const connection = openConnection({ path, key: Buffer.from(key) }, 'write');
  const writer = createWriter(connection, Date.now);

  const commitGroup = (group: readonly Question<Commit>[]): Committed[] => {
    try {
      const results = writer.commitAll(group.map(({ request }) => request));
      return results.map((result, position): Committed => {
        const { sequence } = group[position] as Question<Commit>;
        return 'written' in result
          ? { sequence, result: result.written }
          : { sequence, error: errorData(result.error) };
      });
    } catch (error) {
      // One commit that the database cannot take must not take its neighbours with it.
      if (group.length > 1) return group.flatMap((question) => commitGroup([question]));
      return group.map(({ sequence }) => ({ sequence, error: errorData(error) }));
    }
  };

  port.on('message', (first: ToThread<Commit>) => {
    const group: Question<Commit>[] = [];
    let writes = 0;
    let ends = false;
    for (let message: ToThread<Commit> | undefined = first; message !== undefined; ) {
      if (message === END) {
        ends = true;
        break;
      }
      group.push(message);
      writes += message.request.writes.length;
      message = writes < GROUP_WRITES ? receiveMessageOnPort(port)?.message : undefined;
    }
    if (group.length > 0) port.postMessage(commitGroup(group));
    if (!ends) return;
    connection.close();
    port.close();
  });
  announceReady(port);
};

if (parentPort === null) throw new Error('This file runs in a worker thread');
serve(parentPort);

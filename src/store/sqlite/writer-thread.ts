/**
 * The thread of the one writer. Commits that arrive while the disk is busy are committed together: each is answered
 * when the whole group is durable (group commit), and none waits for more than one other group.
 */
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { LargeText } from '../../fhir/resource-text.ts';
import { openConnection } from './database.ts';
import { largeTextsOf, lentMemory } from './lent-texts.ts';
import { type Answer, announceReady, END, type Question, type ToThread } from './thread.ts';
import { errorData } from './thread-errors.ts';
import { createWriter, type WriteRequest, type WriteResult } from './writer.ts';

/** The most writes that one group holds, so that a flood of small commits is answered in steps. */
const GROUP_WRITES = 512;

type Committed = Answer<WriteResult>;

const sizeOf = (request: WriteRequest): number => ('writes' in request ? request.writes.length : 1);

const lentTexts = (request: WriteRequest): LargeText[] => ('writes' in request ? largeTextsOf(request.writes) : []);

const serve = (port: MessagePort): void => {
  const { path, key } = workerData as { path: string; key: Uint8Array };
  const connection = openConnection({ path, key: Buffer.from(key) }, 'write');
  const writer = createWriter(connection, Date.now);

  const commitGroup = (group: readonly Question<WriteRequest>[]): Committed[] => {
    try {
      const results = writer.commitAll(group.map(({ request }) => request));
      return results.map((result, position): Committed => {
        const { sequence } = group[position] as Question<WriteRequest>;
        return 'error' in result ? { sequence, error: errorData(result.error) } : { sequence, result: result.result };
      });
    } catch (error) {
      // One commit that the database cannot take must not take its neighbours with it.
      if (group.length > 1) return group.flatMap((question) => commitGroup([question]));
      return group.map(({ sequence }) => ({ sequence, error: errorData(error) }));
    }
  };

  const answer = (group: readonly Question<WriteRequest>[]): void => {
    const lent = new Map(group.map(({ sequence, request }) => [sequence, lentTexts(request)]));
    const answers = commitGroup(group).map((each): Committed => {
      const returned = lent.get(each.sequence) ?? [];
      return returned.length === 0 ? each : { ...each, returned };
    });
    const memory = lentMemory([...lent.values()].flat());
    port.postMessage(answers, memory);
    // A large text has driven all else from the cache.
    if (memory.length > 0) connection.pragma('shrink_memory');
  };

  port.on('message', (first: ToThread<WriteRequest>) => {
    const group: Question<WriteRequest>[] = [];
    let writes = 0;
    let ends = false;
    for (let message: ToThread<WriteRequest> | undefined = first; message !== undefined; ) {
      if (message === END) {
        ends = true;
        break;
      }
      group.push(message);
      writes += sizeOf(message.request);
      message = writes < GROUP_WRITES ? receiveMessageOnPort(port)?.message : undefined;
    }
    if (group.length > 0) answer(group);
    if (!ends) return;
    connection.close();
    port.close();
  });
  announceReady(port);
};

if (parentPort === null) throw new Error('This file runs in a worker thread');
serve(parentPort);

/**
 * The thread of the one writer. Commits that arrive while the disk is busy are committed together: each is answered
 * when the whole group is durable (group commit), and none waits for more than one other group.
 */
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { RefusedWrite, StaleExpectation } from '../store.ts';
import { type DatabaseFile, openConnection } from './database.ts';
import { type Commit, type CommitResult, createWriter } from './writer.ts';

export interface CommitMessage extends Commit {
  readonly sequence: number;
}

/** Errors as data: their classes do not survive the way between threads. */
export type CommitReply = { readonly sequence: number } & (
  | Extract<CommitResult, { written: unknown }>
  | { readonly refused: Pick<RefusedWrite, 'status' | 'issues' | 'headers' | 'position'> }
  | { readonly stale: true }
  | { readonly failed: { readonly message: string; readonly code: string } }
);

/** The most writes that one group holds, so that a flood of small commits is answered in steps. */
const GROUP_WRITES = 512;

const reply = (sequence: number, result: CommitResult): CommitReply => {
  if ('written' in result) return { sequence, written: result.written };
  const { error } = result;
  if (error instanceof StaleExpectation) return { sequence, stale: true };
  if (error instanceof RefusedWrite) {
    const { status, issues, headers, position } = error;
    return { sequence, refused: { status, issues, headers, position } };
  }
  const { message, code } = error as { message?: string; code?: string };
  return { sequence, failed: { message: message ?? String(error), code: code ?? '' } };
};

const serve = (port: MessagePort): void => {
  const { path, key } = workerData as { path: string; key: Uint8Array };
  const file: DatabaseFile = { path, key: Buffer.from(key) };
  const connection = openConnection(file, 'write');
  const writer = createWriter(connection, Date.now);

  const commitGroup = (group: readonly CommitMessage[]): CommitReply[] => {
    try {
      const results = writer.commitAll(group);
      return group.map(({ sequence }, position) => reply(sequence, results[position] as CommitResult));
    } catch (error) {
      // One commit that the database cannot take must not take its neighbours with it.
      if (group.length > 1) return group.flatMap((message) => commitGroup([message]));
      return group.map(({ sequence }) => reply(sequence, { error }));
    }
  };

  port.on('message', (first: CommitMessage | 'close') => {
    const group: CommitMessage[] = [];
    let writes = 0;
    let closes = false;
    for (let message: CommitMessage | 'close' | undefined = first; message !== undefined; ) {
      if (message === 'close') {
        closes = true;
        break;
      }
      group.push(message);
      writes += message.writes.length;
      message = writes < GROUP_WRITES ? receiveMessageOnPort(port)?.message : undefined;
    }
    if (group.length > 0) port.postMessage(commitGroup(group));
    if (closes) {
      connection.close();
      port.close();
    }
  });
  port.postMessage([]);
};

if (parentPort === null) throw new Error('This file runs in a worker thread');
serve(parentPort);

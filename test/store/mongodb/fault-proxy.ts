/**
 * Faults between a store and its database. A proxy speaks MongoDB's wire protocol just enough to lose a command, its
 * answer, or its connection, or to answer in the place of the server: so the faults are this store's alone, whatever
 * else uses the database, and need no test commands of the server.
 *
 * @see https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/
 */
import { connect, createServer, type Socket } from 'node:net';
import { BSON } from 'mongodb';
import type { Test } from 'tap';

export interface Fault {
  /** Names of commands; undefined for every one that reads or writes. */
  readonly commands?: readonly string[];
  /** How many commands it befalls. */
  readonly times: number;
  /** How many commands go well before; only behind a proxy. */
  readonly skip?: number;
  /** Whether the command takes effect, and only its answer is lost. */
  readonly isLost: boolean;
  /** Absent: the connection is cut. */
  readonly error?: { readonly code: number; readonly labels: readonly string[] };
}

export interface Faults {
  /** Where the store is to connect to. */
  readonly url: string;
  inject(fault: Fault): Promise<void>;
  /** For so long no server takes a write or a read. */
  stepDown(milliseconds: number): Promise<void>;
  clear(): Promise<void>;
}

const HEADER = 16;
const OP_MSG = 2013;
const NOT_WRITABLE_PRIMARY = 10_107;
/** What is answered as ever while a server steps down. */
const ALWAYS = new Set(['hello', 'ismaster', 'isMaster', 'abortTransaction', 'endSessions', 'buildInfo', 'ping']);

interface Asked {
  readonly requestId: number;
  readonly name: string;
  readonly isTransaction: boolean;
  readonly isRetryable: boolean;
}

const askedIn = (message: Buffer): Asked | undefined => {
  if (message.readInt32LE(12) !== OP_MSG || message[HEADER + 4] !== 0) return undefined;
  const length = message.readInt32LE(HEADER + 5);
  const document = BSON.deserialize(message.subarray(HEADER + 5, HEADER + 5 + length));
  return {
    requestId: message.readInt32LE(4),
    name: Object.keys(document)[0] ?? '',
    isTransaction: document['autocommit'] === false,
    isRetryable: document['txnNumber'] !== undefined,
  };
};

const failureOf = ({ requestId }: Asked, code: number, errorLabels: readonly string[]): Buffer => {
  const body = BSON.serialize({ ok: 0, errmsg: 'a fault of the test', code, codeName: 'Test', errorLabels });
  const head = Buffer.alloc(HEADER + 5);
  head.writeInt32LE(head.length + body.length, 0);
  head.writeInt32LE(requestId, 8);
  head.writeInt32LE(OP_MSG, 12);
  return Buffer.concat([head, body]);
};

/** Cuts a stream of bytes into the messages of the protocol. */
const messagesOf = (take: (message: Buffer) => void): ((bytes: Buffer) => void) => {
  let rest = Buffer.alloc(0);
  return (bytes) => {
    rest = Buffer.concat([rest, bytes]);
    while (rest.length >= 4 && rest.length >= rest.readInt32LE(0)) {
      const length = rest.readInt32LE(0);
      take(rest.subarray(0, length));
      rest = rest.subarray(length);
    }
  };
};

/** The labels that a server gives its errors, for which drivers look. */
const labelsOf = ({ name, isTransaction, isRetryable }: Asked): string[] => {
  if (isTransaction && name !== 'commitTransaction') return ['TransientTransactionError'];
  return isRetryable ? ['RetryableWriteError'] : [];
};

/** What befalls a command: nothing, or a fault. */
type Befalls = (asked: Asked) => Fault | undefined;

/** Sends now or later. */
type Late = (send: () => void) => void;

const join = (client: Socket, server: Socket, befalls: Befalls, late: Late): void => {
  const lost = new Map<number, Fault & { readonly asked: Asked }>();
  const cut = (): void => {
    client.destroy();
    server.destroy();
  };
  for (const socket of [client, server]) socket.on('error', cut).on('close', cut);
  const answer = (fault: Fault, asked: Asked): void => {
    if (fault.error === undefined) cut();
    else client.write(failureOf(asked, fault.error.code, fault.error.labels));
  };
  client.on(
    'data',
    messagesOf((message) => {
      const asked = askedIn(message);
      const fault = asked === undefined ? undefined : befalls(asked);
      if (asked === undefined || fault === undefined) server.write(message);
      else if (fault.isLost) {
        lost.set(asked.requestId, { ...fault, asked });
        server.write(message);
      } else answer(fault, asked);
    }),
  );
  server.on(
    'data',
    messagesOf((message) => {
      const fault = lost.get(message.readInt32LE(8));
      if (fault === undefined) late(() => client.write(message));
      else {
        lost.delete(message.readInt32LE(8));
        answer(fault, fault.asked);
      }
    }),
  );
};

export interface FaultProxy extends Faults {
  /** From now on each answer takes so much longer; Infinity for none at all. */
  slowDown(milliseconds: number): void;
}

/** Starts a proxy before the database at `url`, ended with the test. */
export const startFaultProxy = async (t: Test, url: string): Promise<FaultProxy> => {
  const [host = '', port = '27017'] = (/^mongodb:\/\/(?:[^@/]*@)?([^,/?]+)/.exec(url)?.[1] ?? '').split(':');
  let current: { fault: Fault; left: number; skip: number } | undefined;
  let downUntil = 0;
  let delay = 0;
  const late = (send: () => void): void => {
    if (delay === 0) send();
    else if (delay < Number.POSITIVE_INFINITY) setTimeout(send, delay);
  };

  const befalls: Befalls = (asked) => {
    if (ALWAYS.has(asked.name)) return undefined;
    if (performance.now() < downUntil)
      return { times: 1, isLost: false, error: { code: NOT_WRITABLE_PRIMARY, labels: labelsOf(asked) } };
    if (current === undefined || current.left === 0) return undefined;
    const { fault } = current;
    if (fault.commands !== undefined && !fault.commands.includes(asked.name)) return undefined;
    if (current.skip-- > 0) return undefined;
    current.left--;
    return fault.error === undefined
      ? fault
      : { ...fault, error: { ...fault.error, labels: [...new Set([...labelsOf(asked), ...fault.error.labels])] } };
  };
  const sockets = new Set<Socket>();
  const proxy = createServer((client) => {
    const server = connect(Number(port), host);
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    }
    join(client, server, befalls, late);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
  });
  const address = proxy.address() as { port: number };
  return {
    // The driver would look for the members of the replica set where they say that they are, and wait half a second.
    url: `mongodb://127.0.0.1:${address.port}/?directConnection=true&minHeartbeatFrequencyMS=20`,
    inject: async (fault) => {
      current = { fault, left: fault.times, skip: fault.skip ?? 0 };
    },
    stepDown: async (milliseconds) => {
      downUntil = performance.now() + milliseconds;
    },
    clear: async () => {
      current = undefined;
    },
    slowDown: (milliseconds) => {
      delay = milliseconds;
    },
  };
};

/**
 * Takes in a request's body as it arrives, for a body that may be large and is turned into something else: so it need
 * not be there whole before.
 */
import type { IncomingMessage } from 'node:http';
import { errorCodes } from 'fastify';

/** What becomes of a body. */
export interface Sink<T> {
  add(bytes: Buffer): void;
  end(): T;
}

/** How much memory there is for a body before anything has come. */
const FIRST_BYTES = 65_536;

/** Keeps a body as it is, in memory of its own, which grows with it up to its `announced` length. */
export const bufferSink = (announced = Number.POSITIVE_INFINITY): Sink<Buffer> => {
  let body = Buffer.allocUnsafeSlow(Math.min(announced, FIRST_BYTES));
  let at = 0;
  return {
    add: (bytes) => {
      const needed = at + bytes.length;
      if (needed > body.length) {
        const larger = Buffer.allocUnsafeSlow(Math.max(needed, Math.min(announced, 2 * body.length)));
        body.copy(larger, 0, 0, at);
        body = larger;
      }
      at += bytes.copy(body, at);
    },
    end: () => body.subarray(0, at),
  };
};

/** The length that a request announces, in bytes; undefined if it announces none. */
export const announcedLength = ({ headers }: Pick<IncomingMessage, 'headers'>): number | undefined =>
  headers['content-length'] === undefined ? undefined : Number(headers['content-length']);

/** Fails, as the web server itself does, with an error for the client if the body is longer than `limit` or not whole. */
export const receivedBody = <T>(
  payload: NodeJS.ReadableStream,
  announced: number | undefined,
  limit: number,
  sink: Sink<T>,
): Promise<T> => {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  if (announced !== undefined && announced > limit) {
    reject(new errorCodes.FST_ERR_CTP_BODY_TOO_LARGE());
    return promise;
  }
  let received = 0;
  const detach = (): void => {
    payload.removeListener('data', onData).removeListener('end', onEnd).removeListener('error', onError);
  };
  const onData = (chunk: Buffer): void => {
    received += chunk.length;
    if (received <= limit) {
      sink.add(chunk);
      return;
    }
    detach();
    reject(new errorCodes.FST_ERR_CTP_BODY_TOO_LARGE());
  };
  const onEnd = (): void => {
    detach();
    if (announced === undefined || received === announced) resolve(sink.end());
    else reject(new errorCodes.FST_ERR_CTP_INVALID_CONTENT_LENGTH());
  };
  const onError = (error: Error): void => {
    detach();
    reject(Object.assign(error, { statusCode: 400 }));
  };
  payload.on('data', onData).on('end', onEnd).on('error', onError);
  payload.resume();
  return promise;
};

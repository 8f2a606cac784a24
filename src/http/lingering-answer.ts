/**
 * Answers while the client is still sending. To close a connection with unread bytes makes the client see a broken
 * connection and not the answer, so what it still sends is read for a while and thrown away.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-9.6
 */
import type { FastifyReply, FastifyRequest } from 'fastify';

const LINGER_MS = 5000;

/** Sends the answer at once, and closes the connection when the client has sent all or has had its time. */
export const answerAndLinger = (
  request: FastifyRequest,
  reply: FastifyReply,
  status: number,
  contentType: string,
  text: string,
): void => {
  reply.hijack();
  const { raw: incoming } = request;
  const { raw: outgoing } = reply;
  outgoing.writeHead(status, {
    'content-type': contentType,
    'cache-control': 'no-store',
    'content-length': Buffer.byteLength(text),
    connection: 'close',
  });
  outgoing.write(text);
  const timer = setTimeout(() => outgoing.end(), LINGER_MS);
  incoming.once('close', () => {
    clearTimeout(timer);
    outgoing.end();
  });
  incoming.resume();
};

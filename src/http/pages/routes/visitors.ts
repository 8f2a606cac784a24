/** From a request to a visit, for all routes of pages. */
import type { FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify';
import { openVisit, type PageServer, type Visit } from './visit.ts';

type Page = (visit: Visit) => Promise<FastifyReply>;

export interface Visitors {
  visited(page: Page): RouteHandlerMethod;
}

/** `server` is there once the address is known that is listened on. */
export const createVisitors = (server: () => Promise<PageServer>): Visitors => ({
  visited: (page) => async (request: FastifyRequest, reply: FastifyReply) =>
    page(await openVisit(await server(), request, reply)),
});

/** From a request to a visit, for all routes of pages. */
import type { FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify';
import { openVisit, type PageServer, rootOf, sendTo, type Visit } from './visit.ts';

type Page = (visit: Visit) => Promise<FastifyReply>;

export interface Visitors {
  visited(page: Page): RouteHandlerMethod;
  /**
   * For GET of where a form goes by POST, as when its answer is loaded by its address: the page that has the form. The path
   * of that has the parameters (`:id`) of the route.
   */
  sentTo(path: string): RouteHandlerMethod;
}

/** `server` is there once the address is known that is listened on. */
export const createVisitors = (server: () => Promise<PageServer>): Visitors => ({
  visited: (page) => async (request: FastifyRequest, reply: FastifyReply) =>
    page(await openVisit(await server(), request, reply)),
  sentTo: (path) => async (request: FastifyRequest, reply: FastifyReply) => {
    const { auth } = await server();
    const given = request.params as Readonly<Record<string, string>>;
    const filled = path.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(given[name] ?? ''));
    return sendTo({ reply }, `${rootOf(auth)}${filled}`);
  },
});

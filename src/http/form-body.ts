/** Bodies of the type `application/x-www-form-urlencoded`, with all pairs in their order: a name may be there twice. */
import formBody from '@fastify/formbody';
import type { FastifyInstance, FastifyRequest } from 'fastify';

export const registerForms = (app: FastifyInstance): void => {
  app.register(formBody, { parser: (text) => new URLSearchParams(text) as unknown as Record<string, unknown> });
};

/** The form as it came; an empty one if the request has another body, or none. */
export const sentPairs = ({ body }: FastifyRequest): URLSearchParams =>
  body instanceof URLSearchParams ? body : new URLSearchParams();

/**
 * Apps in browsers, from wherever they come: what they ask for is guarded by the tokens that they send themselves, and never
 * by a cookie, so that every origin may ask.
 *
 * @see https://hl7.org/fhir/smart-app-launch/app-launch.html#considerations-for-cross-origin-resource-sharing-cors-support
 */
import cors from '@fastify/cors';
import type { FastifyInstance } from 'fastify';

const PREFLIGHT_SECONDS = 3600;

export const registerCors = (app: FastifyInstance): void => {
  app.register(cors, {
    origin: '*',
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposedHeaders: ['Content-Location', 'ETag', 'Last-Modified', 'Location', 'Retry-After', 'WWW-Authenticate'],
    maxAge: PREFLIGHT_SECONDS,
    strictPreflight: false,
  });
};

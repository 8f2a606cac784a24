/** How often one client at one address may try: for endpoints where secrets are guessed, and signatures verified. */
import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { OAuthError } from '../auth/oauth-error.ts';
import { sentPairs } from './form-body.ts';

export interface RateLimitOptions {
  /** Requests a minute. */
  readonly rateLimit: number;
  addressOf(request: FastifyRequest): string;
}

/** What is remembered at once. */
const REMEMBERED = 20_000;
const LONGEST_NAME = 100;

/** The client that a JWT claims to be of; nothing has been verified. */
const claimedBy = (assertion: string): string => {
  try {
    const claims = JSON.parse(Buffer.from(assertion.split('.')[1] ?? '', 'base64url').toString()) as { iss?: unknown };
    return typeof claims.iss === 'string' ? claims.iss : '';
  } catch {
    return '';
  }
};

/** The client that a request says it is of. */
const clientOf = (request: FastifyRequest): string => {
  const { query, headers } = request;
  const basic = /^Basic +([^ ]+)/i.exec(headers.authorization ?? '')?.[1];
  if (basic !== undefined) return Buffer.from(basic, 'base64').toString().split(':')[0] ?? '';
  const pairs = sentPairs(request);
  const assertion = pairs.get('client_assertion');
  const asked = (query as Record<string, unknown> | undefined)?.['client_id'];
  const named = pairs.get('client_id') ?? (typeof asked === 'string' ? asked : '');
  return assertion === null ? named : claimedBy(assertion);
};

/** Whether a route counts all that comes from an address together, as no client has a part in it. */
const isOfAddress = ({ routeOptions }: FastifyRequest): boolean =>
  (routeOptions.config as { readonly isOfAddress?: boolean }).isOfAddress === true;

/** Limits the routes of `app` whose configuration has `RATE_LIMITED` or `ADDRESS_LIMITED`. */
export const registerRateLimit = (app: FastifyInstance, { rateLimit: max, addressOf }: RateLimitOptions): void => {
  app.register(rateLimit, {
    global: false,
    hook: 'preHandler',
    max,
    timeWindow: '1 minute',
    cache: REMEMBERED,
    keyGenerator: (request) => {
      const client = isOfAddress(request) ? '' : clientOf(request);
      return `${addressOf(request)} ${client.slice(0, LONGEST_NAME)}`;
    },
    errorResponseBuilder: (_request, { after }) =>
      new OAuthError(429, 'temporarily_unavailable', `There were too many requests; try again in ${after}`),
  });
};

/** The configuration of a route that is limited. */
export const RATE_LIMITED = { rateLimit: {} };

/** The same where people sign in: whoever guesses must not begin anew by naming another client. */
export const ADDRESS_LIMITED = { rateLimit: {}, isOfAddress: true };

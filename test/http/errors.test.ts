import type { FastifyRequest } from 'fastify';
import { test } from 'tap';
import { FhirError, issue } from '../../src/fhir/fhir-error.ts';
import { visibleError } from '../../src/http/errors.ts';

/** The lines of the log that an error makes. */
const loggedOf = (error: unknown): unknown[][] => {
  const lines: unknown[][] = [];
  const log = { error: (...line: unknown[]) => lines.push(line) } as unknown as FastifyRequest['log'];
  visibleError(error, { log, routeOptions: {} as FastifyRequest['routeOptions'] }, () => 'an-id', 0);
  return lines;
};

test('What the operator must mend is in the log: a full disk, and what was not foreseen; what a client does wrong is not', (t) => {
  t.same(loggedOf(new FhirError(507, [issue('no-store', 'The disk is full')])), [['The disk is full']]);
  t.match(loggedOf(new Error('x')), [[{ errorId: 'an-id' }, 'A request failed unexpectedly']]);
  t.same(loggedOf(new FhirError(404, [issue('not-found', 'x')])), []);
  t.end();
});

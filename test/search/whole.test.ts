/**
 * Searches from end to end: the text of a query, asked of real resources in a real store, finds what a matcher finds that
 * knows only R4's text, R4's expressions and the resources' JSON.
 */
import fc from 'fast-check';
import { test } from 'tap';
import type { FhirServer } from '../../src/interactions/fhir-request.ts';
import { absence } from '../data/shared-data.ts';
import { settings } from '../store/contract/run-settings.ts';
import { choicesFrom } from './whole/choices.ts';
import { randomQuery } from './whole/random-queries.ts';
import { checkQuery, createWorld, deleteWorld, serverIn } from './whole/whole-server.ts';

/** Those of servers; the second is asked less. */
const ZONES = ['Z', 'Z', 'Z', '+05:30'];
/** So many are asked of one world. */
const QUERIES = 200;
/** So many count as a run of the settings. */
const QUERIES_A_RUN = 4;

test('A search finds what R4 says of the text of the query and of the resources', async (t) => {
  const { numRuns, ...options } = settings(t, 150);
  for (const reason of ['r4-examples', 'synthea'].map(absence))
    if (reason) t.comment(`${reason}: the test runs without`);
  const servers = new Map<string, FhirServer>();
  let [worlds, queries, resources, hits] = [0, 0, 0, 0];
  const property = fc.asyncProperty(fc.nat(), async (seed) => {
    const choices = choicesFrom(seed);
    const zone = choices.of(ZONES);
    const server = servers.get(zone) ?? (await serverIn(t, zone));
    servers.set(zone, server);
    const world = await createWorld(server, zone, `w${worlds++}-`, choices);
    resources += world.resources.length;
    for (let count = 0; count < QUERIES; count++) {
      hits += (await checkQuery(server, world, randomQuery(world, choices))) > 0 ? 1 : 0;
      queries++;
    }
    await deleteWorld(server, world);
  });
  // A world is not made smaller after a failure: the message names the query and the resources that it is about.
  const worldCount = Math.ceil((numRuns * QUERIES_A_RUN) / QUERIES);
  await fc.assert(property, { ...options, endOnFailure: true, includeErrorInReport: true, numRuns: worldCount });
  t.comment(`${queries} queries of ${resources} resources in ${worlds} worlds; ${hits} found something`);
  t.ok(hits > queries / 3, 'many find something');
});

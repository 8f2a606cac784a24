import { test } from 'tap';
import type { FhirServer } from '../../src/interactions/fhir-request.ts';
import { keptText } from '../../src/interactions/kept-text.ts';

const serverAt = (baseUrl: string, generation: number): FhirServer =>
  ({ baseUrl, parameters: { generation } }) as FhirServer;

test('a description is made once, and anew for other search parameters or another base url', async (t) => {
  let made = 0;
  const textOf = keptText(({ baseUrl }) => `${baseUrl} ${++made}`);
  t.equal(textOf(serverAt('a', 0)), 'a 1');
  t.equal(textOf(serverAt('a', 0)), 'a 1');
  t.equal(textOf(serverAt('a', 1)), 'a 2');
  t.equal(textOf(serverAt('b', 1)), 'b 3');
  t.equal(textOf(serverAt('b', 1)), 'b 3');
});
